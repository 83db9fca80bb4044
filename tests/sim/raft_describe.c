/* raft_describe.c - trace events in words. */
#include "raft_host.h"

#include <inttypes.h>

static void describe_change(const struct raft_trace *ev, char *buf, size_t size)
{
    static const char *const roles[] = {"follower", "pre-candidate", "candidate", "leader"};
    static const char *const states[] = {"probes", "replicates to", "needs a snapshot for"};
    switch (ev->type) {
    case RAFT_TRACE_ROLE:
        snprintf(buf, size, "is %s: %s", roles[ev->a], ev->text);
        break;
    case RAFT_TRACE_TERM:
        snprintf(buf, size, "enters the term");
        break;
    case RAFT_TRACE_VOTE:
        snprintf(buf, size, "%s %s's %s", ev->a ? "grants" : "refuses", ev->peer,
                 ev->b ? "pre-vote" : "vote");
        break;
    case RAFT_TRACE_LEADER:
        snprintf(buf, size, ev->peer[0] ? "knows leader %s" : "knows no leader", ev->peer);
        break;
    case RAFT_TRACE_CONFIG:
        snprintf(buf, size, "uses configuration %" PRIu64 " of %" PRIu64 " servers", ev->a, ev->b);
        break;
    case RAFT_TRACE_TRANSFER:
        snprintf(buf, size, "%s %s",
                 ev->a == 0   ? "ends the hand-over to"
                 : ev->a == 1 ? "hands over to"
                              : "asks to campaign:",
                 ev->peer);
        break;
    case RAFT_TRACE_PEER:
        snprintf(buf, size, "%s %s from %" PRIu64, states[ev->a], ev->peer, ev->b);
        break;
    default:
        break;
    }
}

static void describe_log(const struct raft_trace *ev, char *buf, size_t size)
{
    switch (ev->type) {
    case RAFT_TRACE_APPEND:
        snprintf(buf, size, "appends %" PRIu64 " to %" PRIu64, ev->a, ev->b);
        break;
    case RAFT_TRACE_TRUNCATE:
        snprintf(buf, size, "drops %" PRIu64 " and later", ev->a);
        break;
    case RAFT_TRACE_REFUSE:
        snprintf(buf, size, "refuses entries after %" PRIu64 " of %s, hints at %" PRIu64, ev->a,
                 ev->peer, ev->b);
        break;
    case RAFT_TRACE_COMMIT:
        snprintf(buf, size, "commits %" PRIu64, ev->a);
        break;
    case RAFT_TRACE_SNAPSHOT_SEND:
        snprintf(buf, size, "sends snapshot %" PRIu64 " at %" PRIu64 " to %s", ev->a, ev->b,
                 ev->peer);
        break;
    case RAFT_TRACE_SNAPSHOT_REFUSE:
        snprintf(buf, size, "refuses %s's snapshot %" PRIu64 " at %" PRIu64 ": %s", ev->peer, ev->a,
                 ev->b, ev->text);
        break;
    case RAFT_TRACE_SNAPSHOT_INSTALL:
        snprintf(buf, size, "installs snapshot %" PRIu64, ev->a);
        break;
    default:
        break;
    }
}

void sim_describe(const struct raft_trace *ev, char *buf, size_t size)
{
    buf[0] = 0;
    describe_change(ev, buf, size);
    describe_log(ev, buf, size);
}
