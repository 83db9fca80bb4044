#include "intention_order.h"

#include "schema.h"

#include <stdlib.h>

/* Where an intention stands. */
struct place {
    int64_t precedence;
    struct mu_str ns, name;
};

static int compare(const struct place *a, const struct place *b)
{
    if (a->precedence != b->precedence) {
        return a->precedence > b->precedence ? -1 : 1;
    }
    int ns = mu__str_cmp(a->ns, b->ns);
    return ns ? ns : mu__str_cmp(a->name, b->name);
}

static struct place place_of(const struct mu_list *list, size_t i)
{
    const struct catalog_intention *x = list->items[i];
    return (struct place){x->precedence, x->source_ns, x->source_name};
}

/* ---- Into order ---- */

static bool is_ordered(const struct mu_list *list)
{
    for (size_t i = 1; i < list->len; i++) {
        struct place before = place_of(list, i - 1), here = place_of(list, i);
        if (compare(&before, &here) > 0) {
            return false;
        }
    }
    return true;
}

static int compare_items(const void *a, const void *b)
{
    const struct catalog_intention *x = *(void *const *)a, *y = *(void *const *)b;
    struct place px = {x->precedence, x->source_ns, x->source_name};
    struct place py = {y->precedence, y->source_ns, y->source_name};
    int c = compare(&px, &py);
    c = c ? c : mu__str_cmp(x->destination_ns, y->destination_ns);
    return c ? c : mu__str_cmp(x->destination_name, y->destination_name);
}

void intention_order(struct mu_list *list)
{
    if (!is_ordered(list)) {
        qsort(list->items, list->len, sizeof *list->items, compare_items);
    }
}

/* ---- The one that decides ---- */

/* The first place, from `from` on, that does not come before p. */
static size_t lower_bound(const struct mu_list *list, size_t from, const struct place *p)
{
    size_t end = list->len;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        struct place here = place_of(list, middle);
        if (compare(&here, p) < 0) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

/* Behind all of one precedence, the first of which is at `from`. */
static size_t end_of(const struct mu_list *list, size_t from, int64_t precedence)
{
    size_t end = list->len;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        if (place_of(list, middle).precedence == precedence) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

/* The first of one precedence that speaks of the source; list->len: none. */
static size_t first_of(const struct mu_list *list, size_t from, int64_t precedence,
                       struct mu_str ns, struct mu_str name)
{
    static const struct mu_str any = {"*", 1};
    const struct place ways[] = {{precedence, ns, name},
                                 {precedence, ns, any},
                                 {precedence, any, name},
                                 {precedence, any, any}};
    size_t first = list->len;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        size_t at = lower_bound(list, from, &ways[i]);
        if (at < first) {
            struct place here = place_of(list, at);
            first = compare(&here, &ways[i]) == 0 ? at : first;
        }
    }
    return first;
}

const struct catalog_intention *intention_deciding(const struct mu_list *list,
                                                   struct mu_str source_ns, struct mu_str source)
{
    for (size_t at = 0; at < list->len;) {
        int64_t precedence = place_of(list, at).precedence;
        size_t found = first_of(list, at, precedence, source_ns, source);
        if (found < list->len) {
            return list->items[found];
        }
        at = end_of(list, at, precedence);
    }
    return NULL;
}
