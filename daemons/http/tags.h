/* tags.h - what catalog and health reads of one service have in common. */
#pragma once

#include "request.h"
#include <muster/catalog_types.h>

/* Service name, tags, node-meta and near into a request. False: wrong, and the HTTP request has
 * been answered. */
bool read_service(struct http_request *r, struct catalog_service_request *q);
