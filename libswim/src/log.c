#include "core.h"

#include <stdarg.h>
#include <stdio.h>

void swim__log(struct swim *s, enum mu_level level, const char *fmt, ...)
{
    if (!s->cfg.log || level < s->cfg.log_level) {
        return;
    }
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    for (char *c = line; n > 0 && *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?'; /* names come from strangers: no line of ours breaks in two */
        }
    }
    s->cfg.log(s->cfg.log_user, level, line);
}
