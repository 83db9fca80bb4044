/* metric_sink.h - where the metrics of each interval are sent: statsd and DogStatsD by UDP,
 * statsite by TCP. On the core loop. */
#pragma once

#include <event2/event.h>
#include <muster/mu.h>

enum metric_sink_kind { SINK_STATSD, SINK_STATSITE, SINK_DOGSTATSD };

struct metric_sink;
/* key names the setting in the log, address is "host:port"; tags, for DogStatsD, are borrowed for
 * the sink's life. A name is looked up once, here. NULL when the address is none, which is
 * logged. */
struct metric_sink *metric_sink_create(enum metric_sink_kind kind, struct event_base *base,
                                       const char *key, const char *address,
                                       const struct mu_strs *tags);
/* Sends what the last interval was. What cannot be delivered is dropped, and said once until it can
 * be again. */
void metric_sink_send(struct metric_sink *s);
void metric_sink_destroy(struct metric_sink *s); /* NULL is allowed */
