/* types_ca.c - schema tables of muster/catalog_types_ca.h. */
#include <muster/catalog_types_ca.h>

#include "table.h"

static const struct mu__field ca_root_fields[] = {
    FIELD(ca_root, STR, id, "ID"),
    FIELD(ca_root, STR, name, "Name"),
    FIELD(ca_root, UINT, serial_number, "SerialNumber"),
    FIELD(ca_root, STR, signing_key_id, "SigningKeyID"),
    FIELD(ca_root, STR, external_trust_domain, "ExternalTrustDomain"),
    FIELD(ca_root, TIME, not_before, "NotBefore"),
    FIELD(ca_root, TIME, not_after, "NotAfter"),
    FIELD(ca_root, STR, root_cert, "RootCert"),
    FIELD(ca_root, STRS, intermediate_certs, "IntermediateCerts"),
    FLAGGED(ca_root, STR, signing_cert, "SigningCert", OMIT),
    FLAGGED(ca_root, STR, signing_key, "SigningKey", NO_JSON),
    FIELD(ca_root, BOOL, active, "Active"),
    FLAGGED(ca_root, TIME, rotated_out_at, "RotatedOutAt", NO_JSON),
    FIELD(ca_root, STR, private_key_type, "PrivateKeyType"),
    FIELD(ca_root, INT, private_key_bits, "PrivateKeyBits"),
    RAFT_INDEX(ca_root),
};
/* Active, CreateIndex, ExternalTrustDomain, ID, IntermediateCerts, ModifyIndex, Name, NotAfter,
 * NotBefore, PrivateKeyBits, PrivateKeyType, RootCert, RotatedOutAt, SerialNumber, SigningCert,
 * SigningKey, SigningKeyID */
static const uint8_t ca_root_wire[] = {11, 15, 4, 0, 8, 16, 1, 6, 5, 14, 13, 7, 12, 2, 9, 10, 3};
SCHEMA(ca_root, "CARoot");

static const struct mu__field indexed_ca_roots_fields[] = {
    FIELD(indexed_ca_roots, STR, active_root_id, "ActiveRootID"),
    FIELD(indexed_ca_roots, STR, trust_domain, "TrustDomain"),
    SUB(indexed_ca_roots, LIST, roots, "Roots", 0, ca_root),
    QUERY_META(indexed_ca_roots),
};
/* ActiveRootID, ConsistencyLevel, Index, KnownLeader, LastContact, Roots, TrustDomain */
static const uint8_t indexed_ca_roots_wire[] = {0, 6, 3, 5, 4, 2, 1};
SCHEMA(indexed_ca_roots, "IndexedCARoots");

static const struct mu__field ca_sign_request_fields[] = {
    FIELD(ca_sign_request, STR, datacenter, "Datacenter"),
    FIELD(ca_sign_request, STR, csr, "CSR"),
    FIELD(ca_sign_request, STR, token, "Token"),
};
static const uint8_t ca_sign_request_wire[] = {1, 0, 2};
SCHEMA(ca_sign_request, "CASignRequest");

static const struct mu__field issued_cert_fields[] = {
    FIELD(issued_cert, STR, serial_number, "SerialNumber"),
    FIELD(issued_cert, STR, cert_pem, "CertPEM"),
    FLAGGED(issued_cert, STR, private_key_pem, "PrivateKeyPEM", OMIT),
    FLAGGED(issued_cert, STR, service, "Service", OMIT),
    FLAGGED(issued_cert, STR, service_uri, "ServiceURI", OMIT),
    FLAGGED(issued_cert, STR, agent, "Agent", OMIT),
    FLAGGED(issued_cert, STR, agent_uri, "AgentURI", OMIT),
    FIELD(issued_cert, TIME, valid_after, "ValidAfter"),
    FIELD(issued_cert, TIME, valid_before, "ValidBefore"),
    RAFT_INDEX(issued_cert),
};
/* Agent, AgentURI, CertPEM, CreateIndex, ModifyIndex, PrivateKeyPEM, SerialNumber, Service,
 * ServiceURI, ValidAfter, ValidBefore */
static const uint8_t issued_cert_wire[] = {5, 6, 1, 9, 10, 2, 0, 3, 4, 7, 8};
SCHEMA(issued_cert, "IssuedCert");
