/* log.h - lines to standard error or a file, in the form Consul's operators know:
 *     2026-11-22T17:00:00.000Z [INFO]  agent.server: text
 * Any thread may log. Never log a secret. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

void log_set_level(enum mu_level level);
enum mu_level log_level(void);
/* Where lines go; standard error at first. Returns the descriptor used before, which the caller may
 * close. */
int log_set_fd(int fd);
/* Lines as objects of JSON from here on, in the form of log_tap.h. */
void log_set_json(bool on);
/* Is anybody interested: the log, or who listens to it (log_tap.h)? */
bool log_is_on(enum mu_level level);
/* TRACE DEBUG INFO WARN ERR, any case. */
bool log_parse_level(const char *name, enum mu_level *out);
/* Writes one line; module such as "agent.http". Newlines in the text are escaped. */
void log_write(enum mu_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(MU_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(MU_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(MU_WARN, __VA_ARGS__)
#define log_error(...) log_write(MU_ERROR, __VA_ARGS__)
