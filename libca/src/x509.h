/* x509.h - a certificate, read once: what verification and issuing look at, as slices of its DER.
 */
#pragma once

#include "crypto.h"
#include "der.h"

#include <muster/ca_verify.h>

/* KeyUsage (RFC 5280 4.2.1.3): bit n of the standard is 0x8000 >> n, its two bytes as they stand */
enum {
    CA__KU_DIGITAL_SIGNATURE = 0x8000,
    CA__KU_KEY_ENCIPHERMENT = 0x2000,
    CA__KU_DATA_ENCIPHERMENT = 0x1000,
    CA__KU_KEY_AGREEMENT = 0x0800,
    CA__KU_CERT_SIGN = 0x0400,
    CA__KU_CRL_SIGN = 0x0200
};

/* GeneralName tags (RFC 5280 4.2.1.6) */
enum {
    CA__NAME_EMAIL = 0x81,
    CA__NAME_DNS = 0x82,
    CA__NAME_DIRECTORY = 0xa4,
    CA__NAME_URI = 0x86,
    CA__NAME_IP = 0x87
};

struct ca__extensions {
    bool has_basic_constraints, is_ca;
    int path_length; /* -1: none given */
    bool has_key_usage;
    unsigned key_usage;
    bool has_ext_key_usage, server_auth, client_auth;
    struct mu_str subject_key_id, authority_key_id;
    struct mu_str names; /* the SANs: GeneralNames, one after the other */
    unsigned uri_count;
    struct mu_str uri; /* the first */
    bool has_name_constraints;
    struct mu_str permitted, excluded; /* GeneralSubtrees, one after the other */
    bool unknown_critical;
};

struct ca__cert {
    struct mu_str der, tbs;
    struct mu_str serial;
    struct mu_str issuer, subject; /* whole DER */
    int64_t not_before_unix_s, not_after_unix_s;
    struct ca__public_key key;
    enum ca__signature signature_algorithm;
    struct mu_str signature;
    struct ca__extensions ext;
};

/* Reads a certificate. The verdict is about it alone: malformed (then *out is not to be used), or
 * one of version, critical extension, signature algorithm and weak key (then *out is good), or
 * CA_V_TRUSTED: nothing to say against it so far. */
enum ca_verdict ca__cert_read(struct mu_str der, struct ca__cert *out);

/* Reads the inside of Extensions. False: malformed. */
bool ca__extensions_read(struct mu__reader *list, struct ca__extensions *out);
/* A Name: well-formed, whole DER. */
bool ca__name_read(struct mu__reader *r, struct mu_str *whole);
static inline bool ca__name_is_empty(struct mu_str whole)
{
    return whole.len <= 2;
}
/* Name constraints of `issuer` upon the names of `cert`. */
bool ca__constraints_allow(const struct ca__extensions *issuer, const struct ca__cert *cert);
bool ca__is_self_issued(const struct ca__cert *c);

/* What is put into a certificate to be signed. */
struct ca__tbs {
    uint8_t serial[20];
    size_t serial_len;
    int64_t not_before_unix_s, not_after_unix_s;
    struct mu_str issuer, subject; /* whole DER */
    struct mu_str spki;
    bool is_ca;
    int path_length; /* of a CA; -1: no limit */
    struct mu_str subject_key_id;
    struct mu_str authority_key_id;
    struct mu_str uri;           /* none if empty */
    const struct ca_name *names; /* further SANs */
    size_t name_count;
};
void ca__tbs_write(struct mu__writer *w, const struct ca__tbs *t, enum ca__signature s);
/* A Name of one common name. */
void ca__name_write(struct mu__writer *w, struct mu_str common_name);
/* An Extension that holds the SANs; the URI comes last, as Consul has it. */
void ca__alt_names_write(struct mu__writer *w, struct mu_str uri, const struct ca_name *names,
                         size_t count);
