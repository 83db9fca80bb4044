/* events.c - the user events that this agent has received: the newest 256, and who waits for
 * more. */
#include "agent/agent_internal.h"

#include "agent/clone.h"
#include "base/log.h"
#include "regexp.h"

#include <stdlib.h>

#define MODULE "agent"

void agent__events_fini(struct agent *a)
{
    for (size_t i = 0; i < AGENT_EVENTS_MAX; i++) {
        free(a->events[i]);
    }
}

/* ---- Is an event meant for this agent? ---- */

static struct mu__regexp *compile(struct mu_str pattern, struct mu__arena *arena)
{
    char why[256];
    struct mu__regexp *re = mu__regexp_compile(pattern, arena, why, sizeof why);
    if (!re) {
        log_error(MODULE, "a filter of a user event is no regular expression: %s", why);
    }
    return re;
}

static bool has_tag(const struct catalog_node_service *s, struct mu__regexp *tag)
{
    for (size_t i = 0; i < s->tags.len; i++) {
        if (mu__regexp_matches(tag, s->tags.items[i])) {
            return true;
        }
    }
    return false;
}

/* Services go by their ID here, as in Consul. */
static bool has_service(const struct local *l, struct mu__regexp *id, struct mu__regexp *tag)
{
    size_t at = 0;
    for (const struct local_service *s; (s = mu__map_next(&l->services, &at)) != NULL;) {
        if (!s->entry.deleted && mu__regexp_matches(id, s->entry.id) &&
            (!tag || has_tag(s->service, tag))) {
            return true;
        }
    }
    return false;
}

static bool matches(const struct agent *a, const struct user_event *ev, struct mu__arena *arena)
{
    struct mu__regexp *re, *tag = NULL;
    if (ev->node_filter.len && (!(re = compile(ev->node_filter, arena)) ||
                                !mu__regexp_matches(re, a->config->node_name))) {
        return false;
    }
    if (!ev->service_filter.len) {
        return true;
    }
    re = compile(ev->service_filter, arena);
    if (!re || (ev->tag_filter.len && !(tag = compile(ev->tag_filter, arena)))) {
        return false;
    }
    return has_service(&a->local, re, tag);
}

static bool is_for_us(const struct agent *a, const struct user_event *ev)
{
    struct mu__arena arena;
    if (ev->version > USER_EVENT_VERSION) {
        log_warn(MODULE, "a user event of version %llu is passed over",
                 (unsigned long long)ev->version);
        return false;
    }
    mu__arena_init(&arena, NULL, 0);
    bool yes = matches(a, ev, &arena);
    mu__arena_fini(&arena);
    return yes;
}

/* ---- Receiving ---- */

void agent_user_event(struct agent *a, struct mu_str payload, uint64_t ltime)
{
    struct user_event ev;
    if (a->stopped) {
        return;
    }
    if (!user_event_decode(payload.p, payload.len, &ev)) {
        log_error(MODULE, "a user event is malformed");
        return;
    }
    if (!is_for_us(a, &ev)) {
        return;
    }
    if (mu__str_eq(ev.name, mu__cstr(REMOTE_EXEC_EVENT))) { /* is not listed */
        if (a->remote_exec) {
            remote_exec_start(a->remote_exec, ev.payload);
        } else {
            log_info(MODULE, "ignoring remote exec event, disabled: event_id=%.*s", (int)ev.id.len,
                     ev.id.p);
        }
        return;
    }
    ev.ltime = ltime;
    struct user_event *copy = mu__schema_clone(&user_event_schema, &ev, NULL);
    if (!copy) {
        abort();
    }
    log_debug(MODULE, "new event: %.*s, %.*s", (int)copy->name.len, copy->name.p, (int)copy->id.len,
              copy->id.p ? copy->id.p : "");
    size_t slot = a->events_seen++ % AGENT_EVENTS_MAX;
    free(a->events[slot]);
    a->events[slot] = copy;
    agent__wake(a);
}

/* ---- Listing ---- */

/* Fills in the reply; false when that is what the caller knows already. */
static bool look(struct agent_call *ac, bool anyway)
{
    const struct agent *a = ac->agent;
    const struct agent_events_request *q = ac->call->request;
    size_t n = a->events_seen < AGENT_EVENTS_MAX ? a->events_seen : AGENT_EVENTS_MAX, found = 0;
    struct user_event *list[AGENT_EVENTS_MAX];
    for (size_t i = a->events_seen - n; i < a->events_seen; i++) {
        struct user_event *ev = a->events[i % AGENT_EVENTS_MAX];
        if (!q->name.len || mu__str_eq(q->name, ev->name)) {
            list[found++] = ev;
        }
    }
    uint64_t index = found ? user_event_index(list[found - 1]) : 1;
    if (!anyway && q->min_index == index) {
        return false;
    }
    struct mu__arena *arena = &ac->call->arena;
    struct agent_events_reply *r = mu__arena_calloc(arena, 1, sizeof *r);
    void **items = mu__arena_calloc(arena, found + 1, sizeof *items);
    if (!r || !items) {
        abort();
    }
    for (size_t i = 0; i < found; i++) {
        items[i] = clone_into(arena, &user_event_schema, list[i]);
        if (!items[i]) {
            abort();
        }
    }
    *r = (struct agent_events_reply){.events = {items, found}, .index = index};
    ac->call->reply = r;
    return true;
}

void agent__list_events(struct agent_call *ac)
{
    const struct agent_events_request *q = ac->call->request;
    agent__answer_or_wait(ac, look, q->wait_ns);
}
