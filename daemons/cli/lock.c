#include "lock.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TTL            "15s"
#define RENEW_NS       UINT64_C(7000000000)
#define WAIT           "5s" /* of blocking queries: a renewal is never further away */
#define RETRY_MS       1000
#define LOCK_FLAGS     "3304740253564472344"  /* 0x2ddccbc058a50c18 */
#define SEM_FLAGS      "16210313421097356768" /* 0xe0f69a2baa414de0 */
#define DELAYED_MS     1000 /* nobody holds it, and yet it is refused: its last holder ended */
#define PATH_MAX_BYTES 4096

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pause_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&ts, &ts) && errno == EINTR) {
    }
}

/* ---- Requests ---- */

/* False, and the error is kept, unless the status is 200 or what else is fine. */
static bool ask(struct lock *l, const char *method, const char *path, const char *body, int also,
                struct cli_response *out)
{
    cli_request(&l->client, method, path, body, body ? strlen(body) : 0, out);
    if (out->status == 200 || (also && out->status == also)) {
        return true;
    }
    if (out->status == 0) {
        snprintf(l->error, sizeof l->error, "%s", out->error);
    } else {
        snprintf(l->error, sizeof l->error, "Unexpected response code: %d (%.900s)", out->status,
                 out->body ? out->body : "");
    }
    cli_response_free(out);
    return false;
}

static void key_path(const struct lock *l, const char *name, char *path)
{
    snprintf(path, PATH_MAX_BYTES, "/v1/kv/");
    cli_escape(l->prefix, path, PATH_MAX_BYTES / 2);
    size_t len = strlen(path);
    snprintf(path + len, PATH_MAX_BYTES - len, "%s%s", *l->prefix ? "/" : "", name);
}

static void add(char *path, const char *query)
{
    size_t len = strlen(path);
    snprintf(path + len, PATH_MAX_BYTES - len, "%s%s", strchr(path, '?') ? "&" : "?", query);
}

/* A request that answers true or false. */
static bool ask_bool(struct lock *l, const char *method, const char *path, const char *body,
                     bool *value)
{
    struct cli_response r;
    if (!ask(l, method, path, body, 0, &r)) {
        return false;
    }
    *value = strncmp(r.body, "true", 4) == 0;
    cli_response_free(&r);
    return true;
}

static void keep_session(struct lock *l)
{
    char path[256];
    struct cli_response r;
    if (now_ns() - l->renewed_ns < RENEW_NS) {
        return;
    }
    snprintf(path, sizeof path, "/v1/session/renew/%s", l->session);
    cli_request(&l->client, "PUT", path, NULL, 0, &r);
    if (r.status == 200) { /* otherwise it is tried again at once */
        l->renewed_ns = now_ns();
    }
    cli_response_free(&r);
}

/* The entries below the prefix that bear on the place, as a list, and their index: of a lock its
 * one key. NULL: an error. */
static json_t *look(struct lock *l, uint64_t *index, bool consistent)
{
    char path[PATH_MAX_BYTES], wait[96];
    struct cli_response r;
    keep_session(l);
    key_path(l, l->limit == 1 ? ".lock" : "", path);
    if (l->limit != 1) {
        add(path, "recurse");
    }
    if (consistent) {
        add(path, "consistent");
    }
    snprintf(wait, sizeof wait, "index=%llu&wait=" WAIT, (unsigned long long)*index);
    add(path, wait);
    if (!ask(l, "GET", path, NULL, 404, &r)) {
        return NULL;
    }
    /* Flags are larger than a json_int_t; an index loses nothing as a real */
    json_t *list =
        r.status == 404 ? json_array() : json_loads(r.body, JSON_DECODE_INT_AS_REAL, NULL);
    *index = r.index;
    cli_response_free(&r);
    if (!json_is_array(list)) {
        snprintf(l->error, sizeof l->error, "the answer is no list of keys");
        json_decref(list);
        return NULL;
    }
    return list;
}

static const char *text(json_t *entry, const char *key)
{
    const char *s = json_string_value(json_object_get(entry, key));
    return s ? s : "";
}

