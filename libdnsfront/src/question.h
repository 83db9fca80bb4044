/* question.h - one DNS message from a client, read down to what an answer needs (RFC 1035 4.1, RFC
 * 6891 6.1). */
#pragma once

#include "name.h"

enum {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_SRV = 33,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_AXFR = 252,
    DNS_TYPE_ANY = 255
};
enum {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5
};

#define DNS_CLASS_IN       1u
#define DNS_HEADER_LEN     12u
#define DNS_FLAG_QR        0x8000u
#define DNS_FLAG_AA        0x0400u
#define DNS_FLAG_TC        0x0200u
#define DNS_FLAG_RD        0x0100u
#define DNS_FLAG_RA        0x0080u
#define DNS_FLAG_CD        0x0010u
#define DNS_FLAGS_ECHOED   (DNS_FLAG_RD | DNS_FLAG_CD) /* from the query */
#define DNS_OPCODE_MASK    0x7800u
#define DNS_SUBNET_HEAD    4u  /* family and two prefix lengths */
#define DNS_SUBNET_LEN_MAX 20u /* with at most 16 bytes of address */
#define DNS_SUBNET_IPV4    1u
#define DNS_SUBNET_IPV6    2u

struct question {
    uint16_t id, flags; /* as sent */
    bool has_question;  /* false: only the header could be read */
    struct name name;
    uint16_t type, class_;
    bool edns;
    uint16_t edns_size; /* the client's UDP payload size */
    uint8_t edns_version;
    uint8_t subnet[DNS_SUBNET_LEN_MAX]; /* body of the client subnet option (RFC 7871 6) */
    size_t subnet_len;                  /* 0: none */
    uint8_t subnet_scope;               /* to be said in the answer; 0: it holds for everybody */
};

enum question_result {
    QUESTION_OK,
    QUESTION_IGNORE,   /* not even a header, or an answer: say nothing */
    QUESTION_MALFORMED /* answer FORMERR; id, flags and maybe the question are there */
};
enum question_result dnsfront__question_read(const uint8_t *bytes, size_t len,
                                             struct question *out);
