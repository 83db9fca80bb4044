/* Mirrors daemons/server/backend.c, reads.c, writes.c, local.c and filter.c: calls on the only
 * front of a real server. */
#include "mu_test.h"

#include "server_kit.h"

#include <muster/catalog_intention.h>

#define IMPATIENT ", \"performance\": {\"rpc_hold_timeout\": \"20ms\"}"

static struct server_kit k;

static int with_leader(void **state)
{
    (void)state;
    kit_open(&k, "");
    kit_elect(&k);
    return 0;
}

static int without_leader(void **state)
{
    (void)state;
    kit_open(&k, IMPATIENT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

static void put_and_wait(const char *key, const char *value)
{
    struct outcome o;
    kit_put(&k, key, value, &o);
    kit_until(&k, &o.done);
    assert_string_equal(o.error, "");
}

static uint64_t index_of(const char *key)
{
    struct outcome o;
    kit_get(&k, key, 0, &o);
    kit_until(&k, &o.done);
    assert_string_equal(o.error, "");
    return o.index;
}

static struct catalog_query_options *options(struct outcome *o)
{
    return endpoint_options(o->call->endpoint, o->call->request);
}

/* ---- Reads and writes ---- */

static void what_was_written_can_be_read(void **state)
{
    (void)state;
    struct outcome o;
    put_and_wait("a", "1");
    kit_get(&k, "a", 0, &o);
    assert_true(o.done); /* by this front alone */
    assert_string_equal(o.text, "1");
    assert_true(o.known_leader);
    assert_true(o.index > 0);
}

static void a_refused_write_says_why_and_costs_no_entry(void **state)
{
    (void)state;
    struct outcome o;
    raft_index before = raft_node_applied_index(k.server->raft);
    kit_put(&k, "", "1", &o);
    assert_true(o.done);
    assert_string_equal(o.error, "Must provide key");
    put_and_wait("b", "1");
    assert_int_equal(raft_node_applied_index(k.server->raft), before + 1);
}

static void a_cas_answers_whether_it_was_done(void **state)
{
    (void)state;
    put_and_wait("a", "1");
    for (int right = 0; right < 2; right++) {
        struct outcome o;
        uint64_t index = index_of("a");
        struct catalog_kvs_request *q = kit_call(&k, ENDPOINT_KVS_APPLY, &o)->request;
        q->op = mu__cstr("cas");
        q->dir_ent.key = mu__cstr("a");
        q->dir_ent.modify_index = right ? index : index + 7;
        kit_start(&k, &o);
        kit_until(&k, &o.done);
        assert_string_equal(o.error, "");
        assert_int_equal(o.flag, right);
    }
}

static void a_consistent_read_asks_a_majority_first(void **state)
{
    (void)state;
    struct outcome o;
    put_and_wait("a", "1");
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &o)->request;
    q->key = mu__cstr("a");
    q->options.require_consistent = true;
    kit_start(&k, &o);
    kit_turn_front(&k);
    assert_false(o.done);
    kit_until(&k, &o.done);
    assert_string_equal(o.text, "1");
}

static void ask_consistently(struct outcome *o)
{
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, o)->request;
    q->key = mu__cstr("a");
    q->options.require_consistent = true;
    kit_start(&k, o);
}

/* Raft 6.4: what a majority confirmed before a read came says nothing about that read. */
static void a_question_to_the_majority_grants_what_came_before_it_alone(void **state)
{
    (void)state;
    struct outcome first, second, late;
    put_and_wait("a", "1");
    ask_consistently(&first);
    ask_consistently(&second);
    kit_turn_front(&k); /* the question leaves */
    kit_turn_core(&k);  /* and is answered; the front has not heard yet */
    ask_consistently(&late);
    kit_turn_front(&k);
    assert_true(first.done && second.done);
    assert_false(late.done);
    kit_until(&k, &late.done);
    assert_string_equal(late.text, "1");
}

static void another_datacenter_is_unknown(void **state)
{
    (void)state;
    struct outcome o;
    kit_call(&k, ENDPOINT_CATALOG_LIST_NODES, &o);
    *endpoint_datacenter(o.call->endpoint, o.call->request) = mu__cstr("dc2");
    kit_start(&k, &o);
    assert_string_equal(o.error, "No path to datacenter");
}

