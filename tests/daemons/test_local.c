/* Mirrors daemons/agent/local*.c, persist.c and file.c: what is registered, and what of it
 * survives. */
#include "mu_test.h"

#include "agent/check_internal.h"
#include "agent/definitions.h"
#include "agent/local_internal.h"
#include "base/json.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct loop *core;
    struct config *config;
    struct local local;
    char folder[64];
    int changes;
    int log;
};

static char err[LOCAL_ERROR_MAX];

static void on_change(void *arg)
{
    ((struct fixture *)arg)->changes++;
}

static void open_local(struct fixture *f)
{
    assert_int_equal(persist_create(f->folder, f->core, &f->local.persist, err, sizeof err), 0);
}

static void begin(struct fixture *f, const char *extra)
{
    char text[512];
    f->core = loop_create("core");
    snprintf(text, sizeof text,
             "{\"data_dir\":\"%s\",\"bind_addr\":\"127.0.0.1\",\"node_name\":\"n1\"%s}", f->folder,
             extra);
    f->config = config_from_text("x.json", text, strlen(text), err, sizeof err);
    assert_non_null(f->config);
    assert_true(local_init(&f->local, f->config, loop_base(f->core), 1));
    f->local.changed = on_change;
    f->local.arg = f;
    open_local(f);
}

/* As a clean end of the process does. */
static void end(struct fixture *f)
{
    local_stop(&f->local);
    persist_destroy(f->local.persist);
    loop_destroy(f->core);
    local_fini(&f->local);
    config_destroy(f->config);
}

static void restart(struct fixture *f, const char *extra)
{
    end(f);
    begin(f, extra);
    local_restore(&f->local);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/muster-test-local-XXXXXX");
    if (!mkdtemp(f->folder)) {
        return -1;
    }
    f->log = log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    begin(f, "");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[100];
    end(f);
    close(log_set_fd(f->log));
    snprintf(command, sizeof command, "rm -r %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static bool add_service_from(struct fixture *f, const char *json, bool replace,
                             enum local_source source)
{
    struct catalog_service_definition d = {.port = 0};
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    bool ok = json_decode(catalog_schema(CATALOG_SERVICE_DEFINITION), json, strlen(json), &a, &d,
                          err, sizeof err) &&
              definition_check_service(&d, &a, err, sizeof err) &&
              local_add_service(&f->local, &d, mu__cstr("token"), replace, source, err, sizeof err);
    mu__arena_fini(&a);
    return ok;
}

static bool add_service(struct fixture *f, const char *json)
{
    return add_service_from(f, json, false, SOURCE_REMOTE);
}

static bool add_check(struct fixture *f, const char *json)
{
    struct agent_check_definition d = {.token = {NULL, 0}};
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    bool ok = json_decode(&definition_check_schema, json, strlen(json), &a, &d, err, sizeof err) &&
              definition_check_check(&d, err, sizeof err) &&
              local_add_check(&f->local, &d, mu__cstr(""), SOURCE_REMOTE, err, sizeof err);
    mu__arena_fini(&a);
    return ok;
}

static struct local_service *service(struct fixture *f, const char *id)
{
    return local_service(&f->local, mu__cstr(id));
}

static struct local_check *check(struct fixture *f, const char *id)
{
    return local_check(&f->local, mu__cstr(id));
}

static void assert_text(struct mu_str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    if (s.len) {
        assert_memory_equal(s.p, expected, s.len);
    }
}

/* ---- Registration ---- */

static void test_a_service_brings_its_checks(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(
        f, "{\"Name\":\"web\",\"Port\":80,\"Tags\":[\"a\"],\"Check\":{\"TTL\":\"1s\"}}"));
    const struct local_check *c = check(f, "service:web");
    assert_non_null(c);
    assert_text(c->check->name, "Service 'web' check");
    assert_text(c->check->status, "critical");
    assert_text(c->check->service_id, "web");
    assert_text(c->check->service_tags.items[0], "a");
    assert_text(c->check->type, "ttl");
    assert_text(c->check->node, "n1");
    assert_text(service(f, "web")->entry.token, "token");
    assert_true(f->changes >= 2);

    assert_true(add_service(f, "{\"Name\":\"db\",\"Checks\":[{\"TTL\":\"1s\"},{\"CheckID\":\"own\","
                               "\"Name\":\"N\",\"TCP\":\"h:1\","
                               "\"Interval\":\"1s\",\"Status\":\"passing\"}]}"));
    assert_non_null(check(f, "service:db:1"));
    assert_text(check(f, "own")->check->status, "passing");
    assert_text(check(f, "own")->check->type, "tcp");
    assert_non_null(service(f, "db")->service->tags.items); /* an empty list, not null */
}

