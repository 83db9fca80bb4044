/* catalog_types_ca.h - the records of Connect's certificate authority as they travel and as HTTP
 * prints them (rpc-wire 13, http-api 7.1): roots, and leafs that were signed. */
#ifndef MUSTER_CATALOG_TYPES_CA_H
#define MUSTER_CATALOG_TYPES_CA_H

#include <muster/catalog_types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct catalog_ca_root { /* Go: CARoot */
    struct mu_str id;    /* SHA-1 of the DER, "aa:bb:.." */
    struct mu_str name;
    uint64_t serial_number;
    struct mu_str signing_key_id; /* of who signs leafs: bytes as "aa:bb:.." */
    struct mu_str external_trust_domain;
    struct mu_time not_before, not_after;
    struct mu_str root_cert;           /* PEM */
    struct mu_strs intermediate_certs; /* PEM; what travels with leafs */
    struct mu_str signing_cert;        /* PEM */
    struct mu_str signing_key;         /* secret: never printed, and nobody answers with it */
    bool active;                       /* signs; at most one does */
    struct mu_time rotated_out_at;     /* zero: it was not; not in JSON */
    struct mu_str private_key_type;    /* "ec" or "rsa" */
    int64_t private_key_bits;
    uint64_t create_index, modify_index;
};

struct catalog_indexed_ca_roots { /* Go: IndexedCARoots. ConnectCA.Roots */
    struct mu_str active_root_id;
    struct mu_str trust_domain; /* "<cluster id>.consul" */
    struct mu_list roots;       /* of struct catalog_ca_root */
    struct catalog_query_meta meta;
};

struct catalog_ca_sign_request { /* Go: CASignRequest. ConnectCA.Sign */
    struct mu_str datacenter;
    struct mu_str csr; /* PEM */
    struct mu_str token;
};

struct catalog_issued_cert {       /* Go: IssuedCert */
    struct mu_str serial_number;   /* hex, "aa:bb:.." where longer than a byte */
    struct mu_str cert_pem;        /* the leaf, and behind it what stands between it and the root */
    struct mu_str private_key_pem; /* of the agent that made it alone: never on the wire */
    struct mu_str service, service_uri; /* of a service's, or */
    struct mu_str agent, agent_uri;     /* of an agent's */
    struct mu_time valid_after, valid_before;
    uint64_t create_index, modify_index;
};

#ifdef __cplusplus
}
#endif
#endif
