/* keys.c - our encryption keys, and the queries with which an operator changes those of the whole
 * pool. */
#include "core.h"

#include <stdio.h>
#include <string.h>

enum { RELAY_FACTOR_MAX = 16 };
#define LIST_BYTES_MAX 850 /* encoded keys in a response of 1024 bytes, with room for the rest */

static int key_error(enum swim__keyring_result r)
{
    switch (r) {
    case SWIM__KEYRING_OK:
        return SWIM_OK;
    case SWIM__KEYRING_BAD_LENGTH:
        return SWIM_EINVAL;
    case SWIM__KEYRING_ABSENT:
        return SWIM_ENOENT;
    case SWIM__KEYRING_PRIMARY:
        return SWIM_EFULL;
    default:
        return SWIM_ENOMEM;
    }
}

int swim__keys_load(struct swim *s, const struct mu_str *keys, size_t n)
{
    s->keyring = swim__keyring_create(&s->allocator);
    if (!s->keyring) {
        return SWIM_ENOMEM;
    }
    s->envelope.keyring = s->keyring;
    for (size_t i = 0; i < n; i++) {
        int rc = key_error(swim__keyring_add(s->keyring, keys[i]));
        if (rc != SWIM_OK) {
            return rc;
        }
    }
    return SWIM_OK;
}

bool swim_next_key(const struct swim *s, size_t *at, struct mu_str *key)
{
    if (*at >= swim__keyring_count(s->keyring)) {
        return false;
    }
    *key = swim__keyring_key(s->keyring, (*at)++);
    return true;
}

int swim_add_key(struct swim *s, struct mu_str key)
{
    return key_error(swim__keyring_add(s->keyring, key));
}

int swim_use_key(struct swim *s, struct mu_str key)
{
    return key_error(swim__keyring_use(s->keyring, key));
}

int swim_remove_key(struct swim *s, struct mu_str key)
{
    return key_error(swim__keyring_remove(s->keyring, key));
}

/* ---- key queries ---- */

/* Standard base64 with padding (RFC 4648, 4) of a key; returns its length. */
static size_t base64(struct mu_str in, char out[48])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    for (size_t i = 0; i < in.len; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++) {
            v = v << 8 | (i + k < in.len ? (uint8_t)in.p[i + k] : 0);
        }
        for (size_t k = 0; k < 4; k++) {
            out[n++] = (i + k > in.len ? "=" : &digits[v >> (18 - 6 * k) & 63])[0];
        }
    }
    return n;
}

static void list_keys(struct swim *s, struct mu__writer *keys, char *message, size_t cap,
                      char primary[48], size_t *primary_len)
{
    char text[48];
    size_t total = swim__keyring_count(s->keyring), shown = 0, used = 0;
    *primary_len = base64(swim__keyring_key(s->keyring, 0), primary);
    while (shown < total) {
        used += base64(swim__keyring_key(s->keyring, shown), text) + 3;
        if (used > LIST_BYTES_MAX) {
            break;
        }
        shown++;
    }
    mu__mp_write_array(keys, shown);
    for (size_t i = 0; i < shown; i++) {
        mu__mp_write_raw(keys, text, base64(swim__keyring_key(s->keyring, i), text));
    }
    if (shown < total) {
        (void)snprintf(message, cap, "truncated key list response, showing first %zu of %zu keys",
                       shown, total);
    }
    mu__wipe(text, sizeof text);
}

/* False: the host cannot keep them. */
static bool stored(const struct swim *s)
{
    struct mu_str keys[SWIM__KEYS_MAX];
    size_t n = swim__keyring_count(s->keyring);
    for (size_t i = 0; i < n; i++) {
        keys[i] = swim__keyring_key(s->keyring, i);
    }
    return !s->cfg.store_keys || s->cfg.store_keys(s->cfg.store_keys_user, keys, n) == 0;
}

