/* sync.c - the full exchange of state between two members, over a stream: at a join, and now and
 * then with a random member, so that what gossip missed is found in the end. */
#include "core.h"
#include "formula.h"

#include <string.h>

static enum swim__wire_state wire_state(const struct swim__member *m)
{
    switch ((enum swim_state)m->state) {
    case SWIM_ALIVE:
        return SWIM__WIRE_ALIVE;
    case SWIM_SUSPECT:
        return SWIM__WIRE_SUSPECT;
    case SWIM_GONE:
        return SWIM__WIRE_LEFT;
    default:
        return SWIM__WIRE_DEAD;
    }
}

bool swim__sync_write(struct swim *s, bool join, struct mu__writer *w)
{
    struct mu__writer user = mu__writer_growing(&s->allocator);
    swim__serf_state_write(s, &user);
    struct swim__pushpull_header header = {
        .join = join, .nodes = s->members.len, .user_state_len = user.len};
    swim__pushpull_encode_header(w, &header);
    for (size_t i = 0; i < s->members.len; i++) { /* the list stands in random order */
        const struct swim__member *m = s->members.list[i];
        struct swim__node_state n = {.name = swim__member_name(m),
                                     .addr = {(const char *)m->addr.ip, m->addr.len},
                                     .meta = swim__member_meta(m),
                                     .vsn = {(const char *)m->vsn, sizeof m->vsn},
                                     .incarnation = m->incarnation,
                                     .port = m->addr.port,
                                     .state = wire_state(m)};
        swim__pushpull_encode_node(w, &n);
    }
    mu__write_bytes(w, user.data, user.len);
    bool ok = !w->failed && !user.failed;
    mu__writer_fini(&user);
    return ok;
}

/* ---- do the two pools speak versions that all understand? ---- */

struct versions { /* of one protocol: the range that all alive members understand */
    uint8_t min, max;
};
static void versions_narrow(struct versions *v, uint8_t min, uint8_t max)
{
    v->min = min > v->min ? min : v->min;
    v->max = max < v->max ? max : v->max;
}

static bool versions_agree(const struct swim *s, struct swim__pushpull *p)
{
    struct versions protocol = {0, UINT8_MAX}, delegate = {0, UINT8_MAX};
    struct swim__node_state n;
    /* Ours agree among themselves, since each of them passed this check; we stand for all of
     * them. */
    versions_narrow(&protocol, s->self->vsn[0], s->self->vsn[1]);
    versions_narrow(&delegate, s->self->vsn[3], s->self->vsn[4]);
    swim__pushpull_rewind(p);
    while (swim__pushpull_next(p, &n)) {
        if (!swim__vsn_is_valid(n.vsn)) {
            return false;
        }
        if (n.state == SWIM__WIRE_ALIVE) {
            versions_narrow(&protocol, (uint8_t)n.vsn.p[0], (uint8_t)n.vsn.p[1]);
            versions_narrow(&delegate, (uint8_t)n.vsn.p[3], (uint8_t)n.vsn.p[4]);
        }
    }
    swim__pushpull_rewind(p);
    while (swim__pushpull_next(p, &n)) {
        uint8_t pcur = (uint8_t)n.vsn.p[2], dcur = (uint8_t)n.vsn.p[5];
        if (pcur < protocol.min || pcur > protocol.max || dcur < delegate.min ||
            dcur > delegate.max) {
            return false;
        }
    }
    return s->self->vsn[2] >= protocol.min && s->self->vsn[2] <= protocol.max &&
           s->self->vsn[5] >= delegate.min && s->self->vsn[5] <= delegate.max;
}

/* ---- admission of a whole pool ---- */

static bool candidate(const struct swim *s, const struct swim__node_state *n,
                      struct swim_member *out)
{
    struct swim__wire_tags tags;
    *out = (struct swim_member){.name = n->name,
                                .status = n->state == SWIM__WIRE_LEFT   ? SWIM_STATUS_LEFT
                                          : n->state == SWIM__WIRE_DEAD ? SWIM_STATUS_FAILED
                                                                        : SWIM_STATUS_ALIVE,
                                .state = (enum swim_state)n->state,
                                .incarnation = n->incarnation,
                                .meta = n->meta};
    out->addr.len = (uint8_t)swim__wire_addr(n->addr, out->addr.ip);
    out->addr.port = n->port ? n->port : s->self->addr.port;
    return swim__wire_tags_begin(&tags, n->meta);
}

