#include "records.h"
#include "spell.h"

#include <string.h>

static bool wants_address(uint16_t type, const struct address *addr)
{
    return (addr->kind == ADDRESS_IPV4 && (type == DNS_TYPE_A || type == DNS_TYPE_ANY)) ||
           (addr->kind == ADDRESS_IPV6 && (type == DNS_TYPE_AAAA || type == DNS_TYPE_ANY));
}

/* The address itself, or the host name that it is. */
static bool add_address(const struct zone *z, const struct dnsfront_instance *node,
                        struct mu__arena *a, struct sections *out)
{
    struct address addr = dnsfront__address_of_node(node, z->type);
    struct record *rec = &out->answers[out->answer_count];
    if (addr.kind == ADDRESS_HOST) {
        struct mu_str host = dnsfront__spell_host(addr.text, a);
        *rec = (struct record){.type = DNS_TYPE_CNAME, .ttl = z->node_ttl_s, .target = host};
        out->answer_count++;
        return host.p && dnsfront__sections_add_host(&(struct host){.name = host}, a, out);
    }
    if (wants_address(z->type, &addr)) {
        dnsfront__record_address(&addr, (struct mu_str){NULL, 0}, z->node_ttl_s, rec);
        out->answer_count++;
    }
    return true;
}

bool dnsfront__records_node(const struct zone *z, const struct dnsfront_instance *node,
                            struct mu__arena *a, struct sections *out)
{
    bool any = z->type == DNS_TYPE_ANY, text = z->type == DNS_TYPE_TXT;
    bool address = any || z->type == DNS_TYPE_A || z->type == DNS_TYPE_AAAA;
    out->answers = mu__arena_alloc(a, (node->meta_count + 1) * sizeof *out->answers);
    if (!out->answers || (address && !add_address(z, node, a, out))) {
        return false;
    }
    if (!any && !text) {
        return !address || !z->node_meta_txt ||
               dnsfront__sections_add_meta(node, (struct mu_str){NULL, 0}, z->node_ttl_s, 0, a,
                                           out);
    }
    for (size_t k = 0; k < node->meta_count; k++) {
        struct mu_str said = dnsfront__spell_meta(node->meta[2 * k], node->meta[2 * k + 1], a);
        if (!said.p) {
            return false;
        }
        out->answers[out->answer_count++] =
            (struct record){.type = DNS_TYPE_TXT, .ttl = z->node_ttl_s, .target = said};
    }
    return true;
}

bool dnsfront__records_address(const struct zone *z, const uint8_t *address, size_t len,
                               struct mu__arena *a, struct sections *out)
{
    out->answers = mu__arena_calloc(a, 1, sizeof *out->answers);
    if (!out->answers) {
        return false;
    }
    if (len) {
        out->answers[0].type = len == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
        out->answers[0].ttl = z->node_ttl_s;
        memcpy(out->answers[0].u.address, address, len);
        out->answer_count = 1;
    }
    return true;
}

bool dnsfront__records_virtual(const struct zone *z, const struct dnsfront_instance *service,
                               struct mu__arena *a, struct sections *out)
{
    struct address addr = dnsfront__address_parse(service->service_address);
    out->answers = mu__arena_alloc(a, sizeof *out->answers);
    if (!out->answers) {
        return false;
    }
    if (wants_address(z->type, &addr)) {
        dnsfront__record_address(&addr, (struct mu_str){NULL, 0}, z->node_ttl_s, out->answers);
        out->answer_count = 1;
    }
    return true;
}

bool dnsfront__records_reverse(const struct zone *z, const struct dnsfront_instance *owner,
                               struct mu__arena *a, struct sections *out)
{
    struct mu_str name = owner->service_name.len ? dnsfront__spell_service(owner, z->domain, a)
                                                 : dnsfront__spell_node(owner, z->domain, a);
    out->answers = mu__arena_alloc(a, sizeof *out->answers);
    if (!name.p || !out->answers) {
        return false;
    }
    out->answers[0] = (struct record){.type = DNS_TYPE_PTR, .target = name};
    out->answer_count = 1;
    return z->type != DNS_TYPE_SOA || dnsfront__records_negative(z, a, out);
}

/* A server's address, beside its NS record. */
static bool add_glue(const struct zone *z, const struct dnsfront_instance *server,
                     struct mu_str name, uint32_t answer, struct mu__arena *a, struct sections *out)
{
    struct address addr = dnsfront__address_of_node(server, DNS_TYPE_ANY);
    struct extra *e = &out->extras[out->extra_count];
    *e = (struct extra){.answer = answer};
    if (dnsfront__record_address(&addr, name, z->node_ttl_s, &e->record)) {
        out->extra_count++;
        return true;
    }
    if (addr.kind != ADDRESS_HOST) {
        return true;
    }
    struct host host = {
        .name = dnsfront__spell_host(addr.text, a), .answer = answer, .additional = true};
    e->record = (struct record){
        .owner = name, .type = DNS_TYPE_CNAME, .ttl = z->node_ttl_s, .target = host.name};
    out->extra_count++;
    return host.name.p && dnsfront__sections_add_host(&host, a, out);
}

/* One DNS label: Consul leaves out servers whose names are more. */
static bool is_label(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-')) {
            return false;
        }
    }
    return s.len > 0 && s.len <= NAME_LABEL_MAX;
}

bool dnsfront__records_servers(const struct zone *z, const struct dnsfront_instance *servers,
                               size_t count, struct mu__arena *a, struct sections *out)
{
    struct record *names = mu__arena_alloc(a, (count + 1) * sizeof *names);
    if (!names || !dnsfront__sections_reserve_extras(out, count + 1, a)) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_label(servers[i].node)) {
            continue;
        }
        struct mu_str own = dnsfront__spell_node(&servers[i], z->domain, a);
        if (!own.p || !add_glue(z, &servers[i], own, (uint32_t)n, a, out)) {
            return false;
        }
        names[n++] = (struct record){
            .owner = z->domain, .type = DNS_TYPE_NS, .ttl = z->node_ttl_s, .target = own};
    }
    if (z->type == DNS_TYPE_NS) {
        out->answers = names;
        out->answer_count = n;
        return true;
    }
    out->authority = names;
    out->authority_count = n;
    out->answers = mu__arena_memdup(a, &z->soa, sizeof z->soa);
    out->answer_count = out->answers ? 1 : 0;
    return out->answers != NULL;
}

bool dnsfront__records_negative(const struct zone *z, struct mu__arena *a, struct sections *out)
{
    out->authority = mu__arena_memdup(a, &z->soa, sizeof z->soa);
    out->authority_count = out->authority ? 1 : 0;
    return out->authority != NULL;
}
