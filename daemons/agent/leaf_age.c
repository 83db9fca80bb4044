/* leaf_age.c - says when a certificate grows old and nobody replaces it (consul#10643): once at
 * each of 50, 75 and 90 % of its life, while there is time to do something. */
#include "agent/leaf_internal.h"

#include "base/log.h"

#include <string.h>

#define MODULE  "agent"
#define LOOK_NS (3600 * MU_SEC) /* at roots: they live for years */

static const unsigned marks[] = {90, 75, 50};

/* The highest mark that it has passed; 0: none. */
static unsigned mark_of(int64_t from_s, int64_t to_s, int64_t now_s)
{
    double life = (double)to_s - (double)from_s, used = (double)now_s - (double)from_s;
    for (size_t i = 0; life > 0 && i < sizeof marks / sizeof *marks; i++) {
        if (used * 100 >= life * marks[i]) {
            return marks[i];
        }
    }
    return 0;
}

void leaf__age_failed(struct leaf *x, int64_t now_s)
{
    unsigned mark = x->cert ? mark_of(x->not_before_s, x->not_after_s, now_s) : 0;
    if (mark <= x->told_mark) {
        return;
    }
    x->told_mark = mark;
    log_warn(MODULE,
             "the certificate of service %s has used up %u%% of its life, and could not be renewed "
             "so far: left=%llds error=%s",
             x->name, mark, (long long)(x->not_after_s > now_s ? x->not_after_s - now_s : 0),
             x->error);
}

/* ---- Roots ---- */

static int64_t unix_of(struct mu_time t)
{
    return t.since_year1_s - MU_YEAR1_TO_UNIX_S;
}

/* Another root begins anew. False: out of memory. */
static bool is_about(struct leaf_roots *r, struct mu_str id)
{
    if (r->told_id && mu__str_eq(mu__cstr(r->told_id), id)) {
        return true;
    }
    mu__free(&mu__malloc_allocator, r->told_id);
    r->told_id = mu__strndup(&mu__malloc_allocator, id.p, id.len);
    r->told_mark = 0;
    return r->told_id != NULL;
}

void leaf__age_roots(struct leaves *l, uint64_t now_ns, int64_t now_s)
{
    struct leaf_roots *r = &l->roots;
    const struct catalog_ca_root *root = leaf__active_root(l);
    if (!root || (r->looked_ns && now_ns - r->looked_ns < LOOK_NS)) {
        return;
    }
    r->looked_ns = now_ns;
    unsigned mark = mark_of(unix_of(root->not_before), unix_of(root->not_after), now_s);
    if (is_about(r, root->id) && mark > r->told_mark) {
        r->told_mark = mark;
        log_warn(MODULE, "the root of Connect's CA has used up %u%% of its life: root=%.*s", mark,
                 (int)root->id.len, root->id.p);
    }
}
