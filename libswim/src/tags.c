/* tags.c - reading the tags of a member, and replacing our own. They stay encoded, as they travel:
 * a member's record holds them once, in the fewest bytes. */
#include "core.h"

#include <string.h>

bool swim_next_tag(const struct swim_member *m, size_t *at, struct swim_tag *out)
{
    struct swim__wire_tags walk;
    if (!swim__wire_tags_begin(&walk, m->meta)) {
        return false;
    }
    for (size_t i = 0; swim__wire_tags_next(&walk, out); i++) {
        if (i == *at) {
            (*at)++;
            return true;
        }
    }
    return false;
}

bool swim_tag(const struct swim_member *m, const char *key, struct mu_str *value)
{
    struct swim__wire_tags walk;
    struct swim_tag tag;
    if (!swim__wire_tags_begin(&walk, m->meta)) {
        return false;
    }
    while (swim__wire_tags_next(&walk, &tag)) {
        if (mu__str_is(tag.key, key)) {
            *value = tag.value;
            return true;
        }
    }
    return false;
}

int swim__set_own_meta(struct swim *s, const struct swim_tag *tags, size_t n)
{
    struct mu__writer w = mu__writer_growing(&s->allocator);
    swim__wire_tags_encode(&w, tags, n);
    int rc = w.failed ? SWIM_ENOMEM : w.len > SWIM_META_MAX ? SWIM_ESIZE : SWIM_OK;
    if (rc == SWIM_OK && !swim__member_set_meta(&s->members, s->self,
                                                (struct mu_str){(const char *)w.data, w.len})) {
        rc = SWIM_ENOMEM;
    }
    mu__writer_fini(&w);
    return rc;
}

int swim_set_tags(struct swim *s, uint64_t now_ns, const struct swim_tag *tags, size_t ntags)
{
    swim__enter(s, now_ns);
    if (s->leave_stage != SWIM__STAYING) {
        return SWIM_ELEFT;
    }
    if (!swim__events_reserve(s, 1)) {
        return SWIM_ENOMEM;
    }
    int rc = swim__set_own_meta(s, tags, ntags);
    if (rc != SWIM_OK) {
        return rc;
    }
    s->incarnation++;
    swim__event_push(s, SWIM_EVENT_UPDATE, s->self, NULL);
    /* Should the broadcast find no memory, the next full sync carries the change. */
    return swim__announce(s) ? SWIM_OK : SWIM_ENOMEM;
}
