/* A Docker check runs a program inside of a container, through the API of the Docker daemon: an
 * exec is created, started, which gives its output, and inspected, which gives its exit code. The
 * code means what a script's does.
 *
 *     POST /containers/<id>/exec   {"AttachStdout", "AttachStderr", "Cmd", ...} -> 201 {"Id"}
 *     POST /exec/<id>/start        {"Detach", "Tty"} -> 200, the output until the program ends
 *     GET  /exec/<id>/json         -> 200 {"ExitCode"} */
#include "agent/check_channel.h"
#include "agent/check_http_response.h"

#include "cursor.h"

#include <event2/buffer.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HOST "unix:///var/run/docker.sock"
#define ANSWER_MAX   (64u << 10) /* of what is JSON */
#define EXEC_ID_MAX  256u

enum stage { CREATE, START, INSPECT };
static const char *const stage_names[] = {"create", "start", "inspect"};

struct docker {
    struct check *check;
    /* Where the daemon is. */
    char path[108], host[256], shown[512]; /* shown: in messages, as part of a URL */
    uint16_t port;
    bool reachable;  /* the address of the daemon is one */
    char *container; /* with a zero */
    char exec_id[EXEC_ID_MAX + 1];
    /* The request under way. */
    enum stage stage;
    char *target;
    struct mu__writer request;
    struct check__channel channel;
    struct http_response response;
    struct check__tail output, answer; /* of the program; of the daemon */
};

static void docker_abort(void *kind)
{
    struct docker *d = kind;
    check__channel_close(&d->channel);
}

/* ---- Where the daemon is: unix:///path, or tcp://host:port ---- */

static void find_daemon(struct docker *d, const char *given)
{
    const char *where = given && *given ? given : DEFAULT_HOST;
    const char *address = strstr(where, "://");
    if (!address) {
        return;
    }
    address += 3;
    if (!strncmp(where, "unix:", 5)) {
        size_t n = 0;
        d->reachable = strlen(address) < sizeof d->path && *address;
        snprintf(d->path, sizeof d->path, "%s", address);
        for (const char *p = d->path; *p && n + 4 < sizeof d->shown; p++) {
            n += (size_t)snprintf(d->shown + n, sizeof d->shown - n, *p == '/' ? "%%2F" : "%c", *p);
        }
    } else if (!strncmp(where, "tcp:", 4) || !strncmp(where, "http:", 5)) {
        struct mu_str s = {address, strcspn(address, "/")};
        d->reachable = check__split_host_port(s, d->host, sizeof d->host, &d->port);
        snprintf(d->shown, sizeof d->shown, "%.*s", (int)mu__min(s.len, 256), s.p);
    }
}

/* ---- Requests ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

/* A form's encoding of a name, as Consul makes it. */
static void write_escaped(struct mu__writer *w, const char *s)
{
    char piece[4];
    for (; *s; s++) {
        if (is_plain(*s) || *s == ' ') {
            mu__write_u8(w, (uint8_t)(*s == ' ' ? '+' : *s));
        } else {
            snprintf(piece, sizeof piece, "%%%02X", (unsigned char)*s);
            mu__write_cstr(w, piece);
        }
    }
}

static char *make_target(enum stage stage, const char *id)
{
    static const char *const before[] = {"/containers/", "/exec/", "/exec/"};
    static const char *const after[] = {"/exec", "/start", "/json"};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_cstr(&w, before[stage]);
    write_escaped(&w, id);
    mu__write_cstr(&w, after[stage]);
    mu__write_u8(&w, 0);
    if (w.failed) {
        mu__writer_fini(&w);
        return NULL;
    }
    return (char *)w.data;
}

/* NULL if there is one that cannot be put into JSON, since it is no UTF-8: without it, it would be
 * another command. */
