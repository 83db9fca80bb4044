/* model_intention.c - intentions as a list, the precedence of each worked out from its names, and
 * the questions about them. */
#include <stdlib.h>

#include "questions.h"

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

static size_t find(const struct model *m, const struct catalog_intention *x, bool by_id)
{
    size_t i = 0;
    for (; i < m->intentions.n; i++) {
        const struct catalog_intention *y = m->intentions.items[i];
        if (by_id ? mu__str_ieq(x->id, y->id)
                  : mu__str_ieq(x->source_ns, y->source_ns) &&
                        mu__str_ieq(x->source_name, y->source_name) &&
                        mu__str_ieq(x->destination_ns, y->destination_ns) &&
                        mu__str_ieq(x->destination_name, y->destination_name)) {
            break;
        }
    }
    return i;
}

void model_intention(struct model *m, uint64_t index, const struct catalog_intention_request *r)
{
    struct catalog_intention x = *r->intention;
    uint8_t digest[CATALOG_INTENTION_HASH];
    char text[2048];
    bool by_id = x.id.len > 0 && !is(r->op, "upsert");
    x.source_ns = x.source_ns.len ? x.source_ns : S("default");
    x.destination_ns = x.destination_ns.len ? x.destination_ns : S("default");
    size_t at = find(m, &x, by_id);
    const struct catalog_intention *before = at < m->intentions.n ? m->intentions.items[at] : NULL;
    if (!is(r->op, "delete")) {
        x.id = before && !by_id ? before->id : x.id;
        x.created_at = before ? before->created_at : x.created_at;
        x.create_index = before ? before->create_index : index;
        x.modify_index = index;
        assert_null(catalog_intention_prepare(&x, digest, text, sizeof text));
        void *copy = mu__schema_clone(catalog_schema(CATALOG_INTENTION), &x, &mu__malloc_allocator);
        assert_non_null(copy);
        model_append(&m->intentions, copy);
    }
    if (before) {
        model_drop(&m->intentions, at);
    }
}

/* ---- Questions ---- */

/* The table of the documentation: source and destination, each with namespace and name. */
static int64_t precedence(const struct catalog_intention *x)
{
    static const struct {
        bool source_ns, source, destination_ns, destination; /* is it exact? */
        int64_t precedence;
    } table[] = {{true, true, true, true, 9},    {true, false, true, true, 8},
                 {false, false, true, true, 7},  {true, true, true, false, 6},
                 {true, false, true, false, 5},  {false, false, true, false, 4},
                 {true, true, false, false, 3},  {true, false, false, false, 2},
                 {false, false, false, false, 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].source_ns == !is(x->source_ns, "*") &&
            table[i].source == !is(x->source_name, "*") &&
            table[i].destination_ns == !is(x->destination_ns, "*") &&
            table[i].destination == !is(x->destination_name, "*")) {
            return table[i].precedence;
        }
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct catalog_intention *x = *(void *const *)a, *y = *(void *const *)b;
    if (precedence(x) != precedence(y)) {
        return precedence(x) > precedence(y) ? -1 : 1;
    }
    const struct mu_str left[] = {x->source_ns, x->source_name, x->destination_ns,
                                  x->destination_name};
    const struct mu_str right[] = {y->source_ns, y->source_name, y->destination_ns,
                                   y->destination_name};
    int c = 0;
    for (size_t i = 0; i < 4 && c == 0; i++) {
        c = mu__str_cmp(left[i], right[i]);
    }
    return c;
}

/* Does it speak of the name in namespace default? */
static bool bears_on(struct mu_str ns, struct mu_str name, struct mu_str asked, bool any_case)
{
    return is(ns, "*") ||
           (mu__str_ieq(ns, S("default")) &&
            (is(name, "*") || (any_case ? mu__str_ieq(name, asked) : mu__str_eq(name, asked))));
}

/* "web>db": all that bear on both; ">db" and "web>": on that side; ">" all. */
static struct model_list bearing(const struct model *m, const char *about, bool exact_source)
{
    struct model_list out = {.n = 0};
    const char *arrow = strchr(about, '>');
    struct mu_str from = {about, (size_t)(arrow - about)}, to = mu__cstr(arrow + 1);
    for (size_t i = 0; i < m->intentions.n; i++) {
        const struct catalog_intention *x = m->intentions.items[i];
        if ((!from.len || bears_on(x->source_ns, x->source_name, from, !exact_source)) &&
            (!to.len || bears_on(x->destination_ns, x->destination_name, to, true))) {
            out.items[out.n++] = m->intentions.items[i];
        }
    }
    qsort(out.items, out.n, sizeof *out.items, compare);
    return out;
}

void question_put_intentions(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct model_list found = bearing(m, q->about, q->kind == VERDICT);
    if (q->kind == VERDICT) {
        const struct catalog_intention *first = found.n ? found.items[0] : NULL;
        mu__write_u8(w, !first || is(first->action, "allow"));
        return;
    }
    for (size_t i = 0; i < found.n; i++) {
        question_put(w, CATALOG_INTENTION, found.items[i]);
    }
}

static uint64_t ask_matches(struct catalog_reader *r, const struct question *q,
                            struct mu__writer *w, struct catalog_watch_keys *keys)
{
    bool by_source = q->about[0] != '>';
    struct catalog_intention_name name = {
        .name =
            by_source ? (struct mu_str){q->about, strlen(q->about) - 1} : mu__cstr(q->about + 1)};
    void *entries[] = {&name};
    struct catalog_intention_match match = {by_source ? S("source") : S("destination"),
                                            {entries, 1}};
    struct catalog_intention_query request = {.match = &match};
    struct catalog_indexed_intention_matches out;
    const char *why;
    assert_int_equal(catalog_query_intention_matches(r, &request, &out, keys, &why), 0);
    assert_null(why);
    assert_int_equal(out.matches.len, 1);
    question_put_all(w, CATALOG_INTENTION, out.matches.items[0]);
    return out.meta.index;
}

uint64_t question_of_intentions(struct catalog_reader *r, const struct question *q,
                                struct mu__writer *w, struct catalog_watch_keys *keys)
{
    const char *arrow = strchr(q->about, '>'), *why;
    struct catalog_dc_request all = {.datacenter = S("")};
    struct catalog_indexed_intentions out;
    if (q->kind == VERDICT) {
        struct catalog_intention_pair pair = {.source_name = {q->about, (size_t)(arrow - q->about)},
                                              .destination_name = mu__cstr(arrow + 1),
                                              .source_type = S("consul")};
        struct catalog_intention_query request = {.check = &pair};
        struct catalog_intention_verdict verdict;
        assert_int_equal(catalog_query_intention_check(r, &request, true, &verdict, keys, &why), 0);
        assert_null(why);
        mu__write_u8(w, verdict.allowed);
        return 0;
    }
    if (strcmp(q->about, ">") != 0) {
        return ask_matches(r, q, w, keys);
    }
    assert_int_equal(catalog_query_intentions(r, &all, &out, keys), 0);
    question_put_all(w, CATALOG_INTENTION, &out.intentions);
    return out.meta.index;
}
