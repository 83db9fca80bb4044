"""Registration from outside, the catalog and health endpoints, filters."""

from urllib.parse import quote

from script import get, put

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
        get(path + "?filter=" + quote(text), loose=("Output",))
get("/v1/catalog/nodes?filter=", loose=("TaggedAddresses", "Meta"))

for body in ("", "{}", '{"Bad":1}', '{"Node":"nobody"}', '{"Node":"ext1","ServiceID":"db2"}',
             '{"Node":"ext2","CheckID":"node-check"}', '{"Node":"ext1","ServiceID":"nope"}', '{"Node":"ext1"}', '{"Node":"ext2"}',
             '{"Node":"EXT3"}'):
    put(DEREGISTER, body)
get("/v1/catalog/service/db")
get("/v1/health/service/db")
get("/v1/catalog/node/ext1")
