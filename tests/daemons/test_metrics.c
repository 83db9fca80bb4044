/* Mirrors daemons/base/metrics.c and metrics_text.c. An interval ends when the test says so. The
 * registry is one for the process, so each test has metrics of its own. */
#include "mu_test.h"

#include "base/loop.h"
#include "base/metrics.h"
#include "base/metrics_internal.h"

#include <math.h>
#include <pthread.h>

#define AT 1700000000

static struct metric_rolled look(enum metric m)
{
    struct metric_rolled found = {.count = UINT64_MAX};
    const struct metric_name *name;
    assert_true(metrics__hold());
    for (size_t i = 0; i < metrics__count(); i++) {
        const struct metric_rolled *r = metrics__at(i, &name);
        if (m == METRIC_KVS_APPLY && strcmp(name->name, "kvs.apply") == 0) {
            found = *r;
        } else if (m == METRIC_RAFT_APPLY && strcmp(name->name, "raft.apply") == 0) {
            found = *r;
        } else if (m == METRIC_TXN_READ && strcmp(name->name, "txn.read") == 0) {
            found = *r;
        }
    }
    metrics__release();
    assert_true(found.count != UINT64_MAX);
    return found;
}

static char *text(void (*write)(struct mu__writer *w))
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    write(&w);
    mu__write_u8(&w, 0);
    assert_false(w.failed);
    return (char *)w.data;
}

static void json(struct mu__writer *w)
{
    struct mu__json j = mu__json(w, false);
    metrics_write_json(&j);
}

static void statsd(struct mu__writer *w)
{
    metrics_write_statsd(w, NULL);
}

static void dogstatsd(struct mu__writer *w)
{
    struct mu_str tags[] = {mu__cstr("env:test"), mu__cstr("rack:7")};
    metrics_write_statsd(w, &(struct mu_strs){tags, 2});
}

static void test_an_interval_has_what_was_sampled_in_it_alone(void **state)
{
    (void)state;
    metric_sample(METRIC_KVS_APPLY, 1);
    metrics_roll(AT);
    metric_sample(METRIC_KVS_APPLY, 2);
    metric_sample(METRIC_KVS_APPLY, 4);
    metric_sample(METRIC_KVS_APPLY, 6);
    metrics_roll(AT + 10);
    struct metric_rolled r = look(METRIC_KVS_APPLY);
    assert_int_equal(r.count, 3);
    assert_true(r.sum == 12 && r.min == 2 && r.max == 6);
    assert_int_equal(r.total_count, 4);
    assert_true(r.total_sum == 13);
    metrics_roll(AT + 20);
    r = look(METRIC_KVS_APPLY);
    assert_int_equal(r.count, 0);
    assert_int_equal(r.total_count, 4);
}

static void test_min_and_max_may_be_zero_or_below(void **state)
{
    (void)state;
    enum metric m = METRIC_TXN_READ;
    metric_sample(m, 0);
    metric_sample(m, -3);
    metrics_roll(AT);
    assert_true(look(m).min == -3 && look(m).max == 0);
}

static void test_quantiles_are_good_to_an_eighth(void **state)
{
    (void)state;
    metrics_roll(AT);
    for (int i = 1; i <= 1000; i++) {
        metric_sample(METRIC_KVS_APPLY, i * 0.1);
    }
    metrics_roll(AT);
    struct metric_rolled r = look(METRIC_KVS_APPLY);
    static const double parts[3] = {50, 90, 99};
    for (size_t i = 0; i < 3; i++) {
        assert_true(fabs(r.quantiles[i] - parts[i]) <= parts[i] / 8 + 0.1);
    }
}

static void test_buckets_hold_what_is_below_their_top(void **state)
{
    (void)state;
    for (size_t i = 1; i < METRIC_BUCKETS; i++) {
        assert_true(metrics__bucket_top(i) > metrics__bucket_top(i - 1));
    }
    /* Never outside, whatever is sampled. */
    metric_sample(METRIC_KVS_APPLY, INFINITY);
    metric_sample(METRIC_KVS_APPLY, 1e300);
    metric_sample(METRIC_KVS_APPLY, 5e-324);
    metrics_roll(AT);
}

static void *count_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        metric_count(METRIC_RAFT_APPLY, 2);
    }
    return NULL;
}

static void test_no_count_of_any_thread_is_lost(void **state)
{
    (void)state;
    pthread_t threads[6];
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    }
    metrics_roll(AT); /* in the middle of it */
    for (size_t i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
    }
    metrics_roll(AT);
    assert_int_equal(look(METRIC_RAFT_APPLY).total_count, 120000);
    assert_true(look(METRIC_RAFT_APPLY).total_sum == 240000);
}

