/* config.c - defaults and ranges; names of errors and states. */
#include "identity.h"

#include <stdio.h>
#include <string.h>

int identity__config_read(const struct ca_identity_config *given, struct ca_identity *i,
                          struct ca_diag *diag);

void ca_identity_config_init_sized(struct ca_identity_config *cfg, size_t size)
{
    struct ca_identity_config full = {
        .size = size,
        .agent = "127.0.0.1:8500",
        .wait_ns = 300 * MU_SEC,
        .timeout_ns = 10 * MU_SEC,
        .retry_min_ns = 250 * MU_MSEC,
        .retry_max_ns = 30 * MU_SEC,
        .check_ns = MU_SEC,
        .reply_bytes_max = (size_t)16 << 20,
        .sessions_max = 256,
        .session_lifetime_s = 3600,
    };
    memset(cfg, 0, size);
    memcpy(cfg, &full, mu__min(size, sizeof full));
}

static bool widen(const struct ca_identity_config *given, struct ca_identity_config *full)
{
    ca_identity_config_init(full);
    const unsigned char *bytes = (const unsigned char *)given;
    for (size_t n = sizeof *full; n < given->size; n++) {
        if (bytes[n] != 0) {
            return false;
        }
    }
    memcpy(full, given, mu__min(given->size, sizeof *full));
    full->size = sizeof *full;
    return true;
}

/* Nothing that would be another header line. */
static bool is_token(const char *s)
{
    size_t n = strlen(s);
    for (size_t at = 0; at < n; at++) {
        if (s[at] <= ' ' || s[at] >= 127) {
            return false;
        }
    }
    return n < 256;
}

static const char *check(const struct ca_identity_config *c, struct identity__agent *agent)
{
    const struct {
        bool ok;
        const char *why;
    } rules[] = {
        {c->service && *c->service && strlen(c->service) <= IDENTITY_NAME_MAX,
         "service: 1 to 255 bytes"},
        {c->agent && identity__agent_parse(agent, c->agent),
         "agent: ip:port, localhost:port or unix:///path"},
        {!c->token || is_token(c->token), "token: at most 255 letters, digits and marks"},
        {c->default_action <= CA_IDENTITY_DEFAULT_DENY, "default_action: none of the three"},
        {c->wait_ns >= MU_SEC && c->wait_ns <= 600 * MU_SEC, "wait_ns: 1 s to 600 s"},
        {c->timeout_ns > 0 && c->timeout_ns <= 86400 * MU_SEC, "timeout_ns: up to a day"},
        {c->retry_min_ns > 0 && c->retry_min_ns <= c->retry_max_ns &&
             c->retry_max_ns <= 86400 * MU_SEC,
         "retry_min_ns, retry_max_ns: in this order, up to a day"},
        {c->check_ns > 0 && c->check_ns <= 86400 * MU_SEC, "check_ns: up to a day"},
        {c->reply_bytes_max >= 4096 && c->reply_bytes_max <= (size_t)1 << 30,
         "reply_bytes_max: 4096 to 2^30"},
        {c->session_lifetime_s >= 1 && c->session_lifetime_s <= 86400,
         "session_lifetime_s: 1 to 86400"},
    };
    for (size_t n = 0; n < sizeof rules / sizeof *rules; n++) {
        if (!rules[n].ok) {
            return rules[n].why;
        }
    }
    return NULL;
}

int identity__config_read(const struct ca_identity_config *given, struct ca_identity *i,
                          struct ca_diag *diag)
{
    const char *why =
        widen(given, &i->cfg) ? check(&i->cfg, &i->agent) : "size: a later library's field is set";
    if (why) {
        if (diag) {
            snprintf(diag->text, sizeof diag->text, "%s", why);
        }
        return CA_EINVAL;
    }
    snprintf(i->service, sizeof i->service, "%s", i->cfg.service);
    if (i->cfg.token) {
        snprintf(i->agent.token, sizeof i->agent.token, "%s", i->cfg.token);
    }
    i->cfg.service = i->cfg.agent = i->cfg.token = NULL; /* the caller's */
    i->cfg.allocator = NULL;
    return CA_OK;
}

const char *ca_identity_strerror(int code)
{
    switch (code) {
    case CA_IDENTITY_ENOTREADY:
        return "the agent has not given certificate, roots and intentions yet";
    case CA_IDENTITY_EEXPIRED:
        return "the own certificate has expired";
    case CA_IDENTITY_ETLS:
        return "mbedTLS failed";
    case CA_IDENTITY_ESERVICE:
        return "the other side is another service than expected";
    case CA_IDENTITY_ETIMEOUT:
        return "not ready in time";
    default:
        return ca_strerror(code);
    }
}

enum mu_err_class ca_identity_err_class(int code)
{
    switch (code) {
    case CA_IDENTITY_ENOTREADY:
    case CA_IDENTITY_EEXPIRED:
    case CA_IDENTITY_ETLS:
    case CA_IDENTITY_ETIMEOUT:
        return MU_CLASS_RETRY;
    case CA_IDENTITY_ESERVICE:
        return MU_CLASS_PEER;
    default:
        return ca_err_class(code);
    }
}

const char *ca_identity_state_name(enum ca_identity_state s)
{
    static const char *const names[] = {"starting", "fresh", "stale", "expired"};
    return (size_t)s < sizeof names / sizeof *names ? names[s] : "unknown";
}
