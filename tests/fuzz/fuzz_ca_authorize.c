/* Any intentions and any question: the table agrees with a model that looks at each intention. A
 * byte names a side: its upper half the namespace, its lower half the name; the last two bytes are
 * the question. */
#include "intentions_model.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_side(uint8_t byte, struct mu_str *ns, struct mu_str *name)
{
    static const char *const names[] = {"*", "a", "b", "web", "db", "we*", "", "\xff\n"};
    static const char *const spaces[] = {"", "default", "*", "team"};
    *ns = (struct mu_str){spaces[byte >> 4 & 3], strlen(spaces[byte >> 4 & 3])};
    *name = (struct mu_str){names[byte & 7], strlen(names[byte & 7])};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_intention list[64] = {{.action = CA_DENY}};
    struct ca_intentions *t;
    struct ca_id id = {.kind = CA_ID_SERVICE};
    struct mu_str ns, to;
    size_t count = 0;
    bool good = true;
    if (size < 2) {
        return 0;
    }
    for (size_t at = 0; at + 3 <= size - 2 && count < 64; at += 3, count++) {
        struct ca_intention *i = &list[count];
        name_side(data[at], &i->source_ns, &i->source);
        name_side(data[at + 1], &i->destination_ns, &i->destination);
        i->action = data[at + 2] & 1 ? CA_ALLOW : CA_DENY;
        good = good && ca_intention_precedence(i) > 0;
    }
    int rc = ca_intentions_create(list, count, size, NULL, &t);
    assert(rc == (good ? CA_OK : CA_EINVAL));
    if (good) {
        struct ca_authorization why;
        name_side(data[size - 2], &id.ns, &id.name);
        name_side(data[size - 1], &ns, &to);
        bool allowed = ca_authorize(t, &id, ns, to, CA_DENY, &why);
        const struct ca_intention *i = model_decide(list, count, id.ns, id.name, ns, to);
        assert(why.matched == (i != NULL) && allowed == (i && i->action == CA_ALLOW));
    }
    ca_intentions_destroy(t);
    return 0;
}
