"""What a datacenter would tell others of itself, when there is no other."""

from script import ask, get, put, settle

F = "/v1/internal/federation-state"
settle("/v1/health/service/consul", "passing")
settle(F + "s", "dc1")
LOOSE = ("UpdatedAt", "PrimaryModifyIndex", "Index")
QUERIES = ("", "?stale", "?consistent", "?consistent&stale", "?dc=nope", "?dc=dc1", "?wait=foo", "?index=foo", "?index=1&wait=1s", "?ns=x",
           "?filter=Nope==1", "?token=x", "?cached")


def look():
    for path in ("s", "s/mesh-gateways", "/dc1"):
        get(F + path, loose=LOOSE)


look()
for path in ("s", "s/mesh-gateways", "/dc1", "/dc9", "/"):
    for query in QUERIES:
        get(F + path + query, loose=LOOSE)
    put(F + path)
    ask("OPTIONS", F + path)
for path in ("", "s/", "s/nope", "/dc1/x", "/DC1"):
    get(F + path, loose=LOOSE)
put("/v1/catalog/register", '{"Node":"n1","Address":"1.1.1.1","Service":{"ID":"mg1","Service":"mg","Kind":"mesh-gateway","Port":80},'
    '"Check":{"CheckID":"c","Name":"c","Status":"critical","ServiceID":"mg1"}}')
put("/v1/catalog/register", '{"Node":"n1","Address":"1.1.1.1","Service":{"ID":"web","Service":"web","Port":80}}')
settle(F + "s/mesh-gateways", "mg1")
look()
put("/v1/catalog/register", '{"Node":"n2","Address":"1.1.1.2","Service":{"ID":"mg2","Service":"mg","Kind":"mesh-gateway","Port":80,'
    '"Tags":["a"],"Meta":{"consul-wan-federation":"1"}}}')
settle(F + "s/mesh-gateways", "mg2")
look()
