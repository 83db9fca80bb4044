/* Other resolvers that DNS asks: which, and in which order. */
#include "config_internal.h"

#include "schema.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RECURSORS_MAX 64u

static bool is_known(const struct mu_strs *list, struct mu_str s)
{
    for (size_t i = 0; i < list->len; i++) {
        if (mu__str_eq(list->items[i], s)) {
            return true;
        }
    }
    return false;
}

static void add(struct config__loader *l, const char *word, struct mu_strs *out)
{
    struct sockaddr_storage unused;
    int len = sizeof unused;
    if (is_known(out, mu__cstr(word))) {
        return;
    }
    if (!strncmp(word, "unix://", 7)) {
        config__fail(l, "DNS Recursors cannot be unix sockets: %s", word);
    } else if (evutil_parse_sockaddr_port(word, (struct sockaddr *)&unused, &len) != 0) {
        config__fail(l, "Invalid recursor address: %s: expected an IP address, maybe with a port",
                     word);
    } else if (out->len == RECURSORS_MAX) {
        config__fail(l, "recursors lists more than %u addresses", RECURSORS_MAX);
    } else {
        config__append(l->config, out, config__text(l->config, word, strlen(word)));
    }
}

/* An entry may be a template, and what it gives may be several addresses. */
static void add_entry(struct config__loader *l, struct mu_str entry, struct mu_strs *out)
{
    config__expand_templates(l, "recursors", &entry);
    char *rest = strndup(entry.p, entry.len), *save = NULL;
    if (!rest) {
        abort();
    }
    for (char *w = strtok_r(rest, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save)) {
        add(l, w, out);
    }
    free(rest);
}

void config__finish_recursors(struct config__loader *l)
{
    struct config *c = l->config;
    struct mu_strs all = {NULL, 0};
    for (size_t i = 0; i < c->recursors.len && !l->failed; i++) {
        add_entry(l, c->recursors.items[i], &all);
    }
    c->recursors = all;
    const char *strategy = c->dns.recursor_strategy.p;
    c->dns.recursors_random = !strcmp(strategy, "random");
    if (*strategy && !c->dns.recursors_random && strcmp(strategy, "sequential") != 0) {
        config__note(c, &l->invalid, "dns_config.recursor_strategy: invalid strategy: \"%s\"",
                     strategy);
    }
    if (c->dns.recursor_timeout_ns == 0) {
        c->dns.recursor_timeout_ns = 2 * MU_SEC; /* as Consul's DNS library has it */
    }
}
