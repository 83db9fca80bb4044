"""Metrics and the log; what they hold differs from moment to moment."""

from script import ask, get, put

M = "/v1/agent/metrics"
get(M, opaque=True)
for query in ("?format=prometheus", "?format=json", "?format=", "?format=foo"):
    get(M + query, opaque="prometheus" not in query)
put(M)
ask("OPTIONS", M)
get(M + "/")
get("/v1/agent/monitor?loglevel=nope")
get("/v1/agent/monitor?loglevel=5")
put("/v1/agent/monitor")
ask("OPTIONS", "/v1/agent/monitor")
get("/v1/agent/monitor/")
