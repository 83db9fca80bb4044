/* template.h - prepared queries that are templates: texts of the query with pieces to be filled in
 * when it is executed, ${name.full} and the like (http-api 5.4). The language is the part of the
 * original's that queries are written in: variables, match(N), numbers and quoted text; no
 * arithmetic. */
#pragma once

#include <muster/catalog_types.h>

#include "arena.h"
#include "patterns.h"
#include "text.h"

/* Fills in the service part of a query (which is changed; its texts are lent from the arena) for a
 * name that somebody asked for, or, to see whether the template is well-formed, its own. patterns
 * remembers its expression with memory of the arena's allocator; NULL: nobody does. False: why goes
 * on with the reason, or stays empty when there was no memory. */
bool catalog__template_fill(struct catalog_prepared_query *q, struct mu_str name,
                            struct mu_str segment, struct catalog__patterns *patterns,
                            struct mu__arena *a, struct catalog__text *why);

static inline bool catalog__is_template(const struct catalog_prepared_query *q)
{
    return q->template_.type.len > 0;
}