static void test_a_service_takes_its_checks_along(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(f, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"1s\"}}"));
    assert_true(add_check(f, "{\"Name\":\"extra\",\"ServiceID\":\"web\",\"TTL\":\"1s\"}"));
    assert_true(add_check(f, "{\"Name\":\"node\",\"TTL\":\"1s\"}"));
    assert_text(check(f, "extra")->check->service_name, "web");
    local_remove_service(&f->local, mu__cstr("web"));
    assert_null(service(f, "web"));
    assert_null(check(f, "service:web"));
    assert_null(check(f, "extra"));
    assert_non_null(check(f, "node"));
    local_remove_service(&f->local, mu__cstr("web")); /* once more is fine */
}

static void test_registering_again_keeps_the_state(void **state)
{
    struct fixture *f = *state;
    static const char json[] = "{\"Name\":\"web\",\"Check\":{\"TTL\":\"100s\"}}";
    assert_true(add_service(f, json));
    local_start(&f->local);
    assert_true(local_update_check(&f->local, mu__cstr("service:web"), CHECK_PASSING,
                                   mu__cstr("ok"), err, sizeof err));
    const struct check *runner = check(f, "service:web")->runner;
    assert_true(add_service(f, json));
    assert_text(check(f, "service:web")->check->status, "passing");
    assert_text(check(f, "service:web")->check->output, "ok");
    /* It goes on with its counters and its time */
    assert_ptr_equal(check(f, "service:web")->runner, runner);
    assert_true(add_service(f, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"200s\"}}"));
    assert_text(check(f, "service:web")->check->status, "passing");
    assert_int_equal(check(f, "service:web")->type->ttl_ns, 200 * (int64_t)MU_SEC);
}

static void test_other_checks_go_only_if_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(f, "{\"Name\":\"web\",\"Check\":{\"CheckID\":\"a\",\"TTL\":\"1s\"}}"));
    assert_true(add_service_from(f,
                                 "{\"Name\":\"web\",\"Check\":{\"CheckID\":\"b\",\"TTL\":\"1s\"}}",
                                 false, SOURCE_REMOTE));
    assert_non_null(check(f, "a"));
    assert_true(add_service_from(
        f, "{\"Name\":\"web\",\"Check\":{\"CheckID\":\"c\",\"TTL\":\"1s\"}}", true, SOURCE_REMOTE));
    assert_null(check(f, "a"));
    assert_null(check(f, "b"));
    assert_non_null(check(f, "c"));
}

static void test_refusals_have_consuls_words(void **state)
{
    struct fixture *f = *state;
    assert_false(add_check(f, "{\"Name\":\"x\",\"ServiceID\":\"nope\",\"TTL\":\"1s\"}"));
    assert_string_equal(err, "ServiceID \"nope\" does not exist");
    assert_false(add_check(f, "{\"Name\":\"x\",\"Args\":[\"true\"],\"Interval\":\"1s\"}"));
    assert_string_equal(
        err, "Scripts are disabled on this agent from remote calls; to enable, configure "
             "'enable_script_checks' to true");
    assert_false(
        add_service(f, "{\"Name\":\"x\",\"Check\":{\"Args\":[\"true\"],\"Interval\":\"1s\"}}"));
    assert_null(service(f, "x"));
    assert_true(add_check(f, "{\"Name\":\"tcp\",\"TCP\":\"h:1\",\"Interval\":\"1s\"}"));
    assert_false(local_update_check(&f->local, mu__cstr("tcp"), CHECK_PASSING, mu__cstr(""), err,
                                    sizeof err));
    assert_string_equal(err, "CheckID \"tcp\" does not have associated TTL");
    assert_false(local_set_maintenance(&f->local, mu__cstr("nope"), true, mu__cstr(""),
                                       mu__cstr(""), err, sizeof err));
    assert_string_equal(err, "No service registered with ID \"nope\"");
}

