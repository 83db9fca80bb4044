/* apply_config.c - config entries: written, written on a condition, or taken out. */
#include "apply.h"

#include <muster/catalog.h>

#include "key.h"
#include "tables_config.h"

static void *scratch_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void scratch_free(void *user, void *p)
{
    (void)user; /* goes with the entry */
    (void)p;
}

static bool decode(struct catalog *c, const struct catalog_config_request *r,
                   const struct mu__schema *schema, union catalog__any_entry *out)
{
    struct mu__reader in = mu__reader(r->entry.p, r->entry.len);
    return r->entry.len > 0 && mu__schema_decode(schema, &in, &c->scratch, true, out) &&
           mu__reader_left(&in) == 0;
}

static bool holds(const struct catalog_config_request *r, const struct catalog_config_entry *entry,
                  const struct catalog_config_entry *before)
{
    if (!mu__str_eq(r->op, mu__cstr(CATALOG_CONFIG_UPSERT_CAS))) {
        return true;
    }
    return before ? entry->modify_index && entry->modify_index == before->modify_index
                  : entry->modify_index == 0;
}

static void upsert(struct catalog *c, const struct catalog_config_request *r,
                   struct catalog_config_entry *entry, struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    const struct mu_allocator room = {&c->scratch, scratch_alloc, NULL, scratch_free};
    struct catalog__text why = catalog__text(buf, sizeof buf);
    const char *refused = catalog_config_prepare(r->kind, entry, &room, buf, sizeof buf);
    if (refused) {
        catalog__refuse_cstr(c, result, refused);
        return;
    }
    const struct catalog_config_entry *before =
        catalog__get_config(c->draft, entry->kind, entry->name);
    if (!holds(r, entry, before)) {
        catalog__answer(result, false);
        return;
    }
    if (!catalog__config_fits(c, entry->kind, entry->name, entry, &why)) {
        catalog__refuse(c, result, &why);
        return;
    }
    if (entry->name.len == 0) { /* only gateways get as far without one */
        catalog__refuse_cstr(c, result,
                             "failed inserting config entry: object missing primary index");
        return;
    }
    entry->create_index = before ? before->create_index : c->index;
    entry->modify_index = c->index;
    catalog__put_config(c, entry);
    catalog__answer(result, true);
}

static void delete_entry(struct catalog *c, const struct catalog_config_entry *entry,
                         struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    if (!catalog__is_name(entry->name) ||
        !catalog__get_config(c->draft, entry->kind, entry->name)) {
        return;
    }
    if (catalog__config_fits(c, entry->kind, entry->name, NULL, &why)) {
        catalog__remove_config(c, entry->kind, entry->name);
    } else {
        catalog__refuse(c, result, &why);
    }
}

void catalog__apply_config(struct catalog *c, const struct catalog_config_request *r,
                           struct catalog_result *result)
{
    union catalog__any_entry entry;
    const struct mu__schema *schema = catalog_config_schema(r->kind);
    if (!schema) {
        char buf[CATALOG__TEXT_MAX];
        struct catalog__text why = catalog__text(buf, sizeof buf);
        catalog__say(&why, "invalid config entry kind: ");
        catalog__say_str(&why, r->kind);
        catalog__refuse(c, result, &why);
        return;
    }
    if (!decode(c, r, schema, &entry)) {
        catalog__refuse_cstr(c, result, "failed to decode request");
        return;
    }
    entry.head.kind = r->kind;
    if (mu__str_eq(r->op, mu__cstr(CATALOG_CONFIG_DELETE))) {
        delete_entry(c, &entry.head, result);
    } else {
        upsert(c, r, &entry.head, result);
    }
}
