/* tables_prepared.c - prepared queries: found by id, by name and by what a name starts with, and
 * gone with their session. */
#include "key.h"
#include "planted.h"
#include "tables.h"
#include "template.h"
#include "touched.h"
#include "types.h"

#include <string.h>

#define NAMES(...) ((const struct mu_str[]){__VA_ARGS__})

/* A template with an empty name has a key, too. */
struct template_name {
    char bytes[CATALOG__NAME_MAX + 1];
};

static struct mu_str template_name(struct template_name *t, struct mu_str name)
{
    size_t len = mu__min(name.len, CATALOG__NAME_MAX - 1); /* longer ones are in no tree */
    t->bytes[0] = '*';
    if (len) {
        memcpy(t->bytes + 1, name.p, len);
    }
    return (struct mu_str){t->bytes, len + 1};
}

const struct catalog_prepared_query *catalog__get_query(const struct catalog__version *v,
                                                        struct mu_str id)
{
    struct catalog__session_key k;
    return id.len ? catalog__radix_get(v->root[CATALOG__QUERIES], catalog__session_key(&k, id))
                  : NULL;
}

const struct catalog_prepared_query *catalog__get_query_named(const struct catalog__version *v,
                                                              struct mu_str name)
{
    struct catalog__key key;
    catalog__key_join(&key, &name, 1, false);
    return name.len ? catalog__radix_get(v->root[CATALOG__QUERIES_BY_NAME], catalog__key_str(&key))
                    : NULL;
}

const struct catalog_prepared_query *catalog__get_query_template(const struct catalog__version *v,
                                                                 struct mu_str name)
{
    struct template_name t;
    struct catalog__key key;
    struct mu_str marked = template_name(&t, name);
    catalog__key_join(&key, &marked, 1, false);
    struct catalog__radix_path path =
        catalog__radix_path(v->root[CATALOG__QUERY_TEMPLATES], catalog__key_str(&key));
    const struct catalog_prepared_query *longest = NULL;
    bool is_whole;
    for (const void *q; (q = catalog__radix_path_next(&path, &is_whole)) != NULL;) {
        longest = q;
    }
    return longest;
}

static void unlink_query(struct catalog *c, const struct catalog_prepared_query *q,
                         struct mu_str key)
{
    struct template_name t;
    struct catalog__session_key k;
    if (q->name.len) {
        catalog__tree_remove(c, CATALOG__QUERIES_BY_NAME, &q->name, 1);
    }
    if (catalog__is_template(q)) {
        catalog__tree_remove(c, CATALOG__QUERY_TEMPLATES, NAMES(template_name(&t, q->name)), 1);
    }
    if (q->session.len) {
        catalog__tree_remove(c, CATALOG__QUERIES_BY_SESSION,
                             NAMES(catalog__session_key(&k, q->session), key), 2);
    }
}

static void link_query(struct catalog *c, struct catalog_prepared_query *q, struct mu_str key)
{
    struct template_name t;
    struct catalog__session_key k;
    if (q->name.len) {
        catalog__tree_put(c, CATALOG__QUERIES_BY_NAME, &q->name, 1, q);
    }
    if (catalog__is_template(q)) {
        catalog__tree_put(c, CATALOG__QUERY_TEMPLATES, NAMES(template_name(&t, q->name)), 1, q);
    }
    if (q->session.len) {
        catalog__tree_put(c, CATALOG__QUERIES_BY_SESSION,
                          NAMES(catalog__session_key(&k, q->session), key), 2, q);
    }
}

void catalog__put_query(struct catalog *c, const struct catalog_prepared_query *query)
{
    struct catalog__session_key k;
    struct mu_str key = catalog__session_key(&k, query->id);
    struct catalog_prepared_query *record =
        catalog__clone(c, &catalog__prepared_query_schema, query);
    const struct catalog_prepared_query *old =
        catalog__tree_put(c, CATALOG__QUERIES, &key, 1, record);
    if (old) {
        unlink_query(c, old, key);
    }
    if (!c->is_void) {
        link_query(c, record, key);
        c->draft->count[CATALOG__TABLE_QUERIES] += !old;
    }
    catalog__touch(c, CATALOG__WATCH_QUERY, key);
    catalog__table_changed(c, CATALOG__TABLE_QUERIES);
    catalog__discard(c, old);
}

void catalog__remove_query(struct catalog *c, struct mu_str id)
{
    const struct catalog_prepared_query *q = catalog__get_query(c->draft, id);
    if (!q) {
        return;
    }
    struct catalog__session_key k;
    struct mu_str key = catalog__session_key(&k, q->id);
    unlink_query(c, q, key);
    if (!CATALOG__PLANTED(WAKE_MISSED_QUERY)) {
        catalog__touch(c, CATALOG__WATCH_QUERY, key);
    }
    catalog__table_changed(c, CATALOG__TABLE_QUERIES);
    void *gone = catalog__tree_remove(c, CATALOG__QUERIES, &key, 1);
    if (gone) {
        c->draft->count[CATALOG__TABLE_QUERIES]--;
    }
    catalog__discard(c, gone);
}

void catalog__remove_queries_of_session(struct catalog *c, struct mu_str session)
{
    struct catalog__found found = catalog__gather(c, CATALOG__QUERIES_BY_SESSION, &session, 1);
    for (size_t i = 0; i < found.len && !c->is_void; i++) {
        const struct catalog_prepared_query *q = found.items[i];
        catalog__remove_query(c, q->id);
    }
}

bool catalog__query_is_free(struct catalog *c, const struct catalog_prepared_query *q,
                            struct catalog__text *why)
{
    const struct catalog_prepared_query *same =
        q->name.len ? catalog__get_query_named(c->draft, q->name) : NULL;
    struct template_name t;
    struct catalog__key key;
    if (same && !mu__str_ieq(same->id, q->id)) {
        catalog__say(why, "name '");
        catalog__say_str(why, q->name);
        catalog__say(why, "' aliases an existing query name");
        return false;
    }
    if (catalog__is_session_id(q->name) && catalog__get_query(c->draft, q->name)) {
        catalog__say(why, "name '");
        catalog__say_str(why, q->name);
        catalog__say(why, "' aliases an existing query ID");
        return false;
    }
    if (catalog__is_template(q) && q->name.len == 0) {
        struct mu_str marked = template_name(&t, q->name);
        catalog__key_join(&key, &marked, 1, false);
        same = catalog__radix_get(c->draft->root[CATALOG__QUERY_TEMPLATES], catalog__key_str(&key));
        if (same && !mu__str_ieq(same->id, q->id)) {
            catalog__say(why, "a query template with an empty name already exists");
            return false;
        }
    }
    return true;
}
