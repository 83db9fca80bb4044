"""What is asked of both servers, in order: later steps see what earlier ones did.

ask(...)    one request whose answer is compared
settle(...) polls until an answer has a text in it, because anti-entropy takes its time; nothing is compared
"""

steps = []


def ask(method, path, body=None, headers=None, loose=(), unordered=False):
    """loose: keys whose values differ by nature; their names and types are still compared.
    unordered: lists come in any order."""
    steps.append({"do": "ask", "method": method, "path": path, "body": body, "headers": headers or {},
                  "loose": list(loose), "unordered": unordered})


def settle(path, text):
    steps.append({"do": "settle", "path": path, "text": text})


def get(path, **more):
    ask("GET", path, **more)


def put(path, body=None, **more):
    ask("PUT", path, body, **more)


def delete(path, **more):
    ask("DELETE", path, **more)


settle("/v1/catalog/nodes", "lan_ipv4")  # the node has been synchronised

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
            loose=("DebugConfig", "Stats", "Tags", "Coord", "Output"))
for header, value in (("X-Consul-Namespace", "x"), ("Cache-Control", "max-age=x"), ("Cache-Control", "max-age=10"),
                      ("Cache-Control", "no-cache"), ("Accept-Encoding", "gzip"), ("Accept-Encoding", "gzip;q=0"),
                      ("X-Consul-Token", "x"), ("Authorization", "Bearer x")):
    get("/v1/catalog/nodes", headers={header: value})
for path in ("/v1/catalog/service/", "/v1/catalog/node/", "/v1/catalog/node-services/", "/v1/health/node/",
             "/v1/health/checks/", "/v1/health/state/", "/v1/health/service/", "/v1/agent/health/service/id/",
             "/v1/agent/health/service/name/", "/v1/agent/service/"):
    get(path)

# ---- Keys ----

KEY = "/v1/kv/conf/a"
get(KEY)
get(KEY + "?recurse")
get("/v1/kv/?keys")
get("/v1/kv/conf?keys")
get("/v1/kv/")
put("/v1/kv/", "x")
delete("/v1/kv/")
put(KEY, "hello")
get(KEY)
get(KEY + "?raw")
get(KEY + "?raw&recurse")
get(KEY + "?pretty")
put(KEY, "hello")
put(KEY + "?flags=42", "<&>\u20ac")
get(KEY)
get(KEY + "?raw")
put(KEY + "?flags=18446744073709551615", "x")
get(KEY)
for query in ("flags=x", "flags=", "flags=-1", "flags=18446744073709551616", "cas=x", "cas=", "cas=1&acquire=abc",
              "release=a&acquire=b", "acquire=nope", "acquire=", "release=", "ns=x", "dc=nope"):
    put(KEY + "?" + query, "v")
put("/v1/kv/conf/cas?cas=0", "1")
put("/v1/kv/conf/cas?cas=0", "2")
put("/v1/kv/conf/cas?cas=1", "3")
get("/v1/kv/conf/cas?raw")
put("/v1/kv/conf/empty", "")
get("/v1/kv/conf/empty")
get("/v1/kv/conf/empty?raw")
put("/v1/kv/conf/dir/x", "1")
put("/v1/kv/conf/dir/y/z", "2")
put("/v1/kv/conf/dir%20two/a+b", "3")
put("/v1/kv/conf/slash/", "4")
get("/v1/kv/conf/slash/")
get("/v1/kv/conf/slash")
get("/v1/kv/conf?recurse")
get("/v1/kv/conf/dir?recurse")
get("/v1/kv/conf?keys")
get("/v1/kv/conf/?keys&separator=/")
get("/v1/kv/?keys&separator=/")
get("/v1/kv/conf/?keys&seperator=/")
get("/v1/kv/conf/?keys&separator=dir")
get("/v1/kv/nothing?recurse")
get("/v1/kv/conf/a?stale")
get("/v1/kv/conf/a?consistent")
put("/v1/kv/conf/big", "x" * 524288)
put("/v1/kv/conf/big", "x" * 524289)
delete("/v1/kv/conf/big")
delete("/v1/kv/conf/missing")
delete("/v1/kv/conf/missing?cas=5")
delete("/v1/kv/conf/cas?cas=0")
delete("/v1/kv/conf/cas?cas=1")
delete("/v1/kv/conf/cas?recurse&cas=0")
delete("/v1/kv/conf/cas?cas=x")
delete("/v1/kv/conf/cas")
get("/v1/kv/conf/cas")
delete("/v1/kv/conf?recurse")
get("/v1/kv/conf?recurse")

# ---- The catalog ----

