/* random_entries.h - a seeded stream of log entries that collide: few nodes, services, checks and
 * keys. */
#pragma once

#include "fixture.h"

#include <muster/catalog_intention.h>

#include "prng.h"

static inline const char *pick(struct mu__prng *p, const char *const *from, size_t n)
{
    return from[mu__prng_below(p, n)];
}
#define PICK(p, ...)                                                                               \
    pick(p, (const char *const[]){__VA_ARGS__},                                                    \
         sizeof(const char *const[]){__VA_ARGS__} / sizeof(const char *))

/* Session 4 is never made, 5 is none; 1 is also spelled in capitals. */
#define RANDOM_SESSION "bbbbbbbb-0000-0000-0000-00000000000"
static inline const char *random_session_id(struct mu__prng *p)
{
    return PICK(p, RANDOM_SESSION "1", "BBBBBBBB-0000-0000-0000-000000000001", RANDOM_SESSION "2",
                RANDOM_SESSION "3", RANDOM_SESSION "4", RANDOM_SESSION "x");
}

static inline struct mu__writer random_session(struct mu__prng *p)
{
    struct mu_str checks[] = {mu__cstr(PICK(p, "c1", "c2", "serfHealth")),
                              mu__cstr(PICK(p, "c1", "C1", "nosuch"))};
    struct catalog_service_check named = {.id = mu__cstr(PICK(p, "c1", "c2"))};
    void *service_checks[] = {&named};
    struct catalog_session_request r = {
        .op = mu__cstr(PICK(p, "create", "create", "create", "destroy")),
        .session = {.id = mu__cstr(PICK(p, RANDOM_SESSION "1", RANDOM_SESSION "2",
                                        RANDOM_SESSION "3", RANDOM_SESSION "x")),
                    .node = mu__cstr(PICK(p, "n1", "n2", "N2", "n3", "nosuch")),
                    .behavior = mu__cstr(PICK(p, "", "release", "delete")),
                    .ttl = mu__cstr(PICK(p, "", "10s", "never")),
                    .lock_delay_ns = (int64_t)mu__prng_below(p, 2) * 90000000000,
                    .node_checks = {checks, mu__prng_below(p, 3)},
                    .service_checks = {service_checks, mu__prng_below(p, 2)}},
    };
    return entry(CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST, &r);
}

static inline struct mu__writer random_kvs(struct mu__prng *p)
{
    struct catalog_kvs_request r = {
        .op = mu__cstr(PICK(p, "set", "set", "set", "cas", "delete", "delete-cas", "delete-tree",
                            "lock", "lock", "lock", "unlock")),
        .dir_ent = {.key = mu__cstr(PICK(p, "a", "a/b", "a/c", "a/b/c", "b", "ab", "a/")),
                    .value = mu__cstr(PICK(p, "1", "2", "")),
                    .session = mu__cstr(random_session_id(p)),
                    .modify_index = mu__prng_below(p, 50)},
    };
    return entry(CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &r);
}

static inline struct mu__writer random_register(struct mu__prng *p)
{
    struct mu_str tags[] = {mu__cstr(PICK(p, "x", "y"))};
    struct catalog_node_service s = {
        .id = mu__cstr(PICK(p, "s1", "s2", "S2")),
        .service = mu__cstr(PICK(p, "web", "db", "Web", "", "ing", "tgw")),
        .kind = mu__cstr(PICK(p, "", "", "connect-proxy")),
        .tags = {tags, 1},
        .proxy = {.destination_service_name = mu__cstr(PICK(p, "web", "db"))},
        .address = mu__cstr(PICK(p, "", "s", "S", "s\t")),
        .port = (int64_t)mu__prng_below(p, 2)};
    struct catalog_check k = {.check_id = mu__cstr(PICK(p, "c1", "c2", "serfHealth")),
                              .service_id = mu__cstr(PICK(p, "", "", "s1", "s2")),
                              .status = mu__cstr(PICK(p, "passing", "critical", "warning"))};
    struct catalog_register_request r = {
        .node = mu__cstr(PICK(p, "n1", "n2", "N2", "n3")),
        .id = mu__cstr(PICK(p, "", "", "aaaaaaaa-0000-0000-0000-000000000001",
                            "aaaaaaaa-0000-0000-0000-000000000002")),
        .address = mu__cstr(PICK(p, "1", "2")),
        .service = mu__prng_below(p, 2) ? &s : NULL,
        .check = mu__prng_below(p, 2) ? &k : NULL,
        .skip_node_update = mu__prng_below(p, 3) == 0,
    };
    return entry(CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST, &r);
}

