/* pool.c - what a server does in the gossip pool for others: it fires user events, and changes the
 * keys of all members. */
#include "core_job.h"

#include <stdio.h>
#include <string.h>

#define USER_EVENT_PREFIX "consul:event:" /* gossip wire, 12.2 */

bool pool__answers(enum endpoint_id what)
{
    return what == ENDPOINT_INTERNAL_EVENT_FIRE || what == ENDPOINT_INTERNAL_KEYRING_OPERATION;
}

static struct mu_str own(struct operator_job *job, struct mu_str s)
{
    return (struct mu_str){mu__arena_strndup(&job->arena, s.p ? s.p : "", s.len), s.len};
}

bool pool__take_request(struct operator_job *job, const struct call *c)
{
    if (job->what == ENDPOINT_INTERNAL_EVENT_FIRE) {
        const struct catalog_event_fire_request *from = c->request;
        struct catalog_event_fire_request *q = mu__arena_calloc(&job->arena, 1, sizeof *q);
        job->request = q;
        return q && (q->name = own(job, from->name)).p && (q->payload = own(job, from->payload)).p;
    }
    const struct catalog_keyring_request *from = c->request;
    struct catalog_keyring_request *q = mu__arena_calloc(&job->arena, 1, sizeof *q);
    job->request = q;
    if (q) {
        q->relay_factor = from->relay_factor;
        q->operation = own(job, from->operation);
        q->key = own(job, from->key);
    }
    return q && q->operation.p && q->key.p;
}

/* ---- User events ---- */

static void on_fired(void *arg, const char *error)
{
    struct operator_job *job = arg;
    if (error) {
        snprintf(job->error, sizeof job->error,
                 "1 error occurred:\n\t* error broadcasting event to segment \"\": %s\n\n", error);
    }
    operator__finish(job);
}

static void fire(struct server *s, struct operator_job *job)
{
    const struct catalog_event_fire_request *q = job->request;
    size_t len = strlen(USER_EVENT_PREFIX) + q->name.len;
    char *name = operator__room(job, len, 1);
    struct mu__writer w = mu__writer_fixed(name, len);
    mu__write_cstr(&w, USER_EVENT_PREFIX);
    mu__write_bytes(&w, q->name.p, q->name.len);
    job->reply = operator__room(job, 1, sizeof(struct catalog_event_fire_response));
    s->pool.fire(s->user, (struct mu_str){name, len}, q->payload, on_fired, job);
}

/* ---- Keys ---- */

static void *arena_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void arena_free(void *user, void *p)
{
    (void)user; /* goes with the arena */
    (void)p;
}

static void on_keys(void *arg, const struct catalog_keyring_response *result)
{
    struct operator_job *job = arg;
    const struct mu_allocator in_arena = {&job->arena, arena_alloc, NULL, arena_free};
    struct catalog_keyring_responses *reply = operator__room(job, 1, sizeof *reply);
    reply->responses = (struct mu_list){operator__room(job, 1, sizeof(void *)), 1};
    reply->responses.items[0] =
        mu__schema_clone(catalog_schema(CATALOG_KEYRING_RESPONSE), result, &in_arena);
    if (!reply->responses.items[0]) {
        snprintf(job->error, sizeof job->error, "out of memory");
    }
    job->reply = reply;
    operator__finish(job);
}

static bool parse_operation(struct mu_str text, enum swim_key_change *out)
{
    static const char *const names[] = {
        [SWIM_KEY_LIST] = "list",
        [SWIM_KEY_INSTALL] = "install",
        [SWIM_KEY_USE] = "use",
        [SWIM_KEY_REMOVE] = "remove",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (mu__str_eq(text, mu__cstr(names[i]))) {
            *out = (enum swim_key_change)i;
            return true;
        }
    }
    return false;
}

static void change_keys(struct server *s, struct operator_job *job)
{
    const struct catalog_keyring_request *q = job->request;
    enum swim_key_change change;
    if (q->relay_factor > 5 || !parse_operation(q->operation, &change)) {
        snprintf(job->error, sizeof job->error, "invalid keyring operation");
        operator__finish(job);
        return;
    }
    s->pool.change_keys(s->user, change, q->key, (uint8_t)q->relay_factor, on_keys, job);
}

void pool__answer(struct server *s, struct operator_job *job)
{
    if (!s->pool.fire) {
        snprintf(job->error, sizeof job->error, "this server is in no gossip pool");
        operator__finish(job);
    } else if (job->what == ENDPOINT_INTERNAL_EVENT_FIRE) {
        fire(s, job);
    } else {
        change_keys(s, job);
    }
}