static json_t *find(const struct lock *l, json_t *entries, const char *name)
{
    char key[PATH_MAX_BYTES];
    size_t i;
    json_t *entry;
    snprintf(key, sizeof key, "%s%s%s", l->prefix, *l->prefix ? "/" : "", name);
    json_array_foreach(entries, i, entry)
    {
        if (strcmp(text(entry, "Key"), key) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* To the 53 bits that a real has. */
static bool has_flags(json_t *entry, const char *flags)
{
    double is = json_number_value(json_object_get(entry, "Flags")), wanted = strtod(flags, NULL);
    return is >= wanted && is <= wanted;
}

static unsigned long long modify_index(json_t *entry)
{
    return (unsigned long long)json_number_value(json_object_get(entry, "ModifyIndex"));
}

static bool put_key(struct lock *l, const char *name, const char *query, const char *body,
                    bool *done)
{
    char path[PATH_MAX_BYTES];
    key_path(l, name, path);
    add(path, query);
    return ask_bool(l, "PUT", path, body, done);
}

/* ---- A lock ---- */

/* 1: held, 0: not yet, -1: an error. */
static int try_lock(struct lock *l, json_t *entries, uint64_t *index)
{
    char query[160];
    bool done;
    json_t *entry = find(l, entries, ".lock");
    if (entry && !has_flags(entry, LOCK_FLAGS)) {
        snprintf(l->error, sizeof l->error, "Existing key does not match lock use");
        return -1;
    }
    if (entry && *text(entry, "Session")) {
        return strcmp(text(entry, "Session"), l->session) == 0;
    }
    snprintf(query, sizeof query, "acquire=%s&flags=" LOCK_FLAGS, l->session);
    if (!put_key(l, ".lock", query, NULL, &done)) {
        return -1;
    }
    if (!done) {
        pause_ms(DELAYED_MS / 4);
        *index = 0; /* somebody was faster, or it is delayed: nothing will change then */
    }
    return done;
}

/* ---- A semaphore ---- */

static json_t *decode_value(json_t *entry)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = text(entry, "Value"), *d;
    char *out = malloc(strlen(p) + 1);
    size_t n = 0;
    unsigned bits = 0, have = 0;
    if (!out) {
        abort();
    }
    for (; *p && (d = strchr(digits, *p)) != NULL; p++) {
        bits = bits << 6 | (unsigned)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have);
        }
    }
    json_t *value = json_loadb(out, n, 0, NULL);
    free(out);
    return value;
}

/* Those in the key .lock whose contender is still there, as an object. */
static json_t *holders(const struct lock *l, json_t *entries, int64_t *limit)
{
    json_t *entry = find(l, entries, ".lock"), *alive = json_object(), *flag;
    json_t *value = entry ? decode_value(entry) : NULL;
    const char *session;
    *limit = value ? json_integer_value(json_object_get(value, "Limit")) : l->limit;
    json_object_foreach(json_object_get(value, "Holders"), session, flag)
    {
        json_t *contender = find(l, entries, session);
        if (contender && *text(contender, "Session")) {
            json_object_set_new(alive, session, json_true());
        }
    }
    json_decref(value);
    return alive;
}

static bool write_holders(struct lock *l, json_t *entries, json_t *alive, bool *done)
{
    char query[96];
    json_t *entry = find(l, entries, ".lock");
    json_t *value = json_pack("{s:I,s:O}", "Limit", (json_int_t)l->limit, "Holders", alive);
    char *body = json_dumps(value, JSON_COMPACT);
    snprintf(query, sizeof query, "cas=%llu&flags=" SEM_FLAGS, modify_index(entry));
    bool ok = body && put_key(l, ".lock", query, body, done);
    free(body);
    json_decref(value);
    return ok;
}

static int try_semaphore(struct lock *l, json_t *entries, uint64_t *index)
{
    int64_t limit;
    bool done = false;
    json_t *entry = find(l, entries, ".lock");
    if (entry && !has_flags(entry, SEM_FLAGS)) {
        snprintf(l->error, sizeof l->error, "Existing key does not match semaphore use");
        return -1;
    }
    json_t *alive = holders(l, entries, &limit);
    int result = json_object_get(alive, l->session) != NULL;
    if (limit != l->limit) {
        snprintf(l->error, sizeof l->error, "semaphore limit conflict (lock: %lld, local: %lld)",
                 (long long)limit, (long long)l->limit);
        result = -1;
    } else if (!result && (int64_t)json_object_size(alive) < l->limit) {
        json_object_set_new(alive, l->session, json_true());
        result = write_holders(l, entries, alive, &done) ? done : -1;
        *index = done ? *index : 0; /* somebody was faster: look again at once */
    }
    json_decref(alive);
    return result;
}

static bool still_held(const struct lock *l, json_t *entries)
{
    if (l->limit == 1) {
        json_t *entry = find(l, entries, ".lock");
        return entry && strcmp(text(entry, "Session"), l->session) == 0;
    }
    int64_t limit;
    json_t *alive = holders(l, entries, &limit);
    bool held = json_object_get(alive, l->session) != NULL;
    json_decref(alive);
    return held;
}

/* ---- Both ---- */

