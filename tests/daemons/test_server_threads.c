/* The front and the core of a server on threads of their own: no wake-up is lost between them, and
 * they end in good order. */
#include "mu_test.h"

#include "server_kit.h"

#include <pthread.h>

#define ROUNDS 3000

static struct server_kit k;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static unsigned answers;

static void wait_for(unsigned n)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&lock);
    while (answers < n) {
        assert_int_equal(pthread_cond_timedwait(&turned, &lock, &end), 0);
    }
    pthread_mutex_unlock(&lock);
}

static void count(void)
{
    pthread_mutex_lock(&lock);
    answers++;
    pthread_cond_signal(&turned);
    pthread_mutex_unlock(&lock);
}

static int setup(void **state)
{
    (void)state;
    kit_open(&k, "");
    kit_elect(&k);
    answers = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

static void stop_threads(void)
{
    loop_stop(k.loop);
    loop_join(k.loop);
    loop_stop(k.core);
    loop_join(k.core);
}

static struct raft_node_machine machine;

/* On the core: one more version of the key, as Raft would apply it. */
static void apply_next(void *arg)
{
    static uint64_t index = 1000;
    size_t len;
    char value[24];
    snprintf(value, sizeof value, "%llu", (unsigned long long)++index);
    struct catalog_kvs_request q = {.op = mu__cstr("set"),
                                    .dir_ent = {.key = mu__cstr("k"), .value = mu__cstr(value)}};
    uint8_t *entry =
        server__encode_entry(CATALOG_ENTRY_KVS, catalog_schema(CATALOG_KVS_REQUEST), &q, &len);
    (void)arg;
    machine.apply_begin(machine.user);
    machine.apply(machine.user, index, 1, entry, len, NULL);
    machine.apply_end(machine.user);
    free(entry);
}

static uint64_t seen;

static void on_read(struct call *c, void *arg)
{
    (void)arg;
    if (!c->error) {
        seen = ((const struct catalog_indexed_dir_entries *)c->reply)->meta.index;
    }
    count();
}

static void read_next(void *arg)
{
    struct call *c = call_create(&endpoints[ENDPOINT_KVS_GET], 0, on_read, NULL);
    struct catalog_key_request *q = c->request;
    (void)arg;
    q->datacenter = mu__cstr("dc1");
    q->key = mu__cstr("k");
    q->options.min_query_index = seen;
    q->options.allow_stale = true;
    call_start(k.backend, c);
}

/* The only waiter of the front: the core tells it nothing as long as it believes that nobody
 * waits. */
static void no_wake_up_is_lost_between_a_read_and_its_block(void **state)
{
    (void)state;
    machine = server__machine(k.server);
    seen = 0;
    assert_int_equal(loop_start(k.loop), 0);
    assert_int_equal(loop_start(k.core), 0);
    loop_post(k.core, apply_next, NULL);
    loop_post(k.loop, read_next, NULL);
    wait_for(1);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        for (volatile unsigned spin = 0; spin < i % 64 * 20; spin++) {
            /* The two meet a little differently each time */
        }
        loop_post(k.loop, read_next, NULL);
        loop_post(k.core, apply_next, NULL);
        wait_for(i + 1);
    }
    stop_threads();
    assert_true(seen > 1000);
}

static void on_any(struct call *c, void *arg)
{
    (void)c;
    (void)arg;
    count();
}

/* A mixture of all kinds; the last ones are under way when everything stops. */
static void start_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 60; i++) {
        struct call *c;
        if (i % 3 == 0) {
            c = call_create(&endpoints[ENDPOINT_KVS_APPLY], 0, on_any, NULL);
            struct catalog_kvs_request *q = c->request;
            *q = (struct catalog_kvs_request){
                .datacenter = mu__cstr("dc1"), .op = mu__cstr("set"), .dir_ent.key = mu__cstr("x")};
        } else {
            c = call_create(&endpoints[ENDPOINT_KVS_GET], 0, on_any, NULL);
            struct catalog_key_request *q = c->request;
            q->datacenter = mu__cstr("dc1");
            q->key = mu__cstr("x");
            q->options.require_consistent = i % 3 == 1;
            q->options.min_query_index = i % 3 == 2 ? 1000000 : 0;
        }
        call_start(k.backend, c);
        if (i % 7 == 0 && i % 3 == 2 && !k.closed) { /* a closed front has answered it already */
            call_cancel(c);
        }
    }
}

static void all_kinds_of_calls_end_with_the_threads(void **state)
{
    (void)state;
    assert_int_equal(loop_start(k.loop), 0);
    assert_int_equal(loop_start(k.core), 0);
    loop_post(k.loop, start_some, NULL);
    wait_for(20); /* the writes at least: those that block do not end by themselves */
    loop_post(k.loop, start_some, NULL);
    stop_threads();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_wake_up_is_lost_between_a_read_and_its_block, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(all_kinds_of_calls_end_with_the_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
