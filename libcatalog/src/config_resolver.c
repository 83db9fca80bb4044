/* config_resolver.c - resolvers: what they may say, in Consul's words (http-api 8.1). */
#include "config_entry.h"

#define SUBSET_MAX 63u

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_label(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alnum(s.p[i]) && s.p[i] != '-') {
            return false;
        }
    }
    return is_alnum(s.p[0]) && is_alnum(s.p[s.len - 1]);
}

static bool check_subset(struct catalog__preparation *p, struct mu_str name)
{
    if (name.len == 0) {
        return catalog__refused(p, "Subset defined with empty name");
    }
    if (name.len > SUBSET_MAX) {
        return catalog__refused_quoting(
            p, "Subset ", name, " is invalid: must be non-empty and 63 characters or fewer");
    }
    return is_label(name) ||
           catalog__refused_quoting(p, "Subset ", name,
                                    " is invalid: must be 63 characters or fewer, begin or end "
                                    "with lower case alphanumeric characters, and contain lower "
                                    "case alphanumeric characters or '-' in between");
}

/* The maps are sorted. */
static bool has_subset(const struct catalog_service_resolver *e, struct mu_str name)
{
    size_t lo = 0, hi = e->subsets.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = mu__str_cmp(e->subsets.items[mid].key, name);
        if (c == 0) {
            return true;
        }
        lo = c < 0 ? mid + 1 : lo;
        hi = c < 0 ? hi : mid;
    }
    return false;
}

static bool check_redirect(struct catalog__preparation *p, const struct catalog_service_resolver *e)
{
    const struct catalog_resolver_redirect *r = e->redirect;
    if (e->failover.len) {
        return catalog__refused(p, "Redirect and Failover cannot both be set");
    }
    if (!r->service.len && !r->service_subset.len && !r->name_space.len && !r->datacenter.len) {
        return catalog__refused(p, "Redirect is empty");
    }
    if (!r->service.len && r->service_subset.len) {
        return catalog__refused(p, "Redirect.ServiceSubset defined without Redirect.Service");
    }
    if (!r->service.len && r->name_space.len) {
        return catalog__refused(p, "Redirect.Namespace defined without Redirect.Service");
    }
    if (mu__str_eq(r->service, e->head.name) && r->service_subset.len &&
        !has_subset(e, r->service_subset)) {
        catalog__refused_quoting(p, "Redirect.ServiceSubset ", r->service_subset,
                                 " is not a valid subset of ");
        catalog__say_quoted(&p->text, r->service);
        return false;
    }
    return true;
}

static bool check_failover(struct catalog__preparation *p, const struct catalog_service_resolver *e,
                           struct mu_str subset, const struct catalog_resolver_failover *f)
{
    if (!mu__str_eq(subset, mu__cstr("*")) && !has_subset(e, subset)) {
        return catalog__refused_quoting(p, "Bad Failover[", subset, "]: not a valid subset");
    }
    if (!f->service.len && !f->service_subset.len && !f->name_space.len && !f->datacenters.len) {
        return catalog__refused_quoting(
            p, "Bad Failover[", subset,
            "] one of Service, ServiceSubset, Namespace, or Datacenters is required");
    }
    bool is_own = !f->service.len || mu__str_eq(f->service, e->head.name);
    if (f->service_subset.len && is_own && !has_subset(e, f->service_subset)) {
        catalog__refused_quoting(p, "Bad Failover[", subset, "].ServiceSubset ");
        catalog__say_quoted(&p->text, f->service_subset);
        catalog__say(&p->text, " is not a valid subset of ");
        catalog__say_quoted(&p->text, f->service);
        return false;
    }
    for (size_t i = 0; i < f->datacenters.len; i++) {
        if (f->datacenters.items[i].len == 0) {
            return catalog__refused_quoting(p, "Bad Failover[", subset,
                                            "].Datacenters: found empty datacenter");
        }
    }
    return true;
}

static bool refuse_timeout(struct catalog__preparation *p, int64_t ns)
{
    char text[32];
    size_t len = mu__duration_format(ns, text);
    catalog__refused(p, "Bad ConnectTimeout '");
    catalog__say_str(&p->text, (struct mu_str){text, len});
    catalog__say(&p->text, "', must be >= 0");
    return false;
}

bool catalog__prepare_resolver(struct catalog__preparation *p,
                               const struct catalog_service_resolver *e)
{
    for (size_t i = 0; i < e->subsets.len; i++) {
        if (!check_subset(p, e->subsets.items[i].key)) {
            return false;
        }
    }
    if (e->default_subset.len && !has_subset(e, e->default_subset)) {
        return catalog__refused_quoting(p, "DefaultSubset ", e->default_subset,
                                        " is not a valid subset");
    }
    if (e->redirect && !check_redirect(p, e)) {
        return false;
    }
    for (size_t i = 0; i < e->failover.len; i++) {
        if (!check_failover(p, e, e->failover.items[i].key, e->failover.items[i].value)) {
            return false;
        }
    }
    return e->connect_timeout_ns >= 0 || refuse_timeout(p, e->connect_timeout_ns);
}
