/* api_metrics.c - client.api.*, which Consul counts for requests to the catalog alone. */
#include "internal.h"

#include "routes.h"

struct api {
    http_handler_fn handle;
    enum metric asked, answered, failed;
};

static const struct api *api_of(const struct http_request *r)
{
    static const struct api apis[] = {
#define API(handler, name)                                                                         \
    {handler, METRIC_API_##name, METRIC_API_SUCCESS_##name, METRIC_API_ERROR_##name}
        API(route_catalog_connect, CONNECT_SERVICE_NODES),
        API(route_catalog_datacenters, DATACENTERS),
        API(route_catalog_deregister, DEREGISTER),
        API(route_catalog_node, NODE_SERVICES),
        API(route_catalog_node_services, NODE_SERVICE_LIST),
        API(route_catalog_nodes, NODES),
        API(route_catalog_register, REGISTER),
        API(route_catalog_service, SERVICE_NODES),
        API(route_catalog_services, SERVICES),
#undef API
    };
    for (size_t i = 0; r->route && i < sizeof apis / sizeof *apis; i++) {
        if (r->route->handle == apis[i].handle) {
            return &apis[i];
        }
    }
    return NULL;
}

void http__count_api(const struct http_request *r, int status)
{
    const struct api *a = api_of(r);
    if (a) {
        metric_count(a->asked, 1);
        if (status < 300) {
            metric_count(a->answered, 1);
        } else if (status >= 500) {
            metric_count(a->failed, 1);
        }
    }
}
