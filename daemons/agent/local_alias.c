/* Alias checks: as healthy as the worst check of a service, and of the node itself. Those of this
 * agent's services are looked at here whenever something changes; local_alias_node.c does it for
 * other nodes. */
#include "agent/local_internal.h"

#include "agent/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The verdict ---- */

void local__judge_alias(struct alias_verdict *v, const struct catalog_check *c,
                        struct mu_str service)
{
    bool of_service = mu__str_eq(c->service_id, service);
    if (v->status == CHECK_CRITICAL || (c->service_id.len && !of_service)) {
        return;
    }
    enum check_status status = check_status_parse(c->status);
    v->any = true;
    v->found = v->found || of_service;
    if (status != CHECK_PASSING) {
        v->status = status;
        v->because = c;
    }
}

static struct mu_str print_text(size_t cap, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static struct mu_str print_text(size_t cap, const char *fmt, ...)
{
    va_list args;
    char *text = malloc(cap);
    if (!text) {
        abort();
    }
    va_start(args, fmt);
    vsnprintf(text, cap, fmt, args);
    va_end(args);
    return mu__cstr(text);
}

struct mu_str local__alias_output(const struct local_check *alias, const struct alias_verdict *v)
{
    const struct catalog_check *c = v->because;
    if (!c) {
        return text_copy(mu__cstr(v->any ? "All checks passing." : "No checks found."));
    }
    struct mu_str text =
        print_text(64 + c->name.len + c->output.len, "Aliased check \"%.*s\" failing: %.*s",
                   (int)c->name.len, c->name.p, (int)c->output.len, c->output.p ? c->output.p : "");
    /* Aliases of aliases do not grow without end */
    text.len = mu__min(text.len, alias->local->world.output_max);
    return text;
}

void local__lose_alias(struct local_check *alias)
{
    struct mu_str service = alias->type->alias_service, node = alias->type->alias_node;
    struct mu_str text = print_text(
        64 + service.len + node.len, "Service %.*s could not be found on node %.*s",
        (int)service.len, service.p ? service.p : "", (int)node.len, node.p ? node.p : "");
    local__set_status(alias, CHECK_CRITICAL, text);
    text_free(text);
}

/* ---- Aliases of this agent's services ---- */

static void look_at(struct local *l, struct local_check *alias)
{
    struct mu_str service = alias->type->alias_service;
    struct alias_verdict v = {.status = CHECK_PASSING};
    size_t at = 0;
    for (const struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (c != alias && !c->entry.deleted) {
            local__judge_alias(&v, c->check, service);
        }
    }
    if (!v.found && !local_service(l, service)) {
        local__lose_alias(alias);
        return;
    }
    struct mu_str output = local__alias_output(alias, &v);
    local__set_status(alias, v.status, output);
    text_free(output);
}

void local__update_aliases(struct local *l)
{
    size_t at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (!c->entry.deleted && c->type && !c->type->alias_node.len &&
            mu__str_eq(check_type_name(c->type), mu__cstr("alias"))) {
            look_at(l, c);
        }
    }
}
