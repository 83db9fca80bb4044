"""Paths, methods and the options that all reads share."""

from script import ask, delete, get, put

# ---- Routing ----
get("/")
for path in ("/v1", "/v1/", "/v1/nope", "/v1/agent/self/", "/v1/kv", "/v1/catalog/service", "/v1/health/state",
             "/v1//kv/a", "/v1/kv/a//b?x=1", "/v1/./kv/a", "/v1/kv/../agent/self", "/v1/kv/a%2F%2Fb", "/v1/kv/a%00b",
             "/v1/kv/a%0ab", "/v1/kv/a%7Fb", "/v1/kv/a%E2%80%8Bb", "/v1/kv/a?x=%zz", "/v1/kv/%E2%82%AC"):
    get(path)
put("/v1//kv/a", "x")
delete("/v1/kv/a//b")

READS = ("/v1/agent/self", "/v1/agent/members", "/v1/agent/services", "/v1/agent/service/x", "/v1/agent/checks",
         "/v1/agent/health/service/id/x", "/v1/agent/health/service/name/x", "/v1/catalog/datacenters",
         "/v1/catalog/nodes", "/v1/catalog/services", "/v1/catalog/service/x", "/v1/catalog/node/x",
         "/v1/catalog/node-services/x", "/v1/health/node/x", "/v1/health/checks/x", "/v1/health/state/any",
         "/v1/health/service/x", "/v1/status/leader", "/v1/status/peers")
WRITES = ("/v1/agent/service/register", "/v1/agent/service/deregister/x", "/v1/agent/check/register",
          "/v1/agent/check/deregister/x", "/v1/agent/check/pass/x", "/v1/agent/check/warn/x", "/v1/agent/check/fail/x",
          "/v1/agent/check/update/x", "/v1/agent/join/127.0.0.1:9", "/v1/agent/leave", "/v1/agent/force-leave/x",
          "/v1/catalog/register", "/v1/catalog/deregister")
for path in READS + WRITES + ("/v1/kv/x",):
    ask("POST", path)
    ask("HEAD", path)
    ask("OPTIONS", path)
for path in READS:
    put(path)
for path in WRITES:
    get(path)

# ---- Options ----
for query in ("index=x", "index=-1", "index=18446744073709551616", "wait=10", "wait=x", "wait=10s", "stale", "consistent",
              "stale&consistent", "cached&consistent", "max_stale=abc", "max_stale=10s", "dc=nope", "dc=dc1", "ns=x",
              "ns=", "node-meta=a:b", "node-meta=", "near=_agent", "near=nobody", "pretty", "index=0", "index=1&wait=10ms"):
    get("/v1/catalog/nodes?" + query)
for path in READS + WRITES + ("/v1/kv/x",):
    if path not in ("/v1/agent/leave",):
        ask("PUT" if path in WRITES else "GET", path + "?ns=x", "" if path in WRITES else None,
            loose=("DebugConfig", "Stats", "Tags", "Coord", "Output"), unordered="members" in path)
for header, value in (("X-Consul-Namespace", "x"), ("Cache-Control", "max-age=x"), ("Cache-Control", "max-age=10"),
                      ("Cache-Control", "no-cache"), ("Accept-Encoding", "gzip"), ("Accept-Encoding", "gzip;q=0"),
                      ("X-Consul-Token", "x"), ("Authorization", "Bearer x")):
    get("/v1/catalog/nodes", headers={header: value})
for path in ("/v1/catalog/service/", "/v1/catalog/node/", "/v1/catalog/node-services/", "/v1/health/node/",
             "/v1/health/checks/", "/v1/health/state/", "/v1/health/service/", "/v1/agent/health/service/id/",
             "/v1/agent/health/service/name/", "/v1/agent/service/"):
    get(path)
