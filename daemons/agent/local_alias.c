/* Alias checks: as healthy as the worst check of a service of this agent, and of the node
 * itself. */
#include "agent/local_internal.h"

#include <stdlib.h>
#include <string.h>

struct verdict {
    enum check_status status;
    const struct local_check *because; /* NULL: nothing fails */
    bool any, of_service;
};

static bool bears_on(const struct local_check *c, const struct local_check *alias)
{
    return c != alias && !c->entry.deleted &&
           (!c->check->service_id.len ||
            mu__str_eq(c->check->service_id, alias->type->alias_service));
}

/* The first critical check decides; of warnings the last one is named, as in Consul. */
static struct verdict judge(const struct local *l, const struct local_check *alias)
{
    struct verdict v = {.status = CHECK_PASSING};
    size_t at = 0;
    for (const struct local_check *c;
         v.status != CHECK_CRITICAL && (c = mu__map_next(&l->checks, &at));) {
        if (!bears_on(c, alias)) {
            continue;
        }
        enum check_status status = check_status_parse(c->check->status);
        v.any = true;
        v.of_service = v.of_service || c->check->service_id.len;
        if (status != CHECK_PASSING) {
            v.status = status;
            v.because = c;
        }
    }
    return v;
}

static void tell(struct local *l, struct local_check *alias)
{
    struct mu_str service = alias->type->alias_service;
    struct verdict v = judge(l, alias);
    size_t cap = 256 + service.len + l->node.len +
                 (v.because ? v.because->check->name.len + v.because->check->output.len : 0);
    char *text = malloc(cap);
    if (!text) {
        return; /* the state stays as it is until the next look */
    }
    if (!v.of_service && !local_service(l, service)) {
        v.status = CHECK_CRITICAL;
        snprintf(text, cap, "Service %.*s could not be found on node %.*s", (int)service.len,
                 service.p, (int)l->node.len, l->node.p);
    } else if (v.because) {
        const struct catalog_check *c = v.because->check;
        snprintf(text, cap, "Aliased check \"%.*s\" failing: %.*s", (int)c->name.len, c->name.p,
                 (int)c->output.len, c->output.p ? c->output.p : "");
    } else {
        snprintf(text, cap, "%s", v.any ? "All checks passing." : "No checks found.");
    }
    struct mu_str output = mu__cstr(text);
    /* Aliases of aliases do not grow without end */
    output.len = mu__min(output.len, l->world.output_max);
    local__set_status(alias, v.status, output);
    free(text);
}

void local__update_aliases(struct local *l)
{
    size_t at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (!c->entry.deleted && c->type &&
            mu__str_eq(check_type_name(c->type), mu__cstr("alias"))) {
            tell(l, c);
        }
    }
}
