/* gossip_keys.c - changes to the keys of the pool: asked of all members, ourselves too, through
 * Serf's key queries. */
#include "gossip_internal.h"

#include "base/json_text.h"
#include "msgpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT_MAX 128u /* of a key in base64; none that is longer is one */

struct keys_job {
    struct gossip *gossip;
    enum swim_key_change change;
    uint8_t relay_factor;
    gossip_keys_fn done;
    void *arg;
    struct catalog_keyring_response *result; /* one block */
    size_t key_len;
    char key[]; /* in base64, with a zero behind it */
};

static void keys_done(void *arg)
{
    struct keys_job *j = arg;
    j->done(j->arg, j->result);
    mu__free(&mu__malloc_allocator, j->result);
    free(j);
}

/* Takes nothing of r along: what the core gets is a copy. */
static void answer(struct keys_job *j, const struct catalog_keyring_response *r)
{
    j->result = gossip__must(
        mu__schema_clone(catalog_schema(CATALOG_KEYRING_RESPONSE), r, &mu__malloc_allocator));
    loop_post(j->gossip->core, keys_done, j);
}

static void fail(struct keys_job *j, const char *why)
{
    answer(j, &(struct catalog_keyring_response){.datacenter = j->gossip->datacenter,
                                                 .keys = mu__cstr("\x80"),
                                                 .primary_keys = mu__cstr("\x80"),
                                                 .error = mu__cstr(why)});
}

/* ---- What the pool answers ---- */

static int by_key(const void *x, const void *y)
{
    const struct swim_key_count *const *a = x, *const *b = y;
    return mu__str_cmp((*a)->key, (*b)->key);
}

static int by_node(const void *x, const void *y)
{
    const struct mu_pair *a = x, *b = y;
    return mu__str_cmp(a->key, b->key);
}

static size_t count(const struct swim_key_count *k, bool primary)
{
    return primary ? k->primary : k->nodes;
}

/* A msgpack map of each key to how many have it; keys that nobody has are left out. */
static void write_counts(struct mu__writer *w, const struct swim_key_count *const *keys, size_t n,
                         bool primary)
{
    size_t held = 0;
    for (size_t i = 0; i < n; i++) {
        held += count(keys[i], primary) > 0;
    }
    mu__mp_write_map(w, held);
    for (size_t i = 0; i < n; i++) {
        if (count(keys[i], primary) > 0) {
            mu__mp_write_raw(w, keys[i]->key.p, keys[i]->key.len);
            mu__mp_write_uint(w, count(keys[i], primary));
        }
    }
}

static struct mu_str encode_counts(const struct swim_key_result *r, bool primary,
                                   struct mu__writer *w)
{
    const struct swim_key_count **keys = gossip__must(calloc(r->nkeys + 1, sizeof(void *)));
    for (size_t i = 0; i < r->nkeys; i++) {
        keys[i] = &r->keys[i];
    }
    qsort(keys, r->nkeys, sizeof(void *), by_key);
    write_counts(w, keys, r->nkeys, primary);
    free(keys);
    return (struct mu_str){gossip__must(w->failed ? NULL : w->data), w->len};
}

static struct mu_strmap collect_messages(const struct swim_key_result *r)
{
    struct mu_pair *items = gossip__must(calloc(r->nmessages + 1, sizeof *items));
    for (size_t i = 0; i < r->nmessages; i++) {
        items[i] = (struct mu_pair){r->messages[i].node, r->messages[i].text};
    }
    qsort(items, r->nmessages, sizeof *items, by_node);
    return (struct mu_strmap){items, r->nmessages};
}

static void on_keys(void *user, int err, const struct swim_key_result *r)
{
    struct keys_job *j = user;
    char text[96] = "";
    if (!r) {
        fail(j, swim_node_strerror(err));
        return;
    }
    if (r->faults > 0) {
        snprintf(text, sizeof text, "%zu/%zu nodes reported failure", r->faults, r->nodes);
    } else if (r->answers < r->nodes) {
        snprintf(text, sizeof text, "%zu/%zu nodes reported success", r->answers, r->nodes);
    }
    struct mu__writer keys = mu__writer_growing(&mu__malloc_allocator);
    struct mu__writer primary = mu__writer_growing(&mu__malloc_allocator);
    struct catalog_keyring_response out = {.datacenter = j->gossip->datacenter,
                                           .messages = collect_messages(r),
                                           .keys = encode_counts(r, false, &keys),
                                           .primary_keys = encode_counts(r, true, &primary),
                                           .num_nodes = (int64_t)r->nodes,
                                           .error = mu__cstr(text)};
    answer(j, &out);
    free(out.messages.items);
    mu__writer_fini(&keys);
    mu__writer_fini(&primary);
}

/* ---- Asking ---- */

/* False: it is no key, and why says so. */
static bool check_key(const struct keys_job *j, char *why, size_t cap)
{
    char raw[KEY_TEXT_MAX];
    size_t len = 0, bad = 0;
    if (j->key_len < sizeof raw &&
        !json_base64((struct mu_str){j->key, j->key_len}, raw, &len, &bad)) {
        /* What ends too early is told by where its last group of four begins. */
        snprintf(why, cap, "illegal base64 data at input byte %zu",
                 bad == j->key_len ? bad - bad % 4 : bad);
        return false;
    }
    mu__wipe(raw, sizeof raw);
    if (len != 16 && len != 24 && len != 32) {
        snprintf(why, cap, "key size must be 16, 24 or 32 bytes");
        return false;
    }
    return true;
}

static void change(void *arg)
{
    struct keys_job *j = arg;
    struct swim_node *n = j->gossip->node;
    bool lists = j->change == SWIM_KEY_LIST;
    char why[64];
    if (!lists && !check_key(j, why, sizeof why)) {
        fail(j, why);
        return;
    }
    int rc = !n ? SWIM_ELEFT
                : swim_node_change_keys(n, j->change, lists ? NULL : j->key, j->relay_factor,
                                        on_keys, j);
    if (rc != SWIM_OK) {
        fail(j, swim_node_strerror(rc));
    }
}

void gossip_change_keys(struct gossip *g, enum swim_key_change what, struct mu_str key,
                        uint8_t relay_factor, gossip_keys_fn done, void *arg)
{
    struct keys_job *j = gossip__must(calloc(1, sizeof *j + key.len + 1));
    j->gossip = g;
    j->change = what;
    j->relay_factor = relay_factor;
    j->done = done;
    j->arg = arg;
    j->key_len = key.len;
    memcpy(j->key, key.p ? key.p : "", key.len);
    loop_post(g->loop, change, j);
}
