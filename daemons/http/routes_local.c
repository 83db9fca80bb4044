/* routes_local.c - services and checks registered on this agent, and their health (http-api 2.14
 * to 2.19). */
#include "routes.h"

#include "agent/agent_endpoints.h"
#include "agent/definitions.h"
#include "encode.h"
#include "options.h"
#include "strconv.h"
#include <stdio.h>

/* A call whose success is an empty 200. NULL: it has been answered. */
static void *local_call(struct http_request *r, const struct endpoint *e)
{
    struct call *c = options_check_namespace(r) ? http_call(r, e, http_encode_empty) : NULL;
    return c ? c->request : NULL;
}

void route_agent_service_register(struct http_request *r)
{
    struct agent_register_service_request *q = local_call(r, &endpoint_agent_register_service);
    char err[DEFINITION_ERROR_MAX];
    if (!q || !http_decode_body(r, catalog_schema(CATALOG_SERVICE_DEFINITION), &q->service,
                                "Request decode failed: ")) {
        return;
    }
    if (!definition_check_service(&q->service, &r->arena, err, sizeof err)) {
        http_reply_text(r, 400, "%s", err);
        return;
    }
    struct mu_str replace = http_param(r, "replace-existing-checks");
    q->replace_existing_checks = replace.p && replace.len == 0;
    (void)strconv_bool(replace, &q->replace_existing_checks); /* what is no bool counts as false */
    q->token = options_token(r);
    http_call_start(r);
}

void route_agent_service_deregister(struct http_request *r)
{
    struct agent_deregister_service_request *q = local_call(r, &endpoint_agent_deregister_service);
    if (q) {
        q->id = r->rest;
        q->token = options_token(r);
        http_call_start(r);
    }
}

void route_agent_check_register(struct http_request *r)
{
    struct agent_register_check_request *q = local_call(r, &endpoint_agent_register_check);
    char err[DEFINITION_ERROR_MAX];
    if (!q ||
        !http_decode_body(r, &definition_check_schema, &q->check, "Request decode failed: ")) {
        return;
    }
    if (!definition_check_check(&q->check, err, sizeof err)) {
        http_reply_text(r, 400, "%s", err);
        return;
    }
    q->token = options_token(r);
    http_call_start(r);
}

void route_agent_check_deregister(struct http_request *r)
{
    struct agent_deregister_check_request *q = local_call(r, &endpoint_agent_deregister_check);
    if (q) {
        q->id = r->rest;
        q->token = options_token(r);
        http_call_start(r);
    }
}

/* ---- TTL checks ---- */

static void update(struct http_request *r, struct mu_str status, struct mu_str output)
{
    struct agent_update_check_request *q = local_call(r, &endpoint_agent_update_check);
    if (q) {
        q->id = r->rest;
        q->status = status;
        q->output = output;
        q->token = options_token(r);
        http_call_start(r);
    }
}

void route_agent_check_pass(struct http_request *r)
{
    update(r, mu__cstr("passing"), http_param(r, "note"));
}

void route_agent_check_warn(struct http_request *r)
{
    update(r, mu__cstr("warning"), http_param(r, "note"));
}

void route_agent_check_fail(struct http_request *r)
{
    update(r, mu__cstr("critical"), http_param(r, "note"));
}

void route_agent_check_update(struct http_request *r)
{
    struct agent_check_update u = {.status = {NULL, 0}};
    if (!http_decode_body(r, &agent_check_update_schema, &u, "Request decode failed: ")) {
        return;
    }
    if (!mu__str_eq(u.status, mu__cstr("passing")) && !mu__str_eq(u.status, mu__cstr("warning")) &&
        !mu__str_eq(u.status, mu__cstr("critical"))) {
        http_reply_text(r, 400, "Invalid check status: '%s'", http_cstr(r, u.status));
        return;
    }
    update(r, u.status, u.output);
}

/* ---- Health of local services: the HTTP status is the answer ---- */

static int status_code(struct mu_str status)
{
    return mu__str_eq(status, mu__cstr("passing"))   ? 200
           : mu__str_eq(status, mu__cstr("warning")) ? 429
                                                     : 503;
}