REGISTER, DEREGISTER = "/v1/catalog/register", "/v1/catalog/deregister"
for body in ("", "{", "x", "[1]", "null", "{}", '{"Node":1}', '{"Bad":1}', '{"Node":"a"}', '{"Address":"b"}',
             '{"Node":"a","Address":"b","ID":"zz"}', '{"Node":"a","Address":"b","Service":{"ID":"x"}}',
             '{"Node":"a","Service":1}', '{"Node":"a","Service":{"Port":"x"}}', '{"Node":"a","Check":{"Status":1}}',
             '{"Node":"a","Check":{"Definition":{"Interval":"zz"}}}', '{"Node":"a","Checks":{"a":1}}',
             '{"Node":"a","NodeMeta":{"a":1}}', '{"Node":"a","Namespace":"x"}',
             '{"Node":"a","Service":{"Weights":{"Passing":"x"}}}', '{"Node":"a","Datacenter":"nope","Address":"b"}'):
    put(REGISTER, body)
put(REGISTER, '{"Node":"ext1","Address":"10.0.0.1","NodeMeta":{"rack":"r1"},"TaggedAddresses":{"lan":"10.0.0.1"},'
              '"Service":{"ID":"db1","Service":"db","Tags":["primary","v1"],"Port":5432,"Meta":{"m":"1"},'
              '"Weights":{"Passing":2,"Warning":1}},'
              '"Check":{"CheckID":"db-alive","Name":"alive","Status":"passing","ServiceID":"db1","Notes":"n","Output":"o"}}')
put(REGISTER, '{"Node":"ext1","Address":"10.0.0.1","Service":{"ID":"db2","Service":"db","Tags":[],"Port":5433},'
              '"Checks":[{"Name":"c2","Status":"critical","ServiceID":"db2",'
              '"Definition":{"HTTP":"http://x","Interval":"10s","Timeout":"1s","DeregisterCriticalServiceAfter":"1m"}}],'
              '"SkipNodeUpdate":true}')
put(REGISTER, '{"Node":"ext2","Address":"10.0.0.2","Service":{"Service":"db","EnableTagOverride":true,"Address":"10.9.9.9",'
              '"TaggedAddresses":{"wan":{"Address":"1.2.3.4","Port":99}}}}')
put(REGISTER, '{"Node":"ext2","Address":"10.0.0.2","Check":{"Name":"node-check","Status":"warning"}}')
put(REGISTER, '{"Node":"ext2","Address":"10.0.0.2","Check":{"Node":"other","Name":"x"}}')
put(REGISTER, '{"Node":"ext2","Address":"10.0.0.2","Check":{"Name":"x","ServiceID":"nope"}}')
put(REGISTER, '{"node":"EXT3","ADDRESS":"10.0.0.3"}')
put(REGISTER, '{"Node":"ext2","Address":"10.0.0.2","Service":{"Kind":"connect-proxy","ID":"p","Service":"db-proxy","Port":1,'
              '"Proxy":{"DestinationServiceName":"db","Config":{"a":1,"b":"c"},'
              '"Upstreams":[{"DestinationName":"x","LocalBindPort":9}]}}}')

get("/v1/catalog/datacenters")
get("/v1/catalog/nodes", loose=("TaggedAddresses", "Meta"))
get("/v1/catalog/nodes?node-meta=rack:r1")
get("/v1/catalog/nodes?node-meta=rack:none")
get("/v1/catalog/services", unordered=True)
get("/v1/catalog/services?node-meta=rack:r1", unordered=True)
for query in ("", "?tag=primary", "?tag=PRIMARY&tag=v1", "?tag=nope", "?tag=", "?near=ext2", "?node-meta=rack:r1", "?stale",
              "?consistent", "?pretty", "?index=1&wait=10ms"):
    get("/v1/catalog/service/db" + query)
    get("/v1/health/service/db" + query)
get("/v1/catalog/service/nope")
get("/v1/catalog/connect/db")
get("/v1/health/connect/db")
for query in ("passing", "passing=1", "passing=true", "passing=false", "passing=0", "passing=maybe"):
    get("/v1/health/service/db?" + query)
for node in ("ext1", "EXT1", "ext2", "ext3", "EXT3", "nobody"):
    get("/v1/catalog/node/" + node)
    get("/v1/catalog/node-services/" + node)
    get("/v1/health/node/" + node)
for service in ("db", "nope"):
    get("/v1/health/checks/" + service)
get("/v1/health/checks/db?node-meta=rack:r1")
for state in ("any", "passing", "warning", "critical", "maintenance", "foo"):
    get("/v1/health/state/" + state, loose=("Output",))

# ---- Filters ----

