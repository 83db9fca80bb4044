/* fixture.h - what the tests of the catalog share: entries from structs, one entry a batch, reads
 * in a line. */
#pragma once

#include "mu_test.h"

#include <muster/catalog.h>

#include "schema.h"
#include "store.h"

#define S(text) ((struct mu_str){(text), sizeof(text) - 1})

struct fixture {
    struct catalog *c;
    struct catalog_reader *r;
    uint64_t index;               /* of the last entry */
    struct catalog_result result; /* of the last entry; its text is in `error` */
    char error[512];
    struct catalog_touched *touched; /* by the last entry */
};

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(catalog_create(NULL, &f->c), 0);
    assert_int_equal(catalog_reader_create(f->c, &f->r), 0);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    catalog__check(f->c);
    catalog_touched_unref(f->touched);
    catalog_reader_destroy(f->r);
    catalog_destroy(f->c);
    free(f);
    return 0;
}

/* The entry for a request, in a growing writer. */
static inline struct mu__writer entry(uint8_t type, enum catalog_type schema, const void *request)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_u8(&w, type);
    mu__schema_encode(catalog_schema(schema), request, &w);
    assert_false(w.failed);
    return w;
}

/* Applies one entry as a batch of its own. */
static inline void apply_bytes(struct fixture *f, const void *data, size_t len)
{
    catalog_touched_unref(f->touched);
    assert_int_equal(catalog_apply_begin(f->c), 0);
    assert_int_equal(catalog_apply(f->c, ++f->index, data, len, &f->result), 0);
    f->error[0] = '\0';
    if (f->result.kind == CATALOG_RESULT_ERROR) {
        snprintf(f->error, sizeof f->error, "%.*s", (int)f->result.error.len, f->result.error.p);
    }
    catalog_apply_end(f->c, &f->touched);
}

static inline void apply(struct fixture *f, uint8_t type, enum catalog_type schema,
                         const void *request)
{
    struct mu__writer w = entry(type, schema, request);
    apply_bytes(f, w.data, w.len);
    mu__writer_fini(&w);
}

static inline void apply_register(struct fixture *f, struct catalog_register_request request)
{
    apply(f, CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST, &request);
}

static inline void apply_deregister(struct fixture *f, struct catalog_deregister_request request)
{
    apply(f, CATALOG_ENTRY_DEREGISTER, CATALOG_DEREGISTER_REQUEST, &request);
}

static inline void kvs(struct fixture *f, const char *op, const char *key, const char *value,
                       uint64_t modify_index)
{
    struct catalog_kvs_request request = {
        .op = mu__cstr(op),
        .dir_ent = {.key = mu__cstr(key), .value = mu__cstr(value), .modify_index = modify_index},
    };
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
}

static inline void set(struct fixture *f, const char *key, const char *value)
{
    kvs(f, "set", key, value, 0);
}

/* A node at 10.0.0.1. */
static inline void add_node(struct fixture *f, const char *name)
{
    apply_register(
        f, (struct catalog_register_request){.node = mu__cstr(name), .address = S("10.0.0.1")});
}

/* A service without updating the node's record; the id is the name unless given. */
static inline void add_service(struct fixture *f, const char *node, const char *id,
                               const char *name)
{
    struct catalog_node_service service = {
        .id = mu__cstr(id), .service = mu__cstr(name), .port = 80};
    apply_register(f, (struct catalog_register_request){
                          .node = mu__cstr(node), .service = &service, .skip_node_update = true});
}

static inline void add_check(struct fixture *f, const char *node, const char *id,
                             const char *service_id, const char *status)
{
    struct catalog_check check = {.check_id = mu__cstr(id),
                                  .name = mu__cstr(id),
                                  .service_id = mu__cstr(service_id),
                                  .status = mu__cstr(status)};
    apply_register(f, (struct catalog_register_request){
                          .node = mu__cstr(node), .check = &check, .skip_node_update = true});
}

#define assert_str(got, expected)                                                                  \
    do {                                                                                           \
        struct mu_str got_ = (got);                                                                \
        assert_int_equal(got_.len, strlen(expected));                                              \
        assert_memory_equal(got_.p ? got_.p : "", (expected), strlen(expected));                   \
    } while (0)

#define assert_refused(f, text)                                                                    \
    do {                                                                                           \
        assert_int_equal((f)->result.kind, CATALOG_RESULT_ERROR);                                  \
        assert_string_equal((f)->error, (text));                                                   \
    } while (0)

#define assert_done(f) assert_int_equal((f)->result.kind, CATALOG_RESULT_NONE)
