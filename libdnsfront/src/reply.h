/* reply.h - reads what another resolver answered: only a well-formed answer to the very question
 * that was asked counts (RFC 5452 3). */
#pragma once

#include "question.h"

struct reply {
    const uint8_t *bytes;
    size_t len;
    size_t at;          /* behind what was read */
    uint16_t flags;     /* with the code */
    uint16_t counts[3]; /* of answer, authority, additional: those that were not read yet */
    bool malformed;
};

struct reply_record {
    struct name owner;
    int section; /* SECTION_ANSWER ... of message.h */
    uint16_t type, class_;
    uint32_t ttl;
    size_t body; /* offset of its data, which may hold compressed names */
    size_t body_len;
    size_t begin, end; /* of the record in the message */
};

/* False if the message is not a response to that one question. */
bool dnsfront__reply_open(const uint8_t *bytes, size_t len, const struct name *name, uint16_t type,
                          uint16_t class_, struct reply *out);
/* The next record; false at the end, or if the message is malformed. */
bool dnsfront__reply_next(struct reply *r, struct reply_record *out);
