/* routes_off.c - what ACLs and Connect answer where they are off (http-api 6, 7). */
#include "routes.h"

#include "options.h"
#include "strconv.h"

#include <stddef.h>
#include <string.h>

#define CONNECT_OFF "Connect must be enabled in order to use this endpoint"

void route_acl_off(struct http_request *r)
{
    http_reply_text(r, 401, "ACL support disabled");
}

/* Profiles of a running program are Go's; who may not see them is told so, whatever the name. */
void route_debug_off(struct http_request *r)
{
    route_acl_off(r);
}

void route_connect_off(struct http_request *r)
{
    http_reply_refusal(r, CONNECT_OFF);
}

void route_connect_roots(struct http_request *r)
{
    bool pem;
    struct mu_str text = http_param(r, "pem");
    if (text.len && !strconv_bool(text, &pem)) {
        http_reply_text(r, 400, "Bad request: The 'pem' query parameter must be a boolean value");
        return;
    }
    http_meta(r, NULL);
    http_reply_refusal(r, CONNECT_OFF);
}

/* Its body is looked at before Connect is. */
void route_connect_configuration(struct http_request *r)
{
    if (r->method == HTTP_PUT && r->body.len == 0) {
        http_reply_text(r, 400, "Bad request: Request decode failed: EOF");
        return;
    }
    http_reply_refusal(r, CONNECT_OFF);
}

/* ---- Authorize: without intentions and ACLs everything is allowed ---- */

struct authorize {
    struct mu_str target, uri, serial;
};
static const struct mu__field authorize_fields[] = {
    {.name = "Target", .kind = MU_STR, .offset = offsetof(struct authorize, target)},
    {.name = "ClientCertURI", .kind = MU_STR, .offset = offsetof(struct authorize, uri)},
    {.name = "ClientCertSerial", .kind = MU_STR, .offset = offsetof(struct authorize, serial)},
};
static const uint8_t authorize_wire[] = {2, 1, 0};
static const struct mu__schema authorize_schema = {
    .name = "ConnectAuthorizeRequest",
    .fields = authorize_fields,
    .nfields = sizeof authorize_fields / sizeof *authorize_fields,
    .wire = authorize_wire,
    .nwire = sizeof authorize_wire,
    .size = sizeof(struct authorize),
};

/* The next part of a path, between slashes. */
static struct mu_str next_part(struct mu_str *path)
{
    struct mu_str part = {path->p, 0};
    if (path->len == 0 || path->p[0] != '/') {
        return (struct mu_str){"", 0};
    }
    part.p++;
    while (part.len + 1 < path->len && part.p[part.len] != '/') {
        part.len++;
    }
    path->p += part.len + 1;
    path->len -= part.len + 1;
    return part;
}

/* Names and values in turn, none of them empty, and nothing behind: "/ns/x/dc/y/svc/z". */
static bool is_path_of(struct mu_str path, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!mu__str_eq(next_part(&path), mu__cstr(names[i])) || next_part(&path).len == 0) {
            return false;
        }
    }
    return path.len == 0;
}

enum spiffe { SPIFFE_NONE, SPIFFE_SERVICE, SPIFFE_OTHER };

static enum spiffe spiffe_of(struct mu_str uri)
{
    static const char scheme[] = "spiffe://";
    static const char *const service[] = {"ns", "dc", "svc"};
    const size_t skip = sizeof scheme - 1;
    if (uri.len < skip || memcmp(uri.p, scheme, skip) != 0) {
        return SPIFFE_NONE;
    }
    const char *host = uri.p + skip;
    size_t left = uri.len - skip, len = 0;
    while (len < left && host[len] != '/') {
        len++;
    }
    struct mu_str path = {host + len, left - len};
    if (is_path_of(path, service, 3)) {
        return SPIFFE_SERVICE;
    }
    static const char *const agent[] = {"dc", "id"};
    static const char client[] = "/agent/client";
    if (path.len > sizeof client - 1 && memcmp(path.p, client, sizeof client - 1) == 0) {
        path.p += sizeof client - 1;
        path.len -= sizeof client - 1;
        return is_path_of(path, agent, 2) ? SPIFFE_OTHER : SPIFFE_NONE;
    }
    /* A signing authority: a trust domain alone */
    return path.len == 0 && memchr(host, '.', len) ? SPIFFE_OTHER : SPIFFE_NONE;
}

void route_agent_connect_authorize(struct http_request *r)
{
    struct authorize q = {.target = {NULL, 0}};
    if (!http_decode_body(r, &authorize_schema, &q, "Bad request: Request decode failed: ")) {
        return;
    }
    enum spiffe uri = q.target.len ? spiffe_of(q.uri) : SPIFFE_NONE;
    if (uri != SPIFFE_SERVICE) {
        http_reply_text(r, 400, "Bad request: %s",
                        !q.target.len         ? "Target service must be specified"
                        : uri == SPIFFE_OTHER ? "ClientCertURI not a valid Service identifier"
                                              : "ClientCertURI not a valid Connect identifier");
        return;
    }
    http_header(r, "X-Cache", "HIT"); /* nobody was asked */
    http_header(r, "Age", "0");
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "Authorized");
    mu__json_bool(&j, true);
    mu__json_ckey(&j, "Reason");
    mu__json_cstr(&j, "ACLs disabled, access is allowed by default");
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}