for path, filters in (
        ("/v1/catalog/nodes", ('Node == ext1', 'Node != ext1', 'Meta.rack == r1', 'rack in Meta', 'Meta is empty',
                               'Address matches `^10[.]0[.]0[.][12]$`', 'TaggedAddresses.lan == "10.0.0.1"',
                               'Datacenter == dc1 and not Node == ext1', 'CreateIndex == 1')),
        ("/v1/catalog/service/db", ('ServicePort == 5432', 'ServicePort != 5432', 'primary in ServiceTags',
                                    'ServiceTags is empty', 'ServiceTags == primary', 'ServiceMeta.m == 1',
                                    'ServiceWeights.Passing == 2', 'ServicePort == abc', 'ServiceEnableTagOverride == true',
                                    'ServiceTaggedAddresses.wan.Port == 99', 'NodeMeta.rack == r1', 'ServiceID == db1 or '
                                    'ServiceID == db2', 'ServiceName contains d', 'Nope == 1')),
        ("/v1/catalog/node/ext1", ('Port == 5432', 'Service == nope')),
        ("/v1/catalog/node-services/ext1", ('Port == 5432', 'Service == nope')),
        ("/v1/health/service/db", ('Node.Node == ext1', 'Service.Port == 5432', 'Checks.Status == critical',
                                   'Checks.Status != critical', 'Checks is empty', 'Service.Tags is empty')),
        ("/v1/health/state/any", ('Status == warning', 'ServiceName == db', 'Type == http', 'ServiceTags is empty')),
        ("/v1/health/checks/db", ('Name == alive', 'Notes matches `[`')),
        ("/v1/health/node/ext1", ('CheckID == "db-alive"', 'Definition is empty')),
        ("/v1/agent/services", ('Port == 1', 'Nope == 1')),
        ("/v1/agent/checks", ('Status == passing', 'Nope == 1'))):
    for text in filters:
        from urllib.parse import quote
        get(path + "?filter=" + quote(text), loose=("Output",))
get("/v1/catalog/nodes?filter=", loose=("TaggedAddresses", "Meta"))

for body in ("", "{}", '{"Bad":1}', '{"Node":"nobody"}', '{"Node":"ext1","ServiceID":"db2"}',
             '{"Node":"ext2","CheckID":"node-check"}', '{"Node":"ext1","ServiceID":"nope"}', '{"Node":"ext1"}', '{"Node":"ext2"}',
             '{"Node":"EXT3"}'):
    put(DEREGISTER, body)
get("/v1/catalog/service/db")
get("/v1/health/service/db")
get("/v1/catalog/node/ext1")

# ---- The agent ----

SERVICE, CHECK = "/v1/agent/service/register", "/v1/agent/check/register"
get("/v1/agent/self", loose=("DebugConfig", "Stats", "Tags", "Version", "Revision", "Coord", "Meta", "xDS"))
get("/v1/agent/members", loose=("Tags",))
get("/v1/agent/members?wan=1", loose=("Tags",))
get("/v1/agent/members?segment=x")
get("/v1/agent/members?segment=x&wan=1")
get("/v1/agent/members?segment=_all", loose=("Tags",))
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
put("/v1/agent/force-leave/nobody")
get("/v1/status/leader")
get("/v1/status/peers")

# ---- Operators ----

RAFT, PEER = "/v1/operator/raft/configuration", "/v1/operator/raft/peer"
AUTOPILOT, HEALTH = "/v1/operator/autopilot/configuration", "/v1/operator/autopilot/health"
settle(HEALTH, '"StableSince"')
for path in (RAFT, PEER, AUTOPILOT, HEALTH):
    for method in ("POST", "HEAD", "OPTIONS"):
        ask(method, path)
    get(path + "/")
get(PEER)
put(PEER)
delete(AUTOPILOT)
for path in ("/v1/operator", "/v1/operator/", "/v1/operator/raft", "/v1/operator/autopilot"):
    get(path)
for query in ("", "?stale", "?consistent", "?consistent&stale", "?dc=nope", "?dc=DC1", "?pretty", "?index=1&wait=1s",
              "?wait=foo", "?index=foo", "?ns=x", "?token=x", "?max_stale=10x"):
    get(RAFT + query)
    get(AUTOPILOT + query)
    get(HEALTH + query, loose=("LastTerm", "LastIndex", "StableSince"))
for query in ("", "?id=a", "?address=a", "?id=a&address=b", "?id=", "?address=", "?id=&address=", "?id=a&dc=nope",
              "?id=a&stale", "?id=a&consistent&stale", "?address=127.0.0.1:8300", "?id=a&wait=foo", "?id=a&ns=x"):
    delete(PEER + query)