static void test_a_long_report_is_cut_and_says_so(void **state)
{
    struct fixture *f = *state;
    assert_true(add_check(f, "{\"Name\":\"t\",\"TTL\":\"100s\",\"OutputMaxSize\":4}"));
    local_start(&f->local);
    assert_true(local_update_check(&f->local, mu__cstr("t"), CHECK_PASSING, mu__cstr("0123456789"),
                                   err, sizeof err));
    assert_text(check(f, "t")->check->output, "0123 ... (captured 4 of 10 bytes)");
}

static void test_maintenance_is_a_critical_check(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(f, "{\"Name\":\"web\"}"));
    assert_true(local_set_maintenance(&f->local, mu__cstr("web"), true, mu__cstr(""), mu__cstr(""),
                                      err, sizeof err));
    assert_true(local_set_maintenance(&f->local, mu__cstr(""), true, mu__cstr("broken"),
                                      mu__cstr(""), err, sizeof err));
    const struct local_check *c = check(f, "_service_maintenance:web");
    assert_text(c->check->name, "Service Maintenance Mode");
    assert_text(c->check->status, "critical");
    assert_text(c->check->type, "maintenance");
    assert_text(c->check->notes, "Maintenance mode is enabled for this service, but no reason was "
                                 "provided. This is a default "
                                 "message.");
    assert_text(check(f, "_node_maintenance")->check->notes, "broken");
    assert_true(local_set_maintenance(&f->local, mu__cstr(""), false, mu__cstr(""), mu__cstr(""),
                                      err, sizeof err));
    assert_null(check(f, "_node_maintenance"));
}

static void test_an_output_alone_is_told_later(void **state)
{
    struct fixture *f = *state;
    assert_true(add_check(f, "{\"Name\":\"t\",\"TTL\":\"100s\"}"));
    local_start(&f->local);
    struct local_check *c = check(f, "t");
    assert_true(local_update_check(&f->local, mu__cstr("t"), CHECK_PASSING, mu__cstr("1"), err,
                                   sizeof err));
    c->entry.in_sync = true;
    assert_true(local_update_check(&f->local, mu__cstr("t"), CHECK_PASSING, mu__cstr("2"), err,
                                   sizeof err));
    assert_true(c->entry.in_sync);
    assert_true(evtimer_pending(c->defer, NULL));
    assert_true(local_update_check(&f->local, mu__cstr("t"), CHECK_WARNING, mu__cstr("3"), err,
                                   sizeof err));
    assert_false(c->entry.in_sync); /* a status is told at once */
}

static void test_an_alias_is_as_bad_as_the_worst_of_its_service(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(
        f,
        "{\"Name\":\"web\",\"Check\":{\"Name\":\"C\",\"TTL\":\"100s\",\"Status\":\"passing\"}}"));
    assert_true(add_check(f, "{\"Name\":\"alias\",\"AliasService\":\"web\"}"));
    assert_true(add_check(f, "{\"Name\":\"lost\",\"AliasService\":\"nope\"}"));
    local_start(&f->local);
    local_remove_check(&f->local, mu__cstr("lost"));
    event_base_loop(loop_base(f->core), EVLOOP_NONBLOCK);
    assert_text(check(f, "alias")->check->status, "passing");
    assert_text(check(f, "alias")->check->output, "All checks passing.");
    assert_true(local_update_check(&f->local, mu__cstr("service:web"), CHECK_WARNING,
                                   mu__cstr("hm"), err, sizeof err));
    event_base_loop(loop_base(f->core), EVLOOP_NONBLOCK);
    assert_text(check(f, "alias")->check->status, "warning");
    assert_text(check(f, "alias")->check->output, "Aliased check \"C\" failing: hm");
    local_remove_check(&f->local, mu__cstr("alias"));
    local_remove_service(&f->local, mu__cstr("web"));
    assert_true(add_check(f, "{\"Name\":\"alias\",\"AliasService\":\"web\"}"));
    event_base_loop(loop_base(f->core), EVLOOP_NONBLOCK);
    assert_text(check(f, "alias")->check->output, "Service web could not be found on node ");
}

