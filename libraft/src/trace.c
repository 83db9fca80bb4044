#include "core.h"

#include <assert.h>

void raft__trace(const struct raft *r, enum raft_trace_type type, const char *peer,
                 const char *text, uint64_t a, uint64_t b)
{
    if (!r->cfg.trace) {
        return;
    }
    const struct raft_trace ev = {
        .type = type,
        .now_ns = r->now,
        .term = r->hard.term,
        .peer = peer ? peer : "",
        .text = text ? text : "",
        .a = a,
        .b = b,
    };
    r->cfg.trace(r->cfg.user, &ev);
}

void raft__log_line(const struct raft *r, enum mu_level level, const char *line)
{
    if (r->cfg.log) {
        r->cfg.log(r->cfg.user, level, line);
    }
}

void raft__set_now(struct raft *r, uint64_t now_ns)
{
    assert(now_ns >= r->now);
    r->now = now_ns;
}
