/* layers.h - what packet.c and sealed_stream.c share: taking one layer off a message, and putting
 * one on. */
#pragma once

#include "envelope.h"

enum { SWIM__LABEL_HEAD = 2 };

static inline struct mu_str swim__str(const void *p, size_t len)
{
    return (struct mu_str){p, len};
}
static inline uint8_t swim__type_of(struct mu_str msg) /* which must not be empty */
{
    return (uint8_t)msg.p[0];
}

bool swim__envelope_has_keys(const struct swim__envelope *e);

/* Takes the label off msg; refuses any but ours. */
enum swim__open_result swim__label_take(const struct swim__envelope *e, struct mu_str *msg);
void swim__label_put(const struct swim__envelope *e, struct mu__writer *w);

/* Unpacks msg into scratch, at most max bytes. What a peer claims is never allocated: only a few
 * times what it sent, or what was counted before. */
enum swim__open_result swim__layer_unpack(struct mu__arena *scratch, size_t max,
                                          struct mu_str *msg);
/* Appends the packed form of plain. */
void swim__layer_pack(struct mu_str plain, const struct mu_allocator *allocator,
                      struct mu__writer *w);

enum swim__open_result swim__layer_decrypt(const struct swim__envelope *e,
                                           struct mu__arena *scratch, struct mu_str aad,
                                           struct mu_str *msg);
