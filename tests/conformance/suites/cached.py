"""What an agent answers from its cache: ?cached."""

import json

from script import ask, delete, get, put, settle

# Background or simple: each of them, first a miss, then hits
put("/v1/catalog/register", json.dumps({
    "Node": "n1", "Address": "10.0.0.1", "Service": {"ID": "w1", "Service": "web", "Port": 80, "Tags": ["a", "b"], "Meta": {"v": "1"}},
    "Check": {"CheckID": "c1", "ServiceID": "w1", "Status": "passing"}}))
READS = ("/v1/catalog/datacenters", "/v1/catalog/services", "/v1/catalog/service/web", "/v1/catalog/connect/web",
         "/v1/health/service/web", "/v1/health/connect/web")
for path in READS:
    for n in range(3):
        get(path + "?cached", unordered=True)

# What is not kept for anyone
for path in ("/v1/catalog/nodes", "/v1/catalog/node/n1", "/v1/catalog/node-services/n1", "/v1/health/node/n1", "/v1/health/checks/web",
             "/v1/health/state/any", "/v1/kv/a", "/v1/kv/?keys", "/v1/session/list", "/v1/coordinate/nodes", "/v1/query",
             "/v1/status/leader", "/v1/agent/services", "/v1/internal/ui/services", "/v1/config/service-defaults",
             "/v1/event/list"):
    for n in range(2):
        get(path + "?cached", unordered=True, opaque="coordinate" in path or "ui" in path or "state" in path)

# What makes another entry, and what does not
W = "/v1/health/service/web?cached"
for more in ("passing", "pretty", "tag=a", "tag=b", "tag=a&tag=b", "tag=b&tag=a", "node-meta=a:b", "filter=Service.Port==80",
             "filter=Service.Port!=80", "dc=dc1", "dc=", "token=x", "stale", "max_stale=10s", "cached=0", "wait=1s", "index=0",
             "index=1"):
    get(W + "&" + more)
    get(W + "&" + more)
get(W, headers={"X-Consul-Token": "y"})
get(W, headers={"X-Consul-Token": "y"})
get(W, headers={"Authorization": "Bearer y"})
get("/v1/catalog/service/web?cached&tag=A")
get("/v1/catalog/service/WEB?cached")
get("/v1/catalog/services?cached&node-meta=a:b")

# Names that nobody has
for path in ("/v1/health/service/nobody?cached", "/v1/catalog/service/nobody?cached", "/v1/catalog/connect/nobody?cached"):
    get(path)
    get(path)

# What is refused comes before the cache
for query in ("cached&consistent", "cached&passing=x", "cached&index=x", "cached&wait=5", "cached&dc=nope",
              "cached&max_stale=x", "cached&ns=x", "cached&filter=Nope==1"):
    get("/v1/health/service/web?" + query)
    get("/v1/health/service/web?" + query)
get("/v1/health/service/?cached")
get("/v1/catalog/services?cached&dc=nope")
get("/v1/catalog/datacenters?cached&dc=nope")
ask("PUT", "/v1/health/service/web?cached")

# Cache-Control changes nothing where the answer is watched
for control in ("max-age=0", "max-age=60", "must-revalidate", "no-cache", "max-age=0, must-revalidate, stale-if-error=9", "max-age=x",
                "stale-if-error=", "MAX-AGE=1", "max-age=-1", " max-age=5 ,,x"):
    get(W, headers={"Cache-Control": control})
    if control not in ("max-age=x", "stale-if-error="):
        get("/v1/catalog/datacenters?cached", headers={"Cache-Control": control})

# Waiting for what is newer than all there is, and no longer than asked for
get(W + "&index=999999999&wait=1s")
get("/v1/catalog/services?cached&index=999999999&wait=200ms", unordered=True)
get("/v1/catalog/service/nowhere?cached&index=999999999&wait=200ms")
get("/v1/catalog/datacenters?cached&index=999999999&wait=200ms")

# What changes is seen
put("/v1/catalog/register", json.dumps({"Node": "n2", "Address": "10.0.0.2", "Service": {"ID": "w2", "Service": "web", "Port": 81}}))
settle(W, "10.0.0.2")
get(W, unordered=True)
settle("/v1/catalog/service/web?cached", "10.0.0.2")
get("/v1/catalog/service/web?cached", unordered=True)
put("/v1/catalog/deregister", '{"Node":"n1"}')
put("/v1/catalog/register", json.dumps({"Node": "n3", "Address": "10.0.0.3", "Service": {"ID": "last", "Service": "last"}}))
settle("/v1/catalog/services?cached", "last")
get("/v1/catalog/services?cached", unordered=True)

# Prepared queries are kept, and not watched
ask("POST", "/v1/query", '{"Name":"q","Service":{"Service":"web"}}', keep="q", at="ID")
Q = "/v1/query/q/execute?cached"
get(Q)
get(Q)
put("/v1/catalog/deregister", '{"Node":"n2"}')
get(Q)
get(Q, headers={"Cache-Control": "max-age=600"})
get(Q + "&limit=1")
get(Q + "&limit=1")
get("/v1/query/{q}/execute?cached")
get(Q, headers={"Cache-Control": "must-revalidate"})
get(Q)
get(Q, headers={"Cache-Control": "max-age=0"})
delete("/v1/query/{q}")
get(Q)
get(Q, headers={"Cache-Control": "max-age=0"})
get("/v1/query/nobody/execute?cached")
get("/v1/query/q/explain?cached")
