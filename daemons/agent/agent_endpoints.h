/* agent_endpoints.h - the endpoints that the agent answers about itself: its services, checks and
 * members.
 *
 * Each has kind ENDPOINT_AGENT: started on a front through the agent's backend (agent.h), answered
 * on the core loop from local state, and finished on the front again. Requests and replies never
 * leave the process, so their tables carry the size alone; what HTTP prints is printed by the table
 * named beside it.
 *
 * Who makes a call fills the request with pointers that live as long as the call (usually into its
 * arena). Errors are Consul's texts; the ones that HTTP answers with 400 come from definitions.h,
 * which a route asks first. */
#pragma once

#include "rpc/call.h"

#include <muster/catalog_types.h>
#include <muster/catalog_types_ca.h>

/* ---- What replies are made of ---- */

/* As the agent's API prints a service (api.AgentService). */
struct agent_service {
    struct mu_str kind, id, service;
    struct mu_strs tags;
    struct mu_strmap meta;
    int64_t port;
    struct mu_str address;
    struct mu_structmap tagged_addresses; /* of struct catalog_service_address */
    struct catalog_weights weights;
    bool enable_tag_override;
    struct mu_str content_hash;      /* of Agent.Service alone */
    struct catalog_proxy *proxy;     /* NULL unless a proxy or gateway */
    struct catalog_connect *connect; /* NULL unless native */
};
extern const struct mu__schema agent_service_schema;
/* Its parts, which the Go client's other types have in common with it. */
extern const struct mu__schema agent_weights_schema, agent_address_schema, agent_proxy_schema,
    agent_connect_schema;

struct agent_member { /* one entry of /v1/agent/members */
    struct mu_str name, addr;
    uint64_t port;
    struct mu_strmap tags;
    uint64_t status; /* enum agent_member_status */
    uint64_t protocol_min, protocol_max, protocol_cur, delegate_min, delegate_max, delegate_cur;
};
enum agent_member_status { MEMBER_NONE, MEMBER_ALIVE, MEMBER_LEAVING, MEMBER_LEFT, MEMBER_FAILED };
extern const struct mu__schema agent_member_schema;

/* One instance with the checks that bear on it: its own and those of the node. */
struct agent_service_health {
    struct mu_str aggregated_status; /* passing, warning, critical, maintenance */
    struct agent_service *service;
    /* Of struct catalog_check, whose Definition prints in full and Type empty */
    struct mu_list checks;
};
extern const struct mu__schema agent_service_health_schema;

/* ---- Agent.Self: no request ---- */
struct agent_self_config {
    struct mu_str datacenter, node_name, node_id, revision;
    bool server;
    struct mu_str version;
};
struct agent_self { /* printed by agent_self_schema */
    struct agent_self_config config;
    struct mu_str debug_config;    /* an encoded msgpack map */
    struct catalog_vivaldi *coord; /* NULL when coordinates are off */
    struct agent_member *member;
    struct mu_str stats; /* an encoded msgpack map of maps of text */
    struct mu_strmap meta;
};
extern const struct mu__schema agent_self_schema;
extern const struct endpoint endpoint_agent_self;

/* ---- Agent.Members ---- */
struct agent_members_request {
    bool wan;
};
struct agent_members_reply {
    /* Of struct agent_member, sorted by name; items NULL: no such pool (print null) */
    struct mu_list members;
};
extern const struct endpoint endpoint_agent_members;

/* ---- Agent.Services: no request ---- */
struct agent_services_reply {
    struct mu_structmap services; /* ID -> struct agent_service */
};
extern const struct endpoint endpoint_agent_services;

/* ---- Agent.Service ---- */
struct agent_service_request {
    struct mu_str id;
    struct mu_str hash; /* not empty: wait until the service's hash is another */
    int64_t wait_ns;    /* at most; 0: 5 minutes, and never above 10 */
};
struct agent_service_reply {
    struct agent_service *service; /* with content_hash; NULL: 404 `unknown service ID: x` */
};
extern const struct endpoint endpoint_agent_service;

/* ---- Agent.Checks: no request ---- */
struct agent_checks_reply {
    struct mu_structmap checks; /* CheckID -> struct catalog_check (CATALOG_CHECK) */
};
extern const struct endpoint endpoint_agent_checks;