static void the_server_answers_for_itself(void **state)
{
    (void)state;
    struct outcome o;
    kit_call(&k, ENDPOINT_STATUS_LEADER, &o);
    kit_start(&k, &o);
    assert_string_equal(o.text, "127.0.0.1:8300");
    kit_call(&k, ENDPOINT_STATUS_PEERS, &o);
    kit_start(&k, &o);
    assert_int_equal(o.len, 1);
    assert_string_equal(o.text, "127.0.0.1:8300");
    kit_call(&k, ENDPOINT_CATALOG_LIST_DATACENTERS, &o);
    kit_start(&k, &o);
    assert_string_equal(o.text, "dc1");
    kit_call(&k, ENDPOINT_STATUS_PING, &o);
    kit_start(&k, &o);
    assert_true(o.done);
    kit_call(&k, ENDPOINT_COORDINATE_UPDATE, &o);
    kit_start(&k, &o);
    assert_true(o.done);
    assert_string_equal(o.error, "invalid coordinate"); /* there is none */
}

static void calls_of_the_agent_go_to_the_agent(void **state)
{
    (void)state;
    static const struct endpoint agents = {.method = "Agent.Test",
                                           .kind = ENDPOINT_AGENT,
                                           .options_at = NO_OFFSET,
                                           .meta_at = NO_OFFSET,
                                           .datacenter_at = NO_OFFSET,
                                           .token_at = NO_OFFSET};
    struct outcome o = {0};
    call_start(k.backend, call_create(&agents, 0, kit_note, &o));
    assert_true(o.done);
    assert_int_equal(k.agent_calls, 1);
}

static void a_restarted_server_knows_its_peers_at_once(void **state)
{
    (void)state;
    /* The view of a front is there before the core loop has run. */
    server_front_fini(k.server, 0);
    k.server->fronts[0] = (struct server_front){0};
    server_front_init(k.server, 0, k.loop, &k.agent, k.client);
    struct outcome o;
    kit_call(&k, ENDPOINT_STATUS_PEERS, &o);
    kit_start(&k, &o);
    assert_int_equal(o.len, 1);
}

/* ---- Blocking ---- */

static void a_blocked_read_wakes_with_its_key_and_no_other(void **state)
{
    (void)state;
    struct outcome o;
    put_and_wait("a", "1");
    uint64_t index = index_of("a");
    kit_get(&k, "a", index, &o);
    put_and_wait("b", "1");
    assert_false(o.done);
    put_and_wait("a", "2");
    kit_until(&k, &o.done);
    assert_string_equal(o.text, "2");
    assert_true(o.index > index);
    assert_int_equal(k.front->waiters, 0);
}

/* No call of its own is made for a waiter whom a write elsewhere has nothing to do with, not even
 * to look (consul#1244). */
static void a_write_elsewhere_wakes_nobody(void **state)
{
    (void)state;
    enum { N = 50 };
    static struct outcome o[N];
    char key[16];
    put_and_wait("a", "1");
    uint64_t index = index_of("a");
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "k/%d", i);
        put_and_wait(key, "1");
        kit_get(&k, key, index + 1000, &o[i]);
    }
    size_t before = catalog_watches_count(k.front->watches);
    for (struct route *r = k.front->blocked; r; r = r->next) {
        assert_non_null(r->waiter);
        r->deadline_ns = r->deadline_ns + 1; /* would be told by a second look */
        r->restored = true;                  /* and this would answer it */
    }
    put_and_wait("k", "2");
    put_and_wait("k/", "2");
    put_and_wait("k/1000", "2");
    put_and_wait("x", "2");
    assert_int_equal(catalog_watches_count(k.front->watches), before);
    for (int i = 0; i < N; i++) {
        assert_false(o[i].done);
        call_cancel(o[i].call);
    }
    assert_int_equal(k.front->waiters, 0);
}

static void a_woken_read_knows_when_its_change_was_committed(void **state)
{
    (void)state;
    struct outcome waited, plain;
    put_and_wait("a", "1");
    uint64_t before = loop_now_ns();
    kit_get(&k, "a", index_of("a"), &waited);
    put_and_wait("a", "2");
    kit_until(&k, &waited.done);
    assert_in_range(waited.committed_ns, before, loop_now_ns());
    kit_get(&k, "a", 0, &plain);
    kit_until(&k, &plain.done);
    assert_int_equal(plain.committed_ns, 0);
}

