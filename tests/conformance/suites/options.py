"""Every read option on every endpoint that reads, and what an answer's headers say about it."""

from script import get, put

put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","NodeMeta":{"rack":"r1","z":"1"},"Service":{"Service":"s",'
                            '"Tags":["a","b"],"Port":1},"Check":{"Name":"c","Status":"passing"}}')
put("/v1/catalog/register", '{"Node":"n2","Address":"10.0.0.2","NodeMeta":{"rack":"r2"},"Service":{"Service":"s","Tags":["b"],'
                            '"Port":2},"Check":{"Name":"c","Status":"critical","ServiceID":"s"}}')
put("/v1/kv/k/a", "1")

READS = ("/v1/catalog/datacenters", "/v1/catalog/nodes", "/v1/catalog/services", "/v1/catalog/service/s",
         "/v1/catalog/service/none", "/v1/catalog/connect/s", "/v1/catalog/node/n1", "/v1/catalog/node/none",
         "/v1/catalog/node-services/n1", "/v1/catalog/node-services/none", "/v1/health/node/n1", "/v1/health/node/none",
         "/v1/health/checks/s", "/v1/health/checks/none", "/v1/health/state/any", "/v1/health/state/critical",
         "/v1/health/service/s", "/v1/health/service/none", "/v1/health/connect/s", "/v1/kv/k/a", "/v1/kv/none",
         "/v1/status/leader", "/v1/status/peers", "/v1/event/list", "/v1/operator/raft/configuration",
         "/v1/operator/autopilot/configuration")
QUERIES = ("", "stale", "consistent", "cached", "stale&consistent", "cached&consistent", "consistent=false", "stale=0",
           "cached=1", "max_stale=1s", "max_stale=x", "max_stale=-1s", "max_stale=0s", "max_stale=1s&consistent", "wait=5", "wait=-1s",
           "wait=1.5s", "index=x", "index=-1", "index=1.5", "index=0x10", "index=%201", "index=18446744073709551615&wait=1ms",
           "index=18446744073709551616", "index=", "wait=", "index=1&wait=1ms", "dc=dc1", "dc=DC1", "dc=nope", "dc=&stale",
           "dc=nope&filter=Nope%3D%3D1", "ns=default", "ns=&ns=x", "partition=x", "near=n2", "near=_agent&near=x", "near=none",
           "node-meta=rack:r1", "node-meta=rack:r1&node-meta=z:1", "node-meta=rack:r1&node-meta=rack:r2", "node-meta=rack",
           "node-meta=:", "node-meta=a:b:c", "filter=Nope%3D%3D1", "pretty=false", "token=nope", "stale&stale", "unknown=1", "tag=b&tag=a", "passing&passing=false", "&&", "=", "%41=1",
           "stale;consistent", "index=1;wait=1s", "wait=1s&wait=x", "passing", "merge-central-config", "cached&stale",
           "hash=x", "leader", "stale&leader", "consistent&leader")
LOOSE = ("TaggedAddresses", "Meta", "NodeMeta", "Output", "LTime", "Version")
for path in READS:
    for query in QUERIES:
        # An index above all others waits for a change that never comes: the wait is short, but not where it cannot be said.
        if path == "/v1/event/list" and "index=1" in query:
            continue
        get(path + ("?" + query if query else ""), loose=LOOSE, unordered="services" in path)

for path in READS:
    for headers in ({"X-Consul-Namespace": "x"}, {"Cache-Control": "max-age=0"}, {"Cache-Control": "max-age=60,must-revalidate"},
                    {"Cache-Control": "stale-if-error=x"}, {"Cache-Control": "nonsense, max-age=-1"}, {"Accept-Encoding": "gzip"},
                    {"X-Consul-Token": ""}, {"Authorization": "Basic eDp5"}, {"Range": "bytes=0-3"}, {"If-None-Match": "\"x\""},
                    {"Accept": "text/html"}, {"Content-Type": "text/plain"}):
        get(path, headers=headers, loose=LOOSE, unordered="services" in path)
    get(path + "?cached", headers={"Cache-Control": "max-age=1, must-revalidate, stale-if-error=5"}, loose=LOOSE,
        unordered="services" in path)
