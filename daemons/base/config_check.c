/* What keys must be to each other, and what follows from them. */
#include "config_internal.h"

#include "log.h"
#include "meta.h"
#include "schema.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPLOYMENT_TABLE "See https://www.consul.io/docs/internals/consensus.html#deployment-table"

static void to_lower(struct config *c, struct mu_str *s)
{
    char *copy = mu__arena_strndup(&c->arena, s->p, s->len);
    if (!copy) {
        abort();
    }
    for (size_t i = 0; i < s->len; i++) {
        copy[i] = (char)tolower((unsigned char)copy[i]);
    }
    s->p = copy;
}

static void check_datacenter(struct config__loader *l)
{
    struct config *c = l->config;
    to_lower(c, &c->datacenter);
    to_lower(c, &c->primary_datacenter);
    if (!c->datacenter.len) {
        config__fail(l, "datacenter cannot be empty");
    } else if (strspn(c->datacenter.p, "abcdefghijklmnopqrstuvwxyz0123456789-_") !=
               c->datacenter.len) {
        config__fail(l, "datacenter cannot be \"%s\". Please use only [a-z0-9-_]", c->datacenter.p);
    }
    if (!c->primary_datacenter.len) {
        c->primary_datacenter = c->datacenter;
    } else if (!mu__str_eq(c->primary_datacenter, c->datacenter)) {
        config__warn(c, "primary_datacenter has no effect in muster");
    }
}

/* Every node says which network segment it is in: the one there is. Consul's agents and DNS show
 * it. */
static void add_segment(struct config *c)
{
    size_t n = c->node_meta.len;
    struct mu_pair *all = mu__arena_calloc(&c->arena, n + 1, sizeof *all);
    if (!all) {
        return;
    }
    if (n) {
        memcpy(all, c->node_meta.items, n * sizeof *all);
    }
    all[n++] = (struct mu_pair){mu__cstr("consul-network-segment"), mu__cstr("")};
    if (mu__sort_by_key(&c->arena, all, &n, sizeof *all)) {
        c->node_meta = (struct mu_strmap){all, n};
    }
}

static void check_node(struct config__loader *l)
{
    static const char dns_chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    struct config *c = l->config;
    char text[1024];
    if (!c->node_name.len) {
        char host[256] = "";
        gethostname(host, sizeof host - 1);
        c->node_name = config__text(c, host, strlen(host));
    }
    const char *name = c->node_name.p;
    if (!c->node_name.len) {
        config__fail(l, "node_name cannot be empty");
    } else if (c->node_name.len > 128) {
        config__fail(l, "node_name is too long (limit: 128 characters)");
    } else if (strspn(name, dns_chars) != c->node_name.len) {
        config__warn(c,
                     "Node name \"%s\" will not be discoverable via DNS due to invalid characters. "
                     "Valid characters "
                     "include all alpha-numerics and dashes.",
                     name);
    } else if (c->node_name.len > 63) {
        config__warn(c,
                     "Node name \"%s\" will not be discoverable via DNS due to it being too long. "
                     "Valid lengths are "
                     "between 1 and 63 bytes.",
                     name);
    }
    if (!meta_check(&c->node_meta, text, sizeof text)) {
        config__fail(l, "node_meta invalid: %s", text);
    }
    add_segment(c);
}

static void check_data_dir(struct config__loader *l)
{
    struct config *c = l->config;
    struct stat st;
    if (!c->data_dir.len) {
        if (!c->dev) {
            config__fail(l, "data_dir cannot be empty");
        }
    } else if (!stat(c->data_dir.p, &st) && !S_ISDIR(st.st_mode)) {
        config__fail(l, "data_dir \"%s\" is not a directory", c->data_dir.p);
    }
}

static void check_bootstrap(struct config__loader *l)
{
    struct config *c = l->config;
    int64_t n = c->bootstrap_expect;
    if (n > 0 && c->dev) {
        config__fail(l, "'bootstrap_expect > 0' not allowed in dev mode");
    } else if (n > 0 && c->bootstrap) {
        config__fail(l, "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive");
    } else if (n > 0 && !c->server) {
        config__fail(l, "'bootstrap_expect > 0' requires 'server = true'");
    } else if (c->bootstrap && !c->server) {
        config__fail(l, "'bootstrap = true' requires 'server = true'");
    }
    if (n == 1) {
        config__warn(c, "BootstrapExpect is set to 1; this is the same as Bootstrap mode.");
        c->bootstrap = true;
    } else if (n == 2) {
        config__warn(c, "bootstrap_expect = 2: A cluster with 2 servers will provide no failure "
                        "tolerance. " DEPLOYMENT_TABLE);
    } else if (n > 2 && n % 2 == 0) {
        config__warn(c, "bootstrap_expect is even number: A cluster with an even number of servers "
                        "does not achieve "
                        "optimum fault tolerance. " DEPLOYMENT_TABLE);
    }
    if (c->bootstrap) {
        config__warn(c, "bootstrap = true: do not enable unless necessary");
    } else if (n > 1) {
        config__warn(c, "bootstrap_expect > 0: expecting %" PRId64 " servers", n);
    }
    if (c->bootstrap || (c->dev && c->server)) {
        c->bootstrap = true;
        c->bootstrap_expect = 1;
    }
}

