/* keyring.h - the gossip keys and AES-GCM with them.
 *
 * An ordered list, the first key is the primary: it alone encrypts; decryption tries each in turn,
 * so that keys can be changed while the pool runs (install everywhere, use everywhere, remove
 * everywhere).
 *
 *     sealed = version (0 or 1), nonce (12), ciphertext, tag (16);
 *              version 0 pads the plaintext (PKCS#7) to 16
 *
 * Keys are wiped when removed or freed. One thread at a time. */
#pragma once

#include "cursor.h"

#define SWIM__KEYS_MAX    64u /* keys of one ring */
#define SWIM__KEY_LEN_MAX 32u
#define SWIM__NONCE_LEN   12u
#define SWIM__SEAL_EXTRA  29u /* bytes that version 1 adds */

enum swim__keyring_result {
    SWIM__KEYRING_OK = 0,
    SWIM__KEYRING_BAD_LENGTH, /* not 16, 24 or 32 bytes */
    SWIM__KEYRING_ABSENT,     /* use: not in the ring */
    SWIM__KEYRING_PRIMARY,    /* remove: the primary stays */
    SWIM__KEYRING_FULL,       /* SWIM__KEYS_MAX, or out of memory */
};

struct swim__keyring;

/* An empty ring: encryption is off until a key is added. Keeps *allocator by reference. NULL when
 * out of memory. */
struct swim__keyring *swim__keyring_create(const struct mu_allocator *allocator);
void swim__keyring_destroy(struct swim__keyring *k);
size_t swim__keyring_count(const struct swim__keyring *k); /* NULL: 0 */
/* Lends; 0 is the primary. */
struct mu_str swim__keyring_key(const struct swim__keyring *k, size_t i);
bool swim__keyring_has(const struct swim__keyring *k, struct mu_str key);
/* Present: OK. */
enum swim__keyring_result swim__keyring_add(struct swim__keyring *k, struct mu_str key);
enum swim__keyring_result swim__keyring_use(struct swim__keyring *k, struct mu_str key);
/* Absent: OK. */
enum swim__keyring_result swim__keyring_remove(struct swim__keyring *k, struct mu_str key);

/* Appends the sealed form of plain (version 1) under the primary key. The nonce must never repeat
 * under one key. The ring must not be empty, plain must not be. */
void swim__seal(struct swim__keyring *k, const uint8_t nonce[SWIM__NONCE_LEN], struct mu_str aad,
                struct mu_str plain, struct mu__writer *w);
/* Opens a sealed payload of version 0 or 1 with whichever key fits, into out (room for len bytes;
 * may not overlap). False when no key does, or when it is malformed or empty inside. */
bool swim__unseal(struct swim__keyring *k, struct mu_str aad, const uint8_t *sealed, size_t len,
                  uint8_t *out, size_t *out_len);