static unsigned severity(struct mu_str status)
{
    static const char *const order[] = {"passing", "warning", "critical", "maintenance"};
    for (unsigned i = 0; i < 4; i++) {
        if (mu__str_eq(status, mu__cstr(order[i]))) {
            return i;
        }
    }
    return 2;
}

static bool wants_text(const struct http_request *r)
{
    return mu__str_eq(http_param(r, "format"), mu__cstr("text")) ||
           mu__str_eq(http_field(&r->head, "Accept"), mu__cstr("text/plain"));
}

/* JSON of one or all instances, or the word alone. */
static void reply_health(struct http_request *r, const struct mu_list *all, struct mu_str word,
                         int status, const char *why)
{
    http_header(r, "X-Consul-Reason", "%s", why);
    if (wants_text(r)) {
        http_reply_bytes(r, status, "text/plain", word);
        return;
    }
    struct mu__json j = http_json(r);
    mu__json_list(&j);
    for (size_t i = 0; i < all->len; i++) {
        mu__json_item(&j);
        mu__json_value(&j, &agent_service_health_schema, all->items[i]);
    }
    mu__json_list_end(&j);
    http_reply_json(r, &j, status);
}

/* A header's value must not bring line ends or other control characters of a name along. */
static const char *header_safe(struct http_request *r, struct mu_str s)
{
    char *copy = mu__arena_strndup(&r->arena, s.p, mu__min(s.len, 256));
    for (char *p = copy; p && *p; p++) {
        *p = (char)((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
    }
    return copy ? copy : "";
}

static void encode_by_name(struct http_request *r, struct call *c)
{
    const struct mu_list *all = &((const struct agent_service_health_reply *)c->reply)->instances;
    struct mu_str worst = mu__cstr("passing");
    for (size_t i = 0; i < all->len; i++) {
        const struct agent_service_health *h = all->items[i];
        worst = severity(h->aggregated_status) > severity(worst) ? h->aggregated_status : worst;
    }
    if (all->len) {
        reply_health(r, all, worst, status_code(worst), header_safe(r, worst));
        return;
    }
    char why[300];
    snprintf(why, sizeof why, "ServiceName %s Not Found", header_safe(r, r->rest));
    reply_health(r, all, mu__cstr(why), 404, why);
}

static void reply_unknown_id(struct http_request *r)
{
    char why[300];
    snprintf(why, sizeof why, "ServiceId %s not found", header_safe(r, r->rest));
    http_header(r, "X-Consul-Reason", "%s", why);
    struct mu__json j = http_json(r);
    if (wants_text(r)) { /* the original answers JSON here, a lone string */
        mu__json_cstr(&j, why);
        http_reply_json(r, &j, 404);
        return;
    }
    mu__json_object(&j);
    mu__json_ckey(&j, "AggregatedStatus");
    mu__json_cstr(&j, "critical");
    mu__json_ckey(&j, "Service");
    mu__json_null(&j);
    mu__json_ckey(&j, "Checks");
    mu__json_null(&j);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 404);
}

static void encode_by_id(struct http_request *r, struct call *c)
{
    const struct mu_list *all = &((const struct agent_service_health_reply *)c->reply)->instances;
    if (!all->len) {
        reply_unknown_id(r);
        return;
    }
    const struct agent_service_health *h = all->items[0];
    http_header(r, "X-Consul-Reason", "%s", header_safe(r, h->aggregated_status));
    if (wants_text(r)) {
        http_reply_bytes(r, status_code(h->aggregated_status), "text/plain", h->aggregated_status);
        return;
    }
    struct mu__json j = http_json(r);
    mu__json_value(&j, &agent_service_health_schema, h);
    http_reply_json(r, &j, status_code(h->aggregated_status));
}

static void health(struct http_request *r, bool by_id, const char *missing)
{
    if (!r->rest.len) {
        http_reply_text(r, 500, "Bad request: Missing %s", missing);
        return;
    }
    struct agent_service_health_request *q = local_call(r, &endpoint_agent_service_health);
    if (q) {
        r->encode = by_id ? encode_by_id : encode_by_name;
        *(by_id ? &q->id : &q->name) = r->rest;
        http_call_start(r);
    }
}

void route_agent_health_by_id(struct http_request *r)
{
    health(r, true, "serviceID");
}

void route_agent_health_by_name(struct http_request *r)
{
    health(r, false, "service Name");
}
