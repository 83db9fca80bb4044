/* by_hand.c - three servers in one process count together, on the core alone: the network is a
 * queue, and the disk a promise. raft_node.h does the same with real ones. */
#include <muster/raft.h>

#include <stdio.h>
#include <stdlib.h>

static const struct raft_server cluster[3] = {{.id = "one"}, {.id = "two"}, {.id = "three"}};
static struct raft *servers[3];
static unsigned counters[3]; /* the state machines */
static struct {
    unsigned char bytes[1000];
    size_t len;
} network[1000];
static size_t head, tail;
static uint64_t now;

static void must(int rc)
{
    if (rc != RAFT_OK) {
        fprintf(stderr, "by_hand: %s\n", raft_strerror(rc));
        exit(1);
    }
}

/* Does what server i wants done. A real host writes in the background and says raft_persisted when
 * it is durable. */
static void drain(int i)
{
    const struct raft_update *u;
    for (must(raft_next_update(servers[i], &u)); u; must(raft_next_update(servers[i], &u))) {
        uint64_t written = u->persist ? u->persist->id : 0;
        raft_index applied = u->n_apply ? u->apply[u->n_apply - 1].index : 0;
        for (size_t k = 0; k < u->n_messages; k++, tail = (tail + 1) % 1000) {
            must(raft_message_encode(&u->messages[k], network[tail].bytes, 1000,
                                     &network[tail].len));
        }
        for (size_t k = 0; k < u->n_apply; k++) {
            counters[i] += u->apply[k].type == RAFT_ENTRY_NORMAL;
        }
        if (written) { /* from here on *u is gone: it was lent until the next call */
            raft_persisted(servers[i], now, written);
        }
        raft_applied(servers[i], now, applied);
    }
}

static void run(uint64_t ns)
{
    for (uint64_t end = now + ns; now < end; now += MU_MSEC) {
        for (int i = 0; i < 3; i++) {
            raft_advance(servers[i], now);
            drain(i);
        }
        for (; head != tail; head = (head + 1) % 1000) {
            struct raft_entry entries[100];
            struct raft_message m;
            must(raft_message_decode(network[head].bytes, network[head].len, entries, 100, &m));
            for (int i = 0; i < 3; i++) { /* a server ignores what is not for it */
                must(raft_step(servers[i], now, &m));
                drain(i);
            }
        }
    }
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        struct raft_config cfg;
        raft_config_init(&cfg);
        cfg.id = cluster[i].id;
        cfg.seed = (uint64_t)i;
        must(raft_create(&cfg, &servers[i]));
        raft_start(servers[i], now);
        must(raft_bootstrap(servers[i], now, cluster, 3));
    }
    run(2 * MU_SEC);
    for (int i = 0; i < 3; i++) {
        const struct mu_str increments[2] = {{"+", 1}, {"+", 1}};
        raft_index first;
        if (raft_role(servers[i]) == RAFT_LEADER) {
            must(raft_propose(servers[i], now, increments, 2, &first));
        }
    }
    run(MU_SEC);
    printf("leader %s, counters %u %u %u\n", raft_leader(servers[0]), counters[0], counters[1],
           counters[2]);
    for (int i = 0; i < 3; i++) {
        raft_destroy(servers[i]);
    }
    return counters[0] == 2 && counters[1] == 2 && counters[2] == 2 ? 0 : 1;
}
