/* ask.c - queries and key changes that the host asked for, until they are over. The core tells
 * their answers as events; here they find whoever asked. */
#include "node.h"

#include <mbedtls/base64.h>
#include <string.h>

struct asked {
    struct asked *next;
    uint32_t query;
    uint32_t answers, acks;        /* so far */
    swim_node_answer_fn on_answer; /* one of the two */
    swim_node_keys_fn on_keys;
    void *user;
};

static struct asked **find(struct swim_node *n, uint32_t query)
{
    struct asked **at = &n->asked;
    while (*at && (*at)->query != query) {
        at = &(*at)->next;
    }
    return at;
}

/* Takes it out of the list, so that its callback may ask anew. */
static struct asked take(struct swim_node *n, struct asked **at)
{
    struct asked *a = *at, copy = *a;
    *at = a->next;
    mu__free(&n->allocator, a);
    return copy;
}

static void give_answer(struct swim_node *n, struct asked **at, const struct swim_event *ev)
{
    struct swim_node_answer answer = {.kind = ev->type == SWIM_EVENT_ACK      ? SWIM_NODE_ACK
                                              : ev->type == SWIM_EVENT_ANSWER ? SWIM_NODE_ANSWER
                                                                              : SWIM_NODE_DONE,
                                      .query = ev->query,
                                      .from = ev->name,
                                      .payload = ev->payload,
                                      .answers = ev->answers,
                                      .acks = ev->acks};
    (*at)->acks += answer.kind == SWIM_NODE_ACK ? 1 : 0;
    (*at)->answers += answer.kind == SWIM_NODE_ANSWER ? 1 : 0;
    struct asked a = answer.kind == SWIM_NODE_DONE ? take(n, at) : **at;
    if (a.on_answer) {
        a.on_answer(a.user, &answer);
    }
}

bool swim_node__asked_event(struct swim_node *n, const struct swim_event *ev)
{
    if (ev->type < SWIM_EVENT_ANSWER || ev->type > SWIM_EVENT_KEY_RESULT) {
        return false;
    }
    struct asked **at = find(n, ev->query);
    if (!*at) {
        return false;
    }
    if (ev->type != SWIM_EVENT_KEY_RESULT) {
        give_answer(n, at, ev);
        return true;
    }
    struct asked a = take(n, at);
    if (a.on_keys) {
        a.on_keys(a.user, ev->err, ev->keys);
    }
    return true;
}

void swim_node__asked_abort_all(struct swim_node *n)
{
    while (n->asked) {
        struct asked a = take(n, &n->asked);
        struct swim_node_answer done = {
            .kind = SWIM_NODE_DONE, .query = a.query, .answers = a.answers, .acks = a.acks};
        if (a.on_answer) {
            a.on_answer(a.user, &done);
        } else if (a.on_keys) {
            a.on_keys(a.user, SWIM_ECLOSED, NULL);
        }
    }
}

static void remember(struct swim_node *n, struct asked *a, uint32_t query)
{
    a->query = query;
    a->next = n->asked;
    n->asked = a;
    swim_node_flush(n);
}

int swim_node_ask(struct swim_node *n, const struct swim_question *q, swim_node_answer_fn fn,
                  void *user, uint32_t *query)
{
    uint32_t id;
    struct asked *a = mu__calloc(&n->allocator, 1, sizeof *a);
    if (!a) {
        return SWIM_ENOMEM;
    }
    a->on_answer = fn;
    a->user = user;
    int rc = swim_ask(n->swim, swim_node_now(n), q, &id);
    if (rc != SWIM_OK) {
        mu__free(&n->allocator, a);
        return rc;
    }
    remember(n, a, id);
    if (query) {
        *query = id;
    }
    return SWIM_OK;
}

int swim_node_change_keys(struct swim_node *n, enum swim_key_change change, const char *key_base64,
                          uint8_t relay_factor, swim_node_keys_fn fn, void *user)
{
    uint8_t key[32];
    uint32_t id;
    size_t len = 0;
    if (key_base64 && mbedtls_base64_decode(key, sizeof key, &len, (const uint8_t *)key_base64,
                                            strlen(key_base64)) != 0) {
        return SWIM_EINVAL;
    }
    struct asked *a = mu__calloc(&n->allocator, 1, sizeof *a);
    int rc = a ? swim_change_keys(n->swim, swim_node_now(n), change,
                                  (struct mu_str){(const char *)key, len}, relay_factor, &id)
               : SWIM_ENOMEM;
    mu__wipe(key, sizeof key);
    if (rc != SWIM_OK) {
        mu__free(&n->allocator, a);
        return rc;
    }
    a->on_keys = fn;
    a->user = user;
    remember(n, a, id);
    return SWIM_OK;
}