struct piece {
    uint8_t *data;
    size_t len, at;
};

static int write_piece(void *user, const void *data, size_t len)
{
    struct piece *p = user;
    p->data = realloc(p->data, p->len + len);
    memcpy(p->data + p->len, data, len);
    p->len += len;
    return 0;
}

static int read_piece(void *user, void *buf, size_t *len)
{
    struct piece *p = user;
    *len = mu__min(*len, p->len - p->at);
    memcpy(buf, p->data + p->at, *len);
    p->at += *len;
    return 0;
}

/* Its index may be lower than the one that is waited for, for ever. */
static void a_restored_snapshot_answers_whoever_waits(void **state)
{
    (void)state;
    struct outcome o;
    struct piece p = {.data = NULL};
    struct catalog_reader *reader;
    struct catalog_touched *touched;
    put_and_wait("a", "1");
    uint64_t index = index_of("a");
    kit_get(&k, "a", index + 1000, &o);
    assert_int_equal(catalog_reader_create(k.server->catalog, &reader), CATALOG_OK);
    catalog_read_begin(reader);
    assert_int_equal(catalog_snapshot_write(reader, write_piece, &p), CATALOG_OK);
    catalog_read_end(reader);
    catalog_reader_destroy(reader);
    assert_int_equal(catalog_restore(k.server->catalog, read_piece, &p, &touched), CATALOG_OK);
    assert_false(o.done);
    server__front_wake(k.front, touched, loop_now_ns());
    catalog_touched_unref(touched);
    kit_until(&k, &o.done);
    assert_int_equal(o.index, index);
    assert_string_equal(o.text, "1");
    free(p.data);
}

static void a_blocked_read_ends_with_its_time(void **state)
{
    (void)state;
    struct outcome o;
    put_and_wait("a", "1");
    uint64_t index = index_of("a");
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &o)->request;
    q->key = mu__cstr("a");
    q->options.min_query_index = index;
    q->options.max_query_time_ns = (int64_t)MU_MSEC;
    kit_start(&k, &o);
    assert_false(o.done);
    kit_until(&k, &o.done);
    assert_int_equal(o.index, index);
    assert_string_equal(o.text, "1");
}

struct chain { /* a read whose answer starts the next one, as a watcher's does */
    struct outcome first, second;
};

static void on_first(struct call *c, void *arg)
{
    struct chain *x = arg;
    kit_note(c, &x->first);
    kit_get(&k, "b", 0, &x->second);
}

static void an_answer_may_start_the_next_read(void **state)
{
    (void)state;
    struct chain x;
    put_and_wait("a", "1");
    put_and_wait("b", "2");
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &x.first)->request;
    q->key = mu__cstr("a");
    x.first.call->done = on_first;
    x.first.call->arg = &x;
    kit_start(&k, &x.first);
    assert_string_equal(x.first.text, "1");
    assert_string_equal(x.second.text, "2");
}

static void blocked_reads_leave_when_leadership_is_lost(void **state)
{
    (void)state;
    struct outcome plain, stale;
    put_and_wait("a", "1");
    uint64_t index = index_of("a");
    kit_get(&k, "a", index, &plain);
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &stale)->request;
    q->key = mu__cstr("a");
    q->options.min_query_index = index;
    q->options.allow_stale = true;
    kit_start(&k, &stale);
    assert_int_equal(k.front->waiters, 2);
    struct server_view *v = calloc(1, sizeof *v);
    /* In truth it is leader still: the read comes back and blocks again */
    server__front_take_view(k.front, v);
    assert_int_equal(k.front->waiters, 2);
    call_cancel(plain.call);
    call_cancel(stale.call);
    assert_int_equal(k.front->waiters, 0);
}

/* ---- Cancelling ---- */

static void a_cancelled_call_is_never_answered(void **state)
{
    (void)state;
    struct outcome write, consistent, blocked, after;
    put_and_wait("a", "1");
    kit_put(&k, "a", "2", &write);
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &consistent)->request;
    q->key = mu__cstr("a");
    q->options.require_consistent = true;
    kit_start(&k, &consistent);
    kit_get(&k, "a", index_of("a") + 100, &blocked);
    call_cancel(write.call);
    call_cancel(consistent.call);
    call_cancel(blocked.call);
    kit_put(&k, "b", "1", &after);
    kit_until(&k, &after.done);
    kit_turn_front(&k);
    assert_false(write.done || consistent.done || blocked.done);
    assert_int_equal(k.front->waiters, 0);
}

