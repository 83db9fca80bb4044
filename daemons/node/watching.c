/* watching.c - the watches of the configuration ask the first front, over a pair of sockets for
 * each request: one end goes the way of a connection from outside. */
#include "process_internal.h"

#include "http/server.h"
#include "watch/watches.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct visit {
    struct front *front;
    int fd;
};

static void on_front(void *arg)
{
    struct visit *v = arg;
    if (v->front->http) {
        http_server_adopt(v->front->http, v->fd);
    } else {
        close(v->fd); /* the process is ending */
    }
    free(v);
}

int process__visit(void *user)
{
    struct process *p = user;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        return -1;
    }
    struct visit *v = process__must(malloc(sizeof *v));
    *v = (struct visit){&p->fronts[0], fds[1]};
    loop_post(p->fronts[0].loop, on_front, v);
    return fds[0];
}

bool process__start_watches(struct process *p, char *err, size_t errlen)
{
    const struct watches_config cfg = {
        .base = loop_base(p->core), .connect = process__visit, .user = p};
    p->watches = process__must(watches_create(&cfg));
    return watches_set(p->watches, p->config, err, errlen);
}