static void test_the_same_name_is_the_same_metric_and_none_is_counted_nowhere(void **state)
{
    (void)state;
    enum metric a = metrics_add(METRIC_SAMPLE, "http.GET.v1.test.one");
    assert_true(a != METRIC_NONE);
    assert_int_equal(metrics_add(METRIC_SAMPLE, "http.GET.v1.test.one"), a);
    assert_int_equal(metrics_add(METRIC_COUNTER, "kvs.apply"), METRIC_KVS_APPLY);
    metric_count(METRIC_NONE, 1);
    metric_set(METRIC_NONE, 1);
    metric_sample(METRIC_NONE, 1);
    char name[32];
    enum metric last = a;
    for (int i = 0; i < 1000 && last != METRIC_NONE; i++) {
        snprintf(name, sizeof name, "many.%d", i);
        last = metrics_add(METRIC_COUNTER, name);
    }
    assert_int_equal(last, METRIC_NONE); /* there is an end */
}

static void on_collect(void *arg)
{
    metric_set(METRIC_RAFT_LAST_INDEX, *(const double *)arg);
}

static void test_json_has_lists_of_gauges_counters_and_samples(void **state)
{
    (void)state;
    double last_index = 17;
    metrics_roll(AT);
    metrics_collect(on_collect, &last_index);
    metric_count(METRIC_RPC_QUERY, 1);
    metric_sample(METRIC_CATALOG_REGISTER, 2.5);
    metrics_roll(1795392820);
    metrics_collect(NULL, &last_index);
    char *body = text(json);
    assert_string_equal(
        body,
        "{\"Timestamp\":\"2026-11-23 00:13:30 +0000 UTC\",\"Gauges\":[{\"Name\":\"consul.raft."
        "last_index\",\"Value\":17,\"Labels\":{}}],\"Points\":[],\"Counters\":[{\"Name\":\"consul."
        "rpc.query\",\"Count\":1,\"Rate\":0.1,\"Sum\":1,\"Min\":1,\"Max\":1,\"Mean\":1,\"Stddev\":"
        "0,\"Labels\":{}}],\"Samples\":[{\"Name\":\"consul.catalog.register\",\"Count\":1,"
        "\"Rate\":0.25,\"Sum\":2.5,\"Min\":2.5,\"Max\":2.5,\"Mean\":2.5,\"Stddev\":0,\"Labels\":{}}"
        "]}");
    free(body);
}

