/* Lookups that other resolvers are asked for, on behalf of a node's queries. */
#include "recursion.h"

#include "cursor.h"
#include "forward.h"

#include <stdio.h>
#include <string.h>

#define QUERY_MAX     300u /* one of ours: header, name, type and class */
#define FLAG_RD       0x0100u
#define CLASS_IN      1u
#define LABEL_MAX     63u
#define NAME_WIRE_MAX 255u

/* A host name as labels; the writer has failed if it is none. */
static void write_name(struct mu__writer *w, struct mu_str name)
{
    size_t at = 0, before = w->len;
    if (name.len && name.p[name.len - 1] == '.') {
        name.len--;
    }
    while (at < name.len) {
        const char *dot = memchr(name.p + at, '.', name.len - at);
        size_t len = (dot ? (size_t)(dot - name.p) : name.len) - at;
        if (len == 0 || len > LABEL_MAX) {
            w->failed = true;
            return;
        }
        mu__write_u8(w, (uint8_t)len);
        mu__write_bytes(w, name.p + at, len);
        at += len + 1;
    }
    mu__write_u8(w, 0);
    /* `at` is one past the end, unless the last label is empty. */
    w->failed = w->failed || at != name.len + 1 || w->len - before > NAME_WIRE_MAX;
}

size_t dnsfront__recursion_write(struct mu_str name, uint16_t type, uint8_t *buf, size_t cap)
{
    struct mu__writer w = mu__writer_fixed(buf, cap);
    mu__write_u16be(&w, 0); /* the ID, to be replaced */
    mu__write_u16be(&w, FLAG_RD);
    mu__write_u16be(&w, 1);
    mu__write_u16be(&w, 0);
    mu__write_u32be(&w, 0);
    write_name(&w, name);
    mu__write_u16be(&w, type);
    mu__write_u16be(&w, CLASS_IN);
    return w.failed ? 0 : w.len;
}

static void on_reply(void *arg, const uint8_t *reply, size_t len)
{
    struct dnsfront_found found = {.size = sizeof found,
                                   .status = reply ? DNSFRONT_FOUND : DNSFRONT_FAILED,
                                   .message = reply,
                                   .message_len = len};
    dnsfront_node_supply(arg, &found);
}

bool dnsfront__recursion_find(struct forwarder *f, struct dnsfront_pending *p,
                              const struct dnsfront_lookup *lookup, const uint8_t *query,
                              size_t len)
{
    uint8_t own[QUERY_MAX];
    if (!f || (lookup->kind != DNSFRONT_FORWARD && lookup->kind != DNSFRONT_RESOLVE)) {
        return false;
    }
    enum forward_mode mode = lookup->tcp ? FORWARD_TCP : FORWARD_UDP;
    if (lookup->kind == DNSFRONT_RESOLVE) {
        mode = FORWARD_RESOLVE;
        query = own;
        len = dnsfront__recursion_write(lookup->name, lookup->type, own, sizeof own);
    }
    if (len == 0) {
        on_reply(p, NULL, 0);
    } else {
        dnsfront__forward(f, mode, query, len, on_reply, p);
    }
    return true;
}
