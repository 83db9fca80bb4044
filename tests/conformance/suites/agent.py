"""Services and checks of the agent that is asked, and its maintenance."""

from script import get, put, settle

SERVICE, CHECK = "/v1/agent/service/register", "/v1/agent/check/register"
get("/v1/agent/self", loose=("DebugConfig", "Stats", "Tags", "Version", "Revision", "Coord", "Meta", "xDS"))
get("/v1/agent/members", loose=("Tags",), unordered=True)
get("/v1/agent/members?wan=1", loose=("Tags",))
get("/v1/agent/members?segment=x")
get("/v1/agent/members?segment=x&wan=1")
get("/v1/agent/members?segment=_all&wan=1", loose=("Tags",))
# How much there is differs from machine to machine.
get("/v1/agent/host", loose=("CPU", "CollectionTime", *(
    "total available used usedPercent free active inactive buffers cached writeback dirty writebacktmp shared slab sreclaimable "
    "sunreclaim pagetables swapcached commitlimit committedas hightotal highfree lowtotal lowfree swaptotal swapfree mapped vmalloctotal "
    "vmallocused vmallocchunk hugepagestotal hugepagesfree hugepagesize hostname uptime bootTime procs platform platformFamily "
    "platformVersion kernelVersion kernelArch virtualizationSystem virtualizationRole hostid fstype inodesTotal inodesUsed inodesFree "
    "inodesUsedPercent").split()))
put("/v1/agent/host")
get("/v1/agent/members?segment=_all", loose=("Tags",), unordered=True)
get("/v1/agent/services")
get("/v1/agent/checks")
for body in ("", "{", "x", "{}", "[]", '{"Name":1}', '{"Bad":1}', '{"Name":"a","Port":"x"}', '{"Name":"a","Tags":[1]}',
             '{"Name":"a","Address":"0.0.0.0"}', '{"Name":"a","Weights":{"Passing":0,"Warning":1}}',
             '{"Name":"a","Weights":{"Passing":1,"Warning":-1}}', '{"Name":"a","Weights":{"Passing":99999,"Warning":1}}',
             '{"Name":"a","Meta":{"consul-x":"y"}}', '{"Name":"a","Meta":{"a b":"y"}}',
             '{"Name":"a","Check":{"Interval":"10s"}}', '{"Name":"a","Check":{"TTL":"10s","Interval":"10s"}}',
             '{"Name":"a","Checks":[{}]}', '{"Name":"a","Check":{"TTL":"10s","Status":"bad"}}',
             '{"Name":"a","Check":{"TTL":"abc"}}', '{"Name":"a","Check":{"TTL":"5"}}', '{"Name":"a","Check":{"HTTP":1}}',
             '{"Name":"a","Check":{"Args":["x"],"Interval":"10s"}}', '{"Name":"a","Namespace":"x"}',
             '{"Name":"a","Kind":"connect-proxy","Port":1}', '{"Name":"a","Connect":{"Native":1}}'):
    put(SERVICE, body)
put(SERVICE, '{"Name":"web","ID":"web1","Port":80,"Tags":["t1"],"Meta":{"k":"v"},"Address":"10.1.1.1",'
             '"enable_tag_override":true,"Check":{"TTL":"1h","Status":"passing","Notes":"nn"}}')
put(SERVICE, '{"name":"WEB2","Checks":[{"TTL":"1h"},{"Name":"mine","CheckID":"mine1","TTL":"1h","Status":"warning"}]}')
put(SERVICE + "?replace-existing-checks=maybe", '{"Name":"a"}')
get("/v1/agent/services")
get("/v1/agent/service/web1", loose=("ContentHash",))
get("/v1/agent/service/nope")
get("/v1/agent/service/web1?wait=x")
get("/v1/agent/checks")
for path in ("id/web1", "id/WEB2", "id/nope", "name/web", "name/WEB2", "name/nope", "id/web1?format=text", "name/WEB2?format=text",
             "id/nope?format=text", "name/nope?format=text"):
    get("/v1/agent/health/service/" + path, unordered=True)
get("/v1/agent/health/service/id/web1", headers={"Accept": "text/plain"})
for body in ("", "{}", '{"Name":1}', '{"TTL":"10s"}', '{"Name":"x"}', '{"Name":"x","TTL":"abc"}', '{"Name":"x","TTL":true}',
             '{"Name":"x","TTL":"10s","Interval":"10s"}', '{"Name":"x","HTTP":"http://x"}', '{"Name":"x","TTL":"1h","Status":"bad"}',
             '{"Name":"x","TTL":"1h","ServiceID":"nope"}', '{"Name":"x","TTL":"1h","OutputMaxSize":-1}', '{"bad":1}',
             '{"Name":"x","Args":"y"}', '{"Name":"x","AliasService":"web1","Interval":"1s"}'):
    put(CHECK, body)
put("/v1/agent/check/deregister/x")
put(CHECK, '{"Name":"node ttl","ID":"nt","ttl":"1h","Notes":"n"}')
put(CHECK, '{"Name":"svc ttl","service_id":"web1","TTL":3600000000000,"Status":"passing"}')
put("/v1/agent/check/pass/nt?note=fine")
put("/v1/agent/check/warn/nt?note=hm")
put("/v1/agent/check/fail/nt?note=bad")
put("/v1/agent/check/update/nt", '{"Status":"passing","Output":"<ok> \\u20ac"}')
for body in ("", "{}", '{"Status":"foo"}', '{"Status":1}', '{"Bad":1}'):
    put("/v1/agent/check/update/nt", body)
put("/v1/agent/check/pass/nope")
put("/v1/agent/check/pass/")
get("/v1/agent/checks", loose=("Output",))
settle("/v1/catalog/service/web", '"web1"')
settle("/v1/health/node/conf", "ok")
get("/v1/catalog/service/web", loose=("NodeMeta", "TaggedAddresses"))
get("/v1/health/service/web", loose=("TaggedAddresses",))
get("/v1/health/checks/web")
get("/v1/health/node/conf", loose=("Output",))
get("/v1/catalog/services", unordered=True)
put("/v1/agent/check/deregister/nt")
put("/v1/agent/check/deregister/nope")
put("/v1/agent/check/deregister/")
put("/v1/agent/service/deregister/web1")
put("/v1/agent/service/deregister/nope")
put("/v1/agent/service/deregister/")
put("/v1/agent/service/deregister/WEB2")
put("/v1/agent/service/maintenance/")
put("/v1/agent/service/maintenance/nope?enable=true")
put("/v1/agent/service/maintenance/nope?enable=foo")
put("/v1/agent/maintenance")
put("/v1/agent/maintenance?enable=foo")
put("/v1/agent/maintenance?enable=true&reason=why")
get("/v1/agent/checks", loose=("Output",))
put("/v1/agent/maintenance?enable=false")
get("/v1/agent/services")
get("/v1/agent/checks", loose=("Output",))
put(SERVICE, '{"Name":"p","Kind":"connect-proxy","Port":1,"Proxy":{"DestinationServiceName":"web",'
             '"Expose":{"Paths":[{"Path":"/x","ListenerPort":2,"LocalPathPort":3}]}}}')
get("/v1/agent/service/p")
put("/v1/agent/service/deregister/p")
put("/v1/agent/force-leave/nobody")
get("/v1/status/leader")
get("/v1/status/peers")
