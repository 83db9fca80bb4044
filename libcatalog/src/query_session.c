/* query_session.c - sessions by id, by node, and all. All report the index of the table. */
#include "query.h"

#include <assert.h>

const struct catalog_session *catalog_find_session(const struct catalog_reader *r, struct mu_str id)
{
    assert(r->version);
    return catalog__get_session(r->version, id);
}

static struct catalog_indexed_sessions empty(const struct catalog_reader *r)
{
    return (struct catalog_indexed_sessions){
        .meta.index = catalog__reported(r->version->table[CATALOG__TABLE_SESSIONS])};
}

int catalog_query_session(struct catalog_reader *r,
                          const struct catalog_session_get_request *request,
                          struct catalog_indexed_sessions *out, struct catalog_watch_keys *keys)
{
    struct catalog__session_key key;
    struct mu_str id = request->session_id.len ? request->session_id : request->session;
    catalog__keys_begin(r, keys);
    *out = empty(r);
    if (!catalog__keys_add(r, keys, CATALOG__WATCH_SESSION, catalog__session_key(&key, id),
                           false)) {
        return CATALOG_ENOMEM;
    }
    const struct catalog_session *s = catalog__get_session(r->version, id);
    struct catalog__list one = catalog__list(r);
    if (s) {
        catalog__list_add(&one, s);
    }
    out->sessions = one.list; /* nil when nothing was added */
    return one.failed ? CATALOG_ENOMEM : 0;
}

/* The sessions of a tree below a name (NULL: all of it). */
static int gather(struct catalog_reader *r, enum catalog__tree tree, const struct mu_str *name,
                  struct catalog_indexed_sessions *out)
{
    struct catalog__list sessions = catalog__list(r);
    struct catalog__radix_iter it;
    catalog__below(&it, &r->catalog->allocator, r->version, tree, name, name ? 1 : 0);
    catalog__list_walk(&sessions, &it, r->version, NULL, NULL);
    *out = empty(r);
    out->sessions = sessions.list;
    return sessions.failed ? CATALOG_ENOMEM : 0;
}

int catalog_query_sessions(struct catalog_reader *r,
                           const struct catalog_session_get_request *request,
                           struct catalog_indexed_sessions *out, struct catalog_watch_keys *keys)
{
    (void)request;
    catalog__keys_begin(r, keys);
    if (!catalog__keys_add_all(r, keys, CATALOG__WATCH_SESSION)) {
        return CATALOG_ENOMEM;
    }
    return gather(r, CATALOG__SESSIONS, NULL, out);
}

int catalog_query_node_sessions(struct catalog_reader *r,
                                const struct catalog_node_request *request,
                                struct catalog_indexed_sessions *out,
                                struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    if (!catalog__keys_add_name(r, keys, CATALOG__WATCH_SESSIONS, request->node, false)) {
        return CATALOG_ENOMEM;
    }
    return gather(r, CATALOG__SESSIONS_BY_NODE, &request->node, out);
}