/* ---- Agent.ServiceHealth: by id, or if that is empty by name ---- */
struct agent_service_health_request {
    struct mu_str id, name;
};
struct agent_service_health_reply {
    struct mu_list instances; /* of struct agent_service_health, sorted by ID; empty: unknown */
};
extern const struct endpoint endpoint_agent_service_health;

/* ---- Agent.RegisterService: empty reply ---- */
struct agent_register_service_request {
    /* Accepted by definition_check_service before (400 if not) */
    struct catalog_service_definition service;
    bool replace_existing_checks;
    struct mu_str token; /* of the request; used when the definition has none */
};
extern const struct endpoint endpoint_agent_register_service;

/* ---- Agent.DeregisterService: empty reply; an unknown ID is fine ---- */
struct agent_deregister_service_request {
    struct mu_str id;
    struct mu_str token;
};
extern const struct endpoint endpoint_agent_deregister_service;

/* ---- Agent.RegisterCheck: empty reply ---- */
struct agent_check_definition { /* read by definition_check_schema */
    struct catalog_check_type type;
    struct mu_str service_id, token;
};
struct agent_register_check_request {
    /* Accepted by definition_check_check before (400 if not) */
    struct agent_check_definition check;
    struct mu_str token;
};
extern const struct endpoint endpoint_agent_register_check;

/* ---- Agent.DeregisterCheck: empty reply; an unknown ID is fine ---- */
struct agent_deregister_check_request {
    struct mu_str id;
    struct mu_str token;
};
extern const struct endpoint endpoint_agent_deregister_check;

/* ---- Agent.UpdateCheck (pass, warn, fail, update): empty reply ---- */
struct agent_update_check_request {
    struct mu_str id;
    /* Passing, warning, critical; the route answers 400 to others (`Invalid check status:
     * 'foo'`) */
    struct mu_str status;
    struct mu_str output;
    struct mu_str token;
};
extern const struct endpoint endpoint_agent_update_check;

/* The body of PUT /v1/agent/check/update/:id. */
struct agent_check_update {
    struct mu_str status, output;
};
extern const struct mu__schema agent_check_update_schema;

/* ---- Agent.Maintenance: empty reply. An unknown service: error `No service registered with ID
 * "x"`, answered 404 ---- */
struct agent_maintenance_request {
    struct mu_str service_id; /* empty: the node */
    bool enable;
    struct mu_str reason;
    struct mu_str token;
};
extern const struct endpoint endpoint_agent_maintenance;

/* ---- Agent.Events: user events that this agent has received, the oldest first ---- */
struct agent_events_request {
    struct mu_str name; /* empty: all */
    uint64_t min_index; /* not 0: wait until the index is another */
    int64_t wait_ns;    /* at most; 0: 5 minutes, and never above 10 */
};
struct agent_events_reply {
    struct mu_list events; /* of struct user_event (user_event.h) */
    uint64_t index;        /* which changes with the last event of the list */
};
extern const struct endpoint endpoint_agent_events;

/* ---- Agent.ConnectLeaf: the certificate of a service with its key, made if need be ---- */
struct agent_connect_leaf_request {
    struct mu_str service, token;
    uint64_t min_index; /* not 0: wait for one with a higher ModifyIndex */
    int64_t wait_ns;    /* at most; 0: 5 minutes, and never above 10 */
    uint64_t attempts;  /* the agent's own */
};
struct agent_connect_leaf_reply {
    struct catalog_issued_cert *cert; /* holds a private key: whoever has printed it wipes that */
};
extern const struct endpoint endpoint_agent_connect_leaf;

/* ---- Agent.Join, Agent.Leave, Agent.ForceLeave: empty replies ---- */
struct agent_join_request {
    struct mu_str address;
    bool wan;
};
extern const struct endpoint endpoint_agent_join;
/* No request; answered before the process ends. */
extern const struct endpoint endpoint_agent_leave;
struct agent_force_leave_request {
    struct mu_str node;
    bool prune;
};
extern const struct endpoint endpoint_agent_force_leave;

/* ---- Agent.Reload: no request, empty reply; reads the configuration files again ---- */
extern const struct endpoint endpoint_agent_reload;
