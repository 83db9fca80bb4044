/* leaf_sign.c - how a leaf is made: a key and a request on the thread, a signature by the servers.
 */
#include "agent/leaf_internal.h"

#include "rpc/endpoints.h"

#include <muster/ca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 10u
#define WHY_MAX   (CA_URI_MAX + 512u)

/* The attempt is over; error NULL: it succeeded. */
static void end(struct leaf *x, const char *error)
{
    leaf_order_free(x->order);
    x->order = NULL;
    x->all->under_way--;
    leaf__ended(x, error);
}

/* ---- What the servers have signed ---- */

/* "aa:bb:cc", on the heap. */
static char *key_id_text(struct mu_str id)
{
    char *text = malloc(id.len * 3 + 1);
    if (!text) {
        return NULL;
    }
    text[0] = 0;
    for (size_t i = 0; i < id.len; i++) {
        sprintf(text + 3 * i, "%02x%s", (unsigned char)id.p[i], i + 1 < id.len ? ":" : "");
    }
    return text;
}

/* Takes the reply with our key as the leaf's. False: out of memory. */
static bool keep(struct leaf *x, const struct catalog_issued_cert *reply,
                 const struct ca_certificate_info *info)
{
    const struct mu__schema *s = catalog_schema(CATALOG_ISSUED_CERT);
    struct catalog_issued_cert whole = *reply;
    const struct catalog_ca_root *active = leaf__active_root(x->all);
    whole.private_key_pem = (struct mu_str){x->order->key, x->order->key_len};
    void *cert = mu__schema_clone(s, &whole, &mu__malloc_allocator);
    char *issuer = key_id_text(info->authority_key_id);
    char *id = active ? mu__strndup(&mu__malloc_allocator, active->id.p, active->id.len)
                      : mu__strndup(&mu__malloc_allocator, "", 0);
    if (!cert || !issuer || !id) {
        mu__free(&mu__malloc_allocator, cert);
        mu__free(&mu__malloc_allocator, id);
        free(issuer);
        return false;
    }
    leaf__wiped_free(x);
    x->cert = cert;
    x->cert_size = mu__schema_clone_size(s, &whole);
    x->issuer = issuer;
    x->active = id;
    x->not_before_s = info->not_before_unix_s;
    x->not_after_s = info->not_after_unix_s;
    x->was_trusted = x->is_removed = false;
    return true;
}

/* NULL, or what is wrong with it. */
static const char *examine(struct leaf *x, const struct catalog_issued_cert *reply)
{
    struct ca_certificate *chain[CHAIN_MAX];
    struct ca_diag diag;
    size_t n = 0;
    const char *wrong = NULL;
    if (ca_bundle_parse(reply->cert_pem, NULL, chain, CHAIN_MAX, &n, &diag) || n == 0) {
        return "the servers' answer is no certificate";
    }
    const struct ca_certificate_info *info = ca_certificate_info(chain[0]);
    if (!mu__str_eq(info->uri, mu__cstr(x->order->uri))) {
        wrong = "the servers have signed a certificate for somebody else";
    } else if (!keep(x, reply, info)) {
        wrong = "out of memory";
    }
    for (size_t i = 0; i < n; i++) {
        ca_certificate_destroy(chain[i]);
    }
    return wrong;
}

static void on_signed(void *arg, const char *error, const void *reply)
{
    struct leaf *x = arg;
    end(x, error ? error : examine(x, reply));
}

/* ---- The request ---- */

static void on_made(struct leaf_order *o)
{
    struct leaf *x = o->arg;
    if (!x) { /* nobody wants it any more */
        leaf_order_free(o);
        return;
    }
    struct leaves *l = x->all;
    struct call *c =
        o->error ? NULL
                 : core_call_create(l->caller, &endpoints[ENDPOINT_CONNECT_CA_SIGN], on_signed, x);
    if (!c) {
        end(x, o->error ? ca_strerror(o->error) : "out of memory");
        return;
    }
    struct catalog_ca_sign_request *q = c->request;
    q->datacenter = l->config.datacenter;
    q->csr = (struct mu_str){mu__arena_memdup(&c->arena, o->csr, o->csr_len), o->csr_len};
    q->token = mu__cstr(mu__arena_strndup(&c->arena, x->token, strlen(x->token)));
    if (!q->csr.p) {
        core_call_drop(c);
        end(x, "out of memory");
        return;
    }
    x->state = LEAF_SIGNED;
    core_call_start(c);
}

/* A name that no id can have: in the servers' words, who would have seen it in the request. */
static void refuse_name(struct leaf *x)
{
    const struct leaves *l = x->all;
    struct mu_str domain = l->roots.reply->trust_domain, dc = l->config.datacenter;
    char why[WHY_MAX];
    snprintf(why, sizeof why,
             "%sSPIFFE ID is not in the expected format: spiffe://%.*s/ns/default/dc/%.*s/svc/%s",
             l->config.is_server ? "" : "rpc error making call: ", (int)domain.len, domain.p,
             (int)dc.len, dc.p, x->name);
    end(x, why);
}

void leaf__make(struct leaf *x)
{
    struct leaves *l = x->all;
    const struct ca_id id = {.kind = CA_ID_SERVICE,
                             .trust_domain = l->roots.reply->trust_domain,
                             .ns = mu__cstr("default"),
                             .datacenter = l->config.datacenter,
                             .name = {x->name, x->name_len}};
    struct leaf_order *o = calloc(1, sizeof *o);
    l->maker = l->maker ? l->maker : leaf_maker_create(l->config.core);
    l->under_way++;
    x->order = o;
    if (!o || !l->maker) {
        end(x, "out of memory");
    } else if (x->name_len == 0) {
        end(x, "URI must be either service or agent");
    } else if (ca_id_write(&id, o->uri, sizeof o->uri, NULL)) {
        refuse_name(x);
    } else {
        o->arg = x;
        o->done = on_made;
        x->state = LEAF_MADE;
        leaf_maker_order(l->maker, o);
    }
}
