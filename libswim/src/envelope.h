/* envelope.h - what is wrapped around messages on UDP and TCP, outermost first:
 *
 *     UDP  [label] [sealed] [crc] [compress] (compound of parts | message)
 *     TCP  [label] [encrypt frame around sealed] [compress] message
 *
 * Opening yields the plain messages one after the other. It is iterative and bounded in depth, in
 * the number of bytes unpacked and in work, whatever the packet says. Sealing never makes what
 * crashes old peers: no empty part, no empty message in an envelope, no compound of more than 127
 * parts. */
#pragma once

#include "arena.h"
#include "keyring.h"
#include "wire.h"

#define SWIM__COMPOUND_MAX 127u /* parts we send; memberlist before 0.2.4 misreads more */
#define SWIM__NEST_MAX     4u /* envelopes inside each other on UDP, not counting label and seal */
#define SWIM__LABEL_MAX    255u
/* Bytes that one datagram may unpack to, all its parts together. */
#define SWIM__PACKET_PLAIN_MAX (1u << 18)

struct swim__envelope {
    struct swim__keyring *keyring; /* NULL or empty: encryption is off */
    bool verify_incoming;          /* with keys: refuse what is not encrypted */
    bool verify_outgoing;          /* with keys: encrypt what is sent */
    bool compress;                 /* pack what is sent when it helps */
    size_t compress_least;         /* datagrams shorter than this are not tried */
    struct mu_str label; /* borrowed; empty: none is sent and packets with one are refused */
};

enum swim__open_result {
    SWIM__OPEN_OK = 0,
    SWIM__OPEN_MALFORMED,   /* also: would unpack to more than allowed */
    SWIM__OPEN_LABEL,       /* a label where we have none, or another than ours */
    SWIM__OPEN_UNDECRYPTED, /* no key fits */
    SWIM__OPEN_PLAIN,       /* stream: not encrypted, but verify_incoming demands it */
    SWIM__OPEN_ENCRYPTED,   /* stream: encrypted, and we have no key */
    SWIM__OPEN_CHECKSUM,
    SWIM__OPEN_NOMEM
};
/* The text an acceptor sends in an err message, spelled as memberlist does. */
const char *swim__open_text(enum swim__open_result result);

/* ---- receiving a datagram ---- */

/* A walk over the messages of one datagram. `scratch` holds what was decrypted and unpacked;
 * messages are lent until the scratch arena is reset. */
struct swim__opener {
    struct mu__arena *scratch;
    size_t budget; /* bytes that may still be unpacked */
    size_t depth;
    struct {
        struct mu__reader parts; /* the bytes of the parts */
        struct mu__reader lens;  /* their lengths */
    } stack[SWIM__NEST_MAX];
    struct mu_str single; /* a message that is no compound and was not given yet */
    size_t malformed;     /* parts dropped so far: truncated, empty, over a bound */
};

/* Takes label, encryption and checksum off. data is borrowed until the walk ends; scratch should be
 * empty. */
enum swim__open_result swim__packet_open(struct swim__opener *o, const struct swim__envelope *e,
                                         struct mu__arena *scratch, const void *data, size_t len);
/* The next plain message (type byte first, never empty). False at the end; o->malformed then tells
 * what was dropped. */
bool swim__packet_next(struct swim__opener *o, struct mu_str *msg);

/* ---- sending a datagram ---- */

/* Appends the datagram for one or more messages (several become a compound). with_crc: the
 * receiver's pmax is at least 5 and its record is known. nonce is used only when encrypting.
 * Nothing may be empty; n is 1 to SWIM__COMPOUND_MAX. */
struct swim__packet_options {
    bool with_crc;
    const uint8_t *nonce; /* SWIM__NONCE_LEN random bytes; NULL only when nothing is encrypted */
};
bool swim__packet_seal(const struct swim__envelope *e, const struct swim__packet_options *options,
                       const struct mu_str *msgs, size_t n, const struct mu_allocator *allocator,
                       struct mu__writer *w);
bool swim__envelope_encrypts(const struct swim__envelope *e); /* when sending */
/* Bytes the envelope adds to a datagram at most, for budgeting: label and seal (the checksum is not
 * budgeted). */
size_t swim__packet_overhead(const struct swim__envelope *e);

/* ---- streams ---- */

/* Opens one whole message as the framer of wire_stream.h found it. *plain (type byte first) is lent
 * from data or from scratch, whose limit bounds what may be unpacked. On SWIM__OPEN_OK it is a
 * complete message of a stream type. expect_label: this is the first message that an acceptor reads
 * on the connection; a connecting side reads replies, which carry no label. */
enum swim__open_result swim__stream_open(const struct swim__envelope *e, bool expect_label,
                                         struct mu__arena *scratch, const void *data, size_t len,
                                         struct mu_str *plain);
/* Appends the message as it goes on the wire. with_label: we are the connecting side and this comes
 * first. */
bool swim__stream_seal(const struct swim__envelope *e, bool with_label,
                       const uint8_t nonce[SWIM__NONCE_LEN], struct mu_str plain,
                       const struct mu_allocator *allocator, struct mu__writer *w);

uint32_t swim__crc32(const void *data, size_t len); /* IEEE 802.3, reflected, as in zlib */
