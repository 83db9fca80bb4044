/* one.h - one raft core under a test's hands: the test plays disk, network and the other servers a,
 * b, c ... */
#pragma once

#include "mu_test.h"

#include <core.h>

struct one {
    struct raft *r; /* its id is "a" */
    uint64_t now;
    const struct raft_update *u; /* the newest update; NULL: there was none */
    raft_index applied;
};

static inline void one_servers(struct raft_server *servers, size_t n)
{
    memset(servers, 0, n * sizeof *servers);
    for (size_t i = 0; i < n; i++) {
        servers[i].id[0] = (char)('a' + i);
    }
}

static inline struct raft_config one_config(void)
{
    struct raft_config cfg;
    raft_config_init(&cfg);
    cfg.id = "a";
    cfg.seed = 1;
    return cfg;
}

static inline bool one_next(struct one *o)
{
    raft__check(o->r);
    assert_int_equal(raft_next_update(o->r, &o->u), RAFT_OK);
    for (size_t i = 0; o->u && i < o->u->n_apply; i++) {
        assert_int_equal(o->u->apply[i].index, ++o->applied);
    }
    return o->u != NULL;
}

/* Drains updates; what is written becomes durable at once. */
static inline void one_settle(struct one *o)
{
    while (one_next(o)) {
        uint64_t id = o->u->persist ? o->u->persist->id : 0;
        if (id) {
            raft_persisted(o->r, o->now, id);
        }
        if (o->applied > raft_applied_index(o->r)) {
            raft_applied(o->r, o->now, o->applied);
        }
    }
}

static inline struct one one_create(const struct raft_config *cfg, size_t n_servers)
{
    struct one o = {.now = MU_SEC};
    struct raft_server servers[RAFT_SERVERS_MAX];
    assert_int_equal(raft_create(cfg, &o.r), RAFT_OK);
    raft_start(o.r, o.now);
    if (n_servers > 0) {
        one_servers(servers, n_servers);
        assert_int_equal(raft_bootstrap(o.r, o.now, servers, n_servers), RAFT_OK);
        one_settle(&o);
    }
    return o;
}

static inline struct raft_message one_message(enum raft_message_type type, const char *from,
                                              raft_term term)
{
    return (struct raft_message){
        .type = type, .from = from, .from_address = from, .to = "a", .term = term};
}

static inline int one_step(struct one *o, const struct raft_message *m)
{
    return raft_step(o->r, o->now, m);
}

/* Makes a of three servers the leader, with b's vote. */
static inline void one_lead(struct one *o)
{
    o->now = raft_next_deadline(o->r);
    raft_advance(o->r, o->now);
    one_settle(o);
    struct raft_message m = one_message(RAFT_MSG_PREVOTE_REPLY, "b", raft_current_term(o->r) + 1);
    assert_int_equal(one_step(o, &m), RAFT_OK);
    one_settle(o);
    m = one_message(RAFT_MSG_VOTE_REPLY, "b", raft_current_term(o->r));
    assert_int_equal(one_step(o, &m), RAFT_OK);
    one_settle(o);
    assert_int_equal(raft_role(o->r), RAFT_LEADER);
}

static inline const struct raft_message *one_sent(const struct one *o, enum raft_message_type type,
                                                  const char *to)
{
    for (size_t i = 0; o->u && i < o->u->n_messages; i++) {
        const struct raft_message *m = &o->u->messages[i];
        if (m->type == type && strcmp(m->to, to) == 0) {
            return m;
        }
    }
    return NULL;
}
