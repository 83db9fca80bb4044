/* log_tap.h - who listens to the log as it is written: /v1/agent/monitor.
 *
 * A tap keeps lines until they are taken, at most 256 KiB of them; what comes beyond that is
 * dropped and counted, so that a slow reader costs those who log nothing. */
#pragma once

#include "log.h"

#include <stddef.h>
#include <stdint.h>

struct log_tap;

/* Lines of level and above from now on, as text or as JSON objects. wake(arg) is called by any
 * thread, once until the next take, when there is something; it must not log. NULL: out of memory,
 * or too many listen already. */
struct log_tap *log_tap_create(enum mu_level level, bool json, void (*wake)(void *arg), void *arg);
/* Gives what has come, to be freed with free; NULL with *len 0: nothing. */
char *log_tap_take(struct log_tap *t, size_t *len);
uint64_t log_tap_dropped(struct log_tap *t); /* lines */
void log_tap_destroy(struct log_tap *t);     /* wake is not called any more; NULL is allowed */

/* For log.c. */
#define LOG__LINE_MAX 8320
#define LOG__JSON_MAX (3 * LOG__LINE_MAX)
bool log__is_tapped(enum mu_level level);
void log__tap(enum mu_level level, const char *module, const char *text);
size_t log__format(char *line, size_t cap, enum mu_level level, const char *module,
                   const char *text);
/* Likewise as an object with @level, @message, @module and @timestamp; 0 if it does not fit. */
size_t log__format_json(char *line, size_t cap, enum mu_level level, const char *module,
                        const char *text);