/* ---- Without a leader ---- */

static void without_a_leader_patience_ends(void **state)
{
    (void)state;
    struct outcome write, read, stale;
    kit_put(&k, "a", "1", &write);
    kit_get(&k, "a", 0, &read);
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &stale)->request;
    q->key = mu__cstr("a");
    q->options.allow_stale = true; /* it has never heard of a leader: its catalog may be empty */
    kit_start(&k, &stale);
    assert_false(write.done || read.done || stale.done);
    KIT_UNTIL(&k, write.done && read.done && stale.done);
    assert_string_equal(write.error, "No cluster leader");
    assert_string_equal(read.error, "No cluster leader");
    assert_string_equal(stale.error, "No cluster leader");
}

static void calls_that_wait_go_on_when_there_is_a_leader(void **state)
{
    (void)state;
    struct outcome write, read;
    k.config->performance.rpc_hold_timeout_ns = 60 * MU_SEC;
    kit_put(&k, "a", "1", &write);
    kit_get(&k, "b", 0, &read);
    kit_elect(&k);
    KIT_UNTIL(&k, write.done && read.done);
    assert_string_equal(write.error, "");
    assert_string_equal(read.error, "");
}

static void a_stream_of_calls_does_not_starve_those_that_wait(void **state)
{
    (void)state;
    struct outcome first, others;
    kit_get(&k, "a", 0, &first);
    KIT_UNTIL(&k, (kit_get(&k, "b", 0, &others), call_cancel(others.call), first.done));
    assert_string_equal(first.error, "No cluster leader");
}

struct killer { /* its answer cancels the others, as a connection that breaks does */
    struct outcome own, *others;
    size_t n;
};

static void on_killer(struct call *c, void *arg)
{
    struct killer *x = arg;
    kit_note(c, &x->own);
    for (size_t i = 0; i < x->n; i++) {
        if (x->others[i].call) {
            call_cancel(x->others[i].call);
            x->others[i].call = NULL;
        }
    }
}

static void an_answer_may_cancel_other_calls_that_wait(void **state)
{
    (void)state;
    struct outcome both[6];
    struct killer x = {.others = both, .n = 6};
    for (int i = 0; i < 3; i++) {
        kit_get(&k, "a", 0, &both[i]);
    }
    kit_call(&k, ENDPOINT_KVS_GET, &x.own);
    x.own.call->done = on_killer;
    x.own.call->arg = &x;
    kit_start(&k, &x.own);
    for (int i = 3; i < 6; i++) {
        kit_get(&k, "a", 0, &both[i]);
    }
    KIT_UNTIL(&k, x.own.done);
    assert_string_equal(x.own.error, "No cluster leader");
    assert_null(k.front->held);
}

static void a_waiting_call_can_be_cancelled(void **state)
{
    (void)state;
    struct outcome o;
    kit_get(&k, "a", 0, &o);
    assert_non_null(k.front->held);
    call_cancel(o.call);
    assert_null(k.front->held);
}

/* ---- The end ---- */

static void all_that_waits_is_told_at_the_end(void **state)
{
    (void)state;
    struct outcome write, consistent, blocked, cancelled, late;
    put_and_wait("a", "1");
    kit_get(&k, "a", index_of("a"), &blocked);
    kit_put(&k, "a", "2", &write);
    kit_put(&k, "a", "3", &cancelled);
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &consistent)->request;
    q->key = mu__cstr("a");
    q->options.require_consistent = true;
    q->options.min_query_index = 1000000; /* would block if the front still could */
    kit_start(&k, &consistent);
    kit_close_front(&k);
    call_cancel(cancelled.call);
    assert_string_equal(blocked.error, "the server is shutting down");
    kit_get(&k, "a", 0, &late);
    assert_string_equal(late.error, "the server is shutting down");
    KIT_UNTIL(&k, write.done && consistent.done);
    assert_string_equal(write.error, ""); /* it was proposed, and has become true */
    assert_string_equal(consistent.error, "the server is shutting down");
}