static void
test_a_service_that_stays_critical_is_deregistered_after_the_time_it_asked_for(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(f, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"1h\","
                               "\"DeregisterCriticalServiceAfter\":\"1s\"}}"));
    local_start(&f->local);
    struct local_check *c = check(f, "service:web");
    c->critical_since_ns = loop_now_ns() - 59 * MU_SEC; /* less than a minute does not count */
    event_active(f->local.reap, EV_TIMEOUT, 0);
    event_base_loop(loop_base(f->core), EVLOOP_NONBLOCK);
    assert_non_null(service(f, "web"));
    c->critical_since_ns = loop_now_ns() - 61 * MU_SEC;
    event_active(f->local.reap, EV_TIMEOUT, 0);
    event_base_loop(loop_base(f->core), EVLOOP_NONBLOCK);
    assert_null(service(f, "web"));
    assert_null(check(f, "service:web"));
}

/* ---- What survives ---- */

static void test_what_the_api_registered_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(
        f, "{\"Name\":\"web\",\"ID\":\"w/"
           "1\",\"Port\":80,\"Tags\":[\"a\",\"b\"],\"Meta\":{\"k\":\"v\"},"
           "\"Check\":{\"HTTP\":\"http://h/\",\"Interval\":\"10s\",\"Header\":{\"X\":[\"y\"]}}}"));
    assert_true(add_check(f, "{\"Name\":\"node\",\"TTL\":\"100s\"}"));
    assert_true(local_set_maintenance(&f->local, mu__cstr("w/1"), true, mu__cstr("why"),
                                      mu__cstr(""), err, sizeof err));
    assert_true(add_service(f, "{\"Name\":\"gone\"}"));
    local_remove_service(&f->local, mu__cstr("gone"));
    restart(f, "");
    const struct local_service *s = service(f, "w/1");
    assert_non_null(s);
    assert_text(s->service->service, "web");
    assert_int_equal(s->service->port, 80);
    assert_text(s->service->tags.items[1], "b");
    assert_text(s->entry.token, "token");
    const struct local_check *c = check(f, "service:w/1");
    assert_text(c->type->http, "http://h/");
    assert_int_equal(c->type->interval_ns, 10 * (int64_t)MU_SEC);
    assert_text(c->type->header.items[0].value.items[0], "y");
    assert_text(c->check->status, "critical");
    assert_non_null(check(f, "node"));
    assert_text(check(f, "_service_maintenance:w/1")->check->notes, "why");
    assert_null(service(f, "gone"));
}

static void test_a_ttl_state_survives_until_it_expires(void **state)
{
    struct fixture *f = *state;
    assert_true(add_check(f, "{\"Name\":\"long\",\"TTL\":\"100s\"}"));
    assert_true(add_check(f, "{\"Name\":\"short\",\"TTL\":\"1ms\"}"));
    local_start(&f->local);
    assert_true(local_update_check(&f->local, mu__cstr("long"), CHECK_PASSING, mu__cstr("fine"),
                                   err, sizeof err));
    assert_true(local_update_check(&f->local, mu__cstr("short"), CHECK_PASSING, mu__cstr("fine"),
                                   err, sizeof err));
    restart(f, "");
    assert_text(check(f, "long")->check->status, "passing");
    assert_text(check(f, "long")->check->output, "fine");
    assert_true(check(f, "long")->ttl_deadline_ns > loop_now_ns() + 90 * MU_SEC);
    assert_text(check(f, "short")->check->status, "critical");
}

static void report_passing(struct fixture *f, const char *id)
{
    assert_true(local_update_check(&f->local, mu__cstr(id), CHECK_PASSING, mu__cstr("fine"), err,
                                   sizeof err));
}

