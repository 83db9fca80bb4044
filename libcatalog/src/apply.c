/* apply.c - log entries, one after the other. */
#include "apply.h"

#include <assert.h>
#include <string.h>

#include "entry.h"

void catalog__refuse(struct catalog *c, struct catalog_result *result,
                     const struct catalog__text *why)
{
    char *copy = mu__arena_strndup(&c->scratch, why->p, why->len);
    *result =
        (struct catalog_result){.kind = CATALOG_RESULT_ERROR, .error = {copy, copy ? why->len : 0}};
}

void catalog__refuse_cstr(struct catalog *c, struct catalog_result *result, const char *why)
{
    char *copy = mu__arena_strndup(&c->scratch, why, strlen(why));
    *result = (struct catalog_result){.kind = CATALOG_RESULT_ERROR,
                                      .error = {copy, copy ? strlen(why) : 0}};
}

void catalog__refuse_operation(struct catalog *c, const char *what, struct mu_str op,
                               struct catalog_result *result)
{
    char buf[256];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    catalog__say(&t, "Invalid ");
    catalog__say(&t, what);
    catalog__say(&t, " operation '");
    catalog__say_str(&t, op);
    catalog__say(&t, "'");
    catalog__refuse(c, result, &t);
}

/* What one entry left: its decoded body, its error text, its notices. */
static void forget_entry(struct catalog *c)
{
    catalog__end_loan(c);
    catalog__scratch_reset(&c->scratch);
    c->notices = NULL;
    c->nnotices = c->notices_cap = 0;
}

int catalog_apply_begin(struct catalog *c)
{
    return catalog__batch_begin(c) ? 0 : CATALOG_ENOMEM;
}

void catalog_apply_end(struct catalog *c, struct catalog_touched **touched)
{
    forget_entry(c);
    catalog__batch_publish(c, touched);
}

void catalog_apply_abort(struct catalog *c)
{
    forget_entry(c);
    catalog__batch_abort(c);
}

/* Decodes a body that must be one value and nothing else. */
static bool decode(struct catalog *c, const struct mu__schema *s, struct mu_str body, void *out,
                   struct catalog_result *result)
{
    struct mu__reader r = mu__reader(body.p, body.len);
    if (mu__schema_decode(s, &r, &c->scratch, true, out) && mu__reader_left(&r) == 0) {
        return true;
    }
    catalog__refuse_cstr(c, result, "failed to decode request");
    return false;
}

static int refuse_type(struct catalog *c, uint64_t index, uint8_t type,
                       struct catalog_result *result)
{
    char buf[128];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    catalog__say(&t, "log entry ");
    catalog__say_uint(&t, index);
    catalog__say(&t, " has type ");
    catalog__say_uint(&t, type);
    catalog__say(&t, ", which this release does not know");
    catalog__refuse(c, result, &t);
    return CATALOG_EUNKNOWN;
}

static int dispatch(struct catalog *c, uint8_t type, struct mu_str body,
                    struct catalog_result *result)
{
    union {
        struct catalog_register_request reg;
        struct catalog_deregister_request dereg;
        struct catalog_kvs_request kvs;
        struct catalog_session_request session;
        struct catalog_tombstone_request tombstone;
        struct catalog_coordinate_batch coordinates;
        struct catalog_prepared_query_request query;
        struct catalog_txn_request txn;
        struct catalog_autopilot_set_request autopilot;
        struct catalog_config_request config;
        struct catalog_intention_request intention;
        struct catalog_ca_request ca;
        struct catalog_ca_leaf_request leaf;
    } r;
    const struct mu__schema *schema = catalog__entry_schema(type);
    if (!schema) {
        return type & CATALOG_IGNORABLE ? 0 : refuse_type(c, c->index, type, result);
    }
    assert(schema->size <= sizeof r);
    if (!decode(c, schema, body, &r, result)) {
        return 0; /* refused, or out of memory */
    }
    switch ((enum catalog_entry_type)type) {
    case CATALOG_ENTRY_REGISTER:
        catalog__apply_register(c, &r.reg, result);
        break;
    case CATALOG_ENTRY_DEREGISTER:
        catalog__apply_deregister(c, &r.dereg, result);
        break;
    case CATALOG_ENTRY_KVS:
        catalog__apply_kvs(c, &r.kvs, result);
        break;
    case CATALOG_ENTRY_SESSION:
        catalog__apply_session(c, &r.session, result);
        break;
    case CATALOG_ENTRY_TOMBSTONE:
        catalog__apply_tombstone(c, &r.tombstone, result);
        break;
    case CATALOG_ENTRY_COORDINATES:
        catalog__apply_coordinates(c, &r.coordinates);
        break;
    case CATALOG_ENTRY_QUERY:
        catalog__apply_prepared_query(c, &r.query, result);
        break;
    case CATALOG_ENTRY_TXN:
        catalog__apply_txn(c, &r.txn, result);
        break;
    case CATALOG_ENTRY_AUTOPILOT:
        catalog__apply_autopilot(c, &r.autopilot, result);
        break;
    case CATALOG_ENTRY_CONFIG:
        catalog__apply_config(c, &r.config, result);
        break;
    case CATALOG_ENTRY_INTENTION:
        catalog__apply_intention(c, &r.intention, result);
        break;
    case CATALOG_ENTRY_CA:
        catalog__apply_ca(c, &r.ca, result);
        break;
    case CATALOG_ENTRY_CA_LEAF:
        catalog__apply_ca_leaf(c, &r.leaf, result);
        break;
    case CATALOG_IGNORABLE:
        break;
    }
    return 0;
}

int catalog_apply(struct catalog *c, uint64_t index, const void *entry, size_t len,
                  struct catalog_result *result)
{
    assert(c->draft);
    *result = (struct catalog_result){.kind = CATALOG_RESULT_NONE};
    if (c->is_void) {
        return CATALOG_ENOMEM;
    }
    if (len == 0 || index + c->draft->base < c->draft->index) {
        return CATALOG_EINVAL;
    }
    forget_entry(c);
    c->index = index + c->draft->base;
    const char *bytes = entry;
    int rc = dispatch(c, (uint8_t)bytes[0], (struct mu_str){bytes + 1, len - 1}, result);
    if (c->is_void) {
        *result = (struct catalog_result){.kind = CATALOG_RESULT_NONE};
        forget_entry(c);
        return CATALOG_ENOMEM;
    }
    if (rc == 0) {
        c->draft->index = c->index;
    }
    return rc;
}