static void what_the_core_still_has_is_told_when_raft_ends(void **state)
{
    (void)state;
    static struct outcome write, consistent;
    kit_put(&k, "a", "2", &write);
    struct catalog_key_request *q = kit_call(&k, ENDPOINT_KVS_GET, &consistent)->request;
    q->key = mu__cstr("a");
    q->options.require_consistent = true;
    kit_start(&k, &consistent);
    /* teardown closes everything without another turn; ASan looks for what is left */
}

static void held_calls_are_told_at_the_end(void **state)
{
    (void)state;
    struct outcome read, write;
    k.config->performance.rpc_hold_timeout_ns = 60 * MU_SEC;
    kit_get(&k, "a", 0, &read);
    kit_put(&k, "a", "1", &write);
    kit_close_front(&k);
    assert_string_equal(read.error, "the server is shutting down");
    assert_string_equal(write.error, "the server is shutting down");
}

/* ---- The state machine ---- */

static void an_entry_that_cannot_be_applied_is_the_last(void **state)
{
    (void)state;
    struct raft_node_machine m = server__machine(k.server);
    struct write_result *bad = NULL, *behind = NULL;
    static const uint8_t unknown[] = {99, 0x80};
    size_t len;
    struct catalog_kvs_request q = {.op = mu__cstr("set"), .dir_ent = {.key = mu__cstr("a")}};
    uint8_t *entry =
        server__encode_entry(CATALOG_ENTRY_KVS, catalog_schema(CATALOG_KVS_REQUEST), &q, &len);
    m.apply_begin(m.user);
    m.apply(m.user, 1000, 1, unknown, sizeof unknown, (void **)&bad);
    m.apply(m.user, 1001, 1, entry, len, (void **)&behind);
    m.apply_end(m.user);
    assert_int_equal(k.fatal, 1);
    assert_int_equal(bad->kind, CATALOG_RESULT_ERROR);
    assert_int_equal(behind->kind, CATALOG_RESULT_ERROR);
    catalog_read_begin(k.server->reader);
    assert_null(catalog_find_key(k.server->reader, mu__cstr("a")));
    catalog_read_end(k.server->reader);
    assert_null(m.snapshot_begin(m.user));
    server__free_result(bad);
    server__free_result(behind);
    free(entry);
}

/* ---- Filters ---- */

static void register_service(const char *node, const char *service)
{
    struct outcome o;
    struct catalog_weights weights = {1, 1};
    struct catalog_node_service s = {
        .id = mu__cstr(service), .service = mu__cstr(service), .weights = &weights};
    struct catalog_register_request *q = kit_call(&k, ENDPOINT_CATALOG_REGISTER, &o)->request;
    q->node = mu__cstr(node);
    q->address = mu__cstr("10.0.0.1");
    q->service = &s;
    kit_start(&k, &o);
    kit_until(&k, &o.done);
    assert_string_equal(o.error, "");
}

static size_t filtered(enum endpoint_id id, const char *filter, struct outcome *o)
{
    kit_call(&k, id, o);
    if (id == ENDPOINT_CATALOG_NODE_SERVICES) {
        ((struct catalog_node_request *)o->call->request)->node = mu__cstr("n1");
    } else if (id == ENDPOINT_HEALTH_SERVICE_NODES) {
        ((struct catalog_service_request *)o->call->request)->service_name = mu__cstr("web");
    }
    options(o)->filter = mu__cstr(filter);
    kit_start(&k, o);
    assert_true(o->done);
    return o->len;
}

static void a_filter_is_applied_where_the_records_are(void **state)
{
    (void)state;
    struct outcome o;
    register_service("n1", "web");
    register_service("n2", "web");
    register_service("n1", "db");
    assert_int_equal(filtered(ENDPOINT_CATALOG_LIST_NODES, "", &o), 2);
    assert_int_equal(filtered(ENDPOINT_CATALOG_LIST_NODES, "Node == \"n2\"", &o), 1);
    assert_int_equal(filtered(ENDPOINT_CATALOG_LIST_NODES, "Node == \"n3\"", &o), 0);
    assert_string_equal(o.error, "");
    assert_int_equal(filtered(ENDPOINT_CATALOG_NODE_SERVICES, "Service == \"db\"", &o), 1);
    assert_int_equal(filtered(ENDPOINT_HEALTH_SERVICE_NODES, "Node.Node == \"n1\"", &o), 1);
}

static size_t nodes_at(const char *filter, uint64_t min_index, struct outcome *o)
{
    kit_call(&k, ENDPOINT_CATALOG_LIST_NODES, o);
    options(o)->filter = mu__cstr(filter);
    options(o)->min_query_index = min_index;
    kit_start(&k, o);
    return o->len;
}

