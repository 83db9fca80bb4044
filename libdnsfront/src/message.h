/* message.h - writes a DNS message with name compression (RFC 1035 4.1). */
#pragma once

#include "question.h"

#define MESSAGE_SLOTS 512u /* of the suffix table; at most three quarters are taken */

/* One resource record to be written. An owner without text is the question's name. */
struct record {
    struct mu_str owner;
    uint16_t type;
    uint32_t ttl;
    struct mu_str target; /* NS, CNAME, PTR, SRV: a name; TXT: the text */
    union {
        uint8_t address[16]; /* A, AAAA */
        struct {
            uint16_t priority, weight, port;
        } srv;
        struct {
            struct mu_str mname, rname;
            uint32_t serial, refresh, retry, expire, minimum;
        } soa;
    } u;
};

struct message {
    struct mu__writer w;
    const struct question *q;
    bool compress;
    uint16_t counts[4]; /* questions, answers, authority, additional */
    /* Offsets of name suffixes that later names may point at; 0: empty */
    uint16_t slots[MESSAGE_SLOTS];
    size_t suffixes;
    size_t serial_at;  /* offset of an SOA's serial; 0: there is none */
    bool case_matters; /* with capitals elsewhere in the question more than the question differed */
};

enum { SECTION_ANSWER = 1, SECTION_AUTHORITY = 2, SECTION_ADDITIONAL = 3 };

/* Writes the header's place and the question into buf. */
void dnsfront__message_begin(struct message *m, const struct question *q, bool compress, void *buf,
                             size_t cap);
/* Appends a record to a section; sections must be filled in order. A record whose names are no
 * names is left out. False when it did not fit: the message is then as before. */
bool dnsfront__message_add(struct message *m, int section, const struct record *rec);
/* Appends the OPT record that answers the client's, if it sent one. extended_rcode: upper 8 bits of
 * the code. */
bool dnsfront__message_add_opt(struct message *m, uint8_t extended_rcode);
/* Fills in the header; the length, or 0 when something did not fit. */
size_t dnsfront__message_end(struct message *m, uint16_t flags, unsigned rcode);
