/* routes_keyring.c - the keys that encrypt gossip (http-api 9.2). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "strconv.h"

#define RELAY_FACTOR_MAX 5

struct key_body { /* of all but list */
    struct mu_str key;
};
static const struct mu__field key_fields[] = {
    {.name = "Key", .kind = MU_STR, .offset = offsetof(struct key_body, key)}};
static const struct mu__schema key_schema = {.name = "agent.keyringArgs",
                                             .fields = key_fields,
                                             .nfields = 1,
                                             .size = sizeof(struct key_body)};

/* ---- Answers ---- */

static size_t count_errors(const struct mu_list *pools)
{
    size_t n = 0;
    for (size_t i = 0; i < pools->len; i++) {
        const struct catalog_keyring_response *p = pools->items[i];
        n += p->error.len ? 1 + p->messages.len : 0;
    }
    return n;
}

static void write_line(struct mu__writer *w, struct mu_str head, const char *middle,
                       struct mu_str text)
{
    mu__write_cstr(w, "\t* ");
    mu__write_bytes(w, head.p, head.len);
    mu__write_cstr(w, middle);
    mu__write_bytes(w, text.p, text.len);
    mu__write_cstr(w, "\n");
}

static void write_pool(struct mu__writer *w, const struct catalog_keyring_response *p)
{
    if (!p->error.len) {
        return;
    }
    write_line(w, p->wan ? mu__cstr("WAN") : p->datacenter,
               p->wan ? " error: " : " (LAN) error: ", p->error);
    for (size_t i = 0; i < p->messages.len; i++) {
        write_line(w, p->messages.items[i].key, ": ", p->messages.items[i].value);
    }
}

/* Fails the request if some node did not do as it was asked; true then. */
static bool refuse_errors(struct http_request *r, const struct mu_list *pools)
{
    size_t n = count_errors(pools);
    if (n == 0) {
        return false;
    }
    struct mu__writer w = mu__writer_growing(&r->arena.allocator);
    for (size_t i = 0; i < pools->len; i++) {
        write_pool(&w, pools->items[i]);
    }
    const char *lines = http_cstr(r, (struct mu_str){(const char *)w.data, w.len});
    mu__writer_fini(&w);
    http_reply_text(r, 500, "%zu error%s occurred:\n%s\n", n, n == 1 ? "" : "s", lines);
    return true;
}

static void encode_list_of_keys(struct http_request *r, struct call *c)
{
    const struct mu_list *pools = &((const struct catalog_keyring_responses *)c->reply)->responses;
    if (!refuse_errors(r, pools)) {
        encode_list(r, pools, catalog_schema(CATALOG_KEYRING_RESPONSE));
    }
}

static void encode_change(struct http_request *r, struct call *c)
{
    if (!refuse_errors(r, &((const struct catalog_keyring_responses *)c->reply)->responses)) {
        http_reply_empty(r, 200);
    }
}

/* ---- Requests ---- */

static bool read_relay_factor(struct http_request *r, uint64_t *out)
{
    struct mu_str text = http_param(r, "relay-factor");
    int64_t n = 0;
    char err[256];
    if (text.len && !strconv_int(text, &n, err, sizeof err)) {
        http_reply_text(r, 400, "Bad request: Error parsing relay factor: %s", err);
        return false;
    }
    if (n < 0 || n > RELAY_FACTOR_MAX) {
        http_reply_text(r, 400,
                        "Bad request: Invalid relay-factor: Relay factor must be in range: [0, %d]",
                        RELAY_FACTOR_MAX);
        return false;
    }
    *out = (uint64_t)n;
    return true;
}

static bool read_local_only(struct http_request *r, bool *out)
{
    struct mu_str text = http_param(r, "local-only");
    if (text.len && !strconv_bool(text, out)) {
        http_reply_text(r, 400,
                        "Bad request: Error parsing local-only: strconv.ParseBool: parsing "
                        "\"%.*s\": invalid syntax",
                        (int)mu__min(text.len, 256), text.p);
        return false;
    }
    if (*out && r->method != HTTP_GET) {
        http_reply_text(r, 400,
                        "Bad request: Invalid use of local-only: local-only can only be set for "
                        "list requests");
        return false;
    }
    return true;
}

static const char *operation_of(enum http_method m)
{
    return m == HTTP_GET ? "list" : m == HTTP_POST ? "install" : m == HTTP_PUT ? "use" : "remove";
}

void route_operator_keyring(struct http_request *r)
{
    bool lists = r->method == HTTP_GET;
    struct key_body body = {{NULL, 0}};
    if (!lists &&
        !http_decode_body(r, &key_schema, &body, "Bad request: Request decode failed: ")) {
        return;
    }
    struct call *c = http_call(r, &endpoints[ENDPOINT_INTERNAL_KEYRING_OPERATION],
                               lists ? encode_list_of_keys : encode_change);
    struct catalog_keyring_request *q = c ? c->request : NULL;
    if (!q || !read_relay_factor(r, &q->relay_factor) || !read_local_only(r, &q->local_only)) {
        return;
    }
    q->datacenter = options_datacenter(r);
    q->options.token = options_token(r);
    q->operation = mu__cstr(operation_of(r->method));
    q->key = body.key;
    http_call_start(r);
}
