/* keyfile.c - the keyring on disk, in Consul's form: a JSON array of base64 keys, the primary
 * first. */
#include "node.h"

#include "cursor.h"

#include <errno.h>
#include <mbedtls/base64.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 64 * 1024, KEY_BYTES_MAX = 32, BASE64_MAX = 45 };

void swim_node__keyset_fini(struct swim_node *n, struct keyset *k)
{
    for (size_t i = 0; i < k->n; i++) {
        void *bytes; /* a mu_str promises not to write, but these are ours */
        memcpy(&bytes, &k->keys[i].p, sizeof bytes);
        mu__wipe(bytes, k->keys[i].len);
        mu__free(&n->allocator, bytes);
    }
    mu__free(&n->allocator, k->keys);
    *k = (struct keyset){.n = 0};
}

static int add_raw(struct swim_node *n, struct keyset *k, const void *bytes, size_t len)
{
    void *items = k->keys;
    char *copy = mu__memdup(&n->allocator, bytes, len);
    if (!copy || !mu__reserve(&n->allocator, &items, &k->cap, k->n + 1, sizeof *k->keys)) {
        mu__free(&n->allocator, copy);
        return SWIM_ENOMEM;
    }
    k->keys = items;
    k->keys[k->n++] = (struct mu_str){copy, len};
    return SWIM_OK;
}

int swim_node__keyset_add_base64(struct swim_node *n, struct keyset *k, const char *text,
                                 size_t len)
{
    uint8_t raw[KEY_BYTES_MAX];
    size_t got = 0;
    int rc = mbedtls_base64_decode(raw, sizeof raw, &got, (const uint8_t *)text, len);
    if (rc != 0 || (got != 16 && got != 24 && got != 32)) {
        rc = SWIM_EINVAL;
    } else {
        rc = add_raw(n, k, raw, got);
    }
    mu__wipe(raw, sizeof raw);
    return rc;
}

/* ---- reading ---- */

static void skip_space(struct mu__reader *r)
{
    while (mu__reader_left(r) > 0 && strchr(" \t\r\n", r->data[r->pos])) {
        r->pos++;
    }
}

static bool take(struct mu__reader *r, char c)
{
    skip_space(r);
    if (mu__reader_left(r) == 0 || r->data[r->pos] != (uint8_t)c) {
        return false;
    }
    r->pos++;
    return true;
}

/* A string without escapes: base64 has none, but for a slash that some writers escape. */
static int take_key(struct swim_node *n, struct mu__reader *r, struct keyset *k)
{
    char text[BASE64_MAX];
    size_t len = 0;
    if (!take(r, '"')) {
        return SWIM_EINVAL;
    }
    for (uint8_t c = mu__read_u8(r); c != '"'; c = mu__read_u8(r)) {
        if (c == '\\') {
            c = mu__read_u8(r);
            r->failed = r->failed || c != '/';
        }
        if (r->failed || len == sizeof text) {
            return SWIM_EINVAL;
        }
        text[len++] = (char)c;
    }
    int rc = swim_node__keyset_add_base64(n, k, text, len);
    mu__wipe(text, sizeof text);
    return rc;
}

static int parse_keys(struct swim_node *n, struct mu__reader *r, struct keyset *k)
{
    if (!take(r, '[')) {
        return SWIM_EINVAL;
    }
    if (!take(r, ']')) {
        do {
            int rc = take_key(n, r, k);
            if (rc != SWIM_OK) {
                return rc;
            }
        } while (take(r, ','));
        if (!take(r, ']')) {
            return SWIM_EINVAL;
        }
    }
    skip_space(r);
    return mu__reader_left(r) == 0 ? SWIM_OK : SWIM_EINVAL;
}

static int read_keys(struct swim_node *n, FILE *f, struct keyset *k)
{
    char *buf = mu__alloc(&n->allocator, FILE_BYTES_MAX);
    if (!buf) {
        return SWIM_ENOMEM;
    }
    size_t len = fread(buf, 1, FILE_BYTES_MAX, f);
    struct mu__reader r = mu__reader(buf, len);
    int rc = ferror(f) || len == FILE_BYTES_MAX ? SWIM_NODE_EFILE : parse_keys(n, &r, k);
    mu__wipe(buf, len);
    mu__free(&n->allocator, buf);
    return rc;
}

int swim_node__keyfile_read(struct swim_node *n, struct keyset *k, bool *found, char *why,
                            size_t cap)
{
    FILE *f = fopen(n->keyring_path, "rbe");
    *found = f != NULL;
    if (!f) {
        if (errno == ENOENT) {
            return SWIM_OK;
        }
        swim_node__why(why, cap, "cannot read keyring %s: %s", n->keyring_path, strerror(errno));
        return SWIM_NODE_EFILE;
    }
    int rc = read_keys(n, f, k);
    fclose(f);
    if (rc == SWIM_EINVAL || rc == SWIM_NODE_EFILE) {
        swim_node__why(why, cap,
                       "keyring %s is not a JSON array of base64 keys of 16, 24 or 32 bytes",
                       n->keyring_path);
        return SWIM_NODE_EFILE;
    }
    return rc;
}

/* ---- writing ---- */

static void encode_keys(struct mu__writer *w, const struct mu_str *keys, size_t nkeys)
{
    mu__write_cstr(w, "[");
    for (size_t i = 0; i < nkeys; i++) {
        uint8_t text[BASE64_MAX + 1];
        size_t len = 0;
        if (mbedtls_base64_encode(text, sizeof text, &len, (const uint8_t *)keys[i].p,
                                  keys[i].len) != 0) {
            w->failed = true;
        }
        mu__write_cstr(w, i > 0 ? ",\n  \"" : "\n  \"");
        mu__write_bytes(w, text, len);
        mu__write_cstr(w, "\"");
        mu__wipe(text, sizeof text);
    }
    mu__write_cstr(w, "\n]");
}

bool swim_node__keyfile_write(struct swim_node *n, const struct mu_str *keys, size_t nkeys)
{
    struct mu__writer w = mu__writer_growing(&n->allocator);
    encode_keys(&w, keys, nkeys);
    bool ok = !w.failed && swim_node__replace_file(n->keyring_path, ".new", w.data, w.len, 0600);
    if (w.data) {
        mu__wipe(w.data, w.len);
    }
    mu__writer_fini(&w);
    return ok;
}

int swim_node__keyfile_save(void *node, const struct mu_str *keys, size_t nkeys)
{
    struct swim_node *n = node;
    errno = ENOMEM; /* what fails without the system's doing */
    if (swim_node__keyfile_write(n, keys, nkeys)) {
        return SWIM_OK;
    }
    swim_node__log(n, MU_ERROR, "serf: cannot write keyring %s: %s", n->keyring_path,
                   strerror(errno));
    return SWIM_NODE_EFILE;
}
