/* Any URI: what is read as an id is written back as the same bytes, so no id has two spellings; and
 * its common name is one. */
#include <assert.h>
#include <muster/ca.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1), back[CA_URI_MAX + 1], cn[CA_CN_MAX + 1];
    struct mu_str uri = {(const char *)data, size};
    struct ca_id id;
    size_t len;
    if (text && ca_id_parse(uri, text, &id) == CA_OK) {
        assert(ca_id_write(&id, back, sizeof back, &len) == CA_OK);
        assert(len == size && memcmp(back, data, size) == 0);
        assert(!id.name.len || !memchr(id.name.p, '/', id.name.len));
        ca_id_common_name(&id, cn);
        assert(strlen(cn) <= CA_CN_MAX);
    }
    free(text);
    return 0;
}
