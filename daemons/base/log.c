#include "log.h"

#include "log_file.h"
#include "log_tap.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
_Static_assert(LOG__LINE_MAX >= 2 * LINE_MAX_BYTES + 128, "escapes double a line at most");

/* The only process-wide state of the daemons: a daemon has one log. */
static atomic_int threshold = MU_INFO;
static atomic_int sink = STDERR_FILENO;
static atomic_bool in_json;

void log_set_level(enum mu_level level)
{
    atomic_store(&threshold, (int)level);
}

enum mu_level log_level(void)
{
    return (enum mu_level)atomic_load(&threshold);
}

int log_set_fd(int fd)
{
    return atomic_exchange(&sink, fd);
}

bool log_is_on(enum mu_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed) ||
           log__is_tapped(level);
}

bool log_parse_level(const char *name, enum mu_level *out)
{
    static const struct {
        const char *name;
        enum mu_level level;
    } names[] = {{"trace", MU_TRACE}, {"debug", MU_DEBUG}, {"info", MU_INFO},
                 {"warn", MU_WARN},   {"err", MU_ERROR},   {"error", MU_ERROR}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcasecmp(name, names[i].name)) {
            *out = names[i].level;
            return true;
        }
    }
    return false;
}

static size_t stamp(char *buf, size_t cap)
{
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t n = strftime(buf, cap, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(buf + n, cap - n, ".%03ldZ", t.tv_nsec / 1000000);
}

/* Keeps a line one line: what strangers sent must not be able to forge another. */
static size_t escape(char *out, size_t cap, const char *text)
{
    size_t n = 0;
    for (; *text && n + 5 < cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n') {
            out[n++] = '\\';
            out[n++] = 'n';
        } else if (c == '\t') {
            out[n++] = ' ';
        } else if (c < 0x20 || c == 0x7f) {
            n += (size_t)snprintf(out + n, cap - n, "\\x%02x", c);
        } else {
            out[n++] = (char)c;
        }
    }
    return n;
}

/* One call: lines of several threads do not mix. */
static void write_line(const char *line, size_t n)
{
    ssize_t written = write(atomic_load(&sink), line, n);
    (void)written;
    log__file_write(line, n);
}

static void write_json(enum mu_level level, const char *module, const char *text)
{
    char line[LOG__JSON_MAX];
    write_line(line, log__format_json(line, sizeof line, level, module, text));
}

void log_write(enum mu_level level, const char *module, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES], line[LOG__LINE_MAX];
    va_list args;

    if (!log_is_on(level)) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (log__is_tapped(level)) {
        log__tap(level, module, text);
    }
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed)) {
        return;
    }
    if (atomic_load_explicit(&in_json, memory_order_relaxed)) {
        write_json(level, module, text);
    } else {
        write_line(line, log__format(line, sizeof line, level, module, text));
    }
    log__syslog_write(level, module, text);
}

void log_set_json(bool on)
{
    atomic_store(&in_json, on);
}

size_t log__format(char *line, size_t cap, enum mu_level level, const char *module,
                   const char *text)
{
    static const char *const tags[] = {"[TRACE] ", "[DEBUG] ", "[INFO]  ", "[WARN]  ", "[ERROR] "};
    size_t n = stamp(line, cap);
    n += (size_t)snprintf(line + n, 96, " %s%s: ", tags[level], module);
    n += escape(line + n, cap - n - 1, text);
    line[n++] = '\n';
    return n;
}