static inline struct mu__writer random_deregister(struct mu__prng *p)
{
    struct catalog_deregister_request r = {
        .node = mu__cstr(PICK(p, "n1", "n2", "n3", "nosuch")),
        .service_id = mu__cstr(PICK(p, "", "s1", "s2", "s1")),
        .check_id = mu__cstr(PICK(p, "", "c1", "c2", "c1")),
    };
    return entry(CATALOG_ENTRY_DEREGISTER, CATALOG_DEREGISTER_REQUEST, &r);
}

static inline struct mu__writer random_coordinate(struct mu__prng *p)
{
    double vec[8] = {(double)mu__prng_below(p, 3)};
    struct catalog_vivaldi v = {.vec = {vec, 8}, .height = 1e-5};
    struct catalog_coordinate x = {.node = mu__cstr(PICK(p, "n1", "n2", "N2", "nosuch")),
                                   .segment = mu__cstr(PICK(p, "", "", "s")),
                                   .coord = mu__prng_below(p, 9) ? &v : NULL};
    void *items[] = {&x};
    struct catalog_coordinate_batch batch = {.updates = {items, 1}};
    return entry(CATALOG_ENTRY_COORDINATES, CATALOG_COORDINATE_BATCH, &batch);
}

/* Two to four operations, half of them on keys; conditions make many transactions fail. */
static inline struct mu__writer random_txn(struct mu__prng *p)
{
    struct catalog_txn_op ops[4] = {{.kv = NULL}};
    struct catalog_txn_kv_op kv[4];
    struct catalog_txn_node_op node[4];
    struct catalog_txn_service_op service[4];
    struct catalog_txn_check_op check[4];
    void *list[4];
    size_t n = 2 + mu__prng_below(p, 3);
    for (size_t i = 0; i < n; i++) {
        struct mu_str verb = mu__cstr(PICK(p, "get", "set", "set", "cas", "delete", "delete-cas"));
        struct mu_str on = mu__cstr(PICK(p, "n1", "n2", "n3"));
        uint64_t index = mu__prng_below(p, 3) ? 0 : mu__prng_below(p, 50);
        kv[i] = (struct catalog_txn_kv_op){
            .verb = mu__cstr(PICK(p, "set", "set", "cas", "delete", "delete-tree", "get-tree")),
            .dir_ent = {.key = mu__cstr(PICK(p, "a", "a/b", "a/c", "b", "a/")),
                        .value = mu__cstr(PICK(p, "1", "2")),
                        .modify_index = index}};
        node[i] = (struct catalog_txn_node_op){
            verb, {.node = on, .address = mu__cstr(PICK(p, "1", "2")), .modify_index = index}};
        service[i] = (struct catalog_txn_service_op){verb,
                                                     on,
                                                     {.id = mu__cstr(PICK(p, "s1", "s2")),
                                                      .service = mu__cstr(PICK(p, "web", "db")),
                                                      .modify_index = index}};
        check[i] =
            (struct catalog_txn_check_op){verb,
                                          {.node = on,
                                           .check_id = mu__cstr(PICK(p, "c1", "c2")),
                                           .service_id = mu__cstr(PICK(p, "", "s1")),
                                           .status = mu__cstr(PICK(p, "passing", "critical")),
                                           .modify_index = index}};
        uint64_t kind = mu__prng_below(p, 6);
        ops[i].kv = kind < 3 ? &kv[i] : NULL;
        ops[i].node = kind == 3 ? &node[i] : NULL;
        ops[i].service = kind == 4 ? &service[i] : NULL;
        ops[i].check = kind == 5 ? &check[i] : NULL;
        list[i] = &ops[i];
    }
    struct catalog_txn_request r = {.ops = {list, n}};
    return entry(CATALOG_ENTRY_TXN, CATALOG_TXN_REQUEST, &r);
}