static void test_reports_are_written_together_and_not_one_by_one(void **state)
{
    struct fixture *f = *state;
    assert_true(add_check(f, "{\"Name\":\"a\",\"TTL\":\"100s\"}"));
    assert_true(add_check(f, "{\"Name\":\"b\",\"TTL\":\"100s\"}"));
    assert_true(add_check(f, "{\"Name\":\"c\",\"TTL\":\"100s\"}"));
    local_start(&f->local);
    for (int i = 0; i < 100; i++) {
        report_passing(f, "a");
        report_passing(f, "b");
        report_passing(f, "c");
    }
    assert_ptr_equal(f->local.unsaved, check(f, "c"));
    assert_ptr_equal(check(f, "c")->unsaved_next, check(f, "b"));
    assert_ptr_equal(check(f, "b")->unsaved_next, check(f, "a"));
    assert_null(check(f, "a")->unsaved_next); /* each once, however often it reported */
    assert_true(evtimer_pending(f->local.save, NULL));
    local_remove_check(&f->local, mu__cstr("b"));
    assert_ptr_equal(check(f, "c")->unsaved_next, check(f, "a"));
    assert_true(add_check(f, "{\"Name\":\"a\",\"TTL\":\"100s\"}")); /* still waits to be written */
    local__write_states(&f->local, 1);
    assert_ptr_equal(f->local.unsaved, check(f, "a"));
    restart(f, ""); /* a clean end writes the rest */
    assert_text(check(f, "a")->check->status, "passing");
    assert_text(check(f, "c")->check->status, "passing");
    assert_null(local_check(&f->local, mu__cstr("b")));
}

static void test_a_report_after_a_quiet_moment_is_written_at_once(void **state)
{
    struct fixture *f = *state;
    assert_true(add_check(f, "{\"Name\":\"a\",\"TTL\":\"100s\"}"));
    local_start(&f->local);
    f->local.saved_ns = 0; /* long ago */
    report_passing(f, "a");
    event_base_loop(loop_base(f->core), EVLOOP_ONCE);
    assert_null(f->local.unsaved);
    f->local.saved_ns = loop_now_ns() + 3600 * MU_SEC; /* right now */
    report_passing(f, "a");
    event_base_loop(loop_base(f->core), EVLOOP_NONBLOCK);
    assert_ptr_equal(f->local.unsaved, check(f, "a"));
}

/* consul#3122 */
static void test_deregistering_one_service_touches_no_other(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(f, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"100s\"}}"));
    assert_true(add_service(f, "{\"Name\":\"db\",\"Check\":{\"TTL\":\"100s\"}}"));
    local_start(&f->local);
    report_passing(f, "service:web");
    report_passing(f, "service:db");
    struct local_check *c = check(f, "service:db");
    struct local_service *s = service(f, "db");
    c->entry.in_sync = s->entry.in_sync = true;
    uint64_t version = c->entry.version;
    const struct check *runner = c->runner;
    local_remove_service(&f->local, mu__cstr("web"));
    event_base_loop(loop_base(f->core), EVLOOP_NONBLOCK);
    assert_text(c->check->status, "passing");
    assert_true(c->entry.in_sync && s->entry.in_sync);
    assert_int_equal(c->entry.version, version);
    assert_ptr_equal(c->runner, runner);
}

/* consul PR#10256: neither a start nor another definition forgets what is believed. */
static void test_a_changed_definition_starts_from_the_state_that_was(void **state)
{
    struct fixture *f = *state;
    static const char first[] = "{\"Name\":\"x\",\"TTL\":\"100s\",\"Status\":\"passing\"}",
                      second[] = "{\"Name\":\"x\",\"TCP\":\"127.0.0.1:1\",\"Interval\":\"1h\","
                                 "\"FailuresBeforeCritical\":2}";
    local_start(&f->local);
    assert_true(add_check(f, first));
    assert_true(add_check(f, second));
    struct local_check *c = check(f, "x");
    assert_text(c->check->status, "passing");
    assert_text(c->check->type, "tcp");
    check__done(c->runner, CHECK_CRITICAL, "no");
    assert_text(c->check->status, "passing");
    assert_true(add_check(f, second)); /* the same again: the count goes on */
    check__done(c->runner, CHECK_CRITICAL, "no");
    assert_text(c->check->status, "critical");
}

