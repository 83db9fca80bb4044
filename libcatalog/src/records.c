#include "records.h"

#include "key.h"
#include "types.h"

static const struct mu__field instance_fields[] = {
    {.name = "Service",
     .kind = MU_STRUCT,
     .offset = offsetof(struct catalog__instance, service),
     .sub = &catalog__node_service_schema},
    {.name = "Node", .kind = MU_STR, .offset = offsetof(struct catalog__instance, node)},
};
static const uint8_t instance_wire[] = {1, 0};
const struct mu__schema catalog__instance_schema = {
    .name = "instance",
    .fields = instance_fields,
    .nfields = sizeof instance_fields / sizeof *instance_fields,
    .wire = instance_wire,
    .nwire = sizeof instance_wire,
    .size = sizeof(struct catalog__instance),
};

static const struct mu__field mark_fields[] = {
    {.name = "Index", .kind = MU_UINT, .offset = offsetof(struct catalog__mark, index)},
    {.name = "Name", .kind = MU_STR, .offset = offsetof(struct catalog__mark, name)},
    {.name = "TreeIndex",
     .kind = MU_UINT,
     .flags = MU_F_OMIT_MSGPACK,
     .offset = offsetof(struct catalog__mark, tree_index)},
};
static const uint8_t mark_wire[] = {0, 1, 2};
const struct mu__schema catalog__mark_schema = {
    .name = "mark",
    .fields = mark_fields,
    .nfields = sizeof mark_fields / sizeof *mark_fields,
    .wire = mark_wire,
    .nwire = sizeof mark_wire,
    .size = sizeof(struct catalog__mark),
};

struct mu_str catalog__instance_target(const struct catalog__instance *i)
{
    const struct catalog_node_service *s = &i->service;
    if (s->connect.native) {
        return s->service;
    }
    return mu__str_eq(s->kind, mu__cstr("connect-proxy")) ? s->proxy.destination_service_name
                                                          : (struct mu_str){NULL, 0};
}

static void *get(const struct catalog__version *v, enum catalog__tree tree,
                 const struct mu_str *names, size_t n)
{
    struct catalog__key key;
    catalog__key_join(&key, names, n, false);
    return catalog__radix_get(v->root[tree], catalog__key_str(&key));
}

const struct catalog_node *catalog__get_node(const struct catalog__version *v, struct mu_str name)
{
    return get(v, CATALOG__NODES, &name, 1);
}

const struct catalog_node *catalog__get_node_by_id(const struct catalog__version *v,
                                                   struct mu_str id)
{
    return get(v, CATALOG__NODES_BY_ID, &id, 1);
}

const struct catalog__instance *catalog__get_instance(const struct catalog__version *v,
                                                      struct mu_str node, struct mu_str id)
{
    return get(v, CATALOG__SERVICES, (const struct mu_str[]){node, id}, 2);
}

const struct catalog_check *catalog__get_check(const struct catalog__version *v, struct mu_str node,
                                               struct mu_str id)
{
    return get(v, CATALOG__CHECKS, (const struct mu_str[]){node, id}, 2);
}

const struct catalog_dir_entry *catalog__get_key(const struct catalog__version *v,
                                                 struct mu_str key)
{
    return catalog__radix_get(v->root[CATALOG__KEYS], key);
}

const struct catalog_session *catalog__get_session(const struct catalog__version *v,
                                                   struct mu_str id)
{
    struct catalog__session_key key;
    if (!catalog__is_session_id(id)) {
        return NULL;
    }
    struct mu_str name = catalog__session_key(&key, id);
    return get(v, CATALOG__SESSIONS, &name, 1);
}

const struct catalog__mark *catalog__get_service_index(const struct catalog__version *v,
                                                       struct mu_str name)
{
    return get(v, CATALOG__SERVICE_INDEXES, &name, 1);
}

void catalog__below_address(struct catalog__radix_iter *it, const struct mu_allocator *a,
                            const struct catalog__version *v, enum catalog__tree tree,
                            struct mu_str address)
{
    struct mu_str part = catalog__key_part(address);
    catalog__below(it, a, v, tree, &part, 1);
}

void catalog__below(struct catalog__radix_iter *it, const struct mu_allocator *a,
                    const struct catalog__version *v, enum catalog__tree tree,
                    const struct mu_str *names, size_t n)
{
    struct catalog__key key;
    catalog__key_join(&key, names, n, n > 0);
    catalog__radix_prefix(it, a, v->root[tree], catalog__key_str(&key));
}