static json_t *arguments_of(const struct catalog_check_type *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->script_args.len; i++) {
        struct mu_str s = t->script_args.items[i];
        if (json_array_append_new(list, json_stringn(s.p ? s.p : "", s.len)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* NULL when out of memory, or when there is no JSON of it; the caller frees it. */
static char *make_body(const struct docker *d)
{
    json_t *o = d->stage == CREATE
                    ? json_pack("{s:b,s:b,s:b,s:b,s:o}", "AttachStdin", 0, "AttachStdout", 1,
                                "AttachStderr", 1, "Tty", 0, "Cmd", arguments_of(d->check->type))
                    : json_pack("{s:b,s:b}", "Detach", 0, "Tty", 1);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static bool write_request(struct docker *d)
{
    struct mu__writer *w = &d->request;
    char length[64];
    char *body = d->stage == INSPECT ? NULL : make_body(d);
    w->len = 0;
    mu__write_cstr(w, d->stage == INSPECT ? "GET " : "POST ");
    mu__write_cstr(w, d->target);
    mu__write_cstr(w, " HTTP/1.1\r\nHost: ");
    mu__write_cstr(w, d->path[0] ? "docker" : d->shown);
    mu__write_cstr(w, "\r\nConnection: close\r\n");
    if (body) {
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
        mu__write_cstr(w, "Content-Type: application/json\r\n");
        mu__write_cstr(w, length);
    }
    mu__write_cstr(w, "\r\n");
    mu__write_cstr(w, body ? body : "");
    bool ok = !w->failed && (body || d->stage == INSPECT);
    free(body);
    return ok;
}

/* ---- Results ---- */

/* Ends the attempt: `create exec failed ` and what follows. */
static void fail(struct docker *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct docker *d, const char *fmt, ...)
{
    char why[900];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    docker_abort(d);
    check__done(d->check, CHECK_CRITICAL, "%s exec %s", stage_names[d->stage], why);
}

static void fail_request(struct docker *d, const char *why)
{
    fail(d, "failed for container %s: %s \"http://%s%s\": %s", d->container,
         d->stage == INSPECT ? "Get" : "Post", d->shown, d->target, why);
}

static void fail_status(struct docker *d)
{
    struct mu_str text = check__tail_text(d->stage == START ? &d->output : &d->answer);
    int code = d->response.code, n = (int)mu__min(text.len, 400);
    const char *c = d->container;
    if (code == 404 && d->stage == CREATE) {
        fail(d, "failed for unknown container %s", c);
    } else if (code == 404) {
        fail(d, "failed for container %s: invalid exec id %s", c, d->exec_id);
    } else if (code == 409 && d->stage != INSPECT) {
        fail(d, "failed since container %s is paused or stopped", c);
    } else if (d->stage == START) {
        fail(d, "failed for container %s with status %d: body: %.*s err: <nil>", c, code, n,
             text.p);
    } else {
        fail(d, "failed for container %s with status %d: %.*s", c, code, n, text.p);
    }
}

static void fail_parsing(struct docker *d, struct mu_str text)
{
    if (text.len && !strchr("{[\"-0123456789tfn \t\r\n", text.p[0])) {
        fail(d,
             "response for container %s cannot be parsed: invalid character '%c' looking for "
             "beginning of value",
             d->container, text.p[0]);
    } else {
        fail(d, "response for container %s cannot be parsed: %s", d->container,
             text.len ? "unexpected EOF" : "EOF");
    }
}

static void report(struct docker *d, json_int_t code)
{
    enum check_status status = code == 0   ? CHECK_PASSING
                               : code == 1 ? CHECK_WARNING
                                           : CHECK_CRITICAL;
    docker_abort(d);
    check__done_captured(d->check, status, &d->output); /* may destroy d */
}

/* ---- One attempt ---- */

static void begin(struct docker *d, enum stage stage, const char *id);

/* The answer to CREATE or INSPECT, decoded; to be freed. NULL: the attempt has failed. */
static json_t *decode_answer(struct docker *d)
{
    struct mu_str text = check__tail_text(&d->answer);
    json_t *o = d->answer.total > d->answer.cap ? NULL : json_loadb(text.p, text.len, 0, NULL);
    if (!json_is_object(o)) {
        json_decref(o);
        fail_parsing(d, text);
        return NULL;
    }
    return o;
}

static void on_created(struct docker *d)
{
    json_t *o = decode_answer(d);
    if (!o) {
        return;
    }
    const char *id = json_string_value(json_object_get(o, "Id"));
    snprintf(d->exec_id, sizeof d->exec_id, "%s", id ? id : "");
    json_decref(o);
    begin(d, START, d->exec_id);
}

static void on_inspected(struct docker *d)
{
    json_t *o = decode_answer(d);
    if (o) {
        json_int_t code = json_integer_value(json_object_get(o, "ExitCode"));
        json_decref(o);
        report(d, code);
    }
}

static void on_answer(struct docker *d)
{
    check__channel_close(&d->channel);
    if (d->response.code != (d->stage == CREATE ? 201 : 200)) {
        fail_status(d);
    } else if (d->stage == CREATE) {
        on_created(d);
    } else if (d->stage == START) {
        begin(d, INSPECT, d->exec_id);
    } else {
        on_inspected(d);
    }
}

static void on_opened(void *arg)
{
    struct docker *d = arg;
    check__channel_write(&d->channel, d->request.data, d->request.len);
}

static void on_received(void *arg, struct evbuffer *in)
{
    struct docker *d = arg;
    enum http_step what = http_response_take(&d->response, in);
    if (what == HTTP_DONE) {
        on_answer(d);
    } else if (what == HTTP_MALFORMED) {
        fail_request(d, "malformed HTTP response");
    }
}

static void on_ended(void *arg, enum check__end end, const char *why)
{
    struct docker *d = arg;
    if (end == CHECK__END_CLOSED && http_response_end(&d->response) == HTTP_DONE) {
        on_answer(d);
    } else {
        fail_request(d, why);
    }
}

static void begin(struct docker *d, enum stage stage, const char *id)
{
    static const struct check__channel_events events = {on_opened, on_received, on_ended};
    const struct check__route route = {
        .host = d->host, .port = d->port, .path = d->path[0] ? d->path : NULL};
    char why[512];
    d->stage = stage;
    free(d->target);
    d->target = make_target(stage, id);
    check__tail_reset(&d->answer);
    http_response_init(&d->response, false, stage == START ? &d->output : &d->answer);
    if (!d->target || !write_request(d)) {
        fail(d, "failed for container %s: the request cannot be put into JSON", d->container);
    } else if (!d->reachable) {
        fail_request(d, "http: no Host in request URL");
    } else if (!check__channel_open(&d->channel, d->check->world, &route, &events, d, why,
                                    sizeof why)) {
        fail_request(d, why);
    }
}

static void docker_run(void *kind)
{
    struct docker *d = kind;
    check__tail_reset(&d->output);
    begin(d, CREATE, d->container);
}

static void docker_expired(void *kind)
{
    struct docker *d = kind;
    char limit[32];
    mu__duration_format(d->check->timeout_ns, limit);
    docker_abort(d);
    check__done(d->check, CHECK_CRITICAL, "Timed out (%s) running check", limit);
}

/* ---- Life ---- */

static void docker_destroy(void *kind)
{
    struct docker *d = kind;
    mu__writer_fini(&d->request);
    check__tail_fini(&d->output);
    check__tail_fini(&d->answer);
    free(d->target);
    free(d->container);
    free(d);
}

static void *docker_create(struct check *c)
{
    struct docker *d = calloc(1, sizeof *d);
    struct mu_str id = c->type->docker_container_id;
    if (!d) {
        return NULL;
    }
    d->check = c;
    d->request = mu__writer_growing(&mu__malloc_allocator);
    d->container = strndup(id.p, id.len);
    if (!check__tail_init(&d->output, c->output_max) || !check__tail_init(&d->answer, ANSWER_MAX) ||
        !d->container) {
        docker_destroy(d);
        return NULL;
    }
    find_daemon(d, c->world->docker_host);
    return d;
}

const struct check_kind check__docker = {docker_create, docker_run, docker_abort, docker_destroy,
                                         docker_expired};
