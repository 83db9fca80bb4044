/* Templates in addresses (go-sockaddr): what this host's interfaces are, filtered step by step:
 *     {{ GetPrivateIP }}   {{ GetInterfaceIP "eth0" }}
 *     {{ GetAllInterfaces | include "name" "^eth" | exclude "type" "IPv6" | attr "address" }}
 * The steps that are known are those of the table below; others are refused by name. */
#include "config_internal.h"

#include "regexp.h"
#include "schema.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ADDRESSES_MAX 256u
#define WORDS_MAX     8u
#define TEXT_MAX      1024u

struct address {
    char name[IF_NAMESIZE], text[INET6_ADDRSTRLEN];
    unsigned flags;
    uint8_t bytes[16];
    size_t len;
};

struct evaluation {
    struct address all[ADDRESSES_MAX];
    size_t n;
    char text[TEXT_MAX]; /* of attr and join, and of functions that give addresses */
    bool is_text;
    char why[512]; /* it cannot be evaluated; "": it can */
};

/* One step: a function and its arguments. */
struct step {
    char words[WORDS_MAX][128];
    size_t n;
};

/* ---- What there is ---- */

static void take_address(struct address *a, const struct ifaddrs *i)
{
    const struct sockaddr *sa = i->ifa_addr;
    a->flags = i->ifa_flags;
    snprintf(a->name, sizeof a->name, "%s", i->ifa_name);
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        memcpy(a->bytes, &in->sin_addr, a->len = 4);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        memcpy(a->bytes, &in6->sin6_addr, a->len = 16);
    }
    inet_ntop(sa->sa_family, a->bytes, a->text, sizeof a->text);
}

static void get_all(struct evaluation *e)
{
    struct ifaddrs *all;
    if (getifaddrs(&all)) {
        return;
    }
    for (const struct ifaddrs *i = all; i && e->n < ADDRESSES_MAX; i = i->ifa_next) {
        int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
        if (family == AF_INET || family == AF_INET6) {
            take_address(&e->all[e->n++], i);
        }
    }
    freeifaddrs(all);
}

/* The interface of the default route for IPv4. */
static void default_interface(char name[IF_NAMESIZE])
{
    char line[256];
    unsigned long destination, mask;
    FILE *f = fopen("/proc/net/route", "re");
    name[0] = '\0';
    while (f && fgets(line, sizeof line, f)) {
        char at[IF_NAMESIZE];
        /* NOLINTNEXTLINE(cert-err34-c): the kernel's own table. */
        if (sscanf(line, "%15s %lx %*x %*x %*d %*d %*d %lx", at, &destination, &mask) == 3 &&
            destination == 0 && mask == 0) {
            memcpy(name, at, sizeof at);
            break;
        }
    }
    if (f) {
        fclose(f);
    }
}

/* ---- Filters ---- */

static bool in_networks(const struct address *a, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct config_network network;
        if (config__network(texts[i], &network) && network.len == a->len &&
            config_network_has(&network, a->bytes, a->len)) {
            return true;
        }
    }
    return false;
}

static bool is_private(const struct address *a)
{
    static const char *const networks[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                           "100.64.0.0/10", "fc00::/7"};
    return in_networks(a, networks, sizeof networks / sizeof *networks);
}

/* Neither private nor of this host or link alone. */
static bool is_public(const struct address *a)
{
    static const char *const networks[] = {"127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10"};
    return !is_private(a) && !in_networks(a, networks, sizeof networks / sizeof *networks);
}

