#include "keyring.h"

#include <mbedtls/gcm.h>
#include <string.h>

enum { TAG_LEN = 16, BLOCK = 16 };

struct key {
    uint8_t bytes[SWIM__KEY_LEN_MAX];
    size_t len;
    mbedtls_gcm_context gcm; /* the key schedule, made once */
};

struct swim__keyring {
    const struct mu_allocator *allocator;
    struct key *keys[SWIM__KEYS_MAX]; /* the primary first */
    size_t count;
};

struct swim__keyring *swim__keyring_create(const struct mu_allocator *allocator)
{
    struct swim__keyring *k = mu__calloc(allocator, 1, sizeof *k);
    if (k) {
        k->allocator = allocator;
    }
    return k;
}

static void free_key(struct swim__keyring *k, struct key *key)
{
    mbedtls_gcm_free(&key->gcm);
    mu__wipe(key, sizeof *key);
    mu__free(k->allocator, key);
}

void swim__keyring_destroy(struct swim__keyring *k)
{
    if (!k) {
        return;
    }
    for (size_t i = 0; i < k->count; i++) {
        free_key(k, k->keys[i]);
    }
    mu__free(k->allocator, k);
}

size_t swim__keyring_count(const struct swim__keyring *k)
{
    return k ? k->count : 0;
}

struct mu_str swim__keyring_key(const struct swim__keyring *k, size_t i)
{
    return (struct mu_str){(const char *)k->keys[i]->bytes, k->keys[i]->len};
}

/* Its place, or count when absent. Key lengths are no secret; key bytes are compared among our own
 * only. */
static size_t find_key(const struct swim__keyring *k, struct mu_str key)
{
    size_t i = 0;
    while (i < k->count &&
           (k->keys[i]->len != key.len || memcmp(k->keys[i]->bytes, key.p, key.len) != 0)) {
        i++;
    }
    return i;
}

bool swim__keyring_has(const struct swim__keyring *k, struct mu_str key)
{
    return k && key.len > 0 && find_key(k, key) < k->count;
}

static bool is_key_length(size_t len)
{
    return len == 16 || len == 24 || len == 32;
}

static struct key *make_key(struct swim__keyring *k, struct mu_str bytes)
{
    struct key *key = mu__calloc(k->allocator, 1, sizeof *key);
    if (!key) {
        return NULL;
    }
    memcpy(key->bytes, bytes.p, bytes.len);
    key->len = bytes.len;
    mbedtls_gcm_init(&key->gcm);
    unsigned bits = (unsigned)bytes.len * 8;
    if (mbedtls_gcm_setkey(&key->gcm, MBEDTLS_CIPHER_ID_AES, key->bytes, bits) != 0) {
        free_key(k, key);
        return NULL;
    }
    return key;
}

enum swim__keyring_result swim__keyring_add(struct swim__keyring *k, struct mu_str key)
{
    if (!is_key_length(key.len)) {
        return SWIM__KEYRING_BAD_LENGTH;
    }
    if (find_key(k, key) < k->count) {
        return SWIM__KEYRING_OK;
    }
    struct key *made = k->count < SWIM__KEYS_MAX ? make_key(k, key) : NULL;
    if (!made) {
        return SWIM__KEYRING_FULL;
    }
    k->keys[k->count++] = made;
    return SWIM__KEYRING_OK;
}

enum swim__keyring_result swim__keyring_use(struct swim__keyring *k, struct mu_str key)
{
    size_t i = key.len > 0 ? find_key(k, key) : k->count;
    if (i == k->count) {
        return SWIM__KEYRING_ABSENT;
    }
    struct key *chosen = k->keys[i];
    for (; i > 0; i--) {
        k->keys[i] = k->keys[i - 1];
    }
    k->keys[0] = chosen;
    return SWIM__KEYRING_OK;
}

enum swim__keyring_result swim__keyring_remove(struct swim__keyring *k, struct mu_str key)
{
    size_t i = key.len > 0 ? find_key(k, key) : k->count;
    if (i == k->count) {
        return SWIM__KEYRING_OK;
    }
    if (i == 0) {
        return SWIM__KEYRING_PRIMARY;
    }
    free_key(k, k->keys[i]);
    for (k->count--; i < k->count; i++) {
        k->keys[i] = k->keys[i + 1];
    }
    return SWIM__KEYRING_OK;
}

void swim__seal(struct swim__keyring *k, const uint8_t nonce[SWIM__NONCE_LEN], struct mu_str aad,
                struct mu_str plain, struct mu__writer *w)
{
    mu__write_u8(w, 1);
    mu__write_bytes(w, nonce, SWIM__NONCE_LEN);
    uint8_t *out = mu__write_room(w, plain.len + TAG_LEN);
    if (!out) {
        return;
    }
    int rc = mbedtls_gcm_crypt_and_tag(&k->keys[0]->gcm, MBEDTLS_GCM_ENCRYPT, plain.len, nonce,
                                       SWIM__NONCE_LEN, (const uint8_t *)aad.p, aad.len,
                                       (const uint8_t *)plain.p, out, TAG_LEN, out + plain.len);
    if (rc != 0) {
        w->failed = true;
    }
}

/* Takes the padding of version 0 off: n bytes of value n, 1 to 16 (PKCS#7, RFC 5652 6.3). */
static bool unpad(const uint8_t *plain, size_t *len)
{
    size_t n = *len > 0 ? plain[*len - 1] : 0;
    if (n == 0 || n > BLOCK || n > *len) {
        return false;
    }
    for (size_t i = 1; i <= n; i++) {
        if (plain[*len - i] != n) {
            return false;
        }
    }
    *len -= n;
    return true;
}

bool swim__unseal(struct swim__keyring *k, struct mu_str aad, const uint8_t *sealed, size_t len,
                  uint8_t *out, size_t *out_len)
{
    if (len <= SWIM__SEAL_EXTRA || sealed[0] > 1) {
        return false;
    }
    const uint8_t *nonce = sealed + 1, *cipher = nonce + SWIM__NONCE_LEN;
    size_t n = len - SWIM__SEAL_EXTRA;
    for (size_t i = 0; i < k->count; i++) {
        if (mbedtls_gcm_auth_decrypt(&k->keys[i]->gcm, n, nonce, SWIM__NONCE_LEN,
                                     (const uint8_t *)aad.p, aad.len, cipher + n, TAG_LEN, cipher,
                                     out) != 0) {
            continue;
        }
        if (sealed[0] == 0 && !unpad(out, &n)) {
            return false;
        }
        *out_len = n;
        return n > 0;
    }
    return false;
}
