/* peers.c - what probing has taught about other members: their coordinates, and how long the last
 * answers took. Kept for the members that were probed last, up to a bound, in the order of their
 * turn: in a large pool a coordinate that is hours old says little anyway. */
#include "core.h"

#include <assert.h>
#include <string.h>

static void unlink_peer(struct swim__peers *p, struct swim__peer *e)
{
    *(e->older ? &e->older->newer : &p->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &p->newest) = e->older;
}

static void append_peer(struct swim__peers *p, struct swim__peer *e)
{
    e->older = p->newest;
    e->newer = NULL;
    *(p->newest ? &p->newest->newer : &p->oldest) = e;
    p->newest = e;
}

void swim__peer_forget(struct swim *s, struct swim__member *m)
{
    struct swim__peer *e = m->peer;
    if (e) {
        assert(e->member == m);
        unlink_peer(&s->peers, e);
        s->peers.count--;
        m->peer = NULL;
        mu__free(&s->allocator, e);
    }
}

/* Its record, the newest now; NULL when out of memory or when none are to be kept. */
static struct swim__peer *peer_of(struct swim *s, struct swim__member *m)
{
    struct swim__peers *p = &s->peers;
    if (m->peer) {
        unlink_peer(p, m->peer);
        append_peer(p, m->peer);
        return m->peer;
    }
    if (s->cfg.coordinates_max == 0) {
        return NULL;
    }
    if (p->count >= s->cfg.coordinates_max) {
        swim__peer_forget(s, p->oldest->member);
    }
    struct swim__peer *e = mu__calloc(&s->allocator, 1, sizeof *e);
    if (e) {
        e->member = m;
        m->peer = e;
        p->count++;
        append_peer(p, e);
    }
    return e;
}

void swim__peer_measured(struct swim *s, struct swim__member *m,
                         const struct swim_coordinate *theirs, uint64_t rtt_ns)
{
    struct swim__latency once = {{0}};
    struct swim__peer *e = peer_of(s, m);
    if (!swim__coords_update(&s->coords, e ? &e->latency : &once, theirs, rtt_ns, &s->prng)) {
        s->stats.coordinates_rejected++;
        return;
    }
    if (e) {
        e->coordinate = *theirs;
        e->known = true;
    }
}

void swim__peers_fini(struct swim *s)
{
    while (s->peers.oldest) {
        swim__peer_forget(s, s->peers.oldest->member);
    }
}

/* ---- asking ---- */

static bool coordinate_of(const struct swim *s, struct mu_str name, struct swim_coordinate *out)
{
    const struct swim__member *m = swim__table_find(&s->members, name);
    if (m == s->self) {
        *out = s->coords.self;
        return true;
    }
    if (!m || !m->peer || !m->peer->known) {
        return false;
    }
    *out = m->peer->coordinate;
    return true;
}

bool swim_member_coordinate(const struct swim *s, const char *name, struct swim_coordinate *out)
{
    return coordinate_of(s, (struct mu_str){name, strlen(name)}, out);
}

int swim_rtt(const struct swim *s, const char *a, const char *b, uint64_t *rtt_ns)
{
    struct swim_coordinate from, to;
    if (!swim_member_coordinate(s, a, &from) || !swim_member_coordinate(s, b, &to)) {
        return SWIM_ENOENT;
    }
    *rtt_ns = swim_distance_ns(&from, &to);
    return SWIM_OK;
}
