#include "draw.h"

#include "alloc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

static void refill(struct draw *d)
{
    while (d->left < sizeof d->pool) {
        ssize_t n = getrandom(d->pool + d->left, sizeof d->pool - d->left, 0);
        assert(n > 0 || errno == EINTR); /* every kernel that we run on has it */
        d->left += n > 0 ? (size_t)n : 0;
    }
}

uint16_t dnsfront__draw(struct draw *d)
{
    if (d->left == 0) {
        refill(d);
    }
    uint16_t v;
    d->left -= sizeof v;
    memcpy(&v, d->pool + d->left, sizeof v);
    mu__wipe(d->pool + d->left, sizeof v);
    return v;
}

size_t dnsfront__draw_below(struct draw *d, size_t n)
{
    assert(n > 0);
    assert(n <= 65536);
    size_t limit = 65536 - 65536 % n, v;
    do {
        v = dnsfront__draw(d);
    } while (v >= limit);
    return v % n;
}
