#include "encode.h"

#include "internal.h"
#include "options.h"
#include "strconv.h"
#include <muster/catalog_types_ca.h>
#include <stdio.h>

void encode_list(struct http_request *r, const struct mu_list *l, const struct mu__schema *s)
{
    struct mu__json j = http_json(r);
    mu__json_list(&j);
    for (size_t i = 0; i < l->len; i++) {
        if (filter_match(r->filter, l->items[i])) {
            mu__json_item(&j);
            mu__json_value(&j, s, l->items[i]);
        }
    }
    mu__json_list_end(&j);
    http_reply_json(r, &j, 200);
}

void encode_map(struct http_request *r, const struct mu_structmap *m, const struct mu__schema *s)
{
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    for (size_t i = 0; i < m->len; i++) {
        if (filter_match(r->filter, m->items[i].value)) {
            mu__json_key(&j, m->items[i].key);
            mu__json_value(&j, s, m->items[i].value);
        }
    }
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

void encode_ca_roots(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_ca_roots *reply = c->reply;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "ActiveRootID");
    mu__json_str(&j, reply->active_root_id);
    mu__json_ckey(&j, "TrustDomain");
    mu__json_str(&j, reply->trust_domain);
    mu__json_ckey(&j, "Roots");
    if (reply->roots.items) {
        mu__json_list(&j);
        for (size_t i = 0; i < reply->roots.len; i++) {
            mu__json_item(&j);
            mu__json_value(&j, catalog_schema(CATALOG_CA_ROOT), reply->roots.items[i]);
        }
        mu__json_list_end(&j);
    } else {
        mu__json_null(&j);
    }
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

void encode_strs(struct mu__json *j, const struct mu_strs *s)
{
    mu__json_list(j);
    for (size_t i = 0; i < s->len; i++) {
        mu__json_item(j);
        mu__json_str(j, s->items[i]);
    }
    mu__json_list_end(j);
}

void encode_stored(struct mu__json *j, const char *key, const struct mu__schema *s,
                   const void *record)
{
    if (!record) {
        return;
    }
    if (key) {
        mu__json_ckey(j, key);
    }
    mu__json_object(j);
    for (size_t i = 0; i < s->nfields; i++) {
        struct mu__field f = s->fields[i];
        const void *member = (const char *)record + f.offset;
        bool omit = f.flags & MU_F_OMIT_EMPTY && mu__field_is_empty(&f, member);
        if (omit || f.flags & MU_F_NO_JSON) {
            continue;
        }
        f.flags &= ~(unsigned)MU_F_EMPTY_NOT_NULL;
        mu__json_key(j, mu__cstr(f.json ? f.json : f.name));
        mu__json_field(j, &f, member);
    }
    mu__json_object_end(j);
}

void encode_meta(struct mu__json *j, const struct catalog_query_meta *m)
{
    mu__json_ckey(j, "Index");
    mu__json_uint(j, m->index);
    mu__json_ckey(j, "LastContact");
    mu__json_int(j, m->last_contact_ns);
    mu__json_ckey(j, "KnownLeader");
    mu__json_bool(j, m->known_leader);
    mu__json_ckey(j, "ConsistencyLevel");
    mu__json_str(j, m->consistency_level);
}

/* Sets the call up; gives where its datacenter and its options go. NULL: it has been answered. */
static struct catalog_query_options *begin(struct http_request *r, const struct endpoint *e,
                                           http_encode_fn encode, struct mu_str **datacenter)
{
    struct call *c = http_call(r, e, encode);
    char *q = c ? c->request : NULL;
    if (q && e->datacenter_at != NO_OFFSET) {
        *datacenter = (void *)(q + e->datacenter_at);
    }
    return q ? (void *)(q + e->options_at) : NULL;
}

void *read_call(struct http_request *r, const struct endpoint *e, http_encode_fn encode)
{
    struct mu_str unused, *datacenter = &unused;
    struct catalog_query_options *o = begin(r, e, encode, &datacenter);
    if (!o || !options_read(r, datacenter, o)) {
        return NULL;
    }
    r->meta = e->meta_at != NO_OFFSET;
    return r->call->request;
}

void *read_call_now(struct http_request *r, const struct endpoint *e, http_encode_fn encode)
{
    struct mu_str unused, *datacenter = &unused;
    struct catalog_query_options *o = begin(r, e, encode, &datacenter);
    return o && options_read_now(r, datacenter, o) ? r->call->request : NULL;
}

void *read_call_ns(struct http_request *r, const struct endpoint *e, http_encode_fn encode)
{
    return options_check_namespace(r) ? read_call(r, e, encode) : NULL;
}

bool read_filter(struct http_request *r, const struct mu__schema *s)
{
    return read_filter_saying(r, s, "Failed to create boolean expression evaluator: ");
}

bool read_filter_saying(struct http_request *r, const struct mu__schema *s, const char *what)
{
    struct mu_str text = http_param(r, "filter");
    char err[FILTER_ERROR_MAX];
    if (!text.len || filter_parse(s, text, &r->arena, &r->filter, err, sizeof err)) {
        return true;
    }
    char refusal[64 + sizeof err];
    snprintf(refusal, sizeof refusal, "%s%s", what, err);
    if (!r->meta) { /* the agent's own lists */
        http_reply_text(r, 500, "%s", refusal);
        return false;
    }
    if (!options_is_here(r)) {
        r->refusal = http_cstr(r, mu__cstr(refusal)); /* the way there is looked for first */
        return true;
    }
    http_meta(r, NULL);
    http_reply_refusal(r, refusal);
    return false;
}

bool read_name(struct http_request *r, struct mu_str *out, const char *missing)
{
    *out = r->rest;
    if (r->rest.len) {
        return true;
    }
    http_reply_text(r, 400, "%s", missing);
    return false;
}

bool read_flag(struct http_request *r, const char *key, bool *out)
{
    struct mu_str v = http_param(r, key);
    *out = v.p != NULL;
    if (!v.len || strconv_bool(v, out)) {
        return true;
    }
    http_reply_text(r, 400, "Invalid value for ?%s", key);
    return false;
}

bool read_exclusive(struct http_request *r, const char *const *keys, size_t n)
{
    size_t given = 0;
    for (size_t i = 0; i < n; i++) {
        given += http_has_param(r, keys[i]);
    }
    if (given < 2) {
        return true;
    }
    struct mu__writer w = mu__writer_growing(&r->arena.allocator);
    uri_write_query(&w, &r->query);
    struct mu_str shown = {(const char *)w.data, w.len};
    const char *text = http_cstr(r, shown);
    mu__writer_fini(&w);
    http_reply_text(r, 400, "Conflicting flags: %s", text);
    return false;
}
