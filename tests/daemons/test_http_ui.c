/* Mirrors daemons/http/ui.c: the page that is built in, and folders of files. */
#include "http_kit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kit k;
static char folder[] = "/tmp/muster-ui-XXXXXX";

static int begin(void **state)
{
    (void)state;
    kit_init(&k);
    k.config.ui = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_stop(&k);
    return 0;
}

static int setup(void **state)
{
    begin(state);
    kit_start(&k);
    return 0;
}

static void put(const char *name, const char *content, size_t len)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, len, f), len);
    fclose(f);
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_link(const char *to, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(symlink(to, path), 0);
}

/* A folder with pages, beside a file that is nobody's business. */
static int setup_folder(void **state)
{
    begin(state);
    assert_non_null(mkdtemp(folder));
    make_folder("ui");
    make_folder("ui/sub");
    make_folder("ui/bare");
    make_folder("out");
    put("secret", "secret", 6);
    put("out/secret", "secret", 6);
    put("ui/index.html", "index", 5);
    put("ui/a.js", "js", 2);
    put("ui/a b.CSS", "css", 3);
    put("ui/text", "text", 4);
    put("ui/data", "a\0b", 3);
    put("ui/sub/index.html", "sub", 3);
    put("ui/sub/x.svg", "svg", 3);
    make_link("../secret", "ui/link");
    make_link("../out", "ui/way");
    char large[256];
    snprintf(large, sizeof large, "%s/ui/large", folder);
    int fd = open(large, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(ftruncate(fd, (off_t)17 << 20), 0);
    close(fd);
    snprintf(large, sizeof large, "%s/ui/pipe", folder);
    assert_int_equal(mkfifo(large, 0600), 0);
    snprintf(large, sizeof large, "%s/ui", folder);
    k.config.ui_dir = large;
    k.config.ui_path = "/x/ui/";
    kit_start(&k);
    return 0;
}

static int teardown_folder(void **state)
{
    static const char *const files[] = {"secret",        "out/secret",
                                        "ui/index.html", "ui/a.js",
                                        "ui/a b.CSS",    "ui/text",
                                        "ui/data",       "ui/sub/index.html",
                                        "ui/sub/x.svg",  "ui/link",
                                        "ui/way",        "ui/large",
                                        "ui/pipe",       "ui/sub",
                                        "ui/bare",       "ui",
                                        "out",           ""};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_int_equal(remove(path), 0);
    }
    return teardown(state);
}

/* Asks, and holds the answer against what is expected; type NULL: any, location NULL: none. */
static void ask(const char *line, int status, const char *body, const char *type,
                const char *location)
{
    struct reply r = kit_ask(&k, line, "", NULL);
    const char *to = reply_header(&r, "Location");
    bool is_there = location ? to && strcmp(to, location) == 0 : !to;
    if (r.status != status || (body && strcmp(r.body, body) != 0) || !is_there) {
        fail_msg("%s: %d %s to %s", line, r.status, r.body, to ? to : "nowhere");
    }
    if (type) {
        assert_string_equal(reply_header(&r, "Content-Type"), type);
    }
    reply_free(&r);
}

static void test_the_root_leads_to_the_page(void **state)
{
    (void)state;
    ask("GET /", 301, NULL, NULL, "/ui/");
    ask("GET /?a=b", 301, NULL, NULL, "/ui/");
    ask("PUT /", 301, "", NULL, "/ui/");
    ask("GET /ui", 301, NULL, NULL, "/ui/");
    ask("GET /ui?a=b", 301, NULL, NULL, "/ui/?a=b");
    ask("GET /ui/index.html", 301, NULL, NULL, "./");
    ask("GET /uix/", 404, NULL, NULL, NULL);
}

