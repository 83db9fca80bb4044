/* routes_ca.c - the certificate authority: its roots, for everybody, and its configuration,
 * for operators (http-api 7.1, 7.2). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "strconv.h"

#include <muster/catalog_ca.h>

#define PEM_TYPE "application/pem-certificate-chain"

/* ---- Roots ---- */

static void encode_pem(struct http_request *r, const struct catalog_indexed_ca_roots *roots)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    for (size_t i = 0; i < roots->roots.len; i++) {
        const struct catalog_ca_root *root = roots->roots.items[i];
        mu__write_bytes(&w, root->root_cert.p, root->root_cert.len);
    }
    http_reply_bytes(r, w.failed ? 500 : 200, PEM_TYPE,
                     (struct mu_str){(const char *)w.data, w.failed ? 0 : w.len});
    mu__writer_fini(&w);
}

static void encode_roots(struct http_request *r, struct call *c)
{
    bool pem = false;
    const struct catalog_indexed_ca_roots *roots = c->reply;
    http_drop_headers(r);
    if (strconv_bool(http_param(r, "pem"), &pem) && pem) {
        encode_pem(r, roots); /* here the original has no headers of a read */
        return;
    }
    http_meta(r, &roots->meta);
    encode_ca_roots(r, c);
}

void route_connect_roots(struct http_request *r)
{
    bool pem;
    struct mu_str text = http_param(r, "pem");
    if (text.len && !strconv_bool(text, &pem)) {
        http_reply_text(r, 400, "Bad request: The 'pem' query parameter must be a boolean value");
        return;
    }
    if (read_call(r, &endpoints[ENDPOINT_CONNECT_CA_ROOTS], encode_roots)) {
        http_call_start(r);
    }
}

/* ---- The configuration ---- */

static void encode_config(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_value(&j, catalog_schema(CATALOG_CA_CONFIG), c->reply);
    http_reply_json(r, &j, 200);
}

/* The body may have a private key in it: what is still wanted of it is copied, and it is wiped. */
static bool forget_body(struct http_request *r, struct catalog_ca_config *config)
{
    struct mu_str *kept[] = {&config->cluster_id, &config->provider};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        kept[i]->p = mu__arena_strndup(&r->call->arena, kept[i]->p, kept[i]->len);
        if (!kept[i]->p) {
            return false;
        }
    }
    mu__wipe((void *)(uintptr_t)r->body.p, r->body.len); /* the request's own copy */
    return true;
}

static void set_config(struct http_request *r)
{
    struct call *c =
        http_call(r, &endpoints[ENDPOINT_CONNECT_CA_CONFIGURATION_SET], http_encode_empty);
    struct catalog_ca_request *q = c ? c->request : NULL;
    struct catalog_ca_config *config = q ? mu__arena_calloc(&c->arena, 1, sizeof *config) : NULL;
    if (!q || !config) {
        if (q) {
            http_reply_text(r, 500, "out of memory");
        }
        return;
    }
    if (!http_decode_body(r, catalog_schema(CATALOG_CA_CONFIG), config,
                          "Bad request: Request decode failed: ")) {
        return;
    }
    if (config->state.len) { /* ours has none */
        http_reply_text(r, 400,
                        "Bad request: Provider State is read-only. It must be omitted or identical "
                        "to the current value");
        return;
    }
    if (!forget_body(r, config)) {
        http_reply_text(r, 500, "out of memory");
        return;
    }
    q->config = config;
    q->datacenter = options_datacenter(r);
    q->token = options_token(r);
    http_call_start(r);
}

void route_connect_configuration(struct http_request *r)
{
    if (r->method == HTTP_PUT) {
        set_config(r);
    } else if (read_call(r, &endpoints[ENDPOINT_CONNECT_CA_CONFIGURATION_GET], encode_config)) {
        http_call_start(r);
    }
}