static const char *change(struct swim *s, struct mu_str name, struct mu_str key)
{
    if (!swim__events_reserve(s, 1)) { /* the host must hear of it */
        return "out of memory";
    }
    enum swim__keyring_result r =
        mu__str_is(name, "_serf_install-key") ? swim__keyring_add(s->keyring, key)
        : mu__str_is(name, "_serf_use-key")   ? swim__keyring_use(s->keyring, key)
                                              : swim__keyring_remove(s->keyring, key);
    switch (r) {
    case SWIM__KEYRING_OK:
        swim__event_push(s, SWIM_EVENT_KEYS, NULL, NULL);
        return stored(s) ? NULL : "the keyring file could not be written";
    case SWIM__KEYRING_BAD_LENGTH:
        return "key size must be 16, 24 or 32 bytes";
    case SWIM__KEYRING_ABSENT:
        return "Requested key is not in the keyring";
    case SWIM__KEYRING_PRIMARY:
        return "Removing the primary key is not allowed";
    default:
        return "keyring is full";
    }
}

bool swim__key_query(struct swim *s, struct mu_str name, struct mu_str request,
                     struct mu__writer *w)
{
    struct swim__serf_msg in, out = {.type = SWIM__SERF_KEY_RESPONSE};
    bool lists = mu__str_is(name, "_serf_list-keys");
    if (!lists && !mu__str_is(name, "_serf_install-key") && !mu__str_is(name, "_serf_use-key") &&
        !mu__str_is(name, "_serf_remove-key")) {
        return false;
    }
    char message[96] = "", primary[48];
    size_t primary_len = 0;
    struct mu__writer keys = mu__writer_growing(&s->allocator);
    const char *fault = NULL;
    if (swim__keyring_count(s->keyring) == 0) {
        fault = lists ? "Keyring is empty (encryption not enabled)"
                      : "No keyring to modify (encryption not enabled)";
    } else if (lists) {
        list_keys(s, &keys, message, sizeof message, primary, &primary_len);
    } else if (swim__serf_decode(request.p, request.len, &in) &&
               in.type == SWIM__SERF_KEY_REQUEST) {
        fault = change(s, name, in.key_request.key);
    } else {
        fault = "malformed key request";
    }
    if (fault) {
        (void)snprintf(message, sizeof message, "%s", fault);
    }
    out.key_response =
        (struct swim__serf_key_response){.result = !fault,
                                         .message = {message, strlen(message)},
                                         .primary_key = {primary, primary_len},
                                         .keys = {(const char *)keys.data, keys.len}};
    swim__serf_encode(w, &out);
    mu__writer_fini(&keys);
    return true;
}

int swim_change_keys(struct swim *s, uint64_t now_ns, enum swim_key_change change,
                     struct mu_str key, uint8_t relay_factor, uint32_t *query)
{
    static const char *const names[] = {
        [SWIM_KEY_LIST] = "_serf_list-keys",
        [SWIM_KEY_INSTALL] = "_serf_install-key",
        [SWIM_KEY_USE] = "_serf_use-key",
        [SWIM_KEY_REMOVE] = "_serf_remove-key",
    };
    swim__enter(s, now_ns);
    bool lists = change == SWIM_KEY_LIST;
    if ((unsigned)change >= sizeof names / sizeof *names || relay_factor > RELAY_FACTOR_MAX ||
        (lists ? key.len != 0 : key.len != 16 && key.len != 24 && key.len != 32)) {
        return SWIM_EINVAL; /* before anybody stores it */
    }
    if (s->leave_stage != SWIM__STAYING) {
        return SWIM_ELEFT;
    }
    struct swim__serf_msg msg = {.type = SWIM__SERF_KEY_REQUEST,
                                 .key_request = {lists ? (struct mu_str){"", 0} : key}};
    struct mu__writer w = mu__writer_growing(&s->allocator);
    struct swim__tally *tally = swim__tally_create(s, change, swim__table_up(&s->members));
    swim__serf_encode(&w, &msg);
    struct swim_question q;
    swim_question_init(&q);
    q.name = (struct mu_str){names[change], strlen(names[change])};
    q.payload = (struct mu_str){(const char *)w.data, w.len};
    q.relay_factor = relay_factor;
    int rc = w.failed || !tally ? SWIM_ENOMEM : swim__ask(s, &q, SWIM__ASK_KEYS, tally, query);
    if (rc != SWIM_OK) {
        swim__tally_destroy(s, tally);
    }
    if (w.data) {
        mu__wipe(w.data, w.len);
    }
    mu__writer_fini(&w);
    return rc;
}
