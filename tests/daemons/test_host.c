/* Mirrors base/host.c: what it says of this very machine. */
#include "base/host.h"
#include "base/json.h"

#include "mu_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t number(const char *text, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(text, quoted);
    assert_non_null(at);
    return strtoull(at + strlen(quoted), NULL, 10);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what)) {
        n++;
    }
    return n;
}

static void test_it_is_one_json_object_whose_numbers_fit_together(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    char err[JSON_ERROR_MAX], host[128] = "";
    size_t end;
    host_write_json(&j, 12345);
    mu__write_u8(&w, 0);
    assert_false(w.failed);
    const char *text = (const char *)w.data;
    assert_true(json_scan(text, w.len - 1, &end, err, sizeof err));
    assert_int_equal(end, w.len - 1);

    assert_true(number(text, "total") > 0 && number(text, "used") < number(text, "total"));
    assert_true(number(text, "available") <= number(text, "total"));
    assert_true(count(text, "\"vendorId\":") >= 1);
    assert_int_equal(count(text, "\"flags\":["), count(text, "\"cpu\":"));
    assert_true(number(text, "procs") >= 1);
    assert_true(number(text, "bootTime") > 0);
    gethostname(host, sizeof host - 1);
    assert_non_null(strstr(text, host));
    assert_int_equal(number(text, "CollectionTime"), 12345);
    assert_non_null(strstr(text, "\"Errors\":null}"));
    mu__writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_one_json_object_whose_numbers_fit_together),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
