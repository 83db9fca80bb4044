#include "fill.h"

#include "front.h"

static bool is_zone_type(uint16_t type)
{
    return type == DNS_TYPE_SOA || type == DNS_TYPE_NS;
}

static bool is_node_type(uint16_t type)
{
    return type == DNS_TYPE_A || type == DNS_TYPE_AAAA || type == DNS_TYPE_ANY ||
           type == DNS_TYPE_TXT;
}

/* Every name in the domain has the domain's SOA and NS; a node has no records of other types,
 * whether or not it exists (dns.md 3.3, 5). */
bool dnsfront__wanted(const struct name_meaning *m, uint16_t type, struct mu_str datacenter,
                      struct dnsfront_lookup *out)
{
    *out = m->lookup;
    switch (m->kind) {
    case NAME_FOREIGN:
        return false;
    case NAME_REVERSE:
        return m->lookup.name.len > 0;
    default:
        break;
    }
    if (is_zone_type(type)) {
        *out = (struct dnsfront_lookup){.kind = DNSFRONT_SERVERS, .datacenter = datacenter};
        return true;
    }
    return m->kind == NAME_SERVICE || m->kind == NAME_VIRTUAL ||
           (m->kind == NAME_NODE && is_node_type(type));
}

static void make_zone(const struct dnsfront *d, const struct asked *what, struct zone *out)
{
    struct mu_str domain = {d->domain_text, d->domain_len};
    const struct dnsfront_found *found = what->found;
    *out = (struct zone){
        .name = what->name,
        .type = what->type,
        .domain = domain,
        .datacenter = {d->datacenter, d->datacenter_len},
        .node_ttl_s = d->node_ttl_s,
        .a_record_limit = d->a_record_limit,
        .only_passing = d->only_passing,
        .node_meta_txt = d->node_meta_txt,
        .soa = {.owner = domain, .type = DNS_TYPE_SOA, .ttl = d->soa_min_ttl_s},
    };
    if (what->meaning->kind == NAME_SERVICE) {
        struct mu_str service = found->service.len ? found->service : what->meaning->lookup.name;
        out->service_ttl_s = found->has_ttl ? found->ttl_s : dnsfront__service_ttl(d, service);
    }
    out->soa.u.soa.mname = (struct mu_str){d->mname, d->mname_len};
    out->soa.u.soa.rname = (struct mu_str){d->rname, d->rname_len};
    out->soa.u.soa.serial = (uint32_t)what->now_unix_s;
    out->soa.u.soa.refresh = d->soa_refresh_s;
    out->soa.u.soa.retry = d->soa_retry_s;
    out->soa.u.soa.expire = d->soa_expire_s;
    out->soa.u.soa.minimum = d->soa_min_ttl_s;
}

/* Nobody may be shown: no such name. Some, but without records of this type: no data (RFC 2308
 * 2.2). */
static bool fill_service(const struct zone *z, const struct asked *what, struct mu__arena *a,
                         struct sections *out, unsigned *rcode)
{
    size_t shown = 0;
    struct service_order order = {.random = what->random,
                                  .turn = what->turn,
                                  .turns = what->turns,
                                  .given = what->found->ordered,
                                  /* a prepared query has its own idea of health */
                                  .any_health = what->meaning->lookup.kind == DNSFRONT_QUERY};
    if (!dnsfront__records_service(z, what->found->instances, what->found->count, &order, a, out,
                                   &shown)) {
        return false;
    }
    *rcode = shown ? DNS_NOERROR : DNS_NXDOMAIN;
    return out->answer_count > 0 || dnsfront__records_negative(z, a, out);
}

static bool fill_found(const struct zone *z, const struct asked *what, struct mu__arena *a,
                       struct sections *out, unsigned *rcode)
{
    const struct dnsfront_instance *first = what->found->instances;
    switch (what->meaning->kind) {
    case NAME_SERVICE:
        return fill_service(z, what, a, out, rcode);
    case NAME_NODE:
        return dnsfront__records_node(z, first, a, out);
    case NAME_VIRTUAL:
        return dnsfront__records_virtual(z, first, a, out) &&
               (out->answer_count > 0 || dnsfront__records_negative(z, a, out));
    default:
        return dnsfront__records_reverse(z, first, a, out);
    }
}

bool dnsfront__fill(const struct dnsfront *d, const struct asked *what, struct mu__arena *a,
                    struct sections *out, unsigned *rcode)
{
    const struct dnsfront_found *found = what->found;
    struct dnsfront_lookup wanted;
    struct zone z;
    make_zone(d, what, &z);
    *rcode = DNS_NOERROR;
    bool lookup = dnsfront__wanted(what->meaning, what->type, z.datacenter, &wanted);
    if (lookup && wanted.kind == DNSFRONT_SERVERS) {
        /* Who serves the domain may be unknown; that it exists is not. */
        return dnsfront__records_servers(
            &z, found->instances, found->status == DNSFRONT_FOUND ? found->count : 0, a, out);
    }
    if (lookup && found->status == DNSFRONT_FAILED) {
        *rcode = DNS_SERVFAIL;
        return true;
    }
    if (lookup && found->status == DNSFRONT_FOUND && found->count > 0) {
        return fill_found(&z, what, a, out, rcode);
    }
    if (!lookup && what->meaning->kind == NAME_NODE) {
        return true;
    }
    if (what->meaning->kind == NAME_ADDRESS) {
        return dnsfront__records_address(&z, what->meaning->address, what->meaning->address_len, a,
                                         out);
    }
    *rcode = DNS_NXDOMAIN;
    return dnsfront__records_negative(&z, a, out);
}
