/* ca.c - changes of the authority, and the leader's part: the first root, the end of old ones. */
#include "ca.h"

#include "alloc.h"
#include "base/log.h"
#include "ca_plan.h"
#include "msgpack.h"
#include "rpc/absent.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define MODULE "agent.server.connect"

const char *server__ca_off(const struct server *s, const struct endpoint *e)
{
    bool is_of_ca = e == &endpoints[ENDPOINT_CONNECT_CA_CONFIGURATION_GET] ||
                    e == &endpoints[ENDPOINT_CONNECT_CA_CONFIGURATION_SET] ||
                    e == &endpoints[ENDPOINT_CONNECT_CA_ROOTS] ||
                    e == &endpoints[ENDPOINT_CONNECT_CA_SIGN];
    return is_of_ca && !s->config->connect.enabled ? rpc_absent(mu__cstr(e->method)) : NULL;
}

static int64_t now_s(void)
{
    return loop_now_unix_ns() / (int64_t)MU_SEC;
}

/* ---- A change ---- */

static bool look(struct catalog_reader *reader, struct ca_present *out)
{
    *out = (struct ca_present){.config = catalog_find_ca_config(reader),
                               .active = catalog_find_ca_active_root(reader),
                               .roots_index = catalog_ca_roots_index(reader),
                               .next_index = catalog_read_index(reader) + 1};
    out->state = out->active ? catalog_find_ca_state(reader, out->active->id) : NULL;
    return catalog_list_ca_roots(reader, &out->roots) == CATALOG_OK;
}

/* The entry of a change, from malloc, with a key in it perhaps; NULL with a reason. */
static uint8_t *entry_of(struct catalog_reader *reader, const struct catalog_ca_config *wanted,
                         struct mu__arena *a, size_t *len, char *reason, size_t size)
{
    struct ca_present now;
    struct ca_plan *plan = malloc(sizeof *plan);
    uint8_t *entry = NULL;
    snprintf(reason, size, "out of memory");
    if (plan && look(reader, &now)) {
        const char *refused = ca_plan_make(&now, wanted, now_s(), a, plan, reason, size);
        if (refused && refused != reason) {
            snprintf(reason, size, "%s", refused);
        }
        if (!refused) {
            entry = server__encode_entry(CATALOG_ENTRY_CA, catalog_schema(CATALOG_CA_REQUEST),
                                         &plan->request, len);
            log_info(MODULE,
                     plan->rotates ? "CA rotates to a root: root=%.*s"
                                   : "CA provider config updated%.*s",
                     (int)plan->root.id.len, plan->root.id.len ? plan->root.id.p : "");
        }
        ca_plan_wipe(plan);
    }
    free(plan);
    return entry;
}

const char *server__ca_configure(struct route *r, char *reason, size_t size)
{
    const struct catalog_ca_request *q = r->call->request;
    struct catalog_reader *reader = route__take_reader(r->front);
    if (!q->config || !reader) {
        if (reader) {
            route__return_reader(r->front, reader);
        }
        return q->config ? "out of memory" : "CA configuration is missing";
    }
    catalog_read_begin(reader);
    r->entry = entry_of(reader, q->config, &r->call->arena, &r->entry_len, reason, size);
    catalog_read_end(reader);
    route__return_reader(r->front, reader);
    return r->entry ? NULL : reason;
}

/* ---- The first root ---- */

static bool make_uuid(char out[37])
{
    uint8_t b[16];
    size_t at = 0;
    if (ca_entropy.fill(NULL, b, sizeof b) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof b; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += (size_t)snprintf(out + at, 37 - at, dash ? "-%02x" : "%02x", b[i]);
    }
    return true;
}

static void write_text(struct mu__writer *w, const char *key, struct mu_str value)
{
    mu__mp_write_cstr(w, key);
    mu__mp_write_raw(w, value.p, value.len);
}

/* What the configuration file says of it; the durations are always there. Keys in order. */
static void write_config(const struct config *c, struct mu__writer *w)
{
    const struct config_connect *x = &c->connect;
    size_t n = 3 + (size_t)(x->csr_max_concurrent >= 0) + (size_t)(x->csr_max_per_second >= 0) +
               (x->private_key.len > 0) + (x->private_key_bits > 0) +
               (x->private_key_type.len > 0) + (x->root_cert.len > 0);
    mu__mp_write_map(w, n);
    if (x->csr_max_concurrent >= 0) {
        mu__mp_write_cstr(w, "CSRMaxConcurrent");
        mu__mp_write_int(w, x->csr_max_concurrent);
    }
    if (x->csr_max_per_second >= 0) {
        mu__mp_write_cstr(w, "CSRMaxPerSecond");
        mu__mp_write_int(w, x->csr_max_per_second);
    }
    write_text(w, "IntermediateCertTTL", x->intermediate_cert_ttl);
    write_text(w, "LeafCertTTL", x->leaf_cert_ttl);
    if (x->private_key.len) {
        write_text(w, "PrivateKey", x->private_key);
    }
    if (x->private_key_bits > 0) {
        mu__mp_write_cstr(w, "PrivateKeyBits");
        mu__mp_write_int(w, x->private_key_bits);
    }
    if (x->private_key_type.len) {
        write_text(w, "PrivateKeyType", x->private_key_type);
    }
    if (x->root_cert.len) {
        write_text(w, "RootCert", x->root_cert);
    }
    write_text(w, "RotationPeriod", x->rotation_period);
}

