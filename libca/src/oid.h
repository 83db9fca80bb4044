/* oid.h - the object identifiers we know, encoded. Some hold zero bytes: their length is that of
 * the literal. */
#pragma once

#define OID_EC_PUBLIC_KEY  "\x2a\x86\x48\xce\x3d\x02\x01" /* RFC 5480 */
#define OID_P256           "\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_P384           "\x2b\x81\x04\x00\x22"
#define OID_P521           "\x2b\x81\x04\x00\x23"
#define OID_ECDSA_SHA256   "\x2a\x86\x48\xce\x3d\x04\x03\x02" /* RFC 5758 */
#define OID_ECDSA_SHA384   "\x2a\x86\x48\xce\x3d\x04\x03\x03"
#define OID_ECDSA_SHA512   "\x2a\x86\x48\xce\x3d\x04\x03\x04"
#define OID_RSA_PUBLIC_KEY "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" /* RFC 8017 */
#define OID_RSA_SHA256     "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
#define OID_RSA_SHA384     "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"
#define OID_RSA_SHA512     "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"

#define OID_COMMON_NAME       "\x55\x04\x03"
#define OID_EMAIL_ADDRESS     "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"
#define OID_EXTENSION_REQUEST "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e" /* RFC 2985 5.4.2 */

#define OID_SUBJECT_KEY_ID    "\x55\x1d\x0e" /* RFC 5280 4.2.1 */
#define OID_KEY_USAGE         "\x55\x1d\x0f"
#define OID_SUBJECT_ALT_NAME  "\x55\x1d\x11"
#define OID_BASIC_CONSTRAINTS "\x55\x1d\x13"
#define OID_NAME_CONSTRAINTS  "\x55\x1d\x1e"
#define OID_AUTHORITY_KEY_ID  "\x55\x1d\x23"
#define OID_EXT_KEY_USAGE     "\x55\x1d\x25"
#define OID_SERVER_AUTH       "\x2b\x06\x01\x05\x05\x07\x03\x01"
#define OID_CLIENT_AUTH       "\x2b\x06\x01\x05\x05\x07\x03\x02"

#define OID_STR(literal) ((struct mu_str){literal, sizeof(literal) - 1})
#define OID_INIT(literal)                                                                          \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    } /* of static tables */
#define OID_IS(oid, literal) ca__same(oid, OID_STR(literal))
