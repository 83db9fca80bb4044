/* log_file.h - where lines of the log go besides standard error: a file that makes room for the
 * next one when it is old or long enough, and syslog (agent-config 3.8). Any thread may write. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>
#include <stddef.h>

struct log_file_config {
    const char *path;     /* of which names are made: dir/name-<time>.ext; or a folder with '/' */
    int64_t rotate_bytes; /* 0: any length */
    uint64_t rotate_after_ns; /* 0: never */
    int64_t keep;             /* older files; 0: all, -1: none */
};

/* Opens the first file. False with a sentence. Once, before there are threads. */
MU_MUST_USE bool log_file_open(const struct log_file_config *c, char *err, size_t errlen);
void log_file_close(void);
void log__file_write(const char *line, size_t len);

/* Lines go to syslog, too, from here on. False: there is no such facility ("LOCAL0", "DAEMON"). */
MU_MUST_USE bool log_syslog_open(const char *facility);
void log__syslog_write(enum mu_level level, const char *module, const char *text);
