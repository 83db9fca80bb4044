#include "authorize.h"

const char *authorize(const struct call *c)
{
    (void)c;
    return NULL;
}
