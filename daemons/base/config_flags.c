/* The command line of `agent`: each flag names the key that it sets (Consul's agent options). */
#include "config_internal.h"

#include <stdlib.h>
#include <string.h>

enum special { TO_KEY, CONFIG_FILE, CONFIG_FORMAT, FRAGMENT, DEV, HELP };

static const struct flag {
    const char *name, *key;
    enum special special;
    const char *usage;
} flags[] = {
    {"advertise", "advertise_addr", TO_KEY, "address that others reach this node at"},
    {"advertise-wan", "advertise_addr_wan", TO_KEY, "likewise, from other datacenters"},
    {"allow-write-http-from", "http_config.allow_write_http_from", TO_KEY,
     "network whose clients may write; may be repeated"},
    {"alt-domain", "alt_domain", TO_KEY, "second domain of the DNS interface"},
    {"bind", "bind_addr", TO_KEY, "address for cluster communication"},
    {"bootstrap", "bootstrap", TO_KEY, "a server that elects itself"},
    {"bootstrap-expect", "bootstrap_expect", TO_KEY, "number of servers to wait for"},
    {"check_output_max_size", "check_output_max_size", TO_KEY,
     "bytes of a check's output that are kept"},
    {"client", "client_addr", TO_KEY, "address for HTTP and DNS"},
    {"config-dir", NULL, CONFIG_FILE,
     "folder whose .hcl, .json and .yaml files are read; may be repeated"},
    {"config-file", NULL, CONFIG_FILE, "file to read; may be repeated"},
    {"config-format", NULL, CONFIG_FORMAT, "format of all files: hcl, json or yaml"},
    {"data-dir", "data_dir", TO_KEY, "folder for what must survive a restart"},
    {"datacenter", "datacenter", TO_KEY, "datacenter of the node"},
    {"default-query-time", "default_query_time", TO_KEY,
     "how long a blocking query waits if it does not say"},
    {"dev", NULL, DEV, "a server of its own that keeps nothing"},
    {"disable-host-node-id", "disable_host_node_id", TO_KEY,
     "do not derive the node's ID from the host"},
    {"disable-keyring-file", "disable_keyring_file", TO_KEY,
     "do not keep the gossip keyring in a file"},
    {"dns-port", "ports.dns", TO_KEY, "port of the DNS interface"},
    {"domain", "domain", TO_KEY, "domain of the DNS interface"},
    {"enable-local-script-checks", "enable_local_script_checks", TO_KEY,
     "allow script checks of configuration files"},
    {"enable-script-checks", "enable_script_checks", TO_KEY,
     "allow script checks, also through the API"},
    {"encrypt", "encrypt", TO_KEY, "key of the gossip, base64"},
    {"grpc-port", "ports.grpc", TO_KEY, "port of the xDS interface (not served)"},
    {"hcl", NULL, FRAGMENT, "configuration in the command line; may be repeated"},
    {"http-port", "ports.http", TO_KEY, "port of the HTTP API"},
    {"https-port", "ports.https", TO_KEY, "port of the HTTPS API (not supported)"},
    {"join", "start_join", TO_KEY, "node to join at start; may be repeated"},
    {"join-wan", "start_join_wan", TO_KEY, "server of another datacenter to join; may be repeated"},
    {"log-file", "log_file", TO_KEY, "file for the log"},
    {"log-json", "log_json", TO_KEY, "log as JSON"},
    {"log-level", "log_level", TO_KEY, "trace, debug, info, warn or err"},
    {"log-rotate-bytes", "log_rotate_bytes", TO_KEY, "bytes after which another file is begun"},
    {"log-rotate-duration", "log_rotate_duration", TO_KEY,
     "time after which another file is begun"},
    {"log-rotate-max-files", "log_rotate_max_files", TO_KEY,
     "older files to keep; 0: all, -1: none"},
    {"max-query-time", "max_query_time", TO_KEY, "the longest that a blocking query waits"},
    {"node", "node_name", TO_KEY, "name of the node"},
    {"node-id", "node_id", TO_KEY, "ID of the node, a UUID"},
    {"node-meta", "node_meta", TO_KEY, "metadata of the node, key:value; may be repeated"},
    {"pid-file", "pid_file", TO_KEY, "file for the process ID"},
    {"primary-gateway", "primary_gateways", TO_KEY, "(not supported)"},
    {"protocol", "protocol", TO_KEY, "version of the gossip protocol"},
    {"raft-protocol", "raft_protocol", TO_KEY, "version of the Raft protocol"},
    {"recursor", "recursors", TO_KEY, "DNS server for all other names; may be repeated"},
    {"rejoin", "rejoin_after_leave", TO_KEY, "rejoin also after having left"},
    {"retry-interval", "retry_interval", TO_KEY, "wait between attempts to join"},
    {"retry-interval-wan", "retry_interval_wan", TO_KEY, "likewise, other datacenters"},
    {"retry-join", "retry_join", TO_KEY, "node to join, with retries; may be repeated"},
    {"retry-join-wan", "retry_join_wan", TO_KEY, "likewise, server of another datacenter"},
    {"retry-max", "retry_max", TO_KEY, "attempts to join, 0 for no limit"},
    {"retry-max-wan", "retry_max_wan", TO_KEY, "likewise, other datacenters"},
    {"serf-lan-allowed-cidrs", "serf_lan_allowed_cidrs", TO_KEY,
     "network where members may be; may be repeated"},
    {"serf-lan-bind", "serf_lan", TO_KEY, "address for gossip"},
    {"serf-lan-port", "ports.serf_lan", TO_KEY, "port for gossip"},
    {"serf-wan-allowed-cidrs", "serf_wan_allowed_cidrs", TO_KEY, "likewise, of other datacenters"},
    {"serf-wan-bind", "serf_wan", TO_KEY, "address for gossip between datacenters"},
    {"serf-wan-port", "ports.serf_wan", TO_KEY, "port for gossip between datacenters"},
    {"server", "server", TO_KEY, "be a server"},
    {"server-port", "ports.server", TO_KEY, "port for RPC and Raft"},
    {"syslog", "enable_syslog", TO_KEY, "log to syslog, too"},
    {"ui", "ui", TO_KEY, "serve the user interface"},
    {"ui-content-path", "ui_content_path", TO_KEY, "path of the user interface"},
    {"ui-dir", "ui_dir", TO_KEY, "serve the user interface from this folder"},
    {"h", NULL, HELP, NULL},
    {"help", NULL, HELP, NULL},
};
#define NFLAGS (sizeof flags / sizeof *flags)

