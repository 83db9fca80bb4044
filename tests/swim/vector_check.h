/* vector_check.h - compares what our decoders make of bytes with the readable form in
 * data/gossip-vectors.json, and encodes it again: the bytes must be the same. Failures are cmocka
 * failures. */
#pragma once

#include "mu_test.h"

#include "wire_serf.h"
#include "wire_stream.h"

#include <jansson.h>

struct bytes {
    uint8_t *p;
    size_t len;
};
struct bytes unhex(const char *hex); /* freed by the caller */
struct bytes hex_member(const json_t *o, const char *key);
struct mu_str str_of(const void *p, size_t len);
const char *string_member(const json_t *o, const char *key);

json_t *member(const json_t *o, const char *key); /* fails the test when it is missing */

void check_bytes(struct mu_str got, const void *want, size_t len);
/* Frees w. */
void check_encoded(struct mu__writer *w, struct mu_str want);
/* Text is a string, {"$hex": ..} or null in the vectors. */
void check_text(const json_t *want, struct mu_str got);
void check_text_in(const json_t *body, const char *key, struct mu_str got); /* missing: empty */
void check_int_in(const json_t *body, const char *key, int64_t got);        /* missing: 0 */
void check_bool_in(const json_t *body, const char *key, bool got);
void check_span(const json_t *want, struct mu_str span);

/* One message without envelopes, as on UDP (or a ping, ack, err of a stream). */
void check_message(const json_t *want, struct mu_str msg);
void check_serf(const json_t *want, struct mu_str msg);
void check_meta(const json_t *want, struct mu_str meta);
void check_coordinate(const json_t *want, struct mu_str payload);
void check_push_pull(const json_t *want, struct mu_str msg);
void check_user_stream(const json_t *want, struct mu_str msg);