static int admit_pool(struct swim *s, struct swim__pushpull *p)
{
    if (!s->cfg.admit || p->header.nodes == 0) {
        return SWIM_OK;
    }
    struct swim_member *c = mu__calloc(&s->allocator, (size_t)p->header.nodes, sizeof *c);
    if (!c) {
        return SWIM_ENOMEM;
    }
    size_t n = 0;
    struct swim__node_state node;
    swim__pushpull_rewind(p);
    while (swim__pushpull_next(p, &node)) {
        n += candidate(s, &node, &c[n]) ? 1 : 0; /* others are dropped one by one later */
    }
    char why[160] = "";
    bool ok = s->cfg.admit(s->cfg.admit_user, c, n, why, sizeof why);
    mu__free(&s->allocator, c);
    if (!ok) {
        s->stats.members_refused++;
        swim__log(s, MU_WARN, "refused to merge: %s", why);
    }
    return ok ? SWIM_OK : SWIM_EREFUSED;
}

/* ---- merging ---- */

static int merge_node(struct swim *s, const struct swim__node_state *n, enum swim__source source)
{
    struct swim__accusation accusation = {.node = n->name, .incarnation = n->incarnation};
    switch (n->state) {
    case SWIM__WIRE_ALIVE: {
        struct swim__alive alive = {.node = n->name,
                                    .addr = n->addr,
                                    .meta = n->meta,
                                    .vsn = n->vsn,
                                    .incarnation = n->incarnation,
                                    .port = n->port};
        return swim__alive(s, &alive, source);
    }
    case SWIM__WIRE_LEFT:
        accusation.from = n->name;
        return swim__dead(s, &accusation);
    default: /* even the dead are only suspected: they may refute in what is a new pool to them */
        accusation.from = swim__member_name(s->self);
        return swim__suspect(s, &accusation);
    }
}

int swim__sync_merge(struct swim *s, const void *data, size_t len, bool skip_old)
{
    struct swim__pushpull p;
    struct swim__node_state n;
    if (!swim__pushpull_begin(&p, data, len)) {
        return SWIM_EPROTO;
    }
    if (!versions_agree(s, &p)) {
        swim__log(s, MU_WARN, "refused to merge: members speak incompatible protocol versions");
        return SWIM_EREFUSED;
    }
    int rc = p.header.join ? admit_pool(s, &p) : SWIM_OK;
    if (rc != SWIM_OK) {
        return rc;
    }
    enum swim__source source = p.header.join ? SWIM__FROM_SYNC : SWIM__FROM_GOSSIP;
    swim__pushpull_rewind(&p);
    while (swim__pushpull_next(&p, &n)) {
        int node_rc = merge_node(s, &n, source);
        /* One malformed node does not spoil the others */
        rc = node_rc == SWIM_ENOMEM ? node_rc : rc;
    }
    s->stats.push_pulls++;
    int state_rc = swim__serf_state_merge(s, p.user_state, skip_old);
    return rc != SWIM_OK ? rc : state_rc;
}

static bool is_partner(const struct swim__member *m, const void *arg)
{
    return m->state == SWIM_ALIVE && m != ((const struct swim *)arg)->self;
}

void swim__sync_fire(struct swim *s, struct swim__timer *t)
{
    struct swim__member *m;
    swim__timer_reset(
        s, t, s->now + swim__push_pull_interval_ns(s->cfg.push_pull_interval_ns, s->members.len));
    if (s->leave_stage == SWIM__STAYING &&
        swim__table_pick(&s->members, &s->prng, is_partner, s, &m, 1) == 1) {
        (void)swim__stream_open_sync(s, &m->addr, false);
    }
}