/* The only file of a folder that is named as ours are. */
static void path_of_only_file(const struct fixture *f, const char *folder, char *out, size_t cap)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->folder, folder);
    DIR *d = opendir(path);
    int n = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        if (strlen(e->d_name) == 32) {
            snprintf(out, cap, "%.100s/%.32s", path, e->d_name);
            n++;
        }
    }
    closedir(d);
    assert_int_equal(n, 1);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void flush(struct fixture *f)
{
    persist_destroy(f->local.persist);
    f->local.persist = NULL;
    open_local(f);
}

static void test_a_damaged_file_is_set_aside_and_the_rest_is_read(void **state)
{
    struct fixture *f = *state;
    static const char *const damages[] = {"",   "{\"Token\":\"\",\"Serv",      "[]",
                                          "{}", "{\"Service\":{\"ID\":\"\"}}", "\xff\xfe"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char path[200], aside[220];
        struct stat st;
        assert_true(add_service(f, "{\"Name\":\"web\"}"));
        flush(f);
        path_of_only_file(f, "services", path, sizeof path);
        write_text(path, damages[i]);
        restart(f, "");
        assert_null(service(f, "web"));
        snprintf(aside, sizeof aside, "%s.damaged", path);
        assert_int_equal(stat(aside, &st), 0);
        assert_int_equal(st.st_size, strlen(damages[i]));
        assert_int_not_equal(stat(path, &st), 0);
        unlink(aside);
    }
}

/* A crash between the writing of a temporary file and its rename leaves the file as it was, and no
 * rubbish. */
static void test_a_write_cut_short_by_a_crash_leaves_the_old_file(void **state)
{
    struct fixture *f = *state;
    char path[200];
    struct stat st;
    assert_true(add_service(f, "{\"Name\":\"web\",\"Port\":1}"));
    flush(f);
    snprintf(path, sizeof path, "%s/services/.new-abc123", f->folder);
    write_text(path, "{\"Token\":\"\",\"Service\":{\"ID\":\"web\",\"Por");
    restart(f, "");
    assert_int_equal(service(f, "web")->service->port, 1);
    assert_int_not_equal(stat(path, &st), 0);
}

static void test_a_file_definition_wins_over_what_was_registered(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(f, "{\"Name\":\"web\",\"Port\":1}"));
    end(f);
    begin(f, "");
    assert_true(add_service_from(f, "{\"Name\":\"web\",\"Port\":2}", false, SOURCE_FILE));
    local_restore(&f->local);
    assert_int_equal(service(f, "web")->service->port, 2);
    restart(f, "");
    /* The file of the registration went, and a definition leaves none */
    assert_null(service(f, "web"));
}

static void test_scripts_do_not_come_back_when_they_are_forbidden(void **state)
{
    struct fixture *f = *state;
    restart(f, ",\"enable_script_checks\":true");
    assert_true(add_check(f, "{\"Name\":\"s\",\"Args\":[\"true\"],\"Interval\":\"1s\"}"));
    restart(f, ",\"enable_script_checks\":true");
    assert_non_null(check(f, "s"));
    restart(f, "");
    assert_null(check(f, "s"));
}

struct outcome {
    bool called;
    char error[256];
};