static void a_filter_for_an_address_answers_and_waits_as_others_do(void **state)
{
    (void)state;
    struct outcome o, all;
    register_service("n1", "web");
    register_service("n2", "web");
    assert_int_equal(nodes_at("Address == \"10.0.0.1\"", 0, &o), 2);
    assert_int_equal(nodes_at("", 0, &all), 2);
    assert_int_equal(o.index, all.index);
    assert_int_equal(nodes_at("Address==\"10.0.0.2\"", 0, &o), 0);
    assert_int_equal(o.index, all.index);
    nodes_at("Address == `10.0.0.1`", all.index, &o);
    assert_false(o.done);
    register_service("n3", "web");
    kit_until(&k, &o.done);
    assert_int_equal(o.len, 3);
    assert_true(o.index > all.index);
}

static void a_service_has_a_virtual_address_while_it_has_a_proxy(void **state)
{
    (void)state;
    struct outcome o;
    struct catalog_node_service proxy = {.service = mu__cstr("web-proxy"),
                                         .kind = mu__cstr("connect-proxy"),
                                         .port = 1,
                                         .weights = NULL,
                                         .proxy = {.destination_service_name = mu__cstr("web")}};
    struct catalog_register_request *q = kit_call(&k, ENDPOINT_CATALOG_REGISTER, &o)->request;
    q->node = mu__cstr("n1");
    q->address = mu__cstr("127.0.0.1");
    q->service = &proxy;
    kit_start(&k, &o);
    kit_until(&k, &o.done);
    assert_string_equal(o.error, "");
    for (int known = 0; known < 2; known++) {
        struct catalog_service_request *ask =
            kit_call(&k, ENDPOINT_CATALOG_VIRTUAL_IP_FOR_SERVICE, &o)->request;
        ask->service_name = mu__cstr(known ? "web" : "web-proxy");
        kit_start(&k, &o);
        assert_true(o.done);
        assert_string_equal(o.error, "");
        assert_string_equal(o.text, known ? "240.0.0.1" : "");
    }
}

static void change_intention(const char *op, const char *source, const char *action,
                             struct outcome *o)
{
    struct catalog_intention_request *q = kit_call(&k, ENDPOINT_INTENTION_APPLY, o)->request;
    struct catalog_intention x = {.source_name = mu__cstr(source),
                                  .destination_name = mu__cstr("db"),
                                  .action = mu__cstr(action)};
    q->op = mu__cstr(op);
    q->intention = &x;
    kit_start(&k, o);
    kit_until(&k, &o->done);
}

static bool is_allowed(const char *source)
{
    struct outcome o;
    struct catalog_intention_pair pair = {.source_name = mu__cstr(source),
                                          .destination_name = mu__cstr("db"),
                                          .source_type = mu__cstr("consul")};
    struct catalog_intention_query *q = kit_call(&k, ENDPOINT_INTENTION_CHECK, &o)->request;
    q->check = &pair;
    kit_start(&k, &o);
    assert_true(o.done);
    assert_string_equal(o.error, "");
    return o.flag;
}

static void an_intention_gets_its_id_and_decides(void **state)
{
    (void)state;
    struct outcome o;
    assert_true(is_allowed("web"));
    change_intention("create", "*", "deny", &o);
    assert_string_equal(o.error, "");
    assert_int_equal(strlen(o.text), 36);
    assert_false(is_allowed("web"));
    change_intention("upsert", "web", "allow", &o);
    assert_string_equal(o.error, "");
    assert_true(is_allowed("web"));
    assert_false(is_allowed("api"));
    change_intention("create", "a*", "allow", &o);
    assert_non_null(strstr(o.error, "wildcard"));
    change_intention("create", "web", "deny", &o);
    assert_non_null(strstr(o.error, "duplicate intention found: ALLOW default/web => default/db"));
    change_intention("delete", "web", "", &o);
    assert_string_equal(o.error, "");
    assert_false(is_allowed("web"));
    kit_call(&k, ENDPOINT_INTENTION_APPLY, &o); /* nil */
    ((struct catalog_intention_request *)o.call->request)->op = mu__cstr("create");
    kit_start(&k, &o);
    assert_non_null(strstr(o.error, "SourceName must be set"));
    kit_call(&k, ENDPOINT_INTENTION_LIST, &o);
    kit_start(&k, &o);
    assert_int_equal(o.len, 1);
}

