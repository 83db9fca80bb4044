#include "log_file.h"

#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

#define DEFAULT_NAME "muster.log"
#define PATH_BYTES   4096

/* Part of the log, and process-wide like it. The lock is held while a line is written, so that none
 * goes to a file that has just been closed. */
static struct {
    pthread_mutex_t lock;
    atomic_bool on;
    struct log_file_config config;
    char folder[PATH_BYTES], name[256], ext[64]; /* folder ends with '/' unless empty */
    int fd;
    int64_t written;
    uint64_t opened_ns;
} file = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

static bool split_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    base = *base ? base : DEFAULT_NAME;
    const char *dot = strrchr(base, '.');
    size_t name = dot ? (size_t)(dot - base) : strlen(base);
    int a = snprintf(file.folder, sizeof file.folder, "%.*s", slash ? (int)(slash + 1 - path) : 0,
                     path);
    int b = snprintf(file.name, sizeof file.name, "%.*s", (int)name, base);
    int c = snprintf(file.ext, sizeof file.ext, "%s", dot ? dot : ".log");
    return a >= 0 && (size_t)a < sizeof file.folder && b >= 0 && (size_t)b < sizeof file.name &&
           c >= 0 && (size_t)c < sizeof file.ext;
}

/* Nothing is written while no file can be opened; the next line tries again. */
static bool open_next(char *path, size_t cap)
{
    int n = snprintf(path, cap, "%s%s-%" PRId64 "%s", file.folder, file.name, loop_now_unix_ns(),
                     file.ext);
    if (n < 0 || (size_t)n >= cap) {
        errno = ENAMETOOLONG;
        return false;
    }
    file.fd = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0640);
    file.written = 0;
    file.opened_ns = loop_now_ns();
    return file.fd >= 0;
}

/* Times in names have as many digits for centuries, so the oldest come first. */
static void prune(void)
{
    char pattern[PATH_BYTES + 512];
    glob_t found;
    if (file.config.keep == 0) {
        return;
    }
    snprintf(pattern, sizeof pattern, "%s%s-*%s", file.folder, file.name, file.ext);
    if (glob(pattern, 0, NULL, &found) != 0) {
        return;
    }
    size_t keep = file.config.keep > 0 ? (size_t)file.config.keep : 0;
    for (size_t i = 0; i + keep < found.gl_pathc; i++) {
        unlink(found.gl_pathv[i]);
    }
    globfree(&found);
}

static bool is_over(void)
{
    const struct log_file_config *c = &file.config;
    return (c->rotate_bytes > 0 && file.written >= c->rotate_bytes) ||
           (c->rotate_after_ns > 0 && loop_now_ns() - file.opened_ns >= c->rotate_after_ns);
}

bool log_file_open(const struct log_file_config *c, char *err, size_t errlen)
{
    char path[PATH_BYTES + 512] = "";
    file.config = *c;
    file.config.path = NULL;
    if (!split_path(c->path)) {
        snprintf(err, errlen, "log_file: %.256s is too long", c->path);
        return false;
    }
    if (!open_next(path, sizeof path)) {
        snprintf(err, errlen, "Failed to setup logging: open %.512s: %s", path,
                 errno == ENOENT ? "no such file or directory" : strerror(errno));
        return false;
    }
    atomic_store(&file.on, true);
    return true;
}

void log_file_close(void)
{
    pthread_mutex_lock(&file.lock);
    atomic_store(&file.on, false);
    if (file.fd >= 0) {
        close(file.fd);
        file.fd = -1;
    }
    pthread_mutex_unlock(&file.lock);
}

void log__file_write(const char *line, size_t len)
{
    char path[PATH_BYTES + 512];
    if (!atomic_load_explicit(&file.on, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&file.lock);
    if (file.fd >= 0 && is_over()) {
        close(file.fd);
        file.fd = -1;
        prune();
    }
    if (atomic_load(&file.on) && (file.fd >= 0 || open_next(path, sizeof path))) {
        ssize_t n = write(file.fd, line, len);
        file.written += n > 0 ? n : 0;
    }
    pthread_mutex_unlock(&file.lock);
}

/* ---- Syslog ---- */

static atomic_bool to_syslog;

bool log_syslog_open(const char *name)
{
    static const struct {
        const char *name;
        int facility;
    } all[] = {{"KERN", LOG_KERN},     {"USER", LOG_USER},     {"MAIL", LOG_MAIL},
               {"DAEMON", LOG_DAEMON}, {"AUTH", LOG_AUTH},     {"SYSLOG", LOG_SYSLOG},
               {"LPR", LOG_LPR},       {"NEWS", LOG_NEWS},     {"UUCP", LOG_UUCP},
               {"CRON", LOG_CRON},     {"LOCAL0", LOG_LOCAL0}, {"LOCAL1", LOG_LOCAL1},
               {"LOCAL2", LOG_LOCAL2}, {"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4},
               {"LOCAL5", LOG_LOCAL5}, {"LOCAL6", LOG_LOCAL6}, {"LOCAL7", LOG_LOCAL7}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!strcasecmp(all[i].name, name)) {
            openlog("muster", LOG_PID | LOG_NDELAY, all[i].facility);
            atomic_store(&to_syslog, true);
            return true;
        }
    }
    return false;
}

void log__syslog_write(enum mu_level level, const char *module, const char *text)
{
    static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERR};
    if (atomic_load_explicit(&to_syslog, memory_order_relaxed)) {
        syslog(priorities[level], "%s: %s", module, text);
    }
}