/* RFC 4648, with padding. The number of bytes, or -1 when malformed or longer than cap. */
static int decode_base64(struct mu_str s, uint8_t *out, size_t cap)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = s.len, n = 0, pad = 0;
    uint32_t bits = 0;
    while (pad < 2 && len && s.p[len - 1] == '=') {
        pad++;
        len--;
    }
    if (s.len % 4) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        const char *at = s.p[i] ? strchr(alphabet, s.p[i]) : NULL;
        if (!at) {
            return -1;
        }
        bits = bits << 6 | (uint32_t)(at - alphabet);
        if (i % 4 == 0) {
            continue; /* six bits are no byte yet */
        }
        if (n == cap) {
            return -1;
        }
        out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return (int)n;
}

static void check_encrypt(struct config__loader *l)
{
    struct config *c = l->config;
    if (!c->encrypt.len) {
        return;
    }
    int n = decode_base64(c->encrypt, c->encrypt_key, sizeof c->encrypt_key);
    if (n < 0) {
        config__fail(l, "encrypt has invalid key: illegal base64 data, or more than 32 bytes");
    } else if (n != 16 && n != 24 && n != 32) {
        config__fail(l, "encrypt has invalid key: key size must be 16, 24 or 32 bytes");
    } else {
        c->encrypt_key_len = (size_t)n;
    }
}

static void trim_domain(struct config *c, struct mu_str *domain)
{
    to_lower(c, domain);
    if (domain->len && domain->p[domain->len - 1] == '.') {
        *domain = config__text(c, domain->p, domain->len - 1);
    }
}

static void check_domains(struct config__loader *l)
{
    static const char *const kinds[] = {"service", "connect", "node", "query", "addr"};
    struct config *c = l->config;
    trim_domain(c, &c->domain);
    trim_domain(c, &c->alt_domain);
    struct mu_str label = {c->alt_domain.p, strcspn(c->alt_domain.p, ".")};
    bool taken = label.len && mu__str_eq(label, c->datacenter);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        taken = taken || mu__str_eq(label, mu__cstr(kinds[i]));
    }
    if (taken) {
        config__fail(l, "alt_domain cannot start with {service,connect,node,query,addr,%s}",
                     c->datacenter.p);
    }
}

static void check_service_ttls(struct config__loader *l)
{
    struct config *c = l->config;
    const struct mu_strmap *text = &c->dns.service_ttl_text;
    struct config_ttls *ttls = &c->dns.service_ttl;
    ttls->items = text->len ? mu__arena_calloc(&c->arena, text->len, sizeof *ttls->items) : NULL;
    if (text->len && !ttls->items) {
        abort();
    }
    for (size_t i = 0; i < text->len; i++) {
        int64_t ns;
        struct mu_str name = text->items[i].key, value = text->items[i].value;
        if (!mu__duration_parse(value.p, value.len, &ns) || ns < 0) {
            config__note(c, &l->invalid, "dns_config.service_ttl[\"%s\"]: invalid duration: \"%s\"",
                         name.p, value.p);
            continue;
        }
        ttls->items[ttls->len++] = (struct config_ttl){name, (uint64_t)ns};
    }
}

static void check_dns(struct config__loader *l)
{
    struct config *c = l->config;
    check_service_ttls(l);
    if (c->dns.udp_size_max > 0 && c->dns.udp_size_max < 512) {
        config__note(c, &l->invalid,
                     "dns_config.udp_size_max cannot be %" PRId64
                     ". Must be 0, or between 512 and 65535",
                     c->dns.udp_size_max);
    }
}

static void check_ui(struct config__loader *l)
{
    struct config *c = l->config;
    char path[256];
    const char *p = c->ui_content_path.p;
    size_t len = strlen(p);
    int n = snprintf(path, sizeof path, "%s%s%s", *p == '/' ? "" : "/", p,
                     len && p[len - 1] == '/' ? "" : "/");
    if (n < 0 || (size_t)n >= sizeof path) {
        config__fail(l, "ui_content_path is too long");
        return;
    }
    for (const char *s = path; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("-_/", *s)) {
            config__fail(
                l, "ui-content-path can only contain alphanumeric, -, _, or /. received: %s", path);
            return;
        }
    }
    c->ui_content_path = config__text(c, path, (size_t)n);
}

