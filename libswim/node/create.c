/* create.c - from a config to a running node, and back. */
#include "node.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

enum { RECEIVE_BUFFER = 2 << 20 };

static int system_entropy(void *user, void *buf, size_t len)
{
    (void)user;
    uint8_t *p = buf;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* ---- config ---- */

void swim_node_config_init_sized(struct swim_node_config *cfg, size_t size)
{
    struct swim_node_config full;
    memset(&full, 0, sizeof full);
    full.size = size;
    swim_config_init(&full.swim);
    full.receive_buffer_bytes = RECEIVE_BUFFER;
    assert(size <= sizeof full);
    memcpy(cfg, &full, size);
}

/* Widens an older caller's config; a newer one's rest must be zero. */
static bool read_config(const struct swim_node_config *cfg, struct swim_node_config *full)
{
    swim_node_config_init_sized(full, sizeof *full);
    if (cfg->size < offsetof(struct swim_node_config, bind)) {
        return false;
    }
    for (size_t i = sizeof *full; i < cfg->size; i++) {
        if (((const uint8_t *)cfg)[i] != 0) {
            return false;
        }
    }
    memcpy(full, cfg, mu__min(cfg->size, sizeof *full));
    full->size = sizeof *full;
    return true;
}

static bool check_config(struct swim_node_config *cfg, char *why, size_t cap)
{
    if (!cfg->base) {
        swim_node__why(why, cap, "base is required");
        return false;
    }
    if (cfg->bind.len == 0) {
        cfg->bind.len = 4;
    }
    if (cfg->bind.len != 4 && cfg->bind.len != 16) {
        swim_node__why(why, cap, "bind.len must be 4 or 16");
        return false;
    }
    if (cfg->swim.advertise.len == 0 && swim_node__is_wildcard(&cfg->bind)) {
        swim_node__why(why, cap, "swim.advertise is required when bind is a wildcard address");
        return false;
    }
    return true;
}

/* ---- start ---- */

static char *copy_text(const struct swim_node *n, const char *text)
{
    return mu__strndup(&n->allocator, text, strlen(text));
}

/* The keys to start with: the file's if there is one, else those of the config, which then make the
 * file. */
static int load_keys(struct swim_node *n, const struct swim_node_config *cfg, struct keyset *k,
                     char *why, size_t cap)
{
    bool found = false;
    if (n->keyring_path) {
        int rc = swim_node__keyfile_read(n, k, &found, why, cap);
        if (rc != SWIM_OK || found) {
            return rc;
        }
    }
    for (size_t i = 0; cfg->swim.nkeys == 0 && i < cfg->nkeys_base64; i++) {
        int rc =
            swim_node__keyset_add_base64(n, k, cfg->keys_base64[i], strlen(cfg->keys_base64[i]));
        if (rc != SWIM_OK) {
            swim_node__why(why, cap, "gossip key %zu is not 16, 24 or 32 bytes in base64", i + 1);
            return rc;
        }
    }
    if (n->keyring_path && k->n > 0 && !swim_node__keyfile_write(n, k->keys, k->n)) {
        swim_node__why(why, cap, "cannot write keyring %s: %s", n->keyring_path, strerror(errno));
        return SWIM_NODE_EFILE;
    }
    return SWIM_OK;
}

static void fill_in(struct swim_node *n, struct swim_config *cfg, const struct keyset *keys)
{
    if (cfg->advertise.len == 0) {
        cfg->advertise = n->bound;
    }
    if (cfg->advertise.port == 0) {
        cfg->advertise.port = n->bound.port;
    }
    if (!cfg->entropy) {
        cfg->entropy = system_entropy;
    }
    if (keys->n > 0) {
        cfg->keys = keys->keys;
        cfg->nkeys = keys->n;
    }
    if (n->keyring_path) {
        cfg->store_keys = swim_node__keyfile_save;
        cfg->store_keys_user = n;
    }
    if (n->snapshot) {
        struct snapshot_clocks clocks = swim_node__snapshot_clocks(n->snapshot);
        cfg->member_clock = clocks.member;
        cfg->event_clock = clocks.event;
        cfg->query_clock = clocks.query;
    }
}

static int create_core(struct swim_node *n, struct swim_node_config *cfg, char *why, size_t cap)
{
    struct keyset keys = {.n = 0};
    int rc = load_keys(n, cfg, &keys, why, cap);
    if (rc == SWIM_OK) {
        fill_in(n, &cfg->swim, &keys);
        rc = swim_config_check(&cfg->swim, why, cap);
    }
    if (rc == SWIM_OK) {
        rc = swim_create(&cfg->swim, swim_node_now(n), &n->swim);
    }
    swim_node__keyset_fini(n, &keys);
    return rc;
}

/* In random order, so that a pool that restarts as a whole does not fall upon one node. */
static void shuffle(const char **items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t random = 0;
        system_entropy(NULL, &random, sizeof random);
        size_t j = random % i;
        const char *t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}

static void on_rejoined(void *user, size_t joined, const char *error)
{
    struct swim_node *n = user;
    (void)error;
    if (joined > 0) {
        swim_node__log(n, MU_INFO, "serf: re-joined a node that was known before");
    } else {
        swim_node__log(n, MU_WARN, "serf: failed to re-join any previously known node");
    }
}

static void rejoin(struct swim_node *n, const char *self)
{
    enum { TRIED_MAX = 1024 };
    const char *addrs[TRIED_MAX];
    size_t count = 0, at = 0;
    if (!n->snapshot) {
        return;
    }
    for (const char *addr;
         count < TRIED_MAX && (addr = swim_node__snapshot_next(n->snapshot, &at, self));) {
        addrs[count++] = addr;
    }
    shuffle(addrs, count);
    if (count > 0 && swim_node__join_start(n, addrs, count, true, on_rejoined, n) != SWIM_OK) {
        on_rejoined(n, 0, NULL);
    }
}

static int set_up(struct swim_node *n, struct swim_node_config *cfg, char *why, size_t cap)
{
    int rc = SWIM_ENOMEM;
    if (cfg->keyring_path && !(n->keyring_path = copy_text(n, cfg->keyring_path))) {
        return rc;
    }
    if (cfg->snapshot_path) {
        uint64_t seed = 0;
        system_entropy(NULL, &seed, sizeof seed);
        n->snapshot = swim_node__snapshot_open(&n->allocator, cfg->snapshot_path,
                                               cfg->rejoin_after_leave, seed, why, cap);
        if (!n->snapshot) {
            return SWIM_NODE_EFILE;
        }
    }
    rc = swim_node__bind(n, &cfg->bind, cfg->receive_buffer_bytes, why, cap);
    if (rc == SWIM_OK) {
        rc = create_core(n, cfg, why, cap);
    }
    if (rc == SWIM_OK) {
        rc = swim_node__start(n, cfg->swim.streams_max);
    }
    return rc;
}

int swim_node_create(const struct swim_node_config *config, char *why, size_t cap,
                     struct swim_node **out)
{
    struct swim_node_config cfg;
    *out = NULL;
    swim_node__why(why, cap, "%s", "");
    if (!read_config(config, &cfg)) {
        swim_node__why(why, cap, "size is not that of a swim_node_config");
        return SWIM_EINVAL;
    }
    if (!check_config(&cfg, why, cap)) {
        return SWIM_EINVAL;
    }
    struct mu_allocator allocator = mu__allocator_or_default(cfg.swim.allocator);
    struct swim_node *n = mu__calloc(&allocator, 1, sizeof *n);
    if (!n) {
        return SWIM_ENOMEM;
    }
    n->allocator = allocator;
    n->base = cfg.base;
    n->udp.fd = n->tcp.fd = -1;
    n->on_event = cfg.on_event;
    n->user = cfg.user;
    n->log = cfg.swim.log;
    n->log_user = cfg.swim.log_user;
    n->log_level = cfg.swim.log_level;
    int rc = set_up(n, &cfg, why, cap);
    if (rc != SWIM_OK) {
        swim_node_destroy(n);
        return rc;
    }
    rejoin(n, cfg.swim.name);
    swim_node_flush(n);
    *out = n;
    return SWIM_OK;
}

static void free_event(struct event *e)
{
    if (e) {
        event_free(e);
    }
}

void swim_node_destroy(struct swim_node *n)
{
    if (!n) {
        return;
    }
    assert(!n->in_callback);
    if (n->swim) {
        swim_node__join_abort_all(n);
        swim_node__asked_abort_all(n);
        if (n->snapshot) {
            swim_node__snapshot_set_clocks(n->snapshot, swim_node__clocks(n));
        }
    }
    swim_node__tcp_close(n);
    swim_node__udp_close(n);
    free_event(n->timer);
    free_event(n->kick);
    free_event(n->snapshot_timer);
    swim_node__snapshot_close(n->snapshot);
    swim_destroy(n->swim);
    mu__free(&n->allocator, n->keyring_path);
    struct mu_allocator a = n->allocator;
    mu__free(&a, n);
}
