/* touched.h - the watch key space: what a write touches and a query waits for.
 *
 * A key is one byte that says which kind of answer may have changed, and then a name (folded to
 * lower case, as in the trees) or a key of the KV store. */
#pragma once

#include "store.h"

#define CATALOG__WATCH_NODE       'n' /* node: its record */
#define CATALOG__WATCH_NODE_ID    'i' /* id: a node came, changed or went */
#define CATALOG__WATCH_ADDRESS    'a' /* address: a node came to it, changed or went */
#define CATALOG__WATCH_AT         'j' /* address: the same of instances, or of their nodes */
#define CATALOG__WATCH_INSTANCES  's' /* service: instances came, changed or went */
#define CATALOG__WATCH_CATALOG    'c' /* service: those, or the records of their nodes */
#define CATALOG__WATCH_HEALTH     'h' /* service: those, or checks that bear on them */
#define CATALOG__WATCH_TARGET     't' /* service: the same for what speaks mTLS for it */
#define CATALOG__WATCH_OF_NODE    'o' /* node: its services */
#define CATALOG__WATCH_CHECKS     'd' /* node: checks on it */
#define CATALOG__WATCH_SERVICE    'e' /* service: checks that carry its name */
#define CATALOG__WATCH_STATUS     'f' /* status: checks that had or have it */
#define CATALOG__WATCH_COORDINATE 'l' /* node: its coordinates */
#define CATALOG__WATCH_CONFIG     'g' /* kind | name of a config entry */
#define CATALOG__WATCH_KEY        'k' /* key of the KV store */
#define CATALOG__WATCH_SESSION    'x' /* session, by its key: it came or went */
#define CATALOG__WATCH_SESSIONS   'y' /* node: its sessions */

#define CATALOG__WATCH_GATEWAY 'w' /* gateway: what is behind it */
#define CATALOG__WATCH_BEHIND  'b' /* service: the gateways that it is behind */

#define CATALOG__WATCH_INTENTION   'r' /* id: the intention */
#define CATALOG__WATCH_SOURCE      'u' /* namespace | name: intentions with that source */
#define CATALOG__WATCH_DESTINATION 'm' /* namespace | name: likewise */

#define CATALOG__WATCH_CA 'p' /* configuration or roots of the certificate authority */

#define CATALOG__WATCH_VIRTUAL 'v' /* service: its virtual address */

#define CATALOG__WATCH_QUERY 'q' /* id: the prepared query */

/* Notes a key of the batch. Out of memory, the batch is void. */
void catalog__touch(struct catalog *c, char kind, struct mu_str key);
void catalog__touch_name(struct catalog *c, char kind, struct mu_str name);
/* Walks a set: start with *at = 0. */
bool catalog__touched_next(const struct catalog_touched *t, size_t *at, struct mu_str *key);
