/* planted_raft.c - the simulator must be able to fail: each fault that libraft/src/planted.h can
 * plant is found within a stated number of seeds.
 *
 *   planted_raft [--fault N] [--seeds LIMIT]
 *
 * Each fault runs in a process of its own, since what finds it ends that. */
#include "raft_swarm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum raft__planted raft__planted = RAFT__NO_FAULT;

struct planted {
    enum raft__planted fault;
    const char *name;
    unsigned within; /* seeds: what was seen, doubled or more */
};

static const struct planted planted[] = {
    {RAFT__VOTE_NOT_PERSISTED, "vote not persisted", 1000},
    {RAFT__VOTE_BEFORE_DURABLE, "vote answered before it is durable", 2000},
    {RAFT__VOTE_TWICE, "two votes in a term", 1000},
    {RAFT__VOTE_FOR_OLD_LOG, "vote for a log that is behind", 1000},
    {RAFT__HARD_STATE_LOST, "hard state lost on restart", 1000},
    {RAFT__PREVOTE_IGNORES_LEADER, "pre-vote ignores a live leader", 1000},
    {RAFT__COMMIT_OF_EARLIER_TERM, "earlier term committed by counting", 2000},
    {RAFT__COMMIT_UNVERIFIED, "heartbeat commits what was not verified", 1000},
    {RAFT__NO_PREV_TERM_CHECK, "no check of the previous term", 1000},
    {RAFT__TRUNCATE_COMMITTED, "committed entries truncated", 1000},
    {RAFT__ACK_BEFORE_DURABLE, "append acknowledged before durable", 2000},
    {RAFT__WINDOW_OFF_BY_ONE, "window off by one", 1000},
    {RAFT__LEASE_UNCHECKED, "stale read: lease not checked", 1000},
    {RAFT__READ_UNCONFIRMED, "stale read: no quorum asked", 1000},
    {RAFT__TWO_CHANGES, "two configuration changes at once", 1000},
    {RAFT__CHANGE_TOO_EARLY, "change before own entry commits (2015)", 2000},
    {RAFT__SNAPSHOT_DROPS_CONFIG, "snapshot drops the configuration", 1000},
    {RAFT__CHUNK_HASH_UNCHECKED, "snapshot mixed from two files", 2000},
    {RAFT__SNAPSHOT_KEEPS_LOG, "snapshot keeps a log that differs", 2000},
    {RAFT__STALL_IGNORED, "leader with a hung disk stays (raft 503)", 1000},
    {RAFT__FULL_DISK_CAMPAIGNS, "full disk, and campaigns (raft 614)", 1000},
    {RAFT__TRANSFER_REFUSED, "transfer cancelled (canonical 203)", 1000},
};
#define N_PLANTED (sizeof planted / sizeof *planted)
_Static_assert(N_PLANTED == RAFT__N_PLANTED - 1, "each fault has its line");

static void on_abort(int signal)
{
    (void)signal;
    swarm_fail("an assertion");
}

/* Runs seeds until one fails, and says so through its output. */
_Noreturn static void hunt(const struct planted *p, uint64_t limit, FILE *out)
{
    struct checks sum = {.n = 0};
    dup2(fileno(out), STDOUT_FILENO);
    if (!freopen("/dev/null", "w", stderr)) { /* assertions speak there */
        _Exit(2);
    }
    signal(SIGABRT, on_abort);
    raft__planted = p->fault;
    for (uint64_t seed = 1; seed <= limit; seed++) {
        swarm_run(seed, 0, false, &sum);
    }
    _Exit(0);
}

/* The line with which sim_fail says what was found. */
static void read_finding(FILE *out, char *what, size_t size, uint64_t *seed)
{
    char line[512];
    rewind(out);
    while (fgets(line, sizeof line, out)) {
        const char *colon = strstr(line, " s: ");
        const char *repeat = strstr(line, "--seed 0x");
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "FAILED", 6) == 0 && colon) {
            snprintf(what, size, "%s", colon + 4);
        } else if (strncmp(line, "repeat:", 7) == 0 && repeat) {
            *seed = strtoull(repeat + 7, NULL, 0);
        }
    }
}

/* How many seeds it took; 0 if it was not found. */
static uint64_t find(const struct planted *p, uint64_t limit, char *what, size_t size)
{
    uint64_t seed = 0;
    int status = 0;
    FILE *out = tmpfile();
    if (!out) {
        perror("tmpfile");
        exit(2);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        hunt(p, limit, out);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("fork");
        exit(2);
    }
    snprintf(what, size, "ended with status %d", status);
    read_finding(out, what, size, &seed);
    fclose(out);
    return seed;
}

int main(int argc, char **argv)
{
    unsigned only = 0, lost = 0;
    uint64_t limit = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--fault") == 0) {
            only = (unsigned)strtoul(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            limit = strtoull(argv[i + 1], NULL, 0);
        }
    }
    for (size_t i = 0; i < N_PLANTED; i++) {
        const struct planted *p = &planted[i];
        char what[256];
        if (only && p->fault != only) {
            continue;
        }
        uint64_t seeds = find(p, limit ? limit : p->within, what, sizeof what);
        lost += seeds == 0;
        printf("%2d %-42s %4" PRIu64 " seeds of %u: %s\n", p->fault, p->name, seeds, p->within,
               seeds ? what : "NOT FOUND");
    }
    return lost > 0;
}
