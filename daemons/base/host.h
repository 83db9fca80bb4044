/* host.h - the machine that we run on, as /proc and the file system tell: what GET /v1/agent/host
 * answers (http-api 2.2). */
#pragma once

#include "schema.h"

/* One JSON object: memory, processors, system and disk under Consul's keys. What cannot be read is
 * zero or empty, and the error stands in the list at its end. */
void host_write_json(struct mu__json *j, int64_t now_unix_ns);
