/* lone.h - one swim, alone with a test that plays all the others: messages go in decoded, and come
 * out decoded. */
#pragma once

#include "mu_test.h"

#include "core.h"

struct lone {
    struct swim *s;
    uint64_t now;
    struct mu__prng entropy;
    struct mu__arena scratch;
    struct swim__envelope plain;
    struct swim__opener opener;
    uint8_t packet[SWIM_DATAGRAM_MAX];
    struct swim_addr to; /* of the datagram being read */
    bool open;
};

/* Named "me", at 10.0.0.1; tune may change the config before the swim is made. */
void lone_create(struct lone *l, void (*tune)(struct swim_config *cfg));
void lone_destroy(struct lone *l);

struct swim_addr lone_addr(unsigned i); /* 10.0.0.i:8301 */
struct mu_str lone_str(const char *text);

/* Feeds one message as a datagram from 10.0.0.9. */
int lone_feed(struct lone *l, const struct swim__msg *msg);
int lone_feed_serf(struct lone *l, const struct swim__serf_msg *msg);
void lone_advance(struct lone *l, uint64_t ns);

/* What others say of a member named name that lives at 10.0.0.i. */
int lone_alive(struct lone *l, const char *name, unsigned i, uint32_t incarnation);
int lone_suspect(struct lone *l, const char *name, const char *from, uint32_t incarnation);
int lone_dead(struct lone *l, const char *name, const char *from, uint32_t incarnation);

/* The next message that it sent, compounds taken apart; false when there is none. l->to says to
 * whom. */
bool lone_next(struct lone *l, struct swim__msg *out);
/* Drops what it sent so far. */
void lone_ignore(struct lone *l);
/* Drains until a message of that type comes; false when there is none. */
bool lone_find(struct lone *l, enum swim__msg_type type, struct swim__msg *out);

/* The same for a serf message among the user messages. */
bool lone_find_serf(struct lone *l, enum swim__serf_type type, struct swim__serf_msg *out);

/* Fails the test if it is unknown. */
struct swim_member lone_member(struct lone *l, const char *name);
/* The next event; 0 when there is none. */
int lone_event(struct lone *l);
void lone_ignore_events(struct lone *l);
