/* What a checked service answers, whole and byte by byte: both are read alike, and no more than the
 * tail is kept. */
#include "agent/check_http_response.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TAIL 64

static enum http_step feed(struct http_response *r, struct check__tail *t, const char *data,
                           size_t size, size_t piece)
{
    enum http_step step = HTTP_MORE;
    http_response_init(r, false, t);
    for (size_t at = 0; at < size && step == HTTP_MORE; at += piece) {
        step = http_response_feed(r, data + at, mu__min(piece, size - at));
    }
    return step == HTTP_MORE ? http_response_end(r) : step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response whole, cut;
    struct check__tail a, b;
    if (!check__tail_init(&a, TAIL) || !check__tail_init(&b, TAIL)) {
        return 0;
    }
    enum http_step first = feed(&whole, &a, (const char *)data, size, size ? size : 1);
    enum http_step second = feed(&cut, &b, (const char *)data, size, 1);
    assert(first == second && whole.code == cut.code && !strcmp(whole.status, cut.status) &&
           a.total == b.total);
    assert(first != HTTP_DONE || (whole.code >= 200 && whole.code <= 999));
    struct mu_str x = check__tail_text(&a), y = check__tail_text(&b);
    assert(x.len == y.len && x.len <= TAIL && (!x.len || !memcmp(x.p, y.p, x.len)));
    check__tail_fini(&a);
    check__tail_fini(&b);
    return 0;
}