/* The nonce of a page, as its policy tells it. */
static void read_nonce(const char *line, char out[64])
{
    struct reply r = kit_ask(&k, line, "", NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
    const char *policy = reply_header(&r, "Content-Security-Policy");
    assert_non_null(policy);
    assert_non_null(strstr(policy, "default-src 'none'"));
    const char *at = strstr(policy, "script-src 'nonce-");
    assert_int_equal(sscanf(at, "script-src 'nonce-%63[^']", out), 1);
    char script[128];
    snprintf(script, sizeof script, "<script nonce=\"%s\">", out);
    assert_non_null(strstr(r.body, script));
    assert_null(strstr(r.body, "nonce@@"));
    assert_null(strstr(r.body, "://cdn"));
    reply_free(&r);
}

static void test_only_the_scripts_of_the_page_run(void **state)
{
    (void)state;
    char one[64], other[64];
    read_nonce("GET /ui/", one);
    read_nonce("GET /ui/any/path", other);
    assert_string_not_equal(one, other);
    read_nonce("POST /ui/", one);
}

static void test_the_api_is_where_it_was(void **state)
{
    (void)state;
    ask("GET /v1/status/leader", 200, "\"\"", "application/json", NULL);
    ask("GET /v1/nope", 404, "", NULL, NULL);
}

static void test_files_have_their_types(void **state)
{
    (void)state;
    ask("GET /", 301, NULL, NULL, "/x/ui/");
    ask("GET /ui/", 404, NULL, NULL, NULL);
    ask("GET /x/ui/", 200, "index", "text/html; charset=utf-8", NULL);
    ask("GET /x/ui/a.js", 200, "js", "text/javascript; charset=utf-8", NULL);
    ask("GET /x/ui/a%20b.CSS", 200, "css", "text/css; charset=utf-8", NULL);
    ask("GET /x/ui/text", 200, "text", "text/plain; charset=utf-8", NULL);
    ask("GET /x/ui/data", 200, NULL, "application/octet-stream", NULL);
    ask("GET /x/ui/sub/x.svg", 200, "svg", "image/svg+xml", NULL);
}

static void test_folders_have_a_slash_and_an_index(void **state)
{
    (void)state;
    ask("GET /x/ui/sub", 301, "", NULL, "sub/");
    ask("GET /x/ui/sub/", 200, "sub", "text/html; charset=utf-8", NULL);
    ask("GET /x/ui/sub/index.html", 301, "", NULL, "./");
    ask("GET /x/ui/bare/", 200, "index", NULL, NULL);
    ask("GET /x/ui/bare", 301, "", NULL, "bare/");
}

static void test_what_is_not_there_is_the_index(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "GET /x/ui/nope",   "GET /x/ui/nope/",    "GET /x/ui/a.js/",
        "GET /x/ui/a.js/b", "GET /x/ui/sub/nope", "GET /x/ui/large",
        "GET /x/ui/pipe",   "GET /x/ui/%ff",      "GET /x/ui/a.js%2fb",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ask(lines[i], 200, "index", "text/html; charset=utf-8", NULL);
    }
}

static void test_no_path_leads_out_of_the_folder(void **state)
{
    (void)state;
    ask("GET /x/ui/link", 200, "index", NULL, NULL);
    ask("GET /x/ui/way/secret", 200, "index", NULL, NULL);
    ask("GET /x/ui/../../secret", 301, NULL, NULL, "/secret");
    ask("GET /x/ui/%2e%2e/secret", 301, NULL, NULL, "/x/secret");
    ask("GET /x/ui/..%2fsecret", 301, NULL, NULL, "/x/secret");
    ask("GET /x/ui//etc/passwd", 301, NULL, NULL, "/x/ui/etc/passwd");
    ask("GET /x/ui/a%00b", 400, NULL, NULL, NULL);
}

static void test_without_an_index_nothing_is_there(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/ui/index.html", folder);
    assert_int_equal(remove(path), 0);
    ask("GET /x/ui/", 404, "404 page not found\n", "text/plain; charset=utf-8", NULL);
    ask("GET /x/ui/nope", 404, NULL, NULL, NULL);
    ask("GET /x/ui/sub/", 200, "sub", NULL, NULL);
    put("ui/index.html", "index", 5);
}

int main(void)
{
    const struct CMUnitTest page[] = {
        cmocka_unit_test(test_the_root_leads_to_the_page),
        cmocka_unit_test(test_only_the_scripts_of_the_page_run),
        cmocka_unit_test(test_the_api_is_where_it_was),
    };
    const struct CMUnitTest files[] = {
        cmocka_unit_test(test_files_have_their_types),
        cmocka_unit_test(test_folders_have_a_slash_and_an_index),
        cmocka_unit_test(test_what_is_not_there_is_the_index),
        cmocka_unit_test(test_no_path_leads_out_of_the_folder),
        cmocka_unit_test(test_without_an_index_nothing_is_there),
    };
    int rc = cmocka_run_group_tests_name("page", page, setup, teardown);
    return cmocka_run_group_tests_name("files", files, setup_folder, teardown_folder) || rc;
}