for body in ('{}', '{"CleanupDeadServers":true}', '{"LastContactThreshold":"200ms","MaxTrailingLogs":250}',
             '{"ServerStabilizationTime":"10s","MinQuorum":3}', '{"LastContactThreshold":"10x"}',
             '{"LastContactThreshold":5}', '{"LastContactThreshold":1.5}', '{"LastContactThreshold":null}',
             '{"LastContactThreshold":true}', '{"LastContactThreshold":[]}', '{"LastContactThreshold":""}',
             '{"MaxTrailingLogs":-1}', '{"MaxTrailingLogs":"a"}', '{"MaxTrailingLogs":1.5}',
             '{"MaxTrailingLogs":18446744073709551615}', '{"MinQuorum":-1}', '{"CleanupDeadServers":"yes"}',
             '{"Nope":1}', '{"cleanupdeadservers":true}', '{"ServerStabilizationTime":"-5s"}',
             '{"RedundancyZoneTag":"az","UpgradeVersionTag":"v","DisableUpgradeMigration":true}',
             '{"RedundancyZoneTag":5}', '', 'null', '[]', '{', '5', '"x"', '{"CreateIndex":99,"ModifyIndex":98}',
             '{"LastContactThreshold":"1h"} x', '{"last_contact_threshold":"1s"}', '{"LastContactThreshold":"200ms"'):
    put(AUTOPILOT, body)
    get(AUTOPILOT)
for query in ("?cas=0", "?cas=1", "?cas=abc", "?cas=", "?cas=-1", "?cas", "?cas=18446744073709551616", "?dc=nope",
              "?stale", "?consistent&stale", "?token=x", "?wait=foo", "?ns=x"):
    put(AUTOPILOT + query, '{"MaxTrailingLogs":7}')
    get(AUTOPILOT)
put(AUTOPILOT, '{"CleanupDeadServers":true,"LastContactThreshold":"200ms","MaxTrailingLogs":250,'
               '"ServerStabilizationTime":"10s"}')

# ---- User events ----

FIRE, EVENTS = "/v1/event/fire/", "/v1/event/list"
for path in (FIRE + "x", EVENTS):
    ask("POST", path)
    ask("HEAD", path)
    ask("OPTIONS", path)
    delete(path)
get(FIRE + "x")
put(EVENTS)
get("/v1/event")
get("/v1/event/")
get(EVENTS)
put(FIRE)
put("/v1/event/fire")
put(FIRE + "conf-a", "hello")
settle(EVENTS, "conf-a")
get(EVENTS)
put(FIRE + "conf/b?node=^co.f$&service=")
settle(EVENTS, "conf/b")
put(FIRE + "conf-nobody?node=^nobody$")
put(FIRE + "conf-none?service=nothing-of-that-name")
for query in ("", "?name=conf-a", "?name=nope", "?name=", "?node=x", "?service=(", "?tag=x", "?index=x", "?index=-1", "?wait=x",
              "?wait=10", "?index=5&wait=1s", "?pretty", "?stale&consistent", "?cached&consistent", "?max_stale=x", "?dc=nope",
              "?ns=x", "?token=x", "?near=a", "?filter=Nope==1"):
    get(EVENTS + query)
for query in ("?tag=x", "?node=(", "?node=a**", "?service=[", "?service=a&tag=*", "?service=(?P<x)", "?node=\\8", "?node=x{1001}",
              "?node=(?i)a%2Bb", "?dc=nope", "?ns=x", "?stale&consistent", "?wait=x", "?index=x", "?token=x"):
    put(FIRE + "conf-c" + query, "x")
put(FIRE + "conf-big", "x" * 513)
put(FIRE + "conf-big", "x" * 470)
put(FIRE + "y" * 500, "x")

# ---- Keys of gossip: this server has none ----

KEYRING = "/v1/operator/keyring"
for method in ("HEAD", "OPTIONS", "PATCH"):
    ask(method, KEYRING)
get(KEYRING + "/")
for query in ("?relay-factor=6", "?relay-factor=-1", "?relay-factor=x", "?relay-factor=99999999999999999999", "?local-only=x",
              "?relay-factor=x&local-only=x"):
    get(KEYRING + query)
for query in ("", "?relay-factor=5", "?local-only=true", "?local-only=false", "?relay-factor=", "?local-only=", "?dc=nope", "?ns=x",
              "?pretty"):
    get(KEYRING + query)
for method in ("POST", "PUT", "DELETE"):
    for body in ("", "x", "{", "[]", "5", "null", '{"Key":1}', '{"Nope":"x"}', '{"Key":"x"}', '{"Key":""}', '{"key":"a!aa"}',
                 '{"Key":"MTIzNDU2Nzg5MDEyMzQ1Ng=="}'):
        ask(method, KEYRING, body)
    ask(method, KEYRING + "?local-only=true", '{"Key":"x"}')
    ask(method, KEYRING + "?relay-factor=6", '{"Key":"x"}')
    ask(method, KEYRING + "?relay-factor=6", "x")
