/* verdict.h - is this what a recursor answered to our query, and is it fit to be passed on? */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reply_verdict {
    REPLY_STRANGER,  /* not the answer to this query: whoever sent it, the wait goes on */
    REPLY_FAILED,    /* the recursor cannot say, or says rubbish: ask the next one */
    REPLY_TRUNCATED, /* it has more to say over TCP */
    REPLY_ACCEPTED   /* NOERROR or NXDOMAIN */
};
/* The query is a whole message with one question. Only ID, direction and question decide who is a
 * stranger (RFC 5452 9.1); the rest of the message decides what its sender is worth. */
enum reply_verdict dnsfront__reply_check(const uint8_t *query, size_t query_len,
                                         const uint8_t *reply, size_t len);

/* Leaves header and question of a message that passed as TRUNCATED or ACCEPTED, with TC set: the
 * client is to ask over TCP. The new length. */
size_t dnsfront__reply_cut(uint8_t *reply, size_t len);
/* Can every record be read to its end? */
bool dnsfront__reply_is_sound(const uint8_t *reply, size_t len);

#define HEADER_LEN 12u
/* Where the first question ends; 0 if it does not. */
size_t dnsfront__question_end(const uint8_t *message, size_t len);
/* Of a name; no byte of a length is a letter. */
uint8_t dnsfront__fold(uint8_t c);
