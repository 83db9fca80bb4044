/* Joins and their error texts. Mirrors node/join.c, lookup.c. */
#include "node_kit.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static nlink_t threads_at_start;

static nlink_t threads(void)
{
    struct stat tasks;
    assert_int_equal(stat("/proc/self/task", &tasks), 0);
    return tasks.st_nlink;
}

/* A cancelled lookup may still be under way in getaddrinfo, which frees what it holds when its
 * thread ends: a process that ends before would be told of a leak. ThreadSanitizer looks for none,
 * and has a thread of its own. */
static void wait_for_cancelled_lookups(void)
{
#ifndef __SANITIZE_THREAD__
    while (threads() > threads_at_start) {
        sched_yield();
    }
#endif
}

/* A port of 127.0.0.1 that nothing listens on, kept reserved by a bound socket. */
static int closed_port(uint16_t *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    *port = ntohs(sin.sin_port);
    return fd;
}

static void run_join(struct pool *p, struct peer *a, const char *const *list, size_t n,
                     struct joined *out)
{
    memset(out, 0, sizeof *out);
    assert_int_equal(swim_node_join(a->node, list, n, on_joined, out), SWIM_OK);
    assert_false(out->done); /* never from inside the call */
    pool_run_until(p, is_joined, out);
}

static void test_a_refused_connection_is_told_in_consuls_words(void **state)
{
    (void)state;
    struct pool p;
    struct joined joined;
    char entry[64], want[256];
    uint16_t port;
    int fd = closed_port(&port);
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    snprintf(entry, sizeof entry, "127.0.0.1:%u", port);
    run_join(&p, a, (const char *[]){entry}, 1, &joined);
    snprintf(want, sizeof want,
             "1 error occurred:\n\t* Failed to join 127.0.0.1: dial tcp %s: connect: connection "
             "refused\n\n",
             entry);
    assert_string_equal(joined.error, want);
    close(fd);
    pool_close(&p);
}

static void test_one_success_is_no_error(void **state)
{
    (void)state;
    struct pool p;
    struct joined joined;
    char bad[64], good[SWIM_ADDR_TEXT];
    uint16_t port;
    int fd = closed_port(&port);
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b");
    snprintf(bad, sizeof bad, "127.0.0.1:%u", port);
    run_join(&p, a, (const char *[]){bad, peer_addr(b, good)}, 2, &joined);
    assert_int_equal(joined.count, 1);
    close(fd);
    pool_close(&p);
}

static void test_errors_of_all_addresses_are_listed(void **state)
{
    (void)state;
    struct pool p;
    struct joined joined;
    char bad[64];
    uint16_t port;
    int fd = closed_port(&port);
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    snprintf(bad, sizeof bad, "127.0.0.1:%u", port);
    run_join(&p, a, (const char *[]){bad, "[::1", bad}, 3, &joined);
    assert_int_equal(strncmp(joined.error, "3 errors occurred:\n\t* ", 22), 0);
    assert_non_null(strstr(joined.error, "Failed to resolve [::1: "));
    close(fd);
    pool_close(&p);
}

static void test_names_are_looked_up_and_node_names_are_cut_off(void **state)
{
    (void)state;
    struct pool p;
    struct joined joined;
    char entry[64];
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b");
    snprintf(entry, sizeof entry, "b/localhost:%u", swim_node_addr(b->node)->port);
    run_join(&p, a, (const char *[]){entry}, 1, &joined);
    assert_in_range(joined.count, 1, 2); /* ::1 may be among the addresses, where nobody listens */
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    pool_close(&p);
}

static void test_a_name_that_does_not_exist_is_told(void **state)
{
    (void)state;
    struct pool p;
    struct joined joined;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    run_join(&p, a, (const char *[]){"nobody.invalid:1"}, 1, &joined);
    assert_int_equal(joined.count, 0);
    assert_non_null(
        strstr(joined.error, "\t* Failed to resolve nobody.invalid:1: lookup nobody.invalid: "));
    pool_close(&p);
}

static void test_without_a_port_our_own_is_meant(void **state)
{
    (void)state;
    struct pool p;
    struct joined joined;
    struct swim_node_config cfg;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    pool_config(&p, &cfg, "b");
    cfg.bind.ip[3] = 2; /* 127.0.0.2 with the port of a */
    cfg.bind.port = swim_node_addr(a->node)->port;
    struct peer *b = pool_add(&p, &cfg);
    run_join(&p, a, (const char *[]){"127.0.0.2"}, 1, &joined);
    assert_int_equal(joined.count, 1);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    pool_close(&p);
}

static void test_more_addresses_than_run_at_a_time_are_all_tried(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct pool p;
    struct joined joined;
    char addr[SWIM_ADDR_TEXT];
    const char *list[MANY];
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b");
    for (size_t i = 0; i < MANY; i++) {
        list[i] = peer_addr(b, addr);
    }
    run_join(&p, a, list, MANY, &joined);
    assert_int_equal(joined.count, MANY);
    pool_close(&p);
}

static void test_destroy_reports_joins_that_are_under_way(void **state)
{
    (void)state;
    struct pool p;
    struct joined joined = {0}, lookup = {0};
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    assert_int_equal(
        swim_node_join(a->node, (const char *[]){"127.0.0.1:1"}, 1, on_joined, &joined), SWIM_OK);
    assert_int_equal(
        swim_node_join(a->node, (const char *[]){"nobody.invalid:1"}, 1, on_joined, &lookup),
        SWIM_OK);
    pool_kill(&p, a);
    assert_true(joined.done);
    assert_true(lookup.done);
    assert_non_null(strstr(joined.error, "the node is shut down"));
    pool_close(&p);
    wait_for_cancelled_lookups();
}

static void test_an_empty_list_and_a_node_that_left_are_refused(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    assert_int_equal(swim_node_join(a->node, NULL, 0, on_joined, NULL), SWIM_EINVAL);
    swim_node_leave(a->node, NULL, NULL);
    assert_int_equal(swim_node_join(a->node, (const char *[]){"127.0.0.1:1"}, 1, on_joined, NULL),
                     SWIM_ELEFT);
    pool_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refused_connection_is_told_in_consuls_words),
        cmocka_unit_test(test_one_success_is_no_error),
        cmocka_unit_test(test_errors_of_all_addresses_are_listed),
        cmocka_unit_test(test_names_are_looked_up_and_node_names_are_cut_off),
        cmocka_unit_test(test_a_name_that_does_not_exist_is_told),
        cmocka_unit_test(test_without_a_port_our_own_is_meant),
        cmocka_unit_test(test_more_addresses_than_run_at_a_time_are_all_tried),
        cmocka_unit_test(test_destroy_reports_joins_that_are_under_way),
        cmocka_unit_test(test_an_empty_list_and_a_node_that_left_are_refused),
    };
    threads_at_start = threads();
    return cmocka_run_group_tests_name("node_join", tests, NULL, NULL);
}
