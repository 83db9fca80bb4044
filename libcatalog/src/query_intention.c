/* query_intention.c - intentions: by id, by pair, all, those that bear on a name, and the one that
 * decides. */
#include <stdlib.h>

#include "key.h"
#include "msgpack.h"
#include "query.h"
#include "tables_intention.h"
#include "text.h"

#define ENTRIES_MAX 4096u /* of one Intention.Match */

static const char not_found[] = "Intention not found";
static const struct mu_str any = {"*", 1};

static struct mu_str ns_of(struct mu_str ns)
{
    return ns.len ? ns : mu__cstr("default");
}

/* ---- In the order in which they decide ---- */

static int compare(const void *a, const void *b)
{
    const struct catalog_intention *x = *(const struct catalog_intention *const *)a;
    const struct catalog_intention *y = *(const struct catalog_intention *const *)b;
    if (x->precedence != y->precedence) {
        return x->precedence > y->precedence ? -1 : 1;
    }
    int c = mu__str_cmp(x->source_ns, y->source_ns);
    c = c ? c : mu__str_cmp(x->source_name, y->source_name);
    c = c ? c : mu__str_cmp(x->destination_ns, y->destination_ns);
    return c ? c : mu__str_cmp(x->destination_name, y->destination_name);
}

static void sort(struct mu_list *l)
{
    if (l->len) {
        qsort(l->items, l->len, sizeof *l->items, compare);
    }
}

/* ---- One, and all ---- */

/* Why the id is none: the words are those about sessions, but for the first. */
static int refuse_id(struct catalog_reader *r, const char *bad, const char **why)
{
    char buf[CATALOG_SESSION_ID_TEXT_MAX + 32];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    catalog__say(&t, "failed intention lookup: ");
    catalog__say(&t, bad + sizeof "failed session lookup: " - 1);
    *why = mu__arena_strndup(catalog__scratch(r), t.p, t.len);
    return *why ? 0 : CATALOG_ENOMEM;
}

static const struct catalog_intention *find_exact(const struct catalog__version *v,
                                                  const struct catalog_intention_pair *p)
{
    return catalog__get_intention_for(v, ns_of(p->source_ns), p->source_name,
                                      ns_of(p->destination_ns), p->destination_name);
}

int catalog_query_intention(struct catalog_reader *r, const struct catalog_intention_query *request,
                            struct catalog_indexed_intentions *out, struct catalog_watch_keys *keys,
                            const char **why)
{
    char text[CATALOG_SESSION_ID_TEXT_MAX];
    const struct catalog__version *v = r->version;
    catalog__keys_begin(r, keys);
    *out = (struct catalog_indexed_intentions){.intentions = {NULL, 0}};
    *why =
        request->exact ? NULL : catalog_session_id_check(request->intention_id, text, sizeof text);
    if (*why) {
        return refuse_id(r, *why, why);
    }
    const struct catalog_intention *x = request->exact
                                            ? find_exact(v, request->exact)
                                            : catalog__get_intention(v, request->intention_id);
    if (!x) {
        *why = not_found;
        return 0;
    }
    struct catalog__session_key k;
    struct catalog__list one = catalog__list(r);
    bool failed = !catalog__keys_add(r, keys, CATALOG__WATCH_INTENTION,
                                     catalog__session_key(&k, x->id), false);
    catalog__list_add(&one, x);
    out->intentions = catalog__list_end(&one, &failed);
    out->meta.index = catalog__reported(v->table[CATALOG__TABLE_INTENTIONS]);
    return failed ? CATALOG_ENOMEM : 0;
}

int catalog_query_intentions(struct catalog_reader *r, const struct catalog_dc_request *request,
                             struct catalog_indexed_intentions *out,
                             struct catalog_watch_keys *keys)
{
    struct catalog__radix_iter it;
    struct catalog__list all = catalog__list(r);
    (void)request;
    catalog__keys_begin(r, keys);
    bool failed = !catalog__keys_add_all(r, keys, CATALOG__WATCH_INTENTION);
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__INTENTIONS, NULL, 0);
    catalog__list_walk(&all, &it, r->version, NULL, NULL);
    *out = (struct catalog_indexed_intentions){.intentions = catalog__list_end(&all, &failed)};
    out->meta.index = catalog__reported(r->version->table[CATALOG__TABLE_INTENTIONS]);
    sort(&out->intentions);
    return failed ? CATALOG_ENOMEM : 0;
}

/* ---- What bears on a name ---- */

/* Which side of intentions a question is about. */
struct side {
    enum catalog__tree tree;
    char watch;
};

static bool add_side(struct catalog_reader *r, const struct side *side, struct mu_str ns,
                     struct mu_str name, struct catalog__list *l, struct catalog_watch_keys *keys)
{
    struct catalog__radix_iter it;
    struct catalog__key key;
    const struct mu_str names[] = {ns, name};
    catalog__below(&it, &r->catalog->allocator, r->version, side->tree, names, 2);
    catalog__list_walk(l, &it, r->version, NULL, NULL);
    catalog__key_join(&key, names, 2, false);
    return catalog__keys_add(r, keys, side->watch, catalog__key_str(&key), false);
}