struct bootstrap {
    struct server *server;
    uint8_t *entry;
    size_t len;
};

static void on_done(void *arg, int status, raft_index index, void *result)
{
    struct write_result *r = result;
    (void)arg, (void)index;
    if (status != RAFT_OK || (r && r->kind == CATALOG_RESULT_ERROR)) {
        log_warn(MODULE, "the first root was not written: %s",
                 status != RAFT_OK ? raft_node_strerror(status) : r->error);
    }
    server__free_result(r);
}

static void propose_entry(struct server *s, uint8_t *entry, size_t len)
{
    if (s->raft && raft_node_is_leader(s->raft)) {
        int rc = raft_node_propose(s->raft, entry, len, on_done, NULL);
        if (rc != RAFT_OK) {
            log_debug(MODULE, "it will be tried again: %s", raft_node_strerror(rc));
        }
    }
    mu__wipe(entry, len);
    free(entry);
}

static void on_core(void *arg)
{
    struct bootstrap *b = arg;
    b->server->ca_bootstraps = false;
    if (b->entry) {
        propose_entry(b->server, b->entry, b->len);
    }
    free(b);
}

static void make_first(struct bootstrap *b, struct catalog_reader *reader)
{
    char id[37], reason[CA_SETTINGS_ERROR_MAX];
    struct server *s = b->server;
    struct mu__arena arena;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    if (catalog_find_ca_config(reader) || !make_uuid(id)) {
        return;
    }
    write_config(s->config, &w);
    struct catalog_ca_config wanted = {.cluster_id = {id, 36},
                                       .provider = s->config->connect.ca_provider,
                                       .config = {(const char *)w.data, w.len}};
    mu__arena_init(&arena, NULL, 0);
    b->entry = w.failed ? NULL : entry_of(reader, &wanted, &arena, &b->len, reason, sizeof reason);
    if (!b->entry) {
        log_error(MODULE, "Failed to initialize Connect CA: %s", reason);
    }
    mu__wipe(w.data, w.len);
    mu__writer_fini(&w);
    mu__arena_fini(&arena);
}

/* On a front: to make a key takes a while, and the core has no time. */
static void on_front(void *arg)
{
    struct bootstrap *b = arg;
    struct server_front *f = &b->server->fronts[0];
    struct catalog_reader *reader = route__front_is_closed(f) ? NULL : route__take_reader(f);
    if (reader) {
        catalog_read_begin(reader);
        make_first(b, reader);
        catalog_read_end(reader);
        route__return_reader(f, reader);
    }
    loop_post(b->server->core, on_core, b);
}

static void begin(struct server *s)
{
    struct bootstrap *b = calloc(1, sizeof *b);
    if (!b || s->nfronts == 0 || !s->fronts[0].loop) {
        free(b);
        return;
    }
    b->server = s;
    s->ca_bootstraps = true;
    loop_post(s->fronts[0].loop, on_front, b);
}

/* ---- Roots come to their end ---- */

static void prune(struct server *s, const struct ca_present *now)
{
    struct ca_settings settings;
    char err[CA_SETTINGS_ERROR_MAX];
    struct catalog_ca_request request = {.op = mu__cstr("set-roots"), .index = now->roots_index};
    if (!ca_settings_read(now->config->config, &settings, err, sizeof err)) {
        return;
    }
    request.roots.items = calloc(now->roots.len + 1, sizeof *request.roots.items);
    if (!request.roots.items) {
        return;
    }
    for (size_t i = 0; i < now->roots.len; i++) {
        const struct catalog_ca_root *root = now->roots.items[i];
        if (ca_root_is_needed(root, settings.leaf_ttl_ns / (int64_t)MU_SEC, now_s())) {
            request.roots.items[request.roots.len++] = now->roots.items[i];
        } else {
            log_info(MODULE, "pruning old unused root CA: ID=%.*s", (int)root->id.len, root->id.p);
        }
    }
    if (request.roots.len < now->roots.len) {
        server__propose(s, CATALOG_ENTRY_CA, CATALOG_CA_REQUEST, &request);
    }
    free(request.roots.items);
}

static void warn(struct server *s, const struct catalog_ca_root *root)
{
    unsigned used = root ? ca_root_used_percent(root, now_s()) : 0;
    if (used > s->ca_warned) {
        log_warn(MODULE, "the root of Connect's CA has used up %u%% of its life: root=%.*s", used,
                 (int)root->id.len, root->id.p);
    }
    s->ca_warned = used;
}

void server__ca_upkeep(struct server *s)
{
    struct ca_present now;
    if (!s->config->connect.enabled || s->ca_bootstraps) {
        return;
    }
    catalog_read_begin(s->reader);
    bool ok = look(s->reader, &now);
    if (ok && now.config) {
        prune(s, &now);
        warn(s, now.active);
    }
    catalog_read_end(s->reader);
    if (ok && !now.config) {
        begin(s);
    }
}