static const struct flag *find(const char *name, size_t len)
{
    for (size_t i = 0; i < NFLAGS; i++) {
        if (strlen(flags[i].name) == len && !memcmp(flags[i].name, name, len)) {
            return &flags[i];
        }
    }
    return NULL;
}

/* Flags that may stand without a value; a value then needs the equals sign. */
static bool is_switch(const struct flag *f)
{
    if (f->special == DEV || f->special == HELP) {
        return true;
    }
    const struct config__key *key = f->key ? config__find(f->key) : NULL;
    return key && key->kind == CONFIG_BOOL;
}

static void take(struct config__loader *l, struct config__flags *out, const struct flag *f,
                 const char *value)
{
    struct mu_str text = config__text(l->config, value, strlen(value));
    switch (f->special) {
    case CONFIG_FILE:
        config__append(l->config, &out->files, text);
        break;
    case CONFIG_FORMAT:
        out->format = text;
        break;
    case FRAGMENT:
        config__append(l->config, &out->fragments, text);
        break;
    case DEV:
        out->dev = strcmp(value, "false") != 0 && strcmp(value, "0") != 0;
        break;
    case HELP:
        out->help = true;
        break;
    case TO_KEY:
        out->uses[out->nuses++] = (struct config__flag_use){config__find(f->key), text.p};
        break;
    }
}

/* The word without its one or two dashes; NULL if it is no flag. */
static const char *flag_word(const char *word)
{
    if (word[0] != '-' || !word[1]) {
        return NULL;
    }
    word += word[1] == '-' ? 2 : 1;
    return *word ? word : NULL;
}

void config__parse_flags(struct config__loader *l, int argc, char *const argv[],
                         struct config__flags *out)
{
    size_t room = argc > 0 ? (size_t)argc : 1;
    *out = (struct config__flags){
        .format = {"", 0}, .uses = mu__arena_calloc(&l->config->arena, room, sizeof *out->uses)};
    if (!out->uses) {
        abort();
    }
    for (int i = 0; i < argc && !l->failed; i++) {
        const char *word = flag_word(argv[i]);
        if (!word) {
            config__fail(l, "Unexpected extra argument: %s", argv[i]);
            return;
        }
        size_t len = strcspn(word, "=");
        const struct flag *f = find(word, len);
        if (!f) {
            config__fail(l, "flag provided but not defined: -%.*s", (int)len, word);
        } else if (word[len]) {
            take(l, out, f, word + len + 1);
        } else if (is_switch(f)) {
            take(l, out, f, "true");
        } else if (i + 1 < argc) {
            take(l, out, f, argv[++i]);
        } else {
            config__fail(l, "flag needs an argument: -%s", f->name);
        }
    }
}

void config_print_usage(FILE *to)
{
    for (size_t i = 0; i < NFLAGS; i++) {
        if (flags[i].usage) {
            fprintf(to, "  -%-28s %s\n", flags[i].name, flags[i].usage);
        }
    }
}
