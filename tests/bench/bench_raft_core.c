/* bench_raft_core.c - three raft cores in one process, on one thread: entries per second from
 * raft_propose until the leader applies them, and allocations on the way.
 *
 *     bench_raft_core [entries [n]]    default 2000000, of 128 bytes; n at a time: all three
 *
 * All messages are encoded and decoded as on a network; disks are durable at once. Proposals of n
 * entries wait for the commit of those before. Each server takes snapshots as it goes, so that
 * cache and log are trimmed all the time. One entry at a time costs eight messages: to each
 * follower the entry and then the news of its commit, and an answer to both. */
#include "raft_trio.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ENTRY_BYTES    128
#define BATCH_MAX      1024
#define SNAPSHOT_EVERY 50000
#define TICK_ENTRIES   1000 /* a millisecond passes */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* one thread: what else runs does not count */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Gives the seconds that n entries took. */
static double propose(struct trio *t, size_t n, size_t batch)
{
    static const char data[ENTRY_BYTES];
    struct mu_str items[BATCH_MAX];
    for (size_t i = 0; i < batch; i++) {
        items[i] = (struct mu_str){data, sizeof data};
    }
    raft_index end = raft_last_index(t->leader) + n, next_tick = 0, first;
    double started = seconds();
    while (raft_applied_index(t->leader) < end) {
        trio_must(raft_propose(t->leader, t->now, items, batch, &first));
        trio_run(t);
        if (raft_last_index(t->leader) >= next_tick) {
            next_tick = raft_last_index(t->leader) + TICK_ENTRIES;
            trio_tick(t);
        }
    }
    return seconds() - started;
}

int main(int argc, char **argv)
{
    static const size_t batches[] = {1, 32, BATCH_MAX};
    static struct trio t = {.snapshot_every = SNAPSHOT_EVERY};
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    size_t only = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    struct raft_config cfg;
    raft_config_init(&cfg);
    trio_create(&t, &cfg);
    (void)propose(&t, n / 2, BATCH_MAX); /* until all that grows has grown */
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        size_t count = batches[i] == 1 ? n / 4 : n;
        if (only && only != batches[i]) {
            continue;
        }
        size_t before = t.allocations;
        raft_index from = raft_last_index(t.leader);
        double s = propose(&t, count, batches[i]);
        double done = (double)(raft_applied_index(t.leader) - from);
        printf("commit at 3 servers, %4zu at a time %10.0f entries/s %7.0f ns/entry"
               " %8.2f alloc/million\n",
               batches[i], done / s, s * 1e9 / done, (double)(t.allocations - before) * 1e6 / done);
    }
    trio_destroy(&t);
    return 0;
}
