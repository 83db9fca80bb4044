/* ca_sign.c - leafs. A front signs by itself: the key and what is above it are read from the
 * catalog when they have changed. */
#include "ca.h"

#include "alloc.h"
#include "ca_plan.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_NS  (500 * MU_MSEC) /* what a call waits for its turn, as in the original */
#define RATE_LIMITED "Rate limit reached, try again later"

struct ca_signer {
    uint64_t state_index, config_index; /* that it was made of */
    struct ca_issuer *issuer;
    int64_t leaf_ttl_s;
    double per_second;
    char *trust_domain;
    struct mu__arena arena; /* trust_domain, intermediates */
    struct mu_strs intermediates;
};

void server__ca_signer_free(struct ca_signer *s)
{
    if (s) {
        ca_issuer_destroy(s->issuer);
        mu__arena_fini(&s->arena);
        free(s);
    }
}

/* ---- From the catalog ---- */

static bool keep_intermediates(struct ca_signer *s, const struct mu_strs *given)
{
    struct mu_str *items = mu__arena_calloc(&s->arena, given->len + 1, sizeof *items);
    for (size_t i = 0; items && i < given->len; i++) {
        items[i].p = mu__arena_strndup(&s->arena, given->items[i].p, given->items[i].len);
        items[i].len = given->items[i].len;
        if (!items[i].p) {
            return false;
        }
    }
    s->intermediates = (struct mu_strs){items, items ? given->len : 0};
    return items != NULL;
}

static struct ca_signer *make(const struct catalog_ca_config *config,
                              const struct catalog_ca_root *root,
                              const struct catalog_ca_provider_state *state, char *err,
                              size_t errlen)
{
    struct ca_settings settings;
    struct ca_signer *s = calloc(1, sizeof *s);
    snprintf(err, errlen, "out of memory");
    if (!s) {
        return NULL;
    }
    mu__arena_init(&s->arena, NULL, 0);
    const char *domain = ca_trust_domain(config->cluster_id, &s->arena);
    if (domain && keep_intermediates(s, &root->intermediate_certs) &&
        ca_settings_read(config->config, &settings, err, errlen)) {
        s->trust_domain = mu__arena_strndup(&s->arena, domain, strlen(domain));
        s->issuer = ca_issuer_of(state, domain, loop_now_unix_ns() / (int64_t)MU_SEC, err, errlen);
        s->leaf_ttl_s = settings.leaf_ttl_ns / (int64_t)MU_SEC;
        s->per_second = settings.csr_per_second;
    }
    if (!s->issuer || !s->trust_domain) {
        server__ca_signer_free(s);
        return NULL;
    }
    s->state_index = state->modify_index;
    s->config_index = config->modify_index;
    return s;
}

static struct ca_signer *signer_from(struct server_front *f, struct catalog_reader *reader,
                                     char *err, size_t errlen)
{
    const struct catalog_ca_config *config = catalog_find_ca_config(reader);
    const struct catalog_ca_root *root = catalog_find_ca_active_root(reader);
    const struct catalog_ca_provider_state *state =
        root ? catalog_find_ca_state(reader, root->id) : NULL;
    if (!config || !state) {
        snprintf(err, errlen,
                 "CA is uninitialized and unable to sign certificates yet: no root "
                 "certificate");
        return NULL;
    }
    struct ca_signer *s = f->signer;
    if (!s || s->state_index != state->modify_index || s->config_index != config->modify_index) {
        server__ca_signer_free(s);
        f->signer = make(config, root, state, err, errlen);
    }
    return f->signer;
}

static struct ca_signer *signer(struct server_front *f, char *err, size_t errlen)
{
    struct catalog_reader *reader = route__take_reader(f);
    if (!reader) {
        snprintf(err, errlen, "out of memory");
        return NULL;
    }
    catalog_read_begin(reader);
    struct ca_signer *s = signer_from(f, reader, err, errlen);
    catalog_read_end(reader);
    route__return_reader(f, reader);
    return s;
}

/* ---- Their turn ---- */

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct route *r = arg;
    (void)fd, (void)what;
    r->has_timer = false;
    route__list_remove(r);
    r->had_turn = true;
    route__dispatch(r);
}

static void wait_turn(struct route *r, uint64_t ns)
{
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC),
                         .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC) + 1};
    r->state = ROUTE_BLOCKED;
    route__list_add(&r->front->paced, r);
    evtimer_assign(&r->timer, loop_base(r->front->loop), on_turn, r);
    event_add(&r->timer, &tv);
    r->has_timer = true;
}

/* Takes the next turn of all fronts; how long it is until then, or UINT64_MAX: too long. */
static uint64_t take_turn(_Atomic uint64_t *next_ns, double per_second)
{
    uint64_t step = (uint64_t)((double)MU_SEC / per_second), now = loop_now_ns();
    uint64_t next = atomic_load(next_ns), mine;
    do {
        mine = next > now ? next : now;
        if (mine - now > WAIT_MAX_NS) {
            return UINT64_MAX;
        }
    } while (!atomic_compare_exchange_weak(next_ns, &next, mine + step));
    return mine - now;
}

bool server__ca_waits(struct route *r)
{
    char err[256];
    struct ca_signer *s = r->had_turn ? NULL : signer(r->front, err, sizeof err);
    if (!s || s->per_second < 0.001) {
        return false; /* why there is none is told when it comes to signing */
    }
    uint64_t wait = take_turn(&r->front->server->ca_next_ns, s->per_second);
    if (wait == UINT64_MAX) {
        route__fail(r, RATE_LIMITED);
        return true;
    }
    if (wait > 0) {
        wait_turn(r, wait);
    }
    return wait > 0;
}

/* ---- Signing ---- */

