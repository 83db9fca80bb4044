/* measure.h - the server's metrics. */
#pragma once

#include "base/metrics.h"
#include "server.h"

/* Core loop: gauges of Raft, of waiting queries and of autopilot, before each interval ends. */
void server__measure_start(struct server *s);
void server__measure_stop(struct server *s);

/* What times a write of the endpoint, from proposal to answer, and the application of an entry of a
 * type (its first byte). METRIC_NONE: nothing. */
enum metric server__write_metric(const struct endpoint *e);
enum metric server__entry_metric(uint8_t type);
