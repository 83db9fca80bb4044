/* tally.c - what the members answer to a change of their keys, added up. Bounded, since answers are
 * what strangers say: beyond the bound an answer still counts, but its words are not kept. */
#include "core.h"

#include <string.h>

enum { KEYS_MAX = 256, KEY_TEXT_MAX = 64, TEXT_MAX = 256, BYTES_MAX = 4 << 20 };

struct swim__tally {
    struct mu__arena arena; /* of all text */
    struct swim_key_result result;
    struct swim_key_count *keys;
    struct swim_key_message *messages;
    size_t keys_cap, messages_cap;
};

struct swim__tally *swim__tally_create(struct swim *s, enum swim_key_change change, size_t nodes)
{
    struct swim__tally *t = mu__calloc(&s->allocator, 1, sizeof *t);
    if (t) {
        mu__arena_init(&t->arena, &s->allocator, BYTES_MAX);
        t->result = (struct swim_key_result){.change = change, .nodes = nodes};
    }
    return t;
}

void swim__tally_destroy(struct swim *s, struct swim__tally *t)
{
    if (t) {
        mu__free(&s->allocator, t->keys);
        mu__free(&s->allocator, t->messages);
        mu__arena_fini(&t->arena);
        mu__free(&s->allocator, t);
    }
}

/* A copy of text, cut at most; p is NULL when there is no room. */
static struct mu_str keep(struct swim__tally *t, struct mu_str text, size_t most)
{
    text.len = mu__min(text.len, most);
    return (struct mu_str){mu__arena_strndup(&t->arena, text.p ? text.p : "", text.len), text.len};
}

static void note(struct swim__tally *t, struct mu_str node, struct mu_str text)
{
    void *items = t->messages;
    struct swim_key_message m = {keep(t, node, SWIM_NAME_MAX), keep(t, text, TEXT_MAX)};
    if (!m.node.p || !m.text.p ||
        !mu__reserve(&t->arena.allocator, &items, &t->messages_cap, t->result.nmessages + 1,
                     sizeof m)) {
        return;
    }
    t->messages = items;
    t->messages[t->result.nmessages++] = m;
}

static struct swim_key_count *count_of(struct swim__tally *t, struct mu_str key)
{
    for (size_t i = 0; i < t->result.nkeys; i++) {
        struct mu_str have = t->keys[i].key;
        if (have.len == key.len && memcmp(have.p, key.p, key.len) == 0) {
            return &t->keys[i];
        }
    }
    void *items = t->keys;
    if (key.len == 0 || key.len > KEY_TEXT_MAX || t->result.nkeys == KEYS_MAX ||
        !mu__reserve(&t->arena.allocator, &items, &t->keys_cap, t->result.nkeys + 1,
                     sizeof *t->keys)) {
        return NULL;
    }
    t->keys = items;
    struct mu_str copy = keep(t, key, KEY_TEXT_MAX);
    if (!copy.p) {
        return NULL;
    }
    t->keys[t->result.nkeys] = (struct swim_key_count){.key = copy};
    return &t->keys[t->result.nkeys++];
}

static void count_keys(struct swim__tally *t, const struct swim__serf_key_response *r)
{
    struct swim_key_count *c;
    struct mu_str key;
    for (size_t at = 0; swim__span_next(r->keys, &at, &key);) {
        c = count_of(t, key);
        if (c) {
            c->nodes++;
        }
    }
    c = r->primary_key.len > 0 ? count_of(t, r->primary_key) : NULL;
    if (c) {
        c->primary++;
    }
}

void swim__tally_add(struct swim__tally *t, struct mu_str from, struct mu_str payload)
{
    static const char malformed[] = "malformed answer";
    struct swim__serf_msg msg;
    t->result.answers++;
    if (!swim__serf_decode(payload.p, payload.len, &msg) || msg.type != SWIM__SERF_KEY_RESPONSE) {
        t->result.faults++;
        note(t, from, (struct mu_str){malformed, sizeof malformed - 1});
        return;
    }
    t->result.faults += msg.key_response.result ? 0 : 1;
    if (!msg.key_response.result || msg.key_response.message.len > 0) {
        note(t, from, msg.key_response.message);
    }
    if (msg.key_response.result) {
        count_keys(t, &msg.key_response);
    }
}

int swim__tally_result(const struct swim__tally *t)
{
    return t->result.faults > 0                  ? SWIM_EREMOTE
           : t->result.answers < t->result.nodes ? SWIM_ETIMEOUT
                                                 : SWIM_OK;
}

const struct swim_key_result *swim__tally_view(struct swim__tally *t)
{
    t->result.keys = t->keys;
    t->result.messages = t->messages;
    return &t->result;
}
