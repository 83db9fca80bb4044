/* tables_session.c - sessions: what they hang on, and what goes with them. */
#include "msgpack.h"
#include "planted.h"
#include "tables.h"
#include "text.h"
#include "touched.h"
#include "types.h"

#include <string.h>

#define NAMES(...) ((const struct mu_str[]){__VA_ARGS__})

/* ---- The checks that a session names, whichever list they are in ---- */

static size_t check_count(const struct catalog_session *s)
{
    return s->checks.len + s->node_checks.len + s->service_checks.len;
}

static struct mu_str check_at(const struct catalog_session *s, size_t i)
{
    if (i < s->checks.len) {
        return s->checks.items[i];
    }
    i -= s->checks.len;
    if (i < s->node_checks.len) {
        return s->node_checks.items[i];
    }
    const struct catalog_service_check *k = s->service_checks.items[i - s->node_checks.len];
    return k->id;
}

static const char *say_check(struct catalog *c, const char *before, struct mu_str id,
                             const char *after)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    catalog__say(&t, before);
    catalog__say_str(&t, id);
    catalog__say(&t, after);
    const char *kept = mu__arena_strndup(&c->scratch, t.p, t.len);
    return kept ? kept : before; /* the batch is void */
}

const char *catalog__session_lacks(struct catalog *c, const struct catalog_session *s)
{
    if (!catalog__get_node(c->draft, s->node)) {
        return "Missing node registration";
    }
    for (size_t i = 0; i < check_count(s); i++) {
        struct mu_str id = check_at(s, i);
        const struct catalog_check *k = catalog__get_check(c->draft, s->node, id);
        if (!k) {
            return say_check(c, "Missing check '", id, "' registration");
        }
        if (mu__str_is(k->status, "critical")) {
            return say_check(c, "Check '", id, "' is in critical state");
        }
    }
    return NULL;
}

/* ---- Notices ---- */

void catalog__notice(struct catalog *c, enum catalog_notice_kind kind, struct mu_str name,
                     uint64_t ns)
{
    if (c->is_quiet) {
        return;
    }
    char *copy = mu__arena_strndup(&c->scratch, name.p, name.len);
    if (copy && c->nnotices == c->notices_cap) {
        size_t cap = c->notices_cap ? c->notices_cap * 2 : 4;
        struct catalog_notice *grown = mu__arena_calloc(&c->scratch, cap, sizeof *grown);
        if (grown && c->nnotices) {
            memcpy(grown, c->notices, c->nnotices * sizeof *grown);
        }
        c->notices = grown ? grown : c->notices;
        c->notices_cap = grown ? cap : c->notices_cap;
    }
    if (!copy || c->nnotices == c->notices_cap) {
        c->is_void = true;
        return;
    }
    c->notices[c->nnotices++] = (struct catalog_notice){kind, {copy, name.len}, ns};
}

const struct catalog_notice *catalog_notices(const struct catalog *c, size_t *n)
{
    *n = c->nnotices;
    return c->notices;
}

/* ---- Putting and removing ---- */

static void session_changed(struct catalog *c, const struct catalog_session *s, struct mu_str key)
{
    catalog__touch(c, CATALOG__WATCH_SESSION, key);
    catalog__touch_name(c, CATALOG__WATCH_SESSIONS, s->node);
    catalog__table_changed(c, CATALOG__TABLE_SESSIONS);
}

static uint64_t ttl_of(const struct catalog_session *s)
{
    int64_t ns;
    return mu__duration_parse(s->ttl.p, s->ttl.len, &ns) && ns > 0 ? (uint64_t)ns : 0;
}

void catalog__put_session(struct catalog *c, const struct catalog_session *session)
{
    struct catalog__session_key k;
    struct mu_str key = catalog__session_key(&k, session->id);
    struct catalog_session *record = catalog__clone(c, &catalog__session_schema, session);
    catalog__tree_put(c, CATALOG__SESSIONS, &key, 1, record);
    if (c->is_void) {
        return;
    }
    c->draft->count[CATALOG__TABLE_SESSIONS]++;
    catalog__tree_put(c, CATALOG__SESSIONS_BY_NODE, NAMES(record->node, key), 2, record);
    for (size_t i = 0; i < check_count(record); i++) {
        catalog__tree_put(c, CATALOG__SESSIONS_BY_CHECK,
                          NAMES(record->node, check_at(record, i), key), 3, record);
    }
    session_changed(c, record, key);
    catalog__notice(c, CATALOG_NOTICE_SESSION_MADE, record->id, ttl_of(record));
}

static uint64_t lock_delay(const struct catalog_session *s)
{
    uint64_t delay = s->lock_delay_ns > 0 ? (uint64_t)s->lock_delay_ns : 0;
    return mu__min(delay, CATALOG_LOCK_DELAY_MAX_NS);
}

void catalog__remove_session(struct catalog *c, struct mu_str id)
{
    const struct catalog_session *s = catalog__get_session(c->draft, id);
    if (!s) {
        return;
    }
    struct catalog__session_key k;
    struct mu_str key = catalog__session_key(&k, s->id);
    catalog__tree_remove(c, CATALOG__SESSIONS_BY_NODE, NAMES(s->node, key), 2);
    for (size_t i = 0; i < check_count(s); i++) {
        catalog__tree_remove(c, CATALOG__SESSIONS_BY_CHECK, NAMES(s->node, check_at(s, i), key), 3);
    }
    catalog__free_locks(c, key, mu__str_is(s->behavior, "delete"), lock_delay(s));
    if (!CATALOG__PLANTED(CASCADE_QUERIES)) {
        catalog__remove_queries_of_session(c, key);
    }
    session_changed(c, s, key);
    catalog__notice(c, CATALOG_NOTICE_SESSION_ENDED, s->id, 0);
    void *gone = catalog__tree_remove(c, CATALOG__SESSIONS, &key, 1);
    if (gone) {
        c->draft->count[CATALOG__TABLE_SESSIONS]--;
    }
    catalog__discard(c, gone);
}

static void end_all(struct catalog *c, struct catalog__found found)
{
    for (size_t i = 0; i < found.len && !c->is_void; i++) {
        const struct catalog_session *s = found.items[i];
        catalog__remove_session(c, s->id);
    }
}

void catalog__end_sessions_of_check(struct catalog *c, const struct catalog_check *k)
{
    end_all(c, catalog__gather(c, CATALOG__SESSIONS_BY_CHECK, NAMES(k->node, k->check_id), 2));
}

void catalog__end_sessions_of_node(struct catalog *c, struct mu_str node)
{
    end_all(c, catalog__gather(c, CATALOG__SESSIONS_BY_NODE, &node, 1));
}
