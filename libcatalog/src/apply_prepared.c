/* apply_prepared.c - prepared queries are made, changed and deleted. */
#include "apply.h"
#include "key.h"
#include "msgpack.h"
#include "tables.h"
#include "template.h"

#include <string.h>

#define REDACTED "<hidden>"

/* ---- What can be said without looking at the store ---- */

static bool check_service(const struct catalog_service_query *s, struct catalog__text *why)
{
    if (s->service.len == 0) {
        catalog__say(why, "Must provide a Service name to query");
        return false;
    }
    if (s->failover.nearest_n < 0) {
        catalog__say(why, "Bad NearestN '-");
        catalog__say_uint(why, 0 - (uint64_t)s->failover.nearest_n);
        catalog__say(why, "', must be >= 0");
        return false;
    }
    return true;
}

static bool check_dns(struct mu_str ttl, struct catalog__text *why)
{
    int64_t ns = 0;
    if (ttl.len && !mu__duration_parse(ttl.p, ttl.len, &ns)) {
        catalog__say(why, "Bad DNS TTL '");
        catalog__say_str(why, ttl);
        catalog__say(why, "': ");
        char err[CATALOG__TEXT_MAX / 4];
        mu__duration_error(ttl, err, sizeof err);
        catalog__say(why, err);
        return false;
    }
    if (ns < 0) {
        catalog__say(why, "DNS TTL '-");
        catalog__say_uint(why, 0 - (uint64_t)ns);
        catalog__say(why, "', must be >=0");
        return false;
    }
    return true;
}

static bool check_query(const struct catalog_prepared_query *q, struct catalog__text *why)
{
    if (!catalog__is_template(q) && q->name.len == 0 && q->session.len == 0) {
        catalog__say(why, "Must be bound to a session");
        return false;
    }
    if (q->name.len >= CATALOG__NAME_MAX || !catalog__is_name(q->name)) {
        catalog__say(why, "Names must not contain a zero byte or be longer than 511 bytes");
        return false;
    }
    if (mu__str_is(q->token, REDACTED)) {
        catalog__say(why, "Bad Token '" REDACTED "', it looks like a query definition with a "
                          "redacted token was submitted");
        return false;
    }
    return check_service(&q->service, why) && check_dns(q->dns.ttl, why);
}

static bool is_change(struct mu_str op)
{
    return mu__str_is(op, "create") || mu__str_is(op, "update");
}

const char *catalog_prepared_query_check(const struct catalog_prepared_query_request *r, char *text,
                                         size_t size)
{
    struct catalog__text why = catalog__text(text, size);
    if (!r->query) {
        return "Must provide a query";
    }
    catalog__say(&why, "Invalid prepared query: ");
    return is_change(r->op) && !check_query(r->query, &why) ? why.p : NULL;
}

/* ---- The entry ---- */

static bool check_session(struct catalog *c, struct mu_str session, struct catalog__text *why)
{
    if (session.len == 0) {
        return true;
    }
    char text[CATALOG_SESSION_ID_TEXT_MAX];
    const char *bad = catalog_session_id_check(session, text, sizeof text);
    if (bad) {
        catalog__say(why, "invalid session: ");
        catalog__say(why, bad + sizeof "failed session lookup: " - 1);
        return false;
    }
    if (!catalog__get_session(c->draft, session)) {
        catalog__say(why, "invalid session ");
        catalog__say_quoted(why, session);
        return false;
    }
    return true;
}

/* A template must be one: it is filled in for its own name. */
static bool check_template(struct catalog *c, const struct catalog_prepared_query *q,
                           struct catalog__text *why)
{
    struct catalog_prepared_query filled = *q;
    if (!catalog__is_template(q)) {
        return true;
    }
    catalog__say(why, "failed compiling template: ");
    return catalog__template_fill(&filled, q->name, (struct mu_str){NULL, 0}, NULL, &c->scratch,
                                  why);
}

static bool exists(struct catalog *c, struct mu_str id, struct catalog__text *why)
{
    char text[CATALOG_SESSION_ID_TEXT_MAX];
    const char *bad = catalog_session_id_check(id, text, sizeof text);
    if (bad) {
        catalog__say(why, "Prepared Query lookup failed: failed prepared query lookup: ");
        catalog__say(why, bad + sizeof "failed session lookup: " - 1);
        return false;
    }
    if (!catalog__get_query(c->draft, id)) {
        catalog__say(why, "Cannot modify non-existent prepared query: '");
        catalog__say_str(why, id);
        catalog__say(why, "'");
        return false;
    }
    return true;
}

static bool set(struct catalog *c, const struct catalog_prepared_query *given,
                struct catalog__text *why)
{
    struct catalog_prepared_query q = *given;
    const struct catalog_prepared_query *before = catalog__get_query(c->draft, q.id);
    if (!check_template(c, &q, why)) {
        return false;
    }
    *why = catalog__text(why->p, why->size);
    if (!catalog__query_is_free(c, &q, why) || !check_session(c, q.session, why)) {
        return false;
    }
    q.create_index = before ? before->create_index : c->index;
    q.modify_index = c->index;
    catalog__put_query(c, &q);
    return true;
}

static bool apply(struct catalog *c, const struct catalog_prepared_query_request *r,
                  struct catalog__text *why)
{
    bool is_create = mu__str_is(r->op, "create");
    if (is_create && !catalog__is_session_id(r->query->id)) {
        catalog__say(why, "Missing Query ID");
        return false;
    }
    if (!is_create && !exists(c, r->query->id, why)) {
        return false;
    }
    if (mu__str_is(r->op, "delete")) {
        catalog__remove_query(c, r->query->id);
        return true;
    }
    const char *bad = catalog_prepared_query_check(r, why->p, why->size);
    if (bad) {
        why->len = strlen(bad);
        return false;
    }
    *why = catalog__text(why->p, why->size);
    return set(c, r->query, why);
}

void catalog__apply_prepared_query(struct catalog *c, struct catalog_prepared_query_request *r,
                                   struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    if (!r->query) {
        catalog__refuse_cstr(c, result, "Must provide a query");
    } else if (!is_change(r->op) && !mu__str_is(r->op, "delete")) {
        catalog__say(&why, "Unknown prepared query operation: ");
        catalog__say_str(&why, r->op);
        catalog__refuse(c, result, &why);
    } else if (!apply(c, r, &why)) {
        catalog__refuse(c, result, &why);
    }
}
