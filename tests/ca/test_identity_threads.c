/* Identities on threads of their own, used by several threads, while leaf, roots and intentions
 * change all the time. Under ThreadSanitizer as well. */
#include "identity_kit.h"

#include <pthread.h>

enum { CALLERS = 3, CALLS = 12 };

struct caller {
    struct world *world;
    pthread_t thread;
    atomic_bool done;
    unsigned failed, resumed;
    atomic_uint told;
};

static void told(void *user, struct ca_connection *c, bool allowed)
{
    struct caller *me = user;
    (void)c, (void)allowed;
    atomic_fetch_add(&me->told, 1);
}

static void call_once(struct caller *me, struct call *call)
{
    struct world *w = me->world;
    struct ca_identity_info info;
    if (!call_make(call, w->api.identity, w->web.identity, "web", "end")) {
        me->failed++;
    } else {
        bool allowed = ca_connection_watch(call->server, told, me);
        allowed = ca_connection_watch(call->client, told, me) && allowed;
        (void)allowed; /* it changes all the time */
        me->resumed += ca_connection_peer(call->server)->resumed;
        me->failed += !call_works(call);
    }
    ca_identity_info(w->web.identity, &info);
    call_end(call);
}

static void *run_caller(void *user)
{
    struct caller *me = user;
    struct call *call = malloc(sizeof *call);
    me->failed += ca_identity_wait(me->world->web.identity, 100 * MU_SEC) != CA_OK;
    me->failed += ca_identity_wait(me->world->api.identity, 100 * MU_SEC) != CA_OK;
    for (int n = 0; n < CALLS && me->failed == 0; n++) {
        call_once(me, call);
    }
    free(call);
    atomic_store(&me->done, true);
    return NULL;
}

/* Everything that the agent knows, in turn. */
static void change_something(evutil_socket_t fd, short what, void *user)
{
    static unsigned turn;
    struct stub *s = &((struct world *)user)->stub;
    (void)fd, (void)what;
    switch (turn++ % 4) {
    case 0:
        stub_touch(s, STUB_LEAF);
        break;
    case 1:
        s->count = s->count == 1 ? 3 : 1;
        stub_touch(s, STUB_ROOTS);
        break;
    default:
        s->intentions = turn % 4 == 3 ? "null" : "[" STUB_INTENTION("*", "web", "deny") "]";
        stub_touch(s, STUB_LIST);
    }
}

static void start_alone(struct world *w, struct party *p, const char *service)
{
    struct ca_identity_config cfg = party_config(w, p, service);
    cfg.base = NULL;
    cfg.state = NULL;
    assert_int_equal(ca_identity_create(&cfg, &p->identity, NULL), CA_OK);
}

static bool all_done(struct caller callers[CALLERS])
{
    bool done = true;
    for (size_t n = 0; n < CALLERS; n++) {
        done = done && atomic_load(&callers[n].done);
    }
    return done;
}

static void test_many_threads_while_everything_changes(void **state)
{
    (void)state;
    struct world w;
    struct caller callers[CALLERS] = {0};
    struct timeval often = {.tv_usec = 5000};
    world_init(&w, 60);
    stub_add_root(&w.stub);
    stub_add_root(&w.stub);
    start_alone(&w, &w.web, "web");
    start_alone(&w, &w.api, "api");
    struct event *changes = event_new(w.base, -1, EV_PERSIST, change_something, &w);
    event_add(changes, &often);
    for (size_t n = 0; n < CALLERS; n++) {
        callers[n].world = &w;
        assert_int_equal(pthread_create(&callers[n].thread, NULL, run_caller, &callers[n]), 0);
    }
    UNTIL(&w, all_done(callers));
    for (size_t n = 0; n < CALLERS; n++) {
        pthread_join(callers[n].thread, NULL);
        assert_int_equal(callers[n].failed, 0);
    }
    event_free(changes);
    w.stub.count = 3;
    world_end(&w);
}

static void test_thread_ends_while_the_agent_is_silent(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 61);
    start_alone(&w, &w.web, "web");
    assert_int_equal(ca_identity_wait(w.web.identity, MU_MSEC), CA_IDENTITY_ETIMEOUT);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads_while_everything_changes),
        cmocka_unit_test(test_thread_ends_while_the_agent_is_silent),
    };
    return cmocka_run_group_tests_name("identity_threads", tests, NULL, NULL);
}
