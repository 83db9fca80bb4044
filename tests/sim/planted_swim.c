/* planted_swim.c - the stories must be able to fail: each fault that libswim/src/planted.h can
 * plant breaks a claim of the story that is named with it, and without a fault all claims hold.
 *
 *   planted_swim [--seed X] [--fault N [--story NAME] [--verbose]]     another story than its own
 *
 * Each fault runs in a process of its own, since an assertion may find it first. */
#include "swim_stories.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum swim__planted swim__planted = SWIM__NO_FAULT;

struct planted {
    enum swim__planted fault;
    const char *name, *story;
};

static const struct planted planted[] = {
    {SWIM__NO_REFUTE, "no refute", "suspect-refutes"},
    {SWIM__INCARNATION_NOT_RAISED, "incarnation not raised", "suspect-refutes"},
    {SWIM__SUSPICION_NOT_CONFIRMED, "suspicion never confirmed", "crash-is-known"},
    {SWIM__SUSPICION_ENDLESS, "suspicion never ends", "crash-is-known"},
    {SWIM__RETRANSMIT_TOO_FEW, "retransmit limit a tenth", "news-reaches-all"},
    {SWIM__RETRANSMIT_TOO_MANY, "retransmit limit eightfold", "news-reaches-all"},
    {SWIM__RESURRECTED_BY_SYNC, "dead resurrected by push/pull", "dead-stay-dead"},
    {SWIM__ALIVE_NOT_NEWER, "alive of the same incarnation overrides", "dead-stay-dead"},
    {SWIM__OLD_ACCUSATION, "refuted accusation believed", "refuted-stays-refuted"},
    {SWIM__ACK_BY_ADDRESS, "ack matched by address alone", "old-answers"},
    {SWIM__NO_HELPERS, "no indirect probes", "one-bad-path"},
    {SWIM__HELPERS_BY_LUCK, "helpers drawn by luck", "only-helper"},
    {SWIM__HEALTH_IGNORED, "own health ignored", "starved-node"},
    {SWIM__PAUSE_IGNORED, "own pause ignored", "stopped-node"},
    {SWIM__SILENCE_IGNORED, "silence from all ignored", "starved-pair"},
    {SWIM__SILENT_LEFT_ALONE, "the silent are not asked again", "all-answer"},
    {SWIM__UPDATES_FIRST, "updates fill every datagram", "events-not-starved"},
    {SWIM__EVENT_AGAIN, "event given twice", "events-once"},
    {SWIM__DEATH_UNTOLD, "who is held dead is not told", "fleet-restart"},
    {SWIM__NEVER_RECONNECTS, "failed members not tried again", "long-partition"},
    {SWIM__NEVER_REAPED, "who is gone stays on record", "departed-reaped"},
    {SWIM__FAREWELL_UNHEARD, "a farewell counts as a failure", "farewell"},
};
#define N_PLANTED (sizeof planted / sizeof *planted)
_Static_assert(N_PLANTED == SWIM__N_PLANTED - 1, "each fault has its line");

/* Tells the story with the fault; writes what broke, if anything, to fd. */
_Noreturn static void child(const struct planted *p, uint64_t seed, bool verbose, int fd)
{
    swim__planted = p->fault;
    if (!freopen("/dev/null", "w", stderr)) { /* assertions speak there */
        _Exit(2);
    }
    const char *what = swim_story_tell(swim_story_find(p->story), seed, verbose, NULL);
    (void)fflush(stdout);
    size_t len = what ? strlen(what) : 0;
    _Exit(write(fd, what ? what : "", len) == (ssize_t)len ? 0 : 2);
}

/* True if the fault broke the story; what says how. */
static bool is_found(const struct planted *p, uint64_t seed, bool verbose, char *what, size_t size)
{
    int fds[2], status = 0;
    if (pipe(fds) != 0) {
        perror("pipe");
        exit(2);
    }
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child(p, seed, verbose, fds[1]);
    }
    close(fds[1]);
    ssize_t n = pid > 0 ? read(fds[0], what, size - 1) : -1;
    what[n > 0 ? n : 0] = '\0';
    close(fds[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("fork");
        exit(2);
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
        (void)snprintf(what, size, "an assertion");
        return true;
    }
    return n > 0;
}

static size_t count_broken_without_fault(uint64_t seed)
{
    size_t broken = 0;
    for (size_t i = 0; i < swim_stories_len; i++) {
        const struct story *s = &swim_stories[i];
        const char *what = swim_story_tell(s, seed, false, stderr);
        printf("   %-40s %s\n", s->about, what ? what : "holds");
        broken += what != NULL;
    }
    return broken;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    unsigned only = 0;
    size_t lost = 0;
    const char *story = NULL;
    bool verbose = argc > 1 && strcmp(argv[argc - 1], "--verbose") == 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--fault") == 0) {
            only = (unsigned)strtoul(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--story") == 0) {
            story = argv[i + 1];
        }
    }
    lost += only ? 0 : count_broken_without_fault(seed);
    for (size_t i = 0; i < N_PLANTED; i++) {
        struct planted p = planted[i];
        char what[256];
        if (only && p.fault != only) {
            continue;
        }
        p.story = story && swim_story_find(story) ? story : p.story;
        bool found = is_found(&p, seed, verbose, what, sizeof what);
        lost += !found;
        printf("%2d %-40s %-22s %s\n", p.fault, p.name, p.story, found ? what : "NOT FOUND");
    }
    return lost > 0;
}