static bool is_rfc(const struct address *a, const char *rfc, bool *known)
{
    static const char *const rfc1918[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"};
    static const char *const rfc6598[] = {"100.64.0.0/10"};
    static const char *const rfc4193[] = {"fc00::/7"};
    *known = true;
    if (!strcmp(rfc, "1918")) {
        return in_networks(a, rfc1918, 3);
    }
    if (!strcmp(rfc, "6598")) {
        return in_networks(a, rfc6598, 1);
    }
    if (!strcmp(rfc, "4193")) {
        return in_networks(a, rfc4193, 1);
    }
    *known = false;
    return false;
}

static bool has_flags(const struct address *a, const char *list, bool *known)
{
    static const struct {
        const char *name;
        unsigned flag;
    } flags[] = {{"up", IFF_UP},
                 {"broadcast", IFF_BROADCAST},
                 {"loopback", IFF_LOOPBACK},
                 {"pointtopoint", IFF_POINTOPOINT},
                 {"multicast", IFF_MULTICAST}};
    char copy[128], *save = NULL;
    bool has = true;
    *known = true;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *word = strtok_r(copy, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
        size_t i = 0;
        while (i < sizeof flags / sizeof *flags && strcasecmp(flags[i].name, word) != 0) {
            i++;
        }
        if (i == sizeof flags / sizeof *flags) {
            *known = false;
            return false;
        }
        has = has && (a->flags & flags[i].flag);
    }
    return has;
}

static bool matches(const char *name, const char *pattern, bool *known)
{
    struct mu__arena arena;
    char err[128];
    mu__arena_init(&arena, NULL, 1 << 20);
    struct mu__regexp *re = mu__regexp_compile(mu__cstr(pattern), &arena, err, sizeof err);
    bool found = re && mu__regexp_matches(re, mu__cstr(name));
    *known = re != NULL;
    mu__arena_fini(&arena);
    return found;
}

static bool selects(const struct address *a, const char *by, const char *what, bool *known)
{
    struct config_network network;
    *known = true;
    if (!strcmp(by, "name")) {
        return matches(a->name, what, known);
    }
    if (!strcmp(by, "type")) {
        bool v4 = !strcasecmp(what, "ipv4"), v6 = !strcasecmp(what, "ipv6");
        *known = v4 || v6 || !strcasecmp(what, "ip");
        return *known && (v4 ? a->len == 4 : v6 ? a->len == 16 : true);
    }
    if (!strcmp(by, "flags") || !strcmp(by, "flag")) {
        return has_flags(a, what, known);
    }
    if (!strcmp(by, "network")) {
        *known = config__network(what, &network);
        return *known && network.len == a->len && config_network_has(&network, a->bytes, a->len);
    }
    if (!strcmp(by, "rfc")) {
        return is_rfc(a, what, known);
    }
    if (!strcmp(by, "address")) {
        return !strcmp(a->text, what);
    }
    *known = false;
    return false;
}

static void keep_if(struct evaluation *e, bool (*keeps)(const struct address *a))
{
    size_t kept = 0;
    for (size_t i = 0; i < e->n; i++) {
        if (keeps(&e->all[i])) {
            e->all[kept++] = e->all[i];
        }
    }
    e->n = kept;
}

static void include_or_not(struct evaluation *e, const struct step *s, bool include)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->n; i++) {
        bool known;
        if (selects(&e->all[i], s->words[1], s->words[2], &known) == include) {
            e->all[kept++] = e->all[i];
        }
        if (!known) {
            snprintf(e->why, sizeof e->why, "%s \"%.64s\" \"%.64s\" is not known", s->words[0],
                     s->words[1], s->words[2]);
            return;
        }
    }
    e->n = kept;
}

/* ---- Steps ---- */

static bool is_usable(const struct address *a)
{
    return (a->flags & IFF_UP) && !(a->len == 16 && a->bytes[0] == 0xfe && a->bytes[1] == 0x80);
}

static bool is_v4(const struct address *a)
{
    return a->len == 4;
}

/* Those of one name, IPv4 first. */
static void of_interface(struct evaluation *e, const char *name)
{
    struct evaluation *copy = malloc(sizeof *copy);
    if (!copy) {
        abort();
    }
    *copy = *e;
    e->n = 0;
    for (size_t pass = 4; pass <= 16; pass += 12) {
        for (size_t i = 0; i < copy->n; i++) {
            const struct address *a = &copy->all[i];
            if (a->len == pass && !strcmp(a->name, name)) {
                e->all[e->n++] = *a;
            }
        }
    }
    free(copy);
}

static void join(struct evaluation *e, const char *by, const char *between)
{
    size_t at = 0;
    if (strcmp(by, "address") != 0 && strcmp(by, "name") != 0) {
        snprintf(e->why, sizeof e->why, "attribute \"%.64s\" is not known", by);
        return;
    }
    e->text[0] = '\0';
    e->is_text = true;
    for (size_t i = 0; i < e->n && at < sizeof e->text; i++) {
        const char *piece = *by == 'n' ? e->all[i].name : e->all[i].text;
        at += (size_t)snprintf(e->text + at, sizeof e->text - at, "%s%s", i ? between : "", piece);
    }
}

static void first_or_all(struct evaluation *e, bool all)
{
    e->n = all || e->n < 1 ? e->n : 1;
    join(e, "address", " ");
}

