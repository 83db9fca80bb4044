/* config_entries.c - the entries of config_entries.bootstrap: whoever becomes the leader writes
 * those that are not there, as any client would, one after the other. */
#include "process_internal.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MODULE      "agent.server"
#define RETRY_S     2
#define TRIES_MAX   30u
#define ANSWER_MAX  4096u
#define REQUEST_MAX (1u << 20) /* what the API takes */

struct config_writer {
    struct process *process;
    size_t at;      /* the entry under way */
    unsigned tries; /* of it */
    struct event *read, *timer;
    char answer[ANSWER_MAX];
    size_t len;
};

static void hang_up(struct config_writer *w)
{
    if (w->read) {
        evutil_socket_t fd = event_get_fd(w->read);
        event_free(w->read);
        close(fd);
        w->read = NULL;
    }
    w->len = 0;
}

static void later(struct config_writer *w, int seconds)
{
    evtimer_add(w->timer, &(struct timeval){.tv_sec = seconds});
}

static void next(struct config_writer *w)
{
    w->at++;
    w->tries = 0;
    later(w, 0);
}

/* Only what may be different in a while is worth another try. */
static void on_answer(struct config_writer *w)
{
    const struct config_definition *d = &w->process->config->config_entries.items[w->at];
    int status = 0;
    w->answer[w->len] = '\0';
    /* NOLINTNEXTLINE(cert-err34-c): three digits are always a number. */
    if (sscanf(w->answer, "HTTP/1.1 %3d", &status) != 1) {
        status = 0;
    }
    const char *body = strstr(w->answer, "\r\n\r\n");
    body = body ? body + 4 : "";
    bool again = (status == 0 || status == 500) && ++w->tries < TRIES_MAX;
    if (status != 200 && !again) {
        log_error(MODULE, "Failed to bootstrap a config entry: file=%s error=\"%.512s\"",
                  d->source.p, body);
    }
    hang_up(w);
    if (again) {
        later(w, RETRY_S);
    } else {
        next(w);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct config_writer *w = arg;
    (void)what;
    ssize_t n = recv(fd, w->answer + w->len, sizeof w->answer - 1 - w->len, 0);
    if (n > 0) {
        w->len += (size_t)n;
    }
    if (n == 0 || w->len == sizeof w->answer - 1 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        on_answer(w);
    }
}

/* The other end reads as it comes; a short wait is for entries longer than a socket's buffer. */
static bool send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static void write_entry(evutil_socket_t unused, short what, void *arg)
{
    struct config_writer *w = arg;
    const struct config_definitions *all = &w->process->config->config_entries;
    char head[256];
    (void)unused, (void)what;
    if (w->at >= all->len) {
        return;
    }
    struct mu_str body = all->items[w->at].json;
    int size = (int)body.len + 1024, fd = process__visit(w->process);
    int n = snprintf(head, sizeof head,
                     "PUT /v1/config?cas=0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     body.len);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    if (fd < 0 || body.len > REQUEST_MAX || !send_all(fd, head, (size_t)n) ||
        !send_all(fd, body.p, body.len)) {
        log_error(MODULE, "Failed to bootstrap a config entry: file=%s error=\"too long\"",
                  all->items[w->at].source.p);
        if (fd >= 0) {
            close(fd);
        }
        next(w);
        return;
    }
    w->read = process__must(
        event_new(loop_base(w->process->core), fd, EV_READ | EV_PERSIST, on_readable, w));
    event_add(w->read, NULL);
}

void process_write_config_entries(struct process *p)
{
    struct config_writer *w = p->config_writer;
    if (!p->config->config_entries.len) {
        return;
    }
    if (!w) {
        w = p->config_writer = process__must(calloc(1, sizeof *w));
        w->process = p;
        w->timer = process__must(evtimer_new(loop_base(p->core), write_entry, w));
    }
    hang_up(w);
    w->at = 0;
    w->tries = 0;
    later(w, 0);
}

void process__stop_config_entries(struct process *p)
{
    struct config_writer *w = p->config_writer;
    if (w) {
        hang_up(w);
        event_free(w->timer);
        free(w);
        p->config_writer = NULL;
    }
}
