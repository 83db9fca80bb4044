/* chat.c - members of a pool talk: what one types, all read. The core with its batteries, on a
 * libevent loop.
 *
 *     chat NAME IP[:PORT] [IP:PORT of somebody who is there]
 *
 * /who tells who is there and how far away; the end of the input leaves. */
#include <muster/swim_node.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct chat {
    struct event_base *base;
    struct event *input;
    struct swim_node *node;
};

static struct mu_str text(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static void on_event(void *user, const struct swim_event *ev)
{
    (void)user;
    const char *name = ev->member.name.p; /* of a member: ends with a zero */
    if (ev->type == SWIM_EVENT_JOIN) {
        printf("* %s is here\n", name);
    } else if (ev->type == SWIM_EVENT_LEAVE) {
        printf("* %s has left\n", name);
    } else if (ev->type == SWIM_EVENT_FAILED) {
        printf("* %s is lost\n", name);
    } else if (ev->type == SWIM_EVENT_USER) { /* its name is who said it */
        printf("%.*s: %.*s\n", (int)ev->name.len, ev->name.p, (int)ev->payload.len, ev->payload.p);
    }
    fflush(stdout);
}

static void on_joined(void *user, size_t joined, const char *error)
{
    (void)user;
    if (joined == 0) {
        fprintf(stderr, "nobody there: %s", error);
    }
}

static void on_left(void *user)
{
    event_base_loopbreak(user);
}

static void who(struct chat *c)
{
    const struct swim *s = swim_node_core(c->node);
    struct swim_member me, m;
    size_t at = 0;
    swim_self(s, &me);
    while (swim_next_member(s, &at, &m)) {
        uint64_t rtt;
        char addr[SWIM_ADDR_TEXT];
        bool far = swim_rtt(s, me.name.p, m.name.p, &rtt) == SWIM_OK && !m.is_self;
        printf("* %s at %s%s", m.name.p, swim_addr_text(&m.addr, addr),
               m.status == SWIM_STATUS_ALIVE ? "" : " (gone)");
        printf(far ? ", %.1f ms\n" : "\n", far ? (double)rtt / 1e6 : 0.0);
    }
}

static void say(struct chat *c, const char *line)
{
    struct swim_member me;
    swim_self(swim_node_core(c->node), &me);
    int rc = swim_user_event(swim_node_core(c->node), swim_node_now(c->node), me.name, text(line),
                             false);
    if (rc != SWIM_OK) {
        fprintf(stderr, "not said: %s\n", swim_strerror(rc));
    }
    swim_node_flush(c->node);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    struct chat *c = arg;
    char buf[400];
    ssize_t n = read(fd, buf, sizeof buf - 1);
    (void)what;
    if (n <= 0) {
        event_del(c->input);
        swim_node_leave(c->node, on_left, c->base);
        return;
    }
    buf[n] = 0;
    for (char *save, *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strcmp(line, "/who") == 0) {
            who(c);
        } else {
            say(c, line);
        }
    }
}

int main(int argc, char **argv)
{
    struct chat c = {.base = event_base_new()};
    struct swim_node_config cfg;
    char why[256];
    swim_node_config_init(&cfg);
    cfg.base = c.base;
    cfg.on_event = on_event;
    if (argc < 3 || !swim_node_parse_addr(argv[2], 0, &cfg.bind)) {
        fprintf(stderr, "usage: chat NAME IP[:PORT] [IP:PORT of somebody who is there]\n");
        return 2;
    }
    cfg.swim.name = argv[1];
    if (swim_node_create(&cfg, why, sizeof why, &c.node) != SWIM_OK) {
        fprintf(stderr, "chat: %s\n", why);
        return 1;
    }
    char addr[SWIM_ADDR_TEXT];
    printf("* %s at %s\n", argv[1], swim_addr_text(swim_node_addr(c.node), addr));
    if (argc > 3 &&
        swim_node_join(c.node, (const char *const *)&argv[3], 1, on_joined, NULL) != 0) {
        return 1;
    }
    c.input = event_new(c.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &c);
    event_add(c.input, NULL);
    event_base_dispatch(c.base);
    event_free(c.input);
    swim_node_destroy(c.node);
    event_base_free(c.base);
    return 0;
}
