#include "common.h"

#include <stdarg.h>
#include <stdio.h>

int ca__fail(struct ca_diag *diag, int code, const char *format, ...)
{
    if (diag) {
        va_list args;
        va_start(args, format);
        vsnprintf(diag->text, sizeof diag->text, format, args);
        va_end(args);
    }
    return code;
}

bool ca__widen(const void *given, size_t given_size, void *full, size_t size)
{
    for (size_t i = size; i < given_size; i++) {
        if (((const unsigned char *)given)[i] != 0) {
            return false;
        }
    }
    memcpy(full, given, mu__min(given_size, size));
    return true;
}
