/* sessions.c - TLS sessions with other ends, kept for resumption by the client. */
#include "identity.h"

#include <stdio.h>
#include <string.h>

static void free_session(struct ca_identity *i, struct identity__session *s)
{
    mbedtls_ssl_session_free(&s->session); /* wipes it */
    mu__free(&i->allocator, s);
}

static bool fits(const struct identity__session *s, const char *service, const char *name)
{
    return strcmp(s->name, name) == 0 && strcmp(s->service, service) == 0;
}

/* Under lock. The link that leads to it, or to the end. */
static struct identity__session **find(struct ca_identity *i, const char *service, const char *name)
{
    struct identity__session **at = &i->sessions;
    while (*at && !fits(*at, service, name)) {
        at = &(*at)->next;
    }
    return at;
}

static struct identity__session *unlink_at(struct ca_identity *i, struct identity__session **at)
{
    struct identity__session *s = *at;
    if (s) {
        *at = s->next;
        i->session_count--;
    }
    return s;
}

void identity__session_resume(struct ca_identity *i, const char *service, const char *name,
                              const struct identity__material *m, mbedtls_ssl_context *ssl)
{
    struct identity__session *stale = NULL;
    pthread_mutex_lock(&i->lock);
    struct identity__session **at = find(i, service, name);
    if (*at &&
        ((*at)->epoch != m->trust->epoch || (*at)->own_not_after_unix_s != m->not_after_unix_s ||
         identity__now(i) > (*at)->not_after_unix_s)) {
        stale = unlink_at(i, at);
    } else if (*at) {
        (void)mbedtls_ssl_set_session(ssl, &(*at)->session); /* if not: a whole handshake */
    }
    pthread_mutex_unlock(&i->lock);
    if (stale) {
        free_session(i, stale);
    }
}

/* Under lock. */
static struct identity__session *put_first(struct ca_identity *i, struct identity__session *s)
{
    struct identity__session *old = unlink_at(i, find(i, s->service, s->name));
    s->next = i->sessions;
    i->sessions = s;
    i->session_count++;
    if (!old && i->session_count > i->cfg.sessions_max) {
        struct identity__session **last = &i->sessions;
        while ((*last)->next) {
            last = &(*last)->next;
        }
        old = unlink_at(i, last);
    }
    return old;
}

void identity__session_keep(struct ca_identity *i, const char *service, const char *name,
                            const struct identity__material *m, int64_t not_after_unix_s,
                            const mbedtls_ssl_context *ssl)
{
    struct identity__session *s = mu__calloc(&i->allocator, 1, sizeof *s);
    if (!s) {
        return;
    }
    mbedtls_ssl_session_init(&s->session);
    if (i->cfg.sessions_max == 0 || mbedtls_ssl_get_session(ssl, &s->session) != 0) {
        free_session(i, s);
        return;
    }
    snprintf(s->service, sizeof s->service, "%s", service);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->epoch = m->trust->epoch;
    s->own_not_after_unix_s = m->not_after_unix_s;
    s->not_after_unix_s = not_after_unix_s;
    pthread_mutex_lock(&i->lock);
    struct identity__session *old = put_first(i, s);
    pthread_mutex_unlock(&i->lock);
    if (old) {
        free_session(i, old);
    }
}

void identity__sessions_fini(struct ca_identity *i)
{
    while (i->sessions) {
        free_session(i, unlink_at(i, &i->sessions));
    }
}
