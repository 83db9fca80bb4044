/* An answer of the agent, from its first byte on: framing, then whichever of the four readers the
 * first byte chooses. What is accepted holds what it must. */
#include "identity.h"

#include <stdlib.h>
#include <string.h>

static void need(bool held)
{
    if (!held) {
        abort();
    }
}

static void try_leaf(struct identity__reply *r, struct ca_diag *diag)
{
    struct identity__leaf leaf;
    if (!identity__read_leaf(&mu__malloc_allocator, r, "web", &leaf, diag)) {
        need(leaf.count > 0 && leaf.key_pem);
        need(strlen(leaf.key_pem) < leaf.key_cap);
        identity__leaf_fini(&mu__malloc_allocator, &leaf);
    }
    need(leaf.count == 0 && !leaf.key_pem);
}

static void try_roots(struct identity__reply *r, struct ca_diag *diag)
{
    struct identity__trust *trust;
    if (!identity__read_roots(&mu__malloc_allocator, r, &trust, diag)) {
        need(trust->count > 0 && trust->count <= IDENTITY_ROOTS_MAX);
        need(identity__trust_same(trust, trust));
    } else {
        need(!trust);
    }
    identity__trust_release(trust);
}

static void try_match(struct identity__reply *r, struct ca_diag *diag)
{
    struct ca_intentions *table;
    size_t count;
    const char *why = identity__read_match(&mu__malloc_allocator, r, "web", &table, &count, diag);
    need(!why == (table != NULL));
    ca_intentions_destroy(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size); /* all but the first byte, and a zero */
    struct identity__reply r;
    struct ca_diag diag = {{0}};
    enum ca_action otherwise;
    memcpy(text, data + 1, size - 1);
    if (!identity__http_read(text, size - 1, &r)) {
        need(r.len == 0 || (r.body >= text && r.body + r.len <= text + size - 1));
        switch (data[0] % 4) {
        case 0:
            try_leaf(&r, &diag);
            break;
        case 1:
            try_roots(&r, &diag);
            break;
        case 2:
            try_match(&r, &diag);
            break;
        default:
            (void)identity__read_default(&r, &otherwise);
        }
    }
    free(text);
    return 0;
}
