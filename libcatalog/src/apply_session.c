/* apply_session.c - sessions are made and ended. */
#include "apply.h"
#include "msgpack.h"
#include "tables.h"

/* What can be said without looking at the store. */
const char *catalog_session_prepare(struct catalog_session_request *r, char *text, size_t size)
{
    struct catalog_session *s = &r->session;
    bool is_create = mu__str_is(r->op, "create");
    if (mu__str_is(r->op, "destroy") && s->id.len == 0) {
        return "Must provide ID";
    }
    if (is_create && s->node.len == 0) {
        return "Must provide Node";
    }
    if (s->behavior.len == 0) {
        s->behavior = mu__cstr("release");
    }
    if (!mu__str_is(s->behavior, "release") && !mu__str_is(s->behavior, "delete")) {
        struct catalog__text t = catalog__text(text, size);
        catalog__say(&t, "Invalid Behavior setting '");
        catalog__say_str(&t, s->behavior);
        catalog__say(&t, "'");
        return t.p;
    }
    return NULL;
}

static const char *create(struct catalog *c, struct catalog_session *s)
{
    if (catalog__get_session(c->draft, s->id)) {
        return "there is a session of this ID already";
    }
    const char *why = catalog__session_lacks(c, s);
    if (!why) {
        s->create_index = s->modify_index = c->index;
        catalog__put_session(c, s);
    }
    return why;
}

void catalog__apply_session(struct catalog *c, struct catalog_session_request *r,
                            struct catalog_result *result)
{
    char text[CATALOG__TEXT_MAX];
    bool is_create = mu__str_is(r->op, "create");
    if (!is_create && !mu__str_is(r->op, "destroy")) {
        catalog__refuse_operation(c, "Session", r->op, result);
        return;
    }
    const char *why = catalog_session_prepare(r, text, sizeof text);
    if (!why) {
        why = catalog_session_id_check(r->session.id, text, sizeof text);
    }
    if (!why && is_create) {
        why = create(c, &r->session);
    } else if (!why) {
        catalog__remove_session(c, r->session.id);
    }
    if (why) {
        catalog__refuse_cstr(c, result, why);
    }
}