static void on_synced(void *arg, const char *error)
{
    struct outcome *o = arg;
    o->called = true;
    snprintf(o->error, sizeof o->error, "%s", error ? error : "");
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

static void test_a_full_disk_is_told_to_who_registers(void **state)
{
    struct fixture *f = *state;
    char path[100], aside[100];
    snprintf(path, sizeof path, "%s/services", f->folder);
    snprintf(aside, sizeof aside, "%s/moved", f->folder);
    assert_int_equal(rename(path, aside), 0); /* as good as full: no file can be made */
    assert_true(add_service(f, "{\"Name\":\"web\"}"));
    struct outcome outcome = {.called = false};
    persist_sync(f->local.persist, on_synced, &outcome);
    persist_destroy(f->local.persist);
    f->local.persist = NULL;
    loop_post(f->core, stop_loop, f->core);
    loop_run(f->core);
    assert_true(outcome.called);
    assert_non_null(strstr(outcome.error, path));
    assert_int_equal(rename(aside, path), 0);
}

/* ---- The node's ID ---- */

static void test_a_node_keeps_its_id(void **state)
{
    struct fixture *f = *state;
    char first[37], second[37], path[100];
    assert_int_equal(persist_node_id(f->folder, mu__cstr(""), first, err, sizeof err), 0);
    assert_int_equal(persist_node_id(f->folder, mu__cstr(""), second, err, sizeof err), 0);
    assert_string_equal(first, second);
    static const char wanted[] = "12345678-1234-1234-1234-123456789abc";
    assert_int_equal(persist_node_id(f->folder, mu__cstr(wanted), first, err, sizeof err), 0);
    assert_int_equal(persist_node_id(f->folder, mu__cstr(""), second, err, sizeof err), 0);
    assert_string_equal(second, wanted);
    assert_int_not_equal(persist_node_id(f->folder, mu__cstr("x"), first, err, sizeof err), 0);
    snprintf(path, sizeof path, "%s/node-id", f->folder);
    write_text(path, "rubbish");
    assert_int_not_equal(persist_node_id(f->folder, mu__cstr(""), first, err, sizeof err), 0);
    assert_non_null(strstr(err, path));
    assert_int_equal(persist_node_id("", mu__cstr(""), first, err, sizeof err), 0);
    assert_string_not_equal(first, second);
}

/* ---- Reload ---- */

static void test_a_reload_drops_what_left_the_files(void **state)
{
    struct fixture *f = *state;
    assert_true(add_service(f, "{\"Name\":\"api\"}"));
    assert_true(
        add_service_from(f, "{\"Name\":\"old\",\"Check\":{\"TTL\":\"1s\"}}", true, SOURCE_FILE));
    assert_true(add_service_from(f, "{\"Name\":\"kept\"}", true, SOURCE_FILE));
    local_unmark_files(&f->local);
    assert_true(add_service_from(f, "{\"Name\":\"kept\"}", true, SOURCE_FILE));
    local_sweep_files(&f->local);
    assert_non_null(service(f, "api"));
    assert_non_null(service(f, "kept"));
    assert_null(service(f, "old"));
    assert_null(check(f, "service:old"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_service_brings_its_checks),
        TEST(test_a_service_takes_its_checks_along),
        TEST(test_registering_again_keeps_the_state),
        TEST(test_other_checks_go_only_if_that_is_asked_for),
        TEST(test_refusals_have_consuls_words),
        TEST(test_a_long_report_is_cut_and_says_so),
        TEST(test_maintenance_is_a_critical_check),
        TEST(test_an_output_alone_is_told_later),
        TEST(test_an_alias_is_as_bad_as_the_worst_of_its_service),
        TEST(test_a_service_that_stays_critical_is_deregistered_after_the_time_it_asked_for),
        TEST(test_what_the_api_registered_is_there_after_a_restart),
        TEST(test_a_ttl_state_survives_until_it_expires),
        TEST(test_reports_are_written_together_and_not_one_by_one),
        TEST(test_a_report_after_a_quiet_moment_is_written_at_once),
        TEST(test_deregistering_one_service_touches_no_other),
        TEST(test_a_changed_definition_starts_from_the_state_that_was),
        TEST(test_a_damaged_file_is_set_aside_and_the_rest_is_read),
        TEST(test_a_write_cut_short_by_a_crash_leaves_the_old_file),
        TEST(test_a_file_definition_wins_over_what_was_registered),
        TEST(test_scripts_do_not_come_back_when_they_are_forbidden),
        TEST(test_a_full_disk_is_told_to_who_registers),
        TEST(test_a_node_keeps_its_id),
        TEST(test_a_reload_drops_what_left_the_files),
    };
    return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
