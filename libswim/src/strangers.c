/* strangers.c - a line in the log about peers whose messages we cannot read: one for each address
 * in a while, however much it sends, and few altogether. Everything is counted all the same. */
#include "core.h"

#include <string.h>

#define EACH_NS (300 * MU_SEC) /* between two lines about one address */
#define ALL_NS  MU_SEC         /* between any two */

static struct swim__stranger *find_or_oldest(struct swim *s, const struct swim_addr *from)
{
    struct swim__stranger *oldest = &s->strangers[0];
    for (size_t i = 0; i < sizeof s->strangers / sizeof s->strangers[0]; i++) {
        struct swim__stranger *e = &s->strangers[i];
        if (e->len == from->len && memcmp(e->ip, from->ip, e->len) == 0) {
            return e; /* by address alone: streams come from any port */
        }
        oldest = e->told_ns < oldest->told_ns ? e : oldest;
    }
    return oldest;
}

static bool is_worth_a_line(struct swim *s, const struct swim_addr *from)
{
    if (from->len == 0 || (s->stranger_ns != 0 && s->now - s->stranger_ns < ALL_NS)) {
        return false;
    }
    struct swim__stranger *e = find_or_oldest(s, from);
    bool known = e->len == from->len && memcmp(e->ip, from->ip, e->len) == 0;
    if (known && s->now - e->told_ns < EACH_NS) {
        return false;
    }
    e->len = from->len;
    memcpy(e->ip, from->ip, sizeof e->ip);
    e->told_ns = s->stranger_ns = s->now;
    return true;
}

void swim__note_unreadable(struct swim *s, const struct swim_addr *from, enum swim__open_result why)
{
    char text[SWIM_ADDR_TEXT];
    if (!is_worth_a_line(s, from)) {
        return;
    }
    (void)swim_addr_text(from, text);
    if (why == SWIM__OPEN_UNDECRYPTED) {
        swim__log(s, MU_WARN,
                  "%s sends what none of our %zu gossip keys opens: it has another key, or none",
                  text, swim__keyring_count(s->keyring));
    } else if (why == SWIM__OPEN_PLAIN || why == SWIM__OPEN_ENCRYPTED) {
        swim__log(s, MU_WARN, "%s: %s", text, swim__open_text(why));
    } else {
        swim__log(s, MU_WARN, "%s sends what we cannot read (%s)%s", text,
                  why == SWIM__OPEN_CHECKSUM || why == SWIM__OPEN_LABEL ? swim__open_text(why)
                                                                        : "malformed",
                  swim__keyring_count(s->keyring) == 0 ? ": is it encrypted? we are not" : "");
    }
}