static struct mu_list *match_one(struct catalog_reader *r, const struct side *side,
                                 const struct catalog_intention_name *entry,
                                 struct catalog_watch_keys *keys)
{
    struct mu_str ns = ns_of(entry->ns);
    struct catalog__list l = catalog__list(r);
    struct mu_list *found = mu__arena_calloc(catalog__scratch(r), 1, sizeof *found);
    bool failed = !found || !add_side(r, side, any, any, &l, keys);
    if (!mu__str_eq(ns, any)) {
        failed = !add_side(r, side, ns, any, &l, keys) || failed;
        failed = (!mu__str_eq(entry->name, any) && !add_side(r, side, ns, entry->name, &l, keys)) ||
                 failed;
    }
    if (failed || l.failed) {
        return NULL;
    }
    *found = l.list; /* nil, if there are none */
    sort(found);
    return found;
}

static const char *refuse_match(const struct catalog_intention_match *m)
{
    if (!m) {
        return "Must provide what to match";
    }
    if (!mu__str_is(m->type, "source") && !mu__str_is(m->type, "destination")) {
        return "A match must be by source or by destination";
    }
    return m->entries.len > ENTRIES_MAX ? "Too many names to match" : NULL;
}

int catalog_query_intention_matches(struct catalog_reader *r,
                                    const struct catalog_intention_query *request,
                                    struct catalog_indexed_intention_matches *out,
                                    struct catalog_watch_keys *keys, const char **why)
{
    const struct catalog_intention_match *m = request->match;
    struct catalog__list all = catalog__list(r);
    bool failed = false;
    catalog__keys_begin(r, keys);
    *out = (struct catalog_indexed_intention_matches){.matches = {NULL, 0}};
    *why = refuse_match(m);
    if (*why) {
        return 0;
    }
    struct side side =
        mu__str_is(m->type, "source")
            ? (struct side){CATALOG__INTENTIONS_BY_PAIR, CATALOG__WATCH_SOURCE}
            : (struct side){CATALOG__INTENTIONS_BY_DESTINATION, CATALOG__WATCH_DESTINATION};
    for (size_t i = 0; i < m->entries.len && !failed; i++) {
        const struct mu_list *found = match_one(r, &side, m->entries.items[i], keys);
        failed = !found;
        catalog__list_add(&all, found);
    }
    out->matches = catalog__list_end(&all, &failed);
    out->meta.index = catalog__reported(r->version->table[CATALOG__TABLE_INTENTIONS]);
    return failed ? CATALOG_ENOMEM : 0;
}

/* ---- The one that decides ---- */

/* How a name is said by intentions, the most exact way first. */
struct ways {
    struct mu_str ns[3], name[3];
};

static struct ways ways_of(struct mu_str ns, struct mu_str name)
{
    ns = ns_of(ns);
    return (struct ways){{ns, ns, any}, {name, any, any}};
}

/* There is one at most for each pair of ways, and their order is that of precedence: nothing is
 * gone through. */
static const struct catalog_intention *decide(const struct catalog__version *v,
                                              const struct catalog_intention_pair *p)
{
    struct ways from = ways_of(p->source_ns, p->source_name);
    struct ways to = ways_of(p->destination_ns, p->destination_name);
    for (size_t d = 0; d < 3; d++) {
        for (size_t s = 0; s < 3; s++) {
            const struct catalog_intention *x =
                catalog__get_intention_for(v, from.ns[s], from.name[s], to.ns[d], to.name[d]);
            if (x && mu__str_eq(x->source_ns, from.ns[s]) &&
                mu__str_eq(x->source_name, from.name[s])) {
                return x;
            }
        }
    }
    return NULL;
}

const struct catalog_intention *
catalog_find_deciding_intention(const struct catalog_reader *r,
                                const struct catalog_intention_pair *pair)
{
    return decide(r->version, pair);
}

const struct catalog_intention *catalog_find_intention(const struct catalog_reader *r,
                                                       struct mu_str id)
{
    return catalog__get_intention(r->version, id);
}

static int refuse_type(struct catalog_reader *r, struct mu_str type, const char **why)
{
    char buf[128];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    catalog__say(&t, "unsupported SourceType: ");
    catalog__say_quoted(&t, type);
    *why = mu__arena_strndup(catalog__scratch(r), t.p, t.len);
    return *why ? 0 : CATALOG_ENOMEM;
}

int catalog_query_intention_check(struct catalog_reader *r,
                                  const struct catalog_intention_query *request, bool by_default,
                                  struct catalog_intention_verdict *out,
                                  struct catalog_watch_keys *keys, const char **why)
{
    const struct catalog_intention_pair *p = request->check;
    catalog__keys_begin(r, keys);
    *out = (struct catalog_intention_verdict){false};
    *why = p ? NULL : "Check must be specified on args";
    if (*why) {
        return 0;
    }
    if (!mu__str_is(p->source_type, "consul")) {
        return refuse_type(r, p->source_type, why);
    }
    const struct catalog_intention *x = decide(r->version, p);
    out->allowed = x ? mu__str_is(x->action, "allow") : by_default;
    return catalog__keys_add_all(r, keys, CATALOG__WATCH_INTENTION) ? 0 : CATALOG_ENOMEM;
}
