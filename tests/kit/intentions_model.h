/* intentions_model.h - what intentions mean, without a table: each is looked at, and the highest
 * precedence wins. */
#pragma once

#include <muster/ca_authorize.h>
#include <string.h>

static inline bool model_names(struct mu_str pattern, struct mu_str s)
{
    return (pattern.len == 1 && pattern.p[0] == '*') ||
           (pattern.len == s.len && (s.len == 0 || memcmp(pattern.p, s.p, s.len) == 0));
}

static inline struct mu_str model_ns(struct mu_str ns)
{
    return ns.len ? ns : (struct mu_str){"default", 7};
}

/* The deciding intention, of one pair the one that denies; NULL if none matches. */
static inline const struct ca_intention *model_decide(const struct ca_intention *list, size_t count,
                                                      struct mu_str source_ns, struct mu_str source,
                                                      struct mu_str destination_ns,
                                                      struct mu_str destination)
{
    const struct ca_intention *best = NULL;
    for (size_t n = 0; n < count; n++) {
        const struct ca_intention *i = &list[n];
        if (!model_names(model_ns(i->source_ns), model_ns(source_ns)) ||
            !model_names(i->source, source) ||
            !model_names(model_ns(i->destination_ns), model_ns(destination_ns)) ||
            !model_names(i->destination, destination)) {
            continue;
        }
        unsigned p = ca_intention_precedence(i), b = best ? ca_intention_precedence(best) : 0;
        if (p > b || (p == b && i->action == CA_DENY && best->action == CA_ALLOW)) {
            best = i;
        }
    }
    return best;
}
