/* Mirrors daemons/base/loop.c and log.c. */
#include "mu_test.h"

#include "base/log.h"
#include "base/loop.h"

#include <pthread.h>
#include <unistd.h>

#define POSTS   1000
#define POSTERS 4

struct counter {
    struct loop *loop;
    int next[POSTERS]; /* the number expected from each poster */
    int total;
    bool ordered, on_loop;
};
struct numbered {
    struct counter *counter;
    int poster, number;
};

static void count(void *arg)
{
    struct numbered *m = arg;
    struct counter *c = m->counter;
    c->ordered = c->ordered && c->next[m->poster] == m->number;
    c->on_loop = c->on_loop && loop_is_current(c->loop);
    c->next[m->poster]++;
    if (++c->total == POSTS * POSTERS) {
        loop_stop(c->loop);
    }
    free(m);
}

struct poster {
    struct counter *counter;
    int id;
};

static void *post_many(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < POSTS; i++) {
        struct numbered *m = malloc(sizeof *m);
        *m = (struct numbered){p->counter, p->id, i};
        loop_post(p->counter->loop, count, m);
    }
    return NULL;
}

static void test_posts_of_each_thread_run_in_order_on_the_loop(void **state)
{
    (void)state;
    struct counter c = {.loop = loop_create("test"), .ordered = true, .on_loop = true};
    struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    assert_non_null(c.loop);
    assert_int_equal(loop_start(c.loop), 0);
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){&c, i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    loop_join(c.loop);
    assert_int_equal(c.total, POSTS * POSTERS);
    assert_true(c.ordered);
    assert_true(c.on_loop);
    assert_false(loop_is_current(c.loop));
    loop_destroy(c.loop);
}

static void increment(void *arg)
{
    ++*(int *)arg;
}

static void test_messages_queued_when_a_loop_stops_are_run_by_destroy(void **state)
{
    (void)state;
    int n = 0;
    struct loop *l = loop_create("test");
    loop_post(l, increment, &n);
    loop_post(l, increment, &n);
    loop_destroy(l);
    assert_int_equal(n, 2);
}

struct chain {
    struct loop *loop;
    int left;
};

static void step(void *arg)
{
    struct chain *c = arg;
    if (--c->left > 0) {
        loop_post(c->loop, step, c);
    } else {
        loop_stop(c->loop);
    }
}

static void test_a_message_may_post_to_its_own_loop(void **state)
{
    (void)state;
    struct chain c = {loop_create("test"), 100};
    loop_post(c.loop, step, &c);
    loop_run(c.loop);
    assert_int_equal(c.left, 0);
    loop_destroy(c.loop);
}

static void read_log(int fd, char *buf, size_t cap)
{
    ssize_t n = read(fd, buf, cap - 1);
    buf[n > 0 ? n : 0] = 0;
}

static void test_a_log_line_cannot_forge_another(void **state)
{
    (void)state;
    int fds[2];
    char line[512];
    assert_int_equal(pipe(fds), 0);
    int before = log_set_fd(fds[1]);
    log_info("agent", "user said %s", "x\n2026 [ERROR] agent: forged\x1b[2J");
    read_log(fds[0], line, sizeof line);
    log_set_fd(before);
    assert_non_null(
        strstr(line, "Z [INFO]  agent: user said x\\n2026 [ERROR] agent: forged\\x1b[2J\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    close(fds[0]);
    close(fds[1]);
}

static void test_lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    int fds[2];
    char line[512];
    assert_int_equal(pipe(fds), 0);
    int before = log_set_fd(fds[1]);
    log_debug("agent", "not this");
    log_warn("agent", "this");
    read_log(fds[0], line, sizeof line);
    log_set_fd(before);
    assert_null(strstr(line, "not this"));
    assert_non_null(strstr(line, " [WARN]  agent: this\n"));
    close(fds[0]);
    close(fds[1]);
}

static void test_levels_are_known_by_name_in_any_case(void **state)
{
    (void)state;
    enum mu_level level;
    assert_true(log_parse_level("WARN", &level));
    assert_int_equal(level, MU_WARN);
    assert_true(log_parse_level("err", &level));
    assert_int_equal(level, MU_ERROR);
    assert_false(log_parse_level("loud", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_of_each_thread_run_in_order_on_the_loop),
        cmocka_unit_test(test_messages_queued_when_a_loop_stops_are_run_by_destroy),
        cmocka_unit_test(test_a_message_may_post_to_its_own_loop),
        cmocka_unit_test(test_a_log_line_cannot_forge_another),
        cmocka_unit_test(test_lines_below_the_level_are_not_written),
        cmocka_unit_test(test_levels_are_known_by_name_in_any_case),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
