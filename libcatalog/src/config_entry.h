/* config_entry.h - what the files about config entries share. */
#pragma once

#include <muster/catalog_config.h>

#include "alloc.h"
#include "schema.h"
#include "text.h"

/* Brings an entry into the form in which it is stored, and looks at what can be said about it
 * alone. Memory for what changes comes from `room` and lives as long as the entry. False when it is
 * refused, and the text says why. */
struct catalog__preparation {
    const struct mu_allocator *room;
    struct catalog__text text;
};

/* config_route.c, config_resolver.c, config_gateway.c */
bool catalog__prepare_router(struct catalog__preparation *p, struct catalog_service_router *e);
bool catalog__prepare_splitter(struct catalog__preparation *p, struct catalog_service_splitter *e);
bool catalog__prepare_resolver(struct catalog__preparation *p,
                               const struct catalog_service_resolver *e);
bool catalog__prepare_ingress(struct catalog__preparation *p, struct catalog_ingress_gateway *e);
bool catalog__prepare_terminating(struct catalog__preparation *p,
                                  const struct catalog_terminating_gateway *e);

/* Say why; false, so that a check can return it. */
bool catalog__refused(struct catalog__preparation *p, const char *why);
bool catalog__refused_quoting(struct catalog__preparation *p, const char *before,
                              struct mu_str quoted, const char *after);
/* ASCII letters to one case; the text itself if that changes nothing. */
bool catalog__fold(struct catalog__preparation *p, struct mu_str *s, bool upper);

/* Of n items, the first that equals one before it; n if all differ, and NULL-like SIZE_MAX with a
 * refusal when out of memory. In n log n: lists come from outside. */
typedef int (*catalog__order_fn)(const void *a, const void *b); /* of two items of the list */
size_t catalog__first_repeat(struct catalog__preparation *p, const void *items, size_t n,
                             size_t item_size, catalog__order_fn order);

/* The services that an entry refers to besides its own, which its own validity depends on: with
 * each of them calls visit until that returns false. */
typedef bool (*catalog__visit_fn)(void *user, struct mu_str service);
bool catalog__config_links(const struct catalog_config_entry *e, catalog__visit_fn visit,
                           void *user);

double catalog__split_weight(double weight); /* in whole hundredths */

/* Room for an entry of any kind. */
union catalog__any_entry {
    struct catalog_config_entry head;
    struct catalog_service_defaults service_defaults;
    struct catalog_proxy_defaults proxy_defaults;
    struct catalog_service_router router;
    struct catalog_service_splitter splitter;
    struct catalog_service_resolver resolver;
    struct catalog_ingress_gateway ingress;
    struct catalog_terminating_gateway terminating;
};
