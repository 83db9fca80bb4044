/* sync_diff.h - what differs between this agent and the catalog: no calls, no clock. */
#pragma once

#include "agent/local.h"

/* Marks each local service or check by whether the catalog's list holds the same, forgets deleted
 * ones that it does not hold, and makes an entry to be deregistered for what it holds and we do not
 * know. What the leader looks after (service consul, check serfHealth) is not ours. The items are
 * struct catalog_node_service and struct catalog_check.
 * Whoever writes to the catalog about a node with an agent is overruled by it, which surprises
 * people (consul#7513): it is logged. What was told to the catalog less than SYNC_SETTLED_NS before
 * now_ns may have been read from a server that does not know it yet. */
#define SYNC_SETTLED_NS (5 * MU_SEC)
void sync_diff_services(struct local *l, const struct mu_list *theirs, uint64_t now_ns);
void sync_diff_checks(struct local *l, const struct mu_list *theirs, uint64_t now_ns);
/* Does the catalog's record of the node (NULL: none) say what we would say? */
bool sync_diff_node(const struct config *c, struct mu_str node_id,
                    const struct catalog_node *theirs);

/* Links the checks that are out of sync to their services, so that they travel together. */
void sync_group_checks(struct local *l);
