/* Bytes of a client: a head, whole and in two parts, its target, and what follows as a chunked
 * body. */
#include "http/parse.h"
#include "http/uri.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_target(struct mu_str target)
{
    struct mu__arena a;
    struct mu_str path, query, clean = {NULL, 0}, again;
    struct http_query q;
    mu__arena_init(&a, NULL, 1 << 20);
    char *decoded = malloc(target.len + 1);
    if (decoded && uri_split(target, &path, &query)) {
        size_t len;
        if (uri_decode(path, false, decoded, &len)) {
            struct mu_str p = {decoded, len};
            (void)uri_has_unprintable(p);
            if (!uri_is_clean(p, &a, &clean)) {
                /* Cleaning once is enough */
                assert(clean.len <= len + 1 && uri_is_clean(clean, &a, &again));
            }
        }
        if (uri_parse_query(query, &a, &q)) {
            struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
            uri_write_query(&w, &q);
            struct http_query back;
            bool ok = uri_parse_query((struct mu_str){(const char *)w.data, w.len}, &a, &back);
            assert(!ok || back.len <= q.len); /* empty pairs are left out */
            mu__writer_fini(&w);
        }
    }
    free(decoded);
    mu__arena_fini(&a);
}

static void check_body(const uint8_t *data, size_t size)
{
    char *whole = malloc(size + 1), *parts = malloc(size + 1);
    if (whole && parts && size) {
        memcpy(whole, data, size);
        memcpy(parts, data, size);
        struct http_chunked one = {.in = 0}, two = {.in = 0};
        enum http_parse rc = http_chunked_step(&one, whole, size, 4096), rc2 = HTTP_MORE;
        for (size_t n = 1; n <= size && rc2 == HTTP_MORE; n++) {
            rc2 = http_chunked_step(&two, parts, n, 4096);
        }
        assert(rc == rc2);
        assert(one.out <= 4096 && one.in <= size);
        if (rc == HTTP_PARSED) {
            assert(one.out == two.out && one.in == two.in && memcmp(whole, parts, one.out) == 0);
        }
    }
    free(whole);
    free(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t scanned = 0, slow = 0, len = http_head_end(text, size, &scanned), late = 0;
    for (size_t n = 0; n <= size && late == 0; n++) {
        late = http_head_end(text, n, &slow);
    }
    assert(len == late);
    if (len == 0) {
        return 0;
    }
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_head h = {.fields = fields};
    if (http_parse_head(text, len, &h) == HTTP_PARSED) {
        assert(h.nfields <= HTTP_FIELDS_MAX && !(h.chunked && h.has_length));
        check_target(h.target);
    }
    check_body(data + len, size - len);
    return 0;
}