bool lock_open(struct lock *l, const char *name)
{
    struct cli_response r;
    json_t *q = json_pack("{s:s,s:s}", "Name", name, "TTL", TTL), *reply;
    if (l->limit != 1) {
        json_object_set_new(q, "Behavior", json_string("delete"));
    }
    char *body = q ? json_dumps(q, JSON_COMPACT) : NULL;
    json_decref(q);
    l->renewed_ns = now_ns();
    bool ok = body && ask(l, "PUT", "/v1/session/create", body, 0, &r);
    free(body);
    if (!ok) {
        return false;
    }
    reply = json_loads(r.body, 0, NULL);
    snprintf(l->session, sizeof l->session, "%s", text(reply, "ID"));
    json_decref(reply);
    cli_response_free(&r);
    return l->session[0] != '\0';
}

/* A contender says that it is there, so that it counts while it is. */
static bool contend(struct lock *l)
{
    char query[160];
    bool done = false;
    snprintf(query, sizeof query, "acquire=%s&flags=" SEM_FLAGS, l->session);
    if (!put_key(l, l->session, query, NULL, &done)) {
        return false;
    }
    if (!done) {
        snprintf(l->error, sizeof l->error, "failed to make contender entry");
    }
    return done;
}

bool lock_acquire(struct lock *l)
{
    uint64_t begun = now_ns(), index = 0;
    int result = l->limit == 1 || contend(l) ? 0 : -1;
    while (result == 0 && !atomic_load(&l->stop) &&
           (l->try_ns == 0 || now_ns() - begun < l->try_ns)) {
        json_t *entries = look(l, &index, false);
        result = !entries        ? -1
                 : l->limit == 1 ? try_lock(l, entries, &index)
                                 : try_semaphore(l, entries, &index);
        json_decref(entries);
    }
    return result > 0;
}

void lock_watch(struct lock *l)
{
    uint64_t index = 0;
    for (int64_t failures = 0; failures <= l->monitor_retries;) {
        json_t *entries = look(l, &index, true);
        if (entries) {
            bool held = still_held(l, entries);
            json_decref(entries);
            failures = 0;
            if (!held) {
                return;
            }
        } else if (++failures <= l->monitor_retries) {
            pause_ms(RETRY_MS);
        }
    }
}

static bool leave_semaphore(struct lock *l)
{
    for (;;) {
        uint64_t index = 0;
        int64_t limit;
        bool done;
        json_t *entries = look(l, &index, true);
        if (!entries) {
            return false;
        }
        json_t *alive = holders(l, entries, &limit);
        json_object_del(alive, l->session);
        bool ok = write_holders(l, entries, alive, &done);
        json_decref(alive);
        json_decref(entries);
        if (!ok || done) {
            return ok;
        }
    }
}

bool lock_release(struct lock *l)
{
    char query[160], path[PATH_MAX_BYTES];
    bool done;
    if (l->limit == 1) {
        snprintf(query, sizeof query, "release=%s&flags=" LOCK_FLAGS, l->session);
        return put_key(l, ".lock", query, NULL, &done);
    }
    key_path(l, l->session, path);
    return leave_semaphore(l) && ask_bool(l, "DELETE", path, NULL, &done);
}

void lock_close(struct lock *l)
{
    char path[256];
    bool done;
    if (l->session[0]) {
        snprintf(path, sizeof path, "/v1/session/destroy/%s", l->session);
        if (!ask_bool(l, "PUT", path, NULL, &done)) {
            return; /* its TTL ends it */
        }
        l->session[0] = '\0';
    }
}

static bool is_in_use(const struct lock *l, json_t *entries)
{
    size_t i;
    json_t *entry;
    json_array_foreach(entries, i, entry)
    {
        if (*text(entry, "Session")) {
            return true;
        }
    }
    int64_t limit;
    json_t *alive = l->limit == 1 ? json_object() : holders(l, entries, &limit);
    bool used = json_object_size(alive) > 0;
    json_decref(alive);
    return used;
}

bool lock_clean_up(struct lock *l)
{
    char path[PATH_MAX_BYTES], query[64];
    uint64_t index = 0;
    bool done = true;
    l->renewed_ns = now_ns(); /* its session has ended */
    l->error[0] = '\0';
    json_t *entries = look(l, &index, true);
    if (!entries) {
        return false;
    }
    json_t *entry = find(l, entries, ".lock");
    bool used = is_in_use(l, entries), ok = !used;
    if (ok && entry) {
        key_path(l, ".lock", path);
        snprintf(query, sizeof query, "cas=%llu", modify_index(entry));
        add(path, query);
        ok = ask_bool(l, "DELETE", path, NULL, &done) && done;
    }
    json_decref(entries);
    return ok;
}
