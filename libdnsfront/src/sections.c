#include "records.h"
#include "spell.h"

#include <string.h>

bool dnsfront__record_address(const struct address *addr, struct mu_str owner, uint32_t ttl,
                              struct record *out)
{
    if (addr->kind != ADDRESS_IPV4 && addr->kind != ADDRESS_IPV6) {
        return false;
    }
    *out = (struct record){.owner = owner,
                           .ttl = ttl,
                           .type = addr->kind == ADDRESS_IPV4 ? DNS_TYPE_A : DNS_TYPE_AAAA};
    memcpy(out->u.address, addr->bytes, sizeof out->u.address);
    return true;
}

/* Doubles in the arena: what is left behind is at most as much again. */
bool dnsfront__sections_reserve_extras(struct sections *s, size_t more, struct mu__arena *a)
{
    if (s->extra_count + more <= s->extra_cap) {
        return true;
    }
    size_t cap = mu__max(16, mu__max(s->extra_cap * 2, s->extra_count + more));
    struct extra *grown = mu__arena_alloc(a, cap * sizeof *grown);
    if (!grown) {
        return false;
    }
    if (s->extra_count) {
        memcpy(grown, s->extras, s->extra_count * sizeof *grown);
    }
    s->extras = grown;
    s->extra_cap = cap;
    return true;
}

bool dnsfront__sections_add_meta(const struct dnsfront_instance *i, struct mu_str owner,
                                 uint32_t ttl, uint32_t answer, struct mu__arena *a,
                                 struct sections *s)
{
    if (!dnsfront__sections_reserve_extras(s, i->meta_count, a)) {
        return false;
    }
    for (size_t k = 0; k < i->meta_count; k++) {
        struct mu_str text = dnsfront__spell_meta(i->meta[2 * k], i->meta[2 * k + 1], a);
        if (!text.p) {
            return false;
        }
        s->extras[s->extra_count++] = (struct extra){
            .record = {.owner = owner, .type = DNS_TYPE_TXT, .ttl = ttl, .target = text},
            .answer = answer,
            .optional = true};
    }
    return true;
}

bool dnsfront__sections_add_host(const struct host *h, struct mu__arena *a, struct sections *s)
{
    if (!s->hosts) {
        s->hosts = mu__arena_alloc(a, HOSTS_MAX * sizeof *s->hosts);
        if (!s->hosts) {
            return false;
        }
    }
    if (s->host_count < HOSTS_MAX) {
        s->hosts[s->host_count++] = *h;
    }
    return true;
}
