/* request_log.c - a line for each request that was answered, for who debugs: `consul monitor
 * -log-level=debug` shows them. */
#include "internal.h"

#include "base/log.h"
#include "base/loop.h"
#include "schema.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define MODULE  "agent.http"
#define URL_MAX 1024u

/* The target without the value of a token. */
static void shown_url(const struct http_request *r, char *out, size_t size)
{
    static const char hidden[] = "<hidden>";
    struct mu_str target = r->head.target;
    size_t len = 0;
    for (size_t i = 0; i < target.len && len + sizeof hidden < size; i++) {
        bool begins = i > 0 && (target.p[i - 1] == '?' || target.p[i - 1] == '&');
        out[len++] = target.p[i];
        if (begins && target.len - i > 6 && memcmp(target.p + i, "token=", 6) == 0) {
            memcpy(out + len, "oken=", 5);
            memcpy(out + len + 5, hidden, sizeof hidden - 1);
            len += 5 + sizeof hidden - 1;
            while (i + 1 < target.len && target.p[i + 1] != '&') {
                i++;
            }
        }
    }
    out[len] = '\0';
}

void http__log_request(const struct http_request *r)
{
    char url[URL_MAX], from[INET6_ADDRSTRLEN + 8] = "", took[40];
    /* NULL: it is the answer of all who ask the same */
    const struct http_connection *c = r->connection;
    if (!log_is_on(MU_DEBUG)) {
        return;
    }
    if (c && c->peer.len > 0) {
        memcpy(from, " from=", 6);
        inet_ntop(c->peer.len == 4 ? AF_INET : AF_INET6, c->peer.bytes, from + 6, INET6_ADDRSTRLEN);
    }
    shown_url(r, url, sizeof url - 16); /* the last token may pass it */
    snprintf(took, sizeof took, "%.3fms", (double)(loop_now_ns() - r->began_ns) / 1e6);
    log_debug(MODULE, "Request finished: method=%.*s url=%s%s latency=%s",
              (int)mu__min(r->head.method.len, 32), r->head.method.p, url, from, took);
}
