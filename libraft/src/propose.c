/* propose.c - new entries at the leader: the host's, and changes of the configuration. */
#include "core.h"

#include <string.h>

static int check_leading(const struct raft *r)
{
    if (r->role != RAFT_LEADER) {
        return RAFT_ENOTLEADER;
    }
    return r->transfer_target[0] ? RAFT_ETRANSFER : RAFT_OK;
}

int raft_propose(struct raft *r, uint64_t now_ns, const struct mu_str *data, size_t n,
                 raft_index *first)
{
    raft__set_now(r, now_ns);
    int rc = check_leading(r);
    if (rc != RAFT_OK) {
        return rc;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (data[i].len > r->cfg.entry_bytes_max) {
            return RAFT_ETOOBIG;
        }
        bytes += data[i].len + sizeof(struct raft_entry);
    }
    if (!raft__has_backlog_room(r, bytes)) {
        return RAFT_EBUSY;
    }
    raft_index before = r->log.last;
    for (size_t i = 0; i < n; i++) {
        const struct raft_entry e = {.index = r->log.last + 1,
                                     .term = r->hard.term,
                                     .type = RAFT_ENTRY_NORMAL,
                                     .data = data[i].p,
                                     .len = data[i].len};
        rc = raft__append(r, &e);
        if (rc != RAFT_OK) {
            raft__truncate(r, before + 1); /* nobody has seen them */
            r->matched = r->log.last;
            return rc;
        }
    }
    r->matched = r->log.last;
    *first = before + 1;
    if (n > 0) {
        raft__trace(r, RAFT_TRACE_APPEND, NULL, NULL, before + 1, r->log.last);
    }
    return RAFT_OK;
}

/* The 2015 correction of single-server changes: a new leader must first commit an entry of its
 * term, or a change of an earlier leader that it does not know of might still win a majority of its
 * own. */
static int check_change(const struct raft *r)
{
    int rc = check_leading(r);
    if (rc != RAFT_OK) {
        return rc;
    }
    bool settled =
        (r->commit >= r->term_start || RAFT__PLANTED(CHANGE_TOO_EARLY)) &&
        (raft__configs_last(&r->configs)->index <= r->commit || RAFT__PLANTED(TWO_CHANGES));
    return settled ? RAFT_OK : RAFT_EBUSY;
}

static bool is_server(const struct raft_server *s)
{
    return raft__is_id(s->id) && memchr(s->address, 0, sizeof s->address) &&
           (s->kind == RAFT_VOTER || s->kind == RAFT_NONVOTER);
}

static struct raft_server *find(struct raft_configuration *c, const char *id)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->servers[i].id, id) == 0) {
            return &c->servers[i];
        }
    }
    return NULL;
}

static int set_server(struct raft_configuration *c, const struct raft_server *server)
{
    if (!is_server(server)) {
        return RAFT_EINVAL;
    }
    struct raft_server *s = find(c, server->id);
    if (s && s->kind == server->kind && strcmp(s->address, server->address) == 0) {
        return RAFT_EEXIST;
    }
    if (!s) {
        if (c->n == RAFT_SERVERS_MAX) {
            return RAFT_EINVAL;
        }
        s = &c->servers[c->n++];
    }
    *s = *server;
    raft__configuration_sort(c);
    return RAFT_OK;
}

static int remove_server(struct raft_configuration *c, const char *id)
{
    struct raft_server *s = raft__is_id(id) ? find(c, id) : NULL;
    if (!s) {
        return RAFT_ENOENT;
    }
    size_t at = (size_t)(s - c->servers);
    memmove(s, s + 1, (c->n - at - 1) * sizeof *s);
    c->n--;
    return RAFT_OK;
}

static int append_configuration(struct raft *r, raft_term term, const struct raft_configuration *c)
{
    uint8_t buf[RAFT__CONFIGURATION_BYTES_MAX];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    raft__configuration_encode(c, &w);
    const struct raft_entry e = {.index = r->log.last + 1,
                                 .term = term,
                                 .type = RAFT_ENTRY_CONFIG,
                                 .data = w.data,
                                 .len = w.len};
    return raft__append(r, &e);
}

int raft_change(struct raft *r, uint64_t now_ns, enum raft_change_type type,
                const struct raft_server *server, raft_index *index)
{
    raft__set_now(r, now_ns);
    int rc = check_change(r);
    if (rc != RAFT_OK) {
        return rc;
    }
    struct raft_configuration c = *raft__configs_last(&r->configs);
    rc = type == RAFT_CHANGE_SET ? set_server(&c, server) : remove_server(&c, server->id);
    if (rc != RAFT_OK) {
        return rc;
    }
    if (raft__configuration_voters(&c) == 0) {
        return RAFT_EINVAL;
    }
    rc = append_configuration(r, r->hard.term, &c);
    if (rc != RAFT_OK) {
        return rc;
    }
    r->matched = r->log.last;
    *index = r->log.last;
    raft__maybe_commit(r); /* a smaller quorum may suffice now for what came before */
    return RAFT_OK;
}

int raft_bootstrap(struct raft *r, uint64_t now_ns, const struct raft_server *servers, size_t n)
{
    raft__set_now(r, now_ns);
    /* Nobody campaigns in term 1, so one without a log is a bootstrap that a crash undid. */
    if (r->hard.term > 1 || r->hard.vote[0] || r->log.last > 0) {
        return RAFT_EEXIST;
    }
    struct raft_configuration c = {.n = 0};
    for (size_t i = 0; i < n; i++) {
        int rc = set_server(&c, &servers[i]);
        if (rc != RAFT_OK) {
            return RAFT_EINVAL;
        }
    }
    if (!raft__configuration_is_valid(&c)) {
        return RAFT_EINVAL;
    }
    int rc = append_configuration(r, 1, &c);
    if (rc != RAFT_OK) {
        return rc;
    }
    raft__set_hard(r, 1, "");
    raft__start_timer(r);
    return RAFT_OK;
}
