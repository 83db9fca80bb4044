#include "log_tap.h"

#include "schema.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAPS_MAX  16
#define KEPT_MAX  ((size_t)256 * 1024)
#define NO_LEVEL  (MU_ERROR + 1)
#define ROOM_STEP ((size_t)16 * 1024)

struct log_tap {
    enum mu_level level;
    bool json, is_woken;
    void (*wake)(void *arg);
    void *arg;
    char *lines;
    size_t len, cap;
    uint64_t dropped;
};

/* Part of the log, and process-wide like it. The lock is held for no longer than it takes to copy a
 * line; nobody takes it while no one listens. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_tap *taps[TAPS_MAX];
static atomic_int lowest = NO_LEVEL; /* level that any of them wants */

bool log__is_tapped(enum mu_level level)
{
    return (int)level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

static void find_lowest(void)
{
    int level = NO_LEVEL;
    for (size_t i = 0; i < TAPS_MAX; i++) {
        if (taps[i] && (int)taps[i]->level < level) {
            level = (int)taps[i]->level;
        }
    }
    atomic_store(&lowest, level);
}

struct log_tap *log_tap_create(enum mu_level level, bool json, void (*wake)(void *arg), void *arg)
{
    struct log_tap *t = calloc(1, sizeof *t);
    if (!t) {
        return NULL;
    }
    *t = (struct log_tap){.level = level, .json = json, .wake = wake, .arg = arg};
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < TAPS_MAX && taps[i]) {
        i++;
    }
    if (i < TAPS_MAX) {
        taps[i] = t;
        find_lowest();
    }
    pthread_mutex_unlock(&lock);
    if (i == TAPS_MAX) {
        free(t);
        return NULL;
    }
    return t;
}

void log_tap_destroy(struct log_tap *t)
{
    if (!t) {
        return;
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < TAPS_MAX; i++) {
        taps[i] = taps[i] == t ? NULL : taps[i];
    }
    find_lowest();
    pthread_mutex_unlock(&lock);
    free(t->lines);
    free(t);
}

char *log_tap_take(struct log_tap *t, size_t *len)
{
    pthread_mutex_lock(&lock);
    char *lines = t->lines;
    *len = t->len;
    t->lines = NULL;
    t->len = t->cap = 0;
    t->is_woken = false;
    pthread_mutex_unlock(&lock);
    return lines;
}

uint64_t log_tap_dropped(struct log_tap *t)
{
    pthread_mutex_lock(&lock);
    uint64_t n = t->dropped;
    pthread_mutex_unlock(&lock);
    return n;
}

static void keep(struct log_tap *t, const char *line, size_t len)
{
    if (t->len + len > t->cap) {
        size_t cap = t->cap + (len > ROOM_STEP ? len : ROOM_STEP);
        char *lines = cap <= KEPT_MAX ? realloc(t->lines, cap) : NULL;
        if (!lines) {
            t->dropped++;
            return;
        }
        t->lines = lines;
        t->cap = cap;
    }
    memcpy(t->lines + t->len, line, len);
    t->len += len;
    if (!t->is_woken) {
        t->is_woken = true;
        t->wake(t->arg);
    }
}

/* {"@level":"debug","@message":"...","@module":"agent.http","@timestamp":"..."} */
size_t log__format_json(char *line, size_t cap, enum mu_level level, const char *module,
                        const char *text)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    char stamp[48];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp + n, sizeof stamp - n, ".%06ldZ", now.tv_nsec / 1000);
    struct mu__writer w = mu__writer_fixed(line, cap);
    struct mu__json j = mu__json(&w, false);
    mu__json_object(&j);
    mu__json_ckey(&j, "@level");
    mu__json_cstr(&j, levels[level]);
    mu__json_ckey(&j, "@message");
    mu__json_cstr(&j, text);
    mu__json_ckey(&j, "@module");
    mu__json_cstr(&j, module);
    mu__json_ckey(&j, "@timestamp");
    mu__json_cstr(&j, stamp);
    mu__json_object_end(&j);
    mu__write_u8(&w, '\n');
    return w.failed ? 0 : w.len; /* escapes make a line six times as long at worst */
}

void log__tap(enum mu_level level, const char *module, const char *text)
{
    char line[LOG__LINE_MAX], json[LOG__JSON_MAX];
    size_t len = 0, json_len = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < TAPS_MAX; i++) {
        struct log_tap *t = taps[i];
        if (!t || level < t->level) {
            continue;
        }
        if (t->json && !json_len) {
            json_len = log__format_json(json, sizeof json, level, module, text);
        } else if (!t->json && !len) {
            len = log__format(line, sizeof line, level, module, text);
        }
        keep(t, t->json ? json : line, t->json ? json_len : len);
    }
    pthread_mutex_unlock(&lock);
}