static void note_list(struct call *c, void *is_nil)
{
    assert_null(c->error);
    const struct catalog_indexed_node_service_list *r = c->reply;
    assert_int_equal(r->node_services.services.len, 0);
    *(bool *)is_nil = r->node_services.services.items == NULL;
}

static bool services_are_nil(const char *node, const char *filter)
{
    bool is_nil = false;
    struct call *c =
        call_create(&endpoints[ENDPOINT_CATALOG_NODE_SERVICE_LIST], 0, note_list, &is_nil);
    struct catalog_node_request *q = c->request;
    q->datacenter = mu__cstr("dc1");
    q->node = mu__cstr(node);
    q->options.filter = mu__cstr(filter);
    call_start(k.backend, c);
    return is_nil;
}

/* nil is null to the clients of a Consul agent, and [] is not. */
static void only_what_was_not_filtered_may_be_nil(void **state)
{
    (void)state;
    struct outcome o;
    struct catalog_register_request *q = kit_call(&k, ENDPOINT_CATALOG_REGISTER, &o)->request;
    q->node = mu__cstr("bare");
    q->address = mu__cstr("10.0.0.1");
    kit_start(&k, &o);
    kit_until(&k, &o.done);
    register_service("n1", "web");
    assert_true(services_are_nil("bare", ""));
    assert_false(services_are_nil("bare", "Service == \"web\""));
    assert_false(services_are_nil("n1", "Service == \"db\""));
    assert_true(services_are_nil("unknown", "Service == \"db\""));
}

static void a_wrong_filter_is_an_error(void **state)
{
    (void)state;
    struct outcome o;
    assert_int_equal(filtered(ENDPOINT_CATALOG_LIST_NODES, "Nonsense ==", &o), 0);
    assert_string_not_equal(o.error, "");
    assert_int_equal(filtered(ENDPOINT_CATALOG_LIST_NODES, "Nonsense == 1", &o), 0);
    assert_string_not_equal(o.error, "");
}

int main(void)
{
#define LED(f)   cmocka_unit_test_setup_teardown(f, with_leader, teardown)
#define ALONE(f) cmocka_unit_test_setup_teardown(f, without_leader, teardown)
    const struct CMUnitTest tests[] = {
        LED(what_was_written_can_be_read),
        LED(a_refused_write_says_why_and_costs_no_entry),
        LED(a_cas_answers_whether_it_was_done),
        LED(a_consistent_read_asks_a_majority_first),
        LED(a_question_to_the_majority_grants_what_came_before_it_alone),
        LED(another_datacenter_is_unknown),
        LED(the_server_answers_for_itself),
        LED(calls_of_the_agent_go_to_the_agent),
        LED(a_restarted_server_knows_its_peers_at_once),
        LED(a_blocked_read_wakes_with_its_key_and_no_other),
        LED(a_write_elsewhere_wakes_nobody),
        LED(a_woken_read_knows_when_its_change_was_committed),
        LED(a_restored_snapshot_answers_whoever_waits),
        LED(a_blocked_read_ends_with_its_time),
        LED(an_answer_may_start_the_next_read),
        LED(blocked_reads_leave_when_leadership_is_lost),
        LED(a_cancelled_call_is_never_answered),
        ALONE(without_a_leader_patience_ends),
        ALONE(calls_that_wait_go_on_when_there_is_a_leader),
        ALONE(a_stream_of_calls_does_not_starve_those_that_wait),
        ALONE(an_answer_may_cancel_other_calls_that_wait),
        ALONE(a_waiting_call_can_be_cancelled),
        LED(all_that_waits_is_told_at_the_end),
        LED(what_the_core_still_has_is_told_when_raft_ends),
        ALONE(held_calls_are_told_at_the_end),
        ALONE(an_entry_that_cannot_be_applied_is_the_last),
        LED(a_filter_is_applied_where_the_records_are),
        LED(a_filter_for_an_address_answers_and_waits_as_others_do),
        LED(a_service_has_a_virtual_address_while_it_has_a_proxy),
        LED(an_intention_gets_its_id_and_decides),
        LED(only_what_was_not_filtered_may_be_nil),
        LED(a_wrong_filter_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
