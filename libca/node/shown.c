/* shown.c - what a peer has shown, and what the roots say to it. */
#include "connection.h"

#include <string.h>

static void remember_root(struct ca_connection *c, const struct identity__trust *trust, size_t root)
{
    c->has_root = root < trust->count;
    if (c->has_root) {
        memcpy(c->root, ca_certificate_info(trust->roots[root])->sha1, sizeof c->root);
    }
}

/* A resumed session has but the leaf: what the agent gives along with the roots may help. */
static size_t intermediates(const struct ca_connection *c, const struct identity__trust *trust,
                            struct mu_str out[CA_INTERMEDIATES_MAX])
{
    size_t n = 0;
    for (size_t at = 1; at < c->count; at++) {
        out[n++] = c->certificates[at];
    }
    for (size_t at = 0; at < trust->between_count && n < CA_INTERMEDIATES_MAX; at++) {
        out[n++] = ca_certificate_der(trust->between[at]);
    }
    return n;
}

enum ca_verdict identity__judge_shown(struct ca_connection *c, struct identity__trust *trust,
                                      int64_t *not_after_unix_s)
{
    struct mu_str between[CA_INTERMEDIATES_MAX];
    struct ca_verify_request request = {
        .leaf = c->certificates[0],
        .intermediates = between,
        .intermediate_count = intermediates(c, trust, between),
        .now_unix_s = identity__now(c->identity),
        .purpose = c->is_client ? CA_PURPOSE_SERVER : CA_PURPOSE_CLIENT,
    };
    struct ca_verified v;
    bool trusted = identity__verify(trust, &request, &v) == CA_OK;
    c->epoch = trust->epoch;
    if (trusted) {
        remember_root(c, trust, v.root);
        *not_after_unix_s = v.not_after_unix_s;
    } else if (v.verdict == CA_V_TRUSTED) {
        return CA_V_UNKNOWN_ISSUER; /* out of memory: nothing is known */
    }
    return v.verdict;
}

static bool still_has_root(const struct ca_connection *c, const struct identity__trust *trust)
{
    for (size_t n = 0; c->has_root && n < trust->count; n++) {
        if (memcmp(c->root, ca_certificate_info(trust->roots[n])->sha1, sizeof c->root) == 0) {
            return true;
        }
    }
    return false;
}

/* Under calls. The callback may destroy c. */
static void look_again(struct ca_identity *i, struct ca_connection *c)
{
    int64_t ignored;
    if (c->epoch != i->trust->epoch) {
        if (atomic_load(&c->trusted) && still_has_root(c, i->trust)) {
            c->epoch = i->trust->epoch;
        } else {
            atomic_store(&c->trusted, identity__judge_shown(c, i->trust, &ignored) == CA_V_TRUSTED);
        }
    }
    bool allowed = ca_connection_authorize(c, NULL);
    if (c->changed && allowed != c->told) {
        c->told = allowed;
        c->changed(c->user, c, allowed);
    }
}

void identity__decide_again(struct ca_identity *i)
{
    if (!i->trust || !i->rules) {
        return;
    }
    pthread_mutex_lock(&i->calls);
    pthread_mutex_lock(&i->lock);
    i->cursor = i->connections;
    while (i->cursor) {
        struct ca_connection *c = i->cursor;
        bool established = c->established;
        i->cursor = c->next;
        pthread_mutex_unlock(&i->lock);
        if (established) {
            look_again(i, c);
        }
        pthread_mutex_lock(&i->lock);
    }
    pthread_mutex_unlock(&i->lock);
    pthread_mutex_unlock(&i->calls);
}