/* What it may have is what the sender asks for, in our domain and datacenter; its name will be the
 * ACLs' to grant. */
static const char *refuse_id(const struct route *r, const struct ca_signer *s, struct mu_str uri,
                             struct ca_id *id, char *text, char *reason, size_t size)
{
    struct mu_str ours = mu__cstr(s->trust_domain), dc = r->front->server->config->datacenter;
    if (ca_id_parse(uri, text, id) != CA_OK) {
        return "SPIFFE ID in CSR is not one of a service or agent";
    }
    if (!mu__str_eq(id->trust_domain, ours)) {
        snprintf(reason, size, "SPIFFE ID in CSR from a different trust domain: %.*s, we are %.*s",
                 (int)mu__min(id->trust_domain.len, 128), id->trust_domain.p, (int)ours.len,
                 ours.p);
        return reason;
    }
    if (id->kind == CA_ID_TRUST_DOMAIN) {
        return "SPIFFE ID in CSR must be a service or agent ID";
    }
    if (!mu__str_eq(id->datacenter, dc)) {
        snprintf(reason, size, "SPIFFE ID in CSR from a different datacenter: %.*s, we are %.*s",
                 (int)mu__min(id->datacenter.len, 128), id->datacenter.p, (int)dc.len, dc.p);
        return reason;
    }
    return NULL;
}

static bool write_pem(struct mu__arena *a, const struct ca_certificate *leaf,
                      const struct mu_strs *above, struct mu_str *out)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu_str pem = ca_certificate_pem(leaf);
    mu__write_bytes(&w, pem.p, pem.len);
    for (size_t i = 0; i < above->len; i++) {
        mu__write_bytes(&w, above->items[i].p, above->items[i].len);
    }
    const char *text = w.failed ? NULL : mu__arena_strndup(a, (const char *)w.data, w.len);
    *out = (struct mu_str){text, text ? w.len : 0};
    mu__writer_fini(&w);
    return text != NULL;
}

static bool text_copy(struct mu__arena *a, struct mu_str s, struct mu_str *out)
{
    const char *p = mu__arena_strndup(a, s.p, s.len);
    *out = (struct mu_str){p, p ? s.len : 0};
    return p != NULL;
}

static bool describe(struct call *c, const struct ca_signer *s, const struct ca_certificate *leaf,
                     const struct ca_id *id, struct catalog_issued_cert *out)
{
    const struct ca_certificate_info *info = ca_certificate_info(leaf);
    bool is_agent = id->kind == CA_ID_AGENT;
    *out = (struct catalog_issued_cert){
        .serial_number = ca_hex((const uint8_t *)info->serial.p, info->serial.len, &c->arena),
        .valid_after = ca_time(info->not_before_unix_s),
        .valid_before = ca_time(info->not_after_unix_s)};
    return out->serial_number.p && write_pem(&c->arena, leaf, &s->intermediates, &out->cert_pem) &&
           text_copy(&c->arena, id->name, is_agent ? &out->agent : &out->service) &&
           text_copy(&c->arena, info->uri, is_agent ? &out->agent_uri : &out->service_uri);
}

static const char *sign(struct route *r, struct ca_signer *s, const struct ca_csr *csr,
                        char *reason, size_t size)
{
    char text[CA_URI_MAX];
    struct ca_id id;
    struct ca_diag why = {""};
    struct ca_certificate *leaf;
    struct mu_str uri = ca_csr_uri(csr);
    if (uri.len > CA_URI_MAX) {
        return "SPIFFE ID in CSR is too long";
    }
    const char *refused = refuse_id(r, s, uri, &id, text, reason, size);
    if (refused) {
        return refused;
    }
    struct ca_leaf_request request = {.uri = uri,
                                      .terms = {.now_unix_s = loop_now_unix_ns() / (int64_t)MU_SEC,
                                                .ttl_s = (uint32_t)s->leaf_ttl_s}};
    int rc = ca_issuer_sign_leaf(s->issuer, csr, &request, &leaf, &why);
    if (rc != CA_OK) {
        snprintf(reason, size, "error signing CSR: %s", why.text[0] ? why.text : ca_strerror(rc));
        return reason;
    }
    struct catalog_issued_cert *out = mu__arena_calloc(&r->call->arena, 1, sizeof *out);
    bool ok = out && describe(r->call, s, leaf, &id, out);
    ca_certificate_destroy(leaf);
    r->reply = out;
    return ok ? NULL : "out of memory";
}

const char *server__ca_sign(struct route *r, char *reason, size_t size)
{
    const struct catalog_ca_sign_request *q = r->call->request;
    struct catalog_ca_leaf_request entry = {.op = mu__cstr("increment-index"),
                                            .datacenter = q->datacenter};
    struct ca_diag why = {""};
    struct ca_csr *csr;
    struct ca_signer *s = signer(r->front, reason, size);
    if (!s) {
        return reason;
    }
    int rc = ca_csr_parse(q->csr, NULL, &csr, &why);
    if (rc != CA_OK) {
        snprintf(reason, size, "error parsing CSR: %s", why.text[0] ? why.text : ca_strerror(rc));
        return reason;
    }
    const char *refused = sign(r, s, csr, reason, size);
    ca_csr_destroy(csr);
    if (!refused) {
        r->entry = server__encode_entry(
            CATALOG_ENTRY_CA_LEAF, catalog_schema(CATALOG_CA_LEAF_REQUEST), &entry, &r->entry_len);
        refused = r->entry ? NULL : "out of memory";
    }
    return refused;
}

void server__ca_number(struct route *r, const struct write_result *result)
{
    struct catalog_issued_cert *out = r->reply;
    const struct catalog_issued_cert *numbers = result->reply;
    out->create_index = numbers->create_index;
    out->modify_index = numbers->modify_index;
}
