/* Filter expressions: the first line is one, the rest a text that its regular expression, if it is
 * one, looks at. */
#include "http/filter.h"
#include "regexp.h"

#include <assert.h>
#include <muster/catalog_types.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const selectors[] = {"Service", "Port"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *nl = size ? memchr(text, '\n', size) : NULL;
    struct mu_str expression = {text, nl ? (size_t)(nl - text) : size};
    struct mu_str subject = {nl ? nl + 1 : text, nl ? size - expression.len - 1 : 0};
    struct mu__arena a;
    char err[FILTER_ERROR_MAX] = "";
    const struct http_filter *f = NULL;
    struct catalog_node_service record = {.service = subject, .id = {selectors[0], 7}};
    mu__arena_init(&a, NULL, 8 << 20);
    if (filter_parse(catalog_schema(CATALOG_NODE_SERVICE), expression, &a, &f, err, sizeof err)) {
        bool once = filter_match(f, &record);
        assert(filter_match(f, &record) == once); /* matching leaves no traces */
    } else {
        assert(err[0] && memchr(err, 0, sizeof err));
    }
    struct mu__regexp *re = size < 200 ? mu__regexp_compile(expression, &a, err, sizeof err) : NULL;
    if (re) {
        bool once = mu__regexp_matches(re, subject);
        assert(mu__regexp_matches(re, subject) == once);
    }
    mu__arena_fini(&a);
    return 0;
}
