/* planted_catalog.c - what history.c claims to see it must see: each fault that
 * libcatalog/src/planted.h can plant is found within a stated number of seeds.
 *
 *   planted_catalog [--fault N]
 *
 * Each fault runs in a process of its own, since an assertion ends that. */
#include "history.h"
#include "planted.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum catalog__planted catalog__planted = CATALOG__NO_FAULT;

struct planted {
    enum catalog__planted fault;
    const char *name;
    unsigned within; /* seeds: what was seen, doubled or more */
};

static const struct planted planted[] = {
    {CATALOG__WAKE_MISSED_KEY, "missed wake-up: a deleted key", 10},
    {CATALOG__WAKE_MISSED_STATUS, "missed wake-up: a status that is left", 10},
    {CATALOG__WAKE_MISSED_PREFIX, "missed wake-up: below a prefix", 10},
    {CATALOG__WAKE_MISSED_VERSION, "missed wake-up: the version that was read", 10},
    {CATALOG__CASCADE_CHECKS, "lost cascade: the checks of a service", 10},
    {CATALOG__CASCADE_SESSIONS, "lost cascade: the sessions of a node", 10},
    {CATALOG__CASCADE_CRITICAL, "lost cascade: sessions of a critical check", 20},
    {CATALOG__CASCADE_LOCKS, "lost cascade: the locks of a session", 20},
    {CATALOG__INDEX_FORGETS_SERVICE, "index goes back: the last instance", 10},
    {CATALOG__INDEX_FORGETS_UPDATE, "index stands still: an updated instance", 10},
    {CATALOG__TOMBSTONE_FORGOTTEN, "tombstone forgotten: of a key", 10},
    {CATALOG__TOMBSTONE_OF_TREE, "tombstone forgotten: of a tree", 20},
    {CATALOG__HALF_BATCH, "reader sees half a batch", 10},
    {CATALOG__REFUSED_STAYS, "what was refused stays in part", 10},
    {CATALOG__CAS_UNCHECKED, "compare-and-set does not compare", 10},
    {CATALOG__RESTORE_NO_COORDINATES, "restore loses a table: coordinates", 10},
    {CATALOG__RESTORE_NO_TOMBSTONES, "restore loses a table: tombstones", 10},
    {CATALOG__RESTORE_NO_INDEXES, "restore loses the indexes of tables", 10},
    {CATALOG__WAKE_MISSED_CONFIG, "missed wake-up: a config entry", 10},
    {CATALOG__WAKE_MISSED_QUERY, "missed wake-up: a prepared query that goes", 10},
    {CATALOG__GATEWAY_SERVICES_STAY, "lost cascade: what was behind a gateway", 10},
    {CATALOG__WILDCARD_MISSES_SERVICE, "a wildcard misses a new service", 10},
    {CATALOG__CASCADE_QUERIES, "lost cascade: the queries of a session", 20},
    {CATALOG__RESTORE_NO_GATEWAYS, "restore loses a table: services of gateways", 10},
    {CATALOG__WAKE_MISSED_GATEWAY, "missed wake-up: a service's gateways", 10},
    {CATALOG__VIRTUAL_STAYS, "lost cascade: the virtual address of a service", 10},
    {CATALOG__RESTORE_NO_VIRTUAL, "restore loses a table: virtual addresses", 10},
    {CATALOG__RESTORE_NO_INTENTIONS, "restore loses a table: intentions", 10},
    {CATALOG__WAKE_MISSED_INTENTION, "missed wake-up: an intention that goes", 10},
    {CATALOG__WAKE_MISSED_ADDRESS, "missed wake-up: an address that is left", 10},
};
#define N_PLANTED (sizeof planted / sizeof *planted)
_Static_assert(N_PLANTED == CATALOG__N_PLANTED - 1, "each fault has its line");

struct finding {
    unsigned seed;
    char what[200];
};

static struct finding *found; /* where an assertion finds the seed that was under way */
static int answer_pipe;

static void tell_and_end(void)
{
    if (write(answer_pipe, found, sizeof *found) != sizeof *found) {
        _exit(2);
    }
    _exit(0);
}

static void on_abort(int signal)
{
    (void)signal;
    tell_and_end();
}

_Noreturn static void hunt(const struct planted *p)
{
    static struct finding f;
    found = &f;
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (!freopen("/dev/null", "w", stderr)) { /* assertions speak there */
        _exit(2);
    }
    catalog__planted = p->fault;
    for (f.seed = 1; f.seed <= p->within; f.seed++) {
        snprintf(f.what, sizeof f.what, "an assertion");
        if (!history_run(f.seed, 150, f.what, sizeof f.what)) {
            tell_and_end();
        }
    }
    _exit(0);
}

/* False: no seed found it. */
static bool find(const struct planted *p, struct finding *out)
{
    int ends[2], status;
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(2);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        answer_pipe = ends[1];
        hunt(p);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], out, sizeof *out);
    close(ends[0]);
    return child > 0 && waitpid(child, &status, 0) == child && got == (ssize_t)sizeof *out;
}

int main(int argc, char **argv)
{
    unsigned only =
        argc == 3 && strcmp(argv[1], "--fault") == 0 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    unsigned lost = 0;
    for (size_t i = 0; i < N_PLANTED; i++) {
        struct finding f;
        if (only && planted[i].fault != only) {
            continue;
        }
        if (find(&planted[i], &f)) {
            printf("%2u %-44s seed %2u of %u: %s\n", planted[i].fault, planted[i].name, f.seed,
                   planted[i].within, f.what);
        } else {
            printf("%2u %-44s NOT FOUND within %u seeds\n", planted[i].fault, planted[i].name,
                   planted[i].within);
            lost++;
        }
    }
    return lost ? 1 : 0;
}
