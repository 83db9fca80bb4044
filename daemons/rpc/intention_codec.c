#include "intention_codec.h"

#include "msgpack.h"
#include "types.h"

#include <muster/catalog_intention.h>
#include <string.h>

/* ConsistencyLevel, Index, KnownLeader, LastContact, Matches */
static void write_matches(struct mu__writer *w, const void *obj)
{
    const struct catalog_indexed_intention_matches *reply = obj;
    const struct catalog_query_meta *m = &reply->meta;
    mu__mp_write_map(w, 5);
    mu__mp_write_cstr(w, "ConsistencyLevel");
    mu__mp_write_raw(w, m->consistency_level.p, m->consistency_level.len);
    mu__mp_write_cstr(w, "Index");
    mu__mp_write_uint(w, m->index);
    mu__mp_write_cstr(w, "KnownLeader");
    mu__mp_write_bool(w, m->known_leader);
    mu__mp_write_cstr(w, "LastContact");
    mu__mp_write_int(w, m->last_contact_ns);
    mu__mp_write_cstr(w, "Matches");
    mu__mp_write_array(w, reply->matches.len);
    for (size_t i = 0; i < reply->matches.len; i++) {
        const struct mu_list *of_one = reply->matches.items[i];
        if (!of_one->items) { /* none: nil, which an agent shows as null */
            mu__mp_write_nil(w);
            continue;
        }
        mu__mp_write_array(w, of_one->len);
        for (size_t k = 0; k < of_one->len; k++) {
            mu__schema_encode(&catalog__intention_schema, of_one->items[k], w);
        }
    }
}

/* Room grows with what is there, not with what a length promises: an element has a byte at least.
 */
static bool begin_list(struct mu__reader *r, struct mu__arena *a, struct mu_list *out, size_t *n)
{
    *out = (struct mu_list){NULL, 0};
    *n = 0;
    if (mu__mp_peek(r) == MU_MP_NIL) {
        mu__mp_skip(r);
        return !r->failed;
    }
    *n = mu__mp_read_array(r);
    if (r->failed || *n > mu__reader_left(r)) {
        mu__reader_fail(r);
        return false;
    }
    out->items = mu__arena_calloc(a, *n + 1, sizeof *out->items);
    if (!out->items) {
        mu__reader_fail(r);
    }
    return !r->failed;
}

static void *read_intention(struct mu__reader *r, struct mu__arena *a, bool lend)
{
    void *x = mu__arena_calloc(a, 1, sizeof(struct catalog_intention));
    if (!x || !mu__schema_decode(&catalog__intention_schema, r, a, lend, x)) {
        mu__reader_fail(r);
    }
    return x;
}

static struct mu_list *read_one(struct mu__reader *r, struct mu__arena *a, bool lend)
{
    struct mu_list *of_one = mu__arena_calloc(a, 1, sizeof *of_one);
    size_t n;
    if (!of_one || !begin_list(r, a, of_one, &n)) {
        mu__reader_fail(r);
        return of_one;
    }
    while (of_one->len < n && !r->failed) {
        of_one->items[of_one->len++] = read_intention(r, a, lend);
    }
    return of_one;
}

static void read_list(struct mu__reader *r, struct mu__arena *a, bool lend, struct mu_list *out)
{
    size_t n;
    if (begin_list(r, a, out, &n)) {
        while (out->len < n && !r->failed) {
            out->items[out->len++] = read_one(r, a, lend);
        }
    }
}

static bool read_matches(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj)
{
    struct catalog_indexed_intention_matches *reply = obj;
    struct mu__reader again = *r;
    mu__schema_decode(&catalog__indexed_intention_matches_schema, &again, a, lend, reply);
    reply->matches = (struct mu_list){NULL, 0};
    for (size_t n = mu__mp_read_map(r); n > 0 && !r->failed; n--) {
        if (mu__str_is(mu__mp_read_bytes(r), "Matches")) {
            read_list(r, a, lend, &reply->matches);
        } else {
            mu__mp_skip(r);
        }
    }
    return !r->failed && !again.failed;
}

const struct wire_codec intention_matches_codec = {write_matches, read_matches};
