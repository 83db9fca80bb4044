/* measure.h - the server's metrics. */
#pragma once

#include "base/metrics.h"
#include "server.h"

/* Core loop: gauges of Raft, of waiting queries and of autopilot, before each interval ends. */
void server__measure_start(struct server *s);
void server__measure_stop(struct server *s);

/* What times calls of the endpoint; METRIC_NONE: nothing. */
enum metric server__call_metric(const struct endpoint *e);
/* Front: a read has its reply (after filters); which services are asked for, and how long it
 * took. */
void server__measure_read(const struct call *c, const void *reply, uint64_t began_ns);
/* Core: an entry of the log was applied. */
void server__measure_entry(struct server *s, const void *data, size_t len, uint64_t began_ns);
/* What times the application of an entry: by its type, and by the operation that some have. */
enum metric server__entry_metric(const void *data, size_t len);
/* Core, now and then: how long the leader has not heard of each server. */
void server__measure_contact(const struct server *s, const struct raft_node_status *st);
