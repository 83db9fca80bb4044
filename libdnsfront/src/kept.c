#include "front.h"

#include <string.h>

void dnsfront_stats(const struct dnsfront *d, struct dnsfront_stats *out)
{
    (void)d;
    struct dnsfront_stats now = {.size = out->size};
    memcpy(out, &now, mu__min(out->size, sizeof now));
}