static void test_prometheus_has_sums_summaries_and_buckets(void **state)
{
    (void)state;
    metric_sample(METRIC_WATCH_DELIVERY, 0.3);
    metric_sample(METRIC_WATCH_DELIVERY, 3);
    metrics_roll(AT);
    char *body = text(metrics_write_prometheus);
    assert_non_null(strstr(body, "# TYPE consul_watch_delivery histogram\n"));
    assert_non_null(strstr(body, "consul_watch_delivery_bucket{le=\"0.25\"} 0\n"));
    assert_non_null(strstr(body, "consul_watch_delivery_bucket{le=\"0.5\"} 1\n"));
    assert_non_null(strstr(body, "consul_watch_delivery_bucket{le=\"4\"} 2\n"));
    assert_non_null(strstr(body, "consul_watch_delivery_bucket{le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(body, "consul_watch_delivery_count 2\n"));
    assert_non_null(strstr(body, "# TYPE consul_rpc_query counter\nconsul_rpc_query 1\n"));
    assert_non_null(strstr(body, "consul_catalog_register{quantile=\"0.5\"} NaN\n"));
    assert_non_null(strstr(body, "consul_catalog_register_sum 2.5\n"));
    assert_null(strstr(body, "consul_txn_apply")); /* was never sampled, and this is no server */
    assert_non_null(strstr(body, "\nconsul_client_rpc 0\n")); /* likewise, but all have it */
    free(body);
}

static void test_filters_and_the_host_shape_the_names(void **state)
{
    (void)state;
    struct mu_str filters[] = {mu__cstr("-roll.raft"), mu__cstr("+roll.raft.last"), mu__cstr("-")};
    struct metrics_config c = {.prefix = "roll",
                               .host = "box-1",
                               .filter_default = true,
                               .filters = filters,
                               .nfilters = 3};
    metrics_configure(&c);
    metrics_roll(AT);
    char *body = text(metrics_write_prometheus);
    assert_non_null(strstr(body, "\nroll_box_1_raft_last_index 17\n"));
    assert_null(strstr(body, "raft_apply"));
    assert_non_null(strstr(body, "\nroll_rpc_query 1\n"));
    free(body);
    metric_count(METRIC_RPC_QUERY, 3);
    metrics_roll(AT);
    body = text(statsd);
    assert_non_null(strstr(body, "roll.box-1.raft.last_index:17.000000|g\n"));
    assert_non_null(strstr(body, "roll.rpc.query:3.000000|c\n"));
    free(body);
    metrics_configure(&(struct metrics_config){.prefix = "consul", .filter_default = true});
}

/* ---- Values from outside ---- */

#define QUERY  METRIC_FAMILY_HEALTH_SERVICE_QUERY
#define TAGGED METRIC_FAMILY_HEALTH_SERVICE_QUERY_TAGS

static const struct mu_str none = {NULL, 0};

static void forget_values(void)
{
    for (int i = 0; i <= 600 / METRICS_INTERVAL_S + 1; i++) {
        metrics_roll(AT);
    }
}

static size_t occurrences(const char *body, const char *what)
{
    size_t n = 0;
    for (const char *at = body; (at = strstr(at, what)) != NULL; at++) {
        n++;
    }
    return n;
}

static void test_each_value_of_a_label_counts_by_itself(void **state)
{
    (void)state;
    metric_count_of(QUERY, mu__cstr("web"), none);
    metric_count_of(QUERY, mu__cstr("web"), none);
    metric_count_of(QUERY, mu__cstr("db"), none);
    metric_count_of(TAGGED, mu__cstr("web"), mu__cstr("v1"));
    metric_count_of(METRIC_FAMILY_SERF_EVENTS_NAMED, mu__cstr("deploy"), none);
    metrics_roll(AT);
    char *body = text(metrics_write_prometheus);
    assert_non_null(strstr(body, "\nconsul_health_service_query{service=\"db\"} 1\n"
                                 "consul_health_service_query{service=\"web\"} 2\n"));
    assert_int_equal(occurrences(body, "# TYPE consul_health_service_query counter\n"), 1);
    assert_non_null(
        strstr(body, "\nconsul_health_service_query_tags{service=\"web\",tag=\"v1\"} 1\n"));
    assert_non_null(strstr(body, "\nconsul_serf_events_deploy 1\n"));
    free(body);
    body = text(json);
    assert_non_null(strstr(body, "\"Labels\":{\"service\":\"web\",\"tag\":\"v1\"}}"));
    free(body);
    body = text(statsd);
    assert_non_null(strstr(body, "consul.health.service.query-tags.web.v1:1.000000|c\n"));
    free(body);
    body = text(dogstatsd);
    assert_non_null(strstr(body, "consul.health.service.query-tags:1.000000|c|#env:test,rack:7,"
                                 "service:web,tag:v1\n"));
    free(body);
    forget_values();
}

static void test_values_cannot_break_out_of_their_quotes(void **state)
{
    (void)state;
    metric_count_of(QUERY, mu__cstr("a\"} 1\\"), none);
    metric_count_of(QUERY, mu__cstr("x|c:#,"), none);
    metric_count_of(QUERY, mu__cstr("line\nbreak"), none);
    metric_count_of(QUERY, mu__cstr("no\xff text"), none);
    metric_count_of(QUERY, (struct mu_str){"a\0b", 3}, none);
    metrics_roll(AT);
    char *body = text(metrics_write_prometheus);
    assert_non_null(strstr(body, "{service=\"a\\\"} 1\\\\\"} 1\n"));
    assert_non_null(strstr(body, "{service=\"(others)\"} 3\n"));
    free(body);
    body = text(statsd);
    assert_non_null(strstr(body, "consul.health.service.query.x_c_#,:1.000000|c\n"));
    free(body);
    body = text(dogstatsd);
    assert_non_null(strstr(body, ",service:x_c:#_\n"));
    free(body);
    forget_values();
}

static void test_random_values_do_not_grow_without_end(void **state)
{
    (void)state;
    char name[80];
    metric_count_of(QUERY, mu__cstr("steady"), none);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "random-%d", i);
        metric_count_of(QUERY, mu__cstr(name), none);
    }
    memset(name, 'x', sizeof name);
    metric_count_of(QUERY, (struct mu_str){name, sizeof name}, none);
    metric_count_of(QUERY, mu__cstr("steady"), none);
    metrics_roll(AT);
    char *body = text(metrics_write_prometheus);
    size_t shown = occurrences(body, "consul_health_service_query{");
    assert_in_range(shown, METRIC_LABELLED_MAX / 2, METRIC_LABELLED_MAX + 1);
    assert_non_null(strstr(body, "{service=\"(others)\"}"));
    assert_non_null(strstr(body, "{service=\"steady\"} 2\n"));
    free(body);
}

