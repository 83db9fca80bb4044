/* telemetry.h - closes the intervals of the metrics, measures the process and the pool, and sends
 * to statsd, statsite and DogStatsD. All on the core loop. */
#pragma once

#include "process.h"

struct telemetry;
/* Prefix and filters of the metrics, also after a reload. */
void telemetry_configure(const struct config *c, bool is_server);
/* Before the loops run; p's gossip may come later. Never fails: what cannot be had is logged. */
struct telemetry *telemetry_create(struct process *p);
void telemetry_destroy(struct telemetry *t); /* the core loop has stopped; NULL is allowed */