static bool run_source(struct evaluation *e, const struct step *s)
{
    const char *f = s->words[0];
    char name[IF_NAMESIZE];
    size_t len = strlen(f);
    bool many = len && f[len - 1] == 's';
    if (strncmp(f, "Get", 3) != 0) {
        return false;
    }
    get_all(e);
    if (!strcmp(f, "GetAllInterfaces")) {
        return true;
    }
    keep_if(e, is_usable);
    if (!strcmp(f, "GetPrivateInterfaces")) {
        keep_if(e, is_private);
    } else if (!strcmp(f, "GetPublicInterfaces")) {
        keep_if(e, is_public);
    } else if (!strcmp(f, "GetDefaultInterfaces")) {
        default_interface(name);
        of_interface(e, name);
    } else if (!strcmp(f, "GetPrivateIP") || !strcmp(f, "GetPrivateIPs")) {
        keep_if(e, is_v4);
        keep_if(e, is_private);
        first_or_all(e, many);
    } else if (!strcmp(f, "GetPublicIP") || !strcmp(f, "GetPublicIPs")) {
        keep_if(e, is_v4);
        keep_if(e, is_public);
        first_or_all(e, many);
    } else if ((!strcmp(f, "GetInterfaceIP") || !strcmp(f, "GetInterfaceIPs")) && s->n == 2) {
        of_interface(e, s->words[1]);
        first_or_all(e, many);
    } else {
        return false;
    }
    return true;
}

static bool run_filter(struct evaluation *e, const struct step *s)
{
    const char *f = s->words[0];
    size_t count = s->n == 2 ? strtoul(s->words[1], NULL, 10) : 0;
    if (e->is_text) {
        return false;
    }
    if ((!strcmp(f, "include") || !strcmp(f, "exclude")) && s->n == 3) {
        include_or_not(e, s, *f == 'i');
    } else if (!strcmp(f, "attr") && s->n == 2) {
        e->n = e->n < 1 ? e->n : 1;
        join(e, s->words[1], "");
    } else if (!strcmp(f, "join") && s->n == 3) {
        join(e, s->words[1], s->words[2]);
    } else if (!strcmp(f, "limit") && s->n == 2) {
        e->n = e->n < count ? e->n : count;
    } else if (!strcmp(f, "offset") && s->n == 2) {
        size_t skip = e->n < count ? e->n : count;
        memmove(e->all, e->all + skip, (e->n - skip) * sizeof *e->all);
        e->n -= skip;
    } else {
        return false;
    }
    return true;
}

/* ---- Text ---- */

/* The next word of a step: bare, or in quotes of either kind. False: it does not end. */
static bool next_word(const char **at, const char *end, char out[128])
{
    const char *from = *at;
    char quote = (char)(*from == '"' || *from == '`' ? *from : 0);
    const char *to = quote ? memchr(from + 1, quote, (size_t)(end - from) - 1) : from;
    while (!quote && to < end && !strchr(" \t|\"`", *to)) {
        to++;
    }
    size_t len = to ? (size_t)(to - from) - (quote ? 1 : 0) : 0;
    if (!to || len >= 128) {
        return false;
    }
    memcpy(out, from + (quote ? 1 : 0), len);
    out[len] = '\0';
    *at = to + (quote ? 1 : 0);
    return true;
}

/* The words up to a bar or the end. */
static bool next_step(const char **at, const char *end, struct step *s)
{
    s->n = 0;
    while (*at < end && **at != '|') {
        if (**at == ' ' || **at == '\t') {
            ++*at;
        } else if (s->n == WORDS_MAX || !next_word(at, end, s->words[s->n++])) {
            return false;
        }
    }
    *at += *at < end ? 1 : 0;
    return s->n > 0;
}

/* What stands between the braces. */
static bool evaluate(struct evaluation *e, const char *at, const char *end)
{
    struct step s;
    for (bool first = true; first || at < end; first = false) {
        if (!next_step(&at, end, &s)) {
            snprintf(e->why, sizeof e->why, "malformed");
        } else if (first ? !run_source(e, &s) : !run_filter(e, &s)) {
            snprintf(e->why, sizeof e->why, "%.64s is not supported", s.words[0]);
        }
        if (e->why[0]) {
            return false;
        }
    }
    if (!e->is_text) {
        snprintf(e->why, sizeof e->why, "expected an address, such as of attr \"address\"");
    } else if (!e->text[0]) {
        snprintf(e->why, sizeof e->why, "gives no address");
    }
    return !e->why[0];
}

void config__expand_templates(struct config__loader *l, const char *key, struct mu_str *value)
{
    char out[TEXT_MAX] = "";
    size_t n = 0;
    const char *at = value->p;
    struct evaluation *e = strstr(at, "{{") ? calloc(1, sizeof *e) : NULL;
    if (!e) {
        return;
    }
    for (const char *open; (open = strstr(at, "{{")) != NULL && n < sizeof out;) {
        const char *close = strstr(open, "}}");
        memset(e, 0, sizeof *e);
        if (!close || !evaluate(e, open + 2, close)) {
            config__fail(l, "%s: template %s: %s", key, value->p,
                         close ? e->why : "expected }} behind {{");
            free(e);
            return;
        }
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s%s", (int)(open - at), at, e->text);
        at = close + 2;
    }
    if (n < sizeof out) {
        snprintf(out + n, sizeof out - n, "%s", at);
    }
    free(e);
    *value = config__text(l->config, out, strlen(out));
}