static inline struct mu__writer random_config(struct mu__prng *p)
{
    struct catalog_service_split own = {.weight = 50};
    struct catalog_service_split other = {.weight = 50, .service = mu__cstr(PICK(p, "web", "db"))};
    void *splits[] = {&own, &other};
    struct catalog_config_entry head = {.name = mu__cstr(PICK(p, "web", "db", "Web", ""))};
    struct catalog_service_defaults defaults = {.head = head,
                                                .protocol = mu__cstr(PICK(p, "http", "tcp"))};
    struct catalog_service_splitter splitter = {.head = head, .splits = {splits, 2}};
    bool is_splitter = mu__prng_below(p, 2) == 0;
    struct mu_str kind = mu__cstr(is_splitter ? "service-splitter" : "service-defaults");
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(catalog_config_schema(kind),
                      is_splitter ? (const void *)&splitter : (const void *)&defaults, &w);
    struct catalog_config_request r = {.kind = kind,
                                       .op = mu__cstr(PICK(p, "upsert", "upsert", "delete")),
                                       .entry = {(const char *)w.data, w.len}};
    struct mu__writer out = entry(CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    mu__writer_fini(&w);
    return out;
}

static inline struct mu__writer config_entry(const char *op, const struct catalog_config_entry *e)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(catalog_config_schema(e->kind), e, &w);
    struct catalog_config_request r = {
        .kind = e->kind, .op = mu__cstr(op), .entry = {(const char *)w.data, w.len}};
    struct mu__writer out = entry(CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    mu__writer_fini(&w);
    return out;
}

/* Most name all services, on one port or two, and one or two by name. */
static inline struct mu__writer random_ingress(struct mu__prng *p)
{
    struct mu_str hosts[] = {mu__cstr(PICK(p, "a.example", "b.example"))};
    struct catalog_ingress_service named = {.name = mu__cstr(PICK(p, "web", "db", "WEB", "nosuch")),
                                            .hosts = {hosts, mu__prng_below(p, 2)}};
    struct catalog_ingress_service all = {.name = S("*")};
    struct catalog_ingress_service raw = {.name = mu__cstr(PICK(p, "web", "db"))};
    void *both[] = {&all, &named}, *one[] = {&raw};
    struct catalog_ingress_listener http = {
        .port = 80, .protocol = S("http"), .services = {both, 1 + mu__prng_below(p, 2)}};
    struct catalog_ingress_listener tcp = {
        .port = mu__prng_below(p, 2) ? 90 : 0, .protocol = S("tcp"), .services = {one, 1}};
    void *listeners[] = {&http, &tcp};
    struct catalog_ingress_gateway e = {
        .head = {.kind = S("ingress-gateway"), .name = mu__cstr(PICK(p, "ing", "ing", "tgw"))},
        .listeners = {listeners, 1 + mu__prng_below(p, 2)}};
    return config_entry(PICK(p, "upsert", "upsert", "delete"), &e.head);
}

static inline struct mu__writer random_terminating(struct mu__prng *p)
{
    struct catalog_linked_service one = {.name = mu__cstr(PICK(p, "web", "db", "nosuch")),
                                         .sni = mu__cstr(PICK(p, "x", "y"))};
    struct catalog_linked_service other = {.name = mu__cstr(PICK(p, "*", "*", "Web"))};
    void *items[] = {&other, &one};
    struct catalog_terminating_gateway e = {
        .head = {.kind = S("terminating-gateway"), .name = mu__cstr(PICK(p, "tgw", "tgw", "ing"))},
        .services = {items, 1 + mu__prng_below(p, 2)}};
    return config_entry(PICK(p, "upsert", "upsert", "delete"), &e.head);
}

#define RANDOM_QUERY "cccccccc-0000-0000-0000-00000000000" /* ids of queries begin so */

static inline struct mu__writer random_query(struct mu__prng *p)
{
    struct catalog_prepared_query q = {
        .id = mu__cstr(PICK(p, RANDOM_QUERY "1", "CCCCCCCC-0000-0000-0000-000000000001",
                            RANDOM_QUERY "2", RANDOM_QUERY "3")),
        .name = mu__cstr(PICK(p, "q", "Q", "q-", "")),
        .session = mu__cstr(mu__prng_below(p, 2) ? random_session_id(p) : ""),
        .template_.type = mu__cstr(PICK(p, "", "", "name_prefix_match")),
        .service = {.service = mu__cstr(PICK(p, "web", "db"))}};
    struct catalog_prepared_query_request r = {
        .op = mu__cstr(PICK(p, "create", "create", "update", "delete")), .query = &q};
    return entry(CATALOG_ENTRY_QUERY, CATALOG_PREPARED_QUERY_REQUEST, &r);
}

#define RANDOM_INTENTION "dddddddd-0000-0000-0000-00000000000" /* ids of intentions begin so */

/* Namespace and name of a side: exact, all of a namespace, or all. */
static inline void random_side(struct mu__prng *p, struct mu_str *ns, struct mu_str *name)
{
    *ns = mu__cstr(PICK(p, "", "default", "default", "*", "other"));
    *name = mu__cstr(mu__str_eq(*ns, S("*")) ? "*" : PICK(p, "web", "db", "Web", "*", "w*"));
}

static inline struct mu__writer random_intention(struct mu__prng *p)
{
    struct mu_pair meta[] = {{S("k"), mu__cstr(PICK(p, "v", "w"))}};
    struct catalog_intention x = {
        .id = mu__cstr(PICK(p, RANDOM_INTENTION "1", RANDOM_INTENTION "2", RANDOM_INTENTION "3",
                            RANDOM_INTENTION "4", "DDDDDDDD-0000-0000-0000-000000000001", "")),
        .action = mu__cstr(PICK(p, "allow", "deny", "deny")),
        .meta = {meta, mu__prng_below(p, 2)},
        .created_at = {(int64_t)mu__prng_below(p, 1000), 0}};
    struct catalog_intention_request r = {
        .op = mu__cstr(PICK(p, "create", "create", "update", "update", "upsert", "delete")),
        .intention = &x};
    random_side(p, &x.source_ns, &x.source_name);
    random_side(p, &x.destination_ns, &x.destination_name);
    return entry(CATALOG_ENTRY_INTENTION, CATALOG_INTENTION_REQUEST, &r);
}

static inline struct mu__writer random_entry(struct mu__prng *p, uint64_t index)
{
    uint64_t dice = mu__prng_below(p, 24);
    if (dice == 0) {
        struct catalog_tombstone_request reap = {.op = S("reap"),
                                                 .reap_index = index > 10 ? index - 10 : 0};
        return entry(CATALOG_ENTRY_TOMBSTONE, CATALOG_TOMBSTONE_REQUEST, &reap);
    }
    if (dice == 1) {
        struct catalog_autopilot_set_request set = {
            .cas = mu__prng_below(p, 2) == 0,
            .config = {.max_trailing_logs = mu__prng_below(p, 3),
                       .redundancy_zone_tag = mu__cstr(PICK(p, "", "zone")),
                       .modify_index = mu__prng_below(p, index + 1)}};
        return entry(CATALOG_ENTRY_AUTOPILOT, CATALOG_AUTOPILOT_SET_REQUEST, &set);
    }
    if (dice == 2) {
        return mu__prng_below(p, 2) ? random_coordinate(p) : random_config(p);
    }
    if (dice >= 20) {
        return random_txn(p);
    }
    if (dice < 5) {
        return random_session(p);
    }
    return dice < 10 ? random_kvs(p) : dice < 17 ? random_register(p) : random_deregister(p);
}
