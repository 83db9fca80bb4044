/* self_dns.c - the settings of DNS in Agent.Self, by Consul's names and two of our own. */
#include "process_internal.h"

#include "msgpack.h"
#include "schema.h"

static void write_str(struct mu__writer *w, const char *key, struct mu_str value)
{
    mu__mp_write_cstr(w, key);
    mu__mp_write_raw(w, value.p, value.len);
}

static void write_bool(struct mu__writer *w, const char *key, bool value)
{
    mu__mp_write_cstr(w, key);
    mu__mp_write_bool(w, value);
}

static void write_int(struct mu__writer *w, const char *key, int64_t value)
{
    mu__mp_write_cstr(w, key);
    mu__mp_write_int(w, value);
}

static void write_duration(struct mu__writer *w, struct mu_str key, uint64_t ns)
{
    char text[32];
    size_t len = mu__duration_format((int64_t)ns, text);
    mu__mp_write_raw(w, key.p, key.len);
    mu__mp_write_raw(w, text, len);
}

static void write_soa(struct mu__writer *w, const struct config_dns *d)
{
    mu__mp_write_cstr(w, "DNSSOA");
    mu__mp_write_map(w, 4);
    write_int(w, "Expire", d->soa_expire_s);
    write_int(w, "Minttl", d->soa_min_ttl_s);
    write_int(w, "Refresh", d->soa_refresh_s);
    write_int(w, "Retry", d->soa_retry_s);
}

static void write_ttls(struct mu__writer *w, const struct config_ttls *ttls)
{
    mu__mp_write_cstr(w, "DNSServiceTTL");
    mu__mp_write_map(w, ttls->len);
    for (size_t i = 0; i < ttls->len; i++) {
        write_duration(w, ttls->items[i].name, ttls->items[i].ttl_ns);
    }
}

static void write_recursors(struct mu__writer *w, const struct mu_strs *recursors)
{
    mu__mp_write_cstr(w, "DNSRecursors");
    mu__mp_write_array(w, recursors->len);
    for (size_t i = 0; i < recursors->len; i++) {
        mu__mp_write_raw(w, recursors->items[i].p, recursors->items[i].len);
    }
}

void process__self_dns(struct mu__writer *w, const struct config *c)
{
    const struct config_dns *d = &c->dns;
    write_str(w, "DNSAltDomain", c->alt_domain);
    write_bool(w, "DNSAllowStale", d->allow_stale);
    write_bool(w, "DNSDisableCompression", d->disable_compression);
    write_bool(w, "DNSEnableTruncate", d->enable_truncate);
    write_bool(w, "DNSNodeMetaTXT", d->enable_additional_node_meta_txt);
    write_bool(w, "DNSOnlyPassing", d->only_passing);
    write_bool(w, "DNSUseCache", d->use_cache);
    write_int(w, "DNSARecordLimit", d->a_record_limit);
    write_int(w, "DNSUDPAnswerLimit", d->udp_answer_limit);
    write_int(w, "DNSUDPSizeMax", d->udp_size_max);
    write_duration(w, mu__cstr("DNSCacheMaxAge"), d->cache_max_age_ns);
    write_duration(w, mu__cstr("DNSMaxStale"), d->max_stale_ns);
    write_duration(w, mu__cstr("DNSNodeTTL"), d->node_ttl_ns);
    write_duration(w, mu__cstr("DNSRecursorTimeout"), d->recursor_timeout_ns);
    write_duration(w, mu__cstr("DNSServeStale"), d->serve_stale_ns);
    write_soa(w, d);
    write_ttls(w, &d->service_ttl);
    write_recursors(w, &c->recursors);
}
