/* routes_ui.h - a line for a service, as the lists of the web UI have it (http-api 9.4). */
#pragma once

#include "request.h"

#include <muster/catalog_types.h>

/* A copy of a schema in the request's memory, one of whose fields prints null for nil, or has
 * another schema below it; NULL: out of memory. */
struct mu__schema *ui_vary_schema(struct http_request *r, const struct mu__schema *s,
                                  const char *field, const struct mu__schema *sub);

/* Instances of one name. */
struct ui_service {
    struct catalog_check_service_node *const *items;
    size_t len;
    struct mu_str name;       /* of a service without instances */
    struct mu_strs addresses; /* at which a gateway takes requests for it */
};

/* False when out of memory. */
bool ui_say_service(struct http_request *r, struct mu__json *j, const struct ui_service *g);
