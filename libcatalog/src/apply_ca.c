/* apply_ca.c - the certificate authority's configuration, roots and provider change, together or
 * not at all. */
#include "apply.h"
#include "key.h"
#include "msgpack.h"
#include "tables_ca.h"
#include "types.h"

static bool is_id(struct mu_str s)
{
    return s.len > 0 && catalog__is_name(s);
}

/* ---- The parts ---- */

static bool may_set_config(struct catalog *c, const struct catalog_ca_request *r, bool always_cas,
                           struct catalog_result *result)
{
    const struct catalog_ca_config *before = catalog__get_ca_config(c->draft);
    if (!r->config) {
        catalog__refuse_cstr(c, result, "CA configuration is missing");
        return false;
    }
    uint64_t wanted = r->config->modify_index;
    if ((wanted || always_cas) && wanted != (before ? before->modify_index : 0)) {
        catalog__refuse_cstr(c, result, "ModifyIndex did not match existing");
        return false;
    }
    return true;
}

/* A cluster keeps its id, and with it its trust domain. */
static void set_config(struct catalog *c, const struct catalog_ca_request *r)
{
    const struct catalog_ca_config *before = catalog__get_ca_config(c->draft);
    struct catalog_ca_config config = *r->config;
    if (before) {
        config.cluster_id = before->cluster_id;
    }
    config.create_index = before ? before->create_index : c->index;
    config.modify_index = c->index;
    catalog__put_ca_config(c, &config);
}

static bool are_roots(struct catalog *c, const struct mu_list *roots, struct catalog_result *result)
{
    size_t active = 0;
    for (size_t i = 0; i < roots->len; i++) {
        const struct catalog_ca_root *root = roots->items[i];
        active += root->active;
        if (!is_id(root->id)) {
            catalog__refuse_cstr(c, result, "invalid root ID");
            return false;
        }
    }
    if (active != 1) {
        catalog__refuse_cstr(c, result, "there must be exactly one active CA root");
    }
    return active == 1;
}

static bool is_listed(const struct mu_list *roots, struct mu_str id)
{
    for (size_t i = 0; i < roots->len; i++) {
        if (mu__str_ieq(((const struct catalog_ca_root *)roots->items[i])->id, id)) {
            return true;
        }
    }
    return false;
}

static void set_roots(struct catalog *c, const struct mu_list *roots)
{
    struct catalog__found before = catalog__gather(c, CATALOG__CA_ROOTS, NULL, 0);
    for (size_t i = 0; i < before.len; i++) {
        const struct catalog_ca_root *root = before.items[i];
        if (!is_listed(roots, root->id)) {
            catalog__remove_ca_root(c, root->id);
        }
    }
    for (size_t i = 0; i < roots->len; i++) {
        struct catalog_ca_root root = *(const struct catalog_ca_root *)roots->items[i];
        const struct catalog_ca_root *old = catalog__get_ca_root(c->draft, root.id);
        root.create_index = old ? old->create_index : c->index;
        root.modify_index = c->index;
        catalog__put_ca_root(c, &root);
    }
}

static void set_state(struct catalog *c, const struct catalog_ca_provider_state *given)
{
    const struct catalog_ca_provider_state *before = catalog__get_ca_state(c->draft, given->id);
    struct catalog_ca_provider_state state = *given;
    state.create_index = before ? before->create_index : c->index;
    state.modify_index = c->index;
    catalog__put_ca_state(c, &state);
}

static void drop_other_states(struct catalog *c, struct mu_str id)
{
    struct catalog__found all = catalog__gather(c, CATALOG__CA_STATES, NULL, 0);
    for (size_t i = 0; i < all.len; i++) {
        const struct catalog_ca_provider_state *state = all.items[i];
        if (!mu__str_ieq(state->id, id)) {
            catalog__remove_ca_state(c, state->id);
        }
    }
}

/* ---- The operations ---- */

static void apply_config(struct catalog *c, const struct catalog_ca_request *r,
                         struct catalog_result *result)
{
    if (may_set_config(c, r, false, result)) {
        bool is_cas = r->config->modify_index != 0;
        set_config(c, r);
        if (is_cas) {
            catalog__answer(result, true);
        }
    }
}

static void apply_roots(struct catalog *c, const struct catalog_ca_request *r, bool and_config,
                        struct catalog_result *result)
{
    if (!are_roots(c, &r->roots, result)) {
        return;
    }
    if (r->index != c->draft->table[CATALOG__TABLE_CA_ROOTS]) {
        catalog__answer(result, false);
        return;
    }
    if (and_config && !may_set_config(c, r, true, result)) {
        return;
    }
    set_roots(c, &r->roots);
    if (and_config) {
        set_config(c, r);
    }
    if (and_config && r->provider_state) {
        set_state(c, r->provider_state);
        drop_other_states(c, r->provider_state->id);
    }
    catalog__answer(result, true);
}

static void apply_state(struct catalog *c, const struct catalog_ca_request *r, bool is_deletion,
                        struct catalog_result *result)
{
    if (is_deletion) {
        catalog__remove_ca_state(c, r->provider_state->id);
    } else {
        set_state(c, r->provider_state);
    }
    catalog__answer(result, true);
}

void catalog__apply_ca(struct catalog *c, const struct catalog_ca_request *r,
                       struct catalog_result *result)
{
    bool is_deletion = mu__str_is(r->op, "delete-provider-state");
    bool of_state = is_deletion || mu__str_is(r->op, "set-provider-state");
    bool with_config = mu__str_is(r->op, "set-roots-config");
    if ((of_state && !r->provider_state) || (r->provider_state && !is_id(r->provider_state->id))) {
        catalog__refuse_cstr(c, result, "provider state is missing");
    } else if (of_state) {
        apply_state(c, r, is_deletion, result);
    } else if (with_config || mu__str_is(r->op, "set-roots")) {
        apply_roots(c, r, with_config, result);
    } else if (mu__str_is(r->op, "set-config")) {
        apply_config(c, r, result);
    } else {
        catalog__refuse_operation(c, "CA", r->op, result);
    }
}

/* The reply carries the index that the leaf gets. */
void catalog__apply_ca_leaf(struct catalog *c, const struct catalog_ca_leaf_request *r,
                            struct catalog_result *result)
{
    if (!mu__str_is(r->op, "increment-index")) {
        catalog__refuse_operation(c, "CA Leaf", r->op, result);
        return;
    }
    struct catalog_issued_cert *leaf = mu__arena_calloc(&c->scratch, 1, sizeof *leaf);
    if (!leaf) {
        c->is_void = true;
        return;
    }
    leaf->create_index = leaf->modify_index = c->index;
    catalog__table_changed(c, CATALOG__TABLE_CA_LEAFS);
    *result = (struct catalog_result){
        .kind = CATALOG_RESULT_REPLY, .reply = leaf, .reply_type = CATALOG_ISSUED_CERT};
}