static void test_values_go_when_nothing_counts_them_for_long(void **state)
{
    (void)state;
    for (int i = 0; i <= 600 / METRICS_INTERVAL_S + 1; i++) {
        metric_count_of(QUERY, mu__cstr("steady"), none);
        metrics_roll(AT);
    }
    char *body = text(metrics_write_prometheus);
    assert_int_equal(occurrences(body, "consul_health_service_query{"), 2); /* and the others */
    assert_non_null(strstr(body, "{service=\"steady\"} 6"));
    free(body);
    metric_count_of(QUERY, mu__cstr("random-1"), none); /* begins anew */
    metrics_roll(AT);
    body = text(metrics_write_prometheus);
    assert_non_null(strstr(body, "{service=\"random-1\"} 1\n"));
    free(body);
    forget_values();
}

static void *count_values(void *arg)
{
    char name[32];
    for (int i = 0; i < 4000; i++) {
        snprintf(name, sizeof name, "shared-%d", i % 50);
        metric_count_of(QUERY, mu__cstr(name), none);
        snprintf(name, sizeof name, "own-%d-%d", *(int *)arg, i);
        metric_count_of(TAGGED, mu__cstr(name), mu__cstr("t"));
    }
    return NULL;
}

static void test_threads_find_each_others_values(void **state)
{
    (void)state;
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    for (size_t i = 0; i < 50; i++) { /* so that none of them finds the table full */
        char name[32];
        snprintf(name, sizeof name, "shared-%d", (int)i);
        metric_count_of(QUERY, mu__cstr(name), none);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_values, &numbers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        metrics_roll(AT);
        free(text(metrics_write_prometheus));
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    metrics_roll(AT);
    char *body = text(metrics_write_prometheus);
    assert_int_equal(occurrences(body, "consul_health_service_query{service=\"shared-7\"} 321\n"),
                     1);
    free(body);
    forget_values();
}

static void test_a_server_shows_its_metrics_from_the_start(void **state)
{
    (void)state;
    metrics_configure(&(struct metrics_config){
        .prefix = "consul", .filter_default = true, .node = "n\"1", .is_server = true});
    metrics_roll(AT);
    char *body = text(metrics_write_prometheus);
    assert_non_null(strstr(body, "consul_txn_apply_count 0\n"));
    assert_non_null(strstr(body, "consul_txn_apply{quantile=\"0.5\"} NaN\n"));
    assert_non_null(strstr(body, "consul_fsm_kvs_count{op=\"lock\"} 0\n"));
    assert_non_null(strstr(body, "consul_dns_domain_query_sum{node=\"n\\\"1\"} 0\n"));
    assert_null(strstr(body, "consul_session_ttl_active")); /* a gauge has no value yet */
    free(body);
    metrics_configure(&(struct metrics_config){.prefix = "consul", .filter_default = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_has_lists_of_gauges_counters_and_samples),
        cmocka_unit_test(test_prometheus_has_sums_summaries_and_buckets),
        cmocka_unit_test(test_filters_and_the_host_shape_the_names),
        cmocka_unit_test(test_each_value_of_a_label_counts_by_itself),
        cmocka_unit_test(test_values_cannot_break_out_of_their_quotes),
        cmocka_unit_test(test_random_values_do_not_grow_without_end),
        cmocka_unit_test(test_values_go_when_nothing_counts_them_for_long),
        cmocka_unit_test(test_threads_find_each_others_values),
        cmocka_unit_test(test_a_server_shows_its_metrics_from_the_start),
        cmocka_unit_test(test_an_interval_has_what_was_sampled_in_it_alone),
        cmocka_unit_test(test_min_and_max_may_be_zero_or_below),
        cmocka_unit_test(test_quantiles_are_good_to_an_eighth),
        cmocka_unit_test(test_buckets_hold_what_is_below_their_top),
        cmocka_unit_test(test_no_count_of_any_thread_is_lost),
        cmocka_unit_test(test_the_same_name_is_the_same_metric_and_none_is_counted_nowhere),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