/* What else may be wrong with an entry is the server's to say, when it is written. */
static void check_entries(struct config__loader *l)
{
    const struct config_definitions *all = &l->config->config_entries;
    for (size_t i = 0; i < all->len; i++) {
        json_t *entry = json_loadb(all->items[i].json.p, all->items[i].json.len, 0, NULL);
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        kind = kind ? kind : json_string_value(json_object_get(entry, "Kind"));
        if (!kind || !*kind) {
            config__fail(l,
                         "%s: config_entries.bootstrap[%zu]: Payload does not contain a kind/Kind "
                         "key, expected a text such as \"service-defaults\"",
                         all->items[i].source.p, i);
        }
        json_decref(entry);
    }
}

static void check_allowed(struct config__loader *l)
{
    struct config_networks unused = {NULL, 0}; /* there is no pool of all datacenters */
    (void)config__networks(l, &l->config->serf_lan_allowed_text, "serf_lan_allowed_cidrs",
                           &l->config->serf_lan_allowed);
    (void)config__networks(l, &l->config->serf_wan_allowed_text, "serf_wan_allowed_cidrs", &unused);
}

static void check_http(struct config__loader *l)
{
    struct config *c = l->config;
    const char *mode = c->unix_sockets.mode.p;
    (void)config__networks(l, &c->allow_write_http_from_text, "allow_write_http_from",
                           &c->allow_write_http_from);
    if (*mode && (strspn(mode, "01234567") != strlen(mode) || strlen(mode) > 4)) {
        config__fail(l, "unix_sockets.mode: expected an octal mode such as \"0770\", got \"%s\"",
                     mode);
    }
}

static void check_log(struct config__loader *l)
{
    enum mu_level level;
    if (!log_parse_level(l->config->log_level.p, &level)) {
        config__fail(l, "Invalid log level: %s. Valid log levels are: [TRACE DEBUG INFO WARN ERR]",
                     l->config->log_level.p);
    }
}

static void check_ports(struct config__loader *l)
{
    const struct config *c = l->config;
    if (c->ports.https != CONFIG_PORT_DISABLED) {
        config__fail(l, "ports.https is not supported by muster");
    }
    if (c->ports.grpc != CONFIG_PORT_DISABLED) {
        config__warn(l->config, "ports.grpc has no effect in muster");
    }
    if (c->ports.sidecar_max < c->ports.sidecar_min) {
        config__fail(
            l,
            "sidecar_min_port must be less than sidecar_max_port. To disable, set both to zero.");
    }
}

/* Checks are all that certificates are for: to ignore them elsewhere would be unsafe. */
static void check_tls(struct config__loader *l)
{
    const struct config *c = l->config;
    const struct {
        const char *key;
        struct mu_str value;
    } files[] = {{"ca_file", c->checks_tls.ca_file},
                 {"ca_path", c->checks_tls.ca_path},
                 {"cert_file", c->checks_tls.cert_file},
                 {"key_file", c->checks_tls.key_file}};
    for (size_t i = 0; i < sizeof files / sizeof *files && !c->checks_tls.enabled; i++) {
        if (files[i].value.len) {
            config__fail(l,
                         "%s is not supported by muster, unless enable_agent_tls_for_checks is set",
                         files[i].key);
        }
    }
    if (c->checks_tls.enabled && !c->checks_tls.cert_file.len != !c->checks_tls.key_file.len) {
        config__fail(l, "cert_file and key_file must be given together");
    }
}

static void check_outputs(struct config__loader *l)
{
    struct config *c = l->config;
    if (c->check_output_max_size < 1) {
        config__fail(l, "check_output_max_size must be positive, to discard check output use the "
                        "discard_check_output flag");
    } else if (c->check_output_max_size > INT32_MAX) {
        config__fail(l, "check_output_max_size cannot be more than %d", INT32_MAX);
    }
    c->enable_local_script_checks = c->enable_local_script_checks || c->enable_script_checks;
}

/* The Raft paper's timing requirement on ordinary machines; -dev talks to itself alone. */
static void derive_timing(struct config *c)
{
    uint64_t m = (uint64_t)c->performance.raft_multiplier;
    c->raft_heartbeat_ns = c->dev ? 35 * MU_MSEC : m * MU_SEC;
    c->raft_election_ns = c->dev ? 52 * MU_MSEC : m * MU_SEC;
    c->raft_leader_lease_ns = c->dev ? 20 * MU_MSEC : m * 500 * MU_MSEC;
    if (c->leave_on_terminate < 0) {
        c->leave_on_terminate = !c->server;
    }
    if (c->skip_leave_on_interrupt < 0) {
        c->skip_leave_on_interrupt = c->server;
    }
    c->pretty = c->dev;
}

void config__finish(struct config__loader *l)
{
    check_datacenter(l);
    check_ui(l);
    check_data_dir(l);
    check_node(l);
    check_outputs(l);
    check_tls(l);
    check_bootstrap(l);
    check_encrypt(l);
    check_domains(l);
    check_dns(l);
    check_ports(l);
    check_log(l);
    check_http(l);
    check_allowed(l);
    check_entries(l);
    config__finish_addresses(l);
    config__finish_recursors(l);
    derive_timing(l->config);
}
