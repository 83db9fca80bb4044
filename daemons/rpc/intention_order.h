/* intention_order.h - intentions in the order in which they decide, and the one that decides.
 *
 * As in Consul: by precedence, the highest first, then by source namespace and source. Servers
 * answer Intention.Match in that order; whoever keeps such an answer makes sure of it once, so that
 * each question after that costs a few dozen comparisons, however many intentions there are. */
#pragma once

#include <muster/catalog_intention.h>

/* Puts a list of struct catalog_intention in that order; one that is in order is not touched. */
void intention_order(struct mu_list *list);

/* Of a list in that order, the first that speaks of the source, exactly or with a "*", letter by
 * letter; NULL: none does. */
const struct catalog_intention *intention_deciding(const struct mu_list *list,
                                                   struct mu_str source_ns, struct mu_str source);
