/* counter.c - a replicated counter; each server of the cluster is a process like this:
 *
 *     counter DIR 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003
 *
 * The first address is its own, which is its id as well, the others are its peers. Whoever leads
 * counts on, twenty times a second; all print what they have, and keep it in DIR. */
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <muster/raft_node.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static uint64_t count, view; /* the state machine, and how it was when a snapshot began */
static struct raft_node *node;

static void apply(void *user, raft_index index, raft_term term, const void *data, size_t len,
                  void **result)
{
    (void)user, (void)index, (void)term, (void)data, (void)len, (void)result;
    printf("%llu\n", (unsigned long long)++count);
}

static void *snapshot_begin(void *user)
{
    (void)user;
    view = count; /* one snapshot at a time */
    return &view;
}

static int snapshot_save(void *user, void *saved, struct raft_node_writer *w)
{
    (void)user;
    return raft_node_snapshot_write(w, saved, sizeof view);
}

static void snapshot_end(void *user, void *saved)
{
    (void)user, (void)saved;
}

static int restore(void *user, struct raft_node_reader *r)
{
    (void)user;
    size_t len = sizeof count;
    return raft_node_snapshot_read(r, &count, &len) == 0 && len == sizeof count ? 0 : -1;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    (void)!raft_node_propose(node, "+", 1, NULL, NULL); /* refused, unless this server leads */
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
    (void)l, (void)from, (void)len, (void)arg;
    if (raft_node_adopt(node, fd) != 0) {
        evutil_closesocket(fd);
    }
}

int main(int argc, char **argv)
{
    struct raft_server cluster[RAFT_SERVERS_MAX] = {{.kind = RAFT_VOTER}};
    struct raft_node_config cfg;
    struct raft_node_diag why = {"usage: counter DIR ADDRESS PEER..."};
    struct sockaddr_storage own;
    int len = sizeof own;
    unsigned servers = argc < 3 ? 0 : (unsigned)argc - 2;
    for (unsigned i = 0; i < servers && servers <= RAFT_SERVERS_MAX; i++) {
        snprintf(cluster[i].id, sizeof cluster[i].id, "%s", argv[2 + i]);
        snprintf(cluster[i].address, sizeof cluster[i].address, "%s", argv[2 + i]);
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    raft_node_config_init(&cfg);
    cfg.base = event_base_new();
    cfg.dir = argv[1];
    cfg.id = cfg.address = cluster[0].id;
    cfg.machine = (struct raft_node_machine){.apply = apply,
                                             .snapshot_begin = snapshot_begin,
                                             .snapshot_save = snapshot_save,
                                             .snapshot_end = snapshot_end,
                                             .restore = restore};
    if (servers == 0 || servers > RAFT_SERVERS_MAX || raft_node_create(&cfg, &node, &why) != 0 ||
        (!raft_node_is_bootstrapped(node) && raft_node_bootstrap(node, cluster, servers) != 0) ||
        evutil_parse_sockaddr_port(argv[2], (struct sockaddr *)&own, &len) != 0 ||
        !evconnlistener_new_bind(cfg.base, on_accept, NULL, LEV_OPT_REUSEABLE, 16,
                                 (struct sockaddr *)&own, len)) {
        fprintf(stderr, "counter: %s\n", why.text);
        return 1;
    }
    event_add(event_new(cfg.base, -1, EV_PERSIST, on_tick, NULL), &(struct timeval){0, 50000});
    return event_base_dispatch(cfg.base); /* until somebody kills it: that is what the log is for */
}
