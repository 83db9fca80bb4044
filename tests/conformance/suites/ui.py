"""What the web UI reads: nodes with all that is on them, and a line for each service."""

from script import ask, delete, get, put, settle

U = "/v1/internal/ui/"
settle("/v1/health/service/consul", "passing")
put("/v1/catalog/register", '{"Node":"n1","Address":"1.1.1.1","TaggedAddresses":{"lan":"1.1.1.1"},"NodeMeta":{"a":"b"},"Service":'
    '{"ID":"w1","Service":"web","Port":80,"Tags":["b","a"],"Meta":{"external-source":"k8s","x":"y"}},"Checks":[{"CheckID":"c1",'
    '"Name":"c1","Status":"warning","ServiceID":"w1"},{"CheckID":"nc","Name":"nc","Status":"critical"}]}')
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"ID":"w2","Service":"web","Port":81,"Tags":["c","a"],'
    '"Meta":{"external-source":"nomad"}}}')
put("/v1/catalog/register", '{"Node":"n2","Address":"1.1.1.2","Service":{"ID":"w1","Service":"web","Port":80,"Meta":'
    '{"external-source":"k8s"}},"Check":{"CheckID":"c","Name":"c","Status":"passing","ServiceID":"w1"}}')
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"Kind":"connect-proxy","ID":"p1","Service":"web-proxy",'
    '"Port":82,"Proxy":{"DestinationServiceName":"web"}}}')
put("/v1/catalog/register", '{"Node":"n3","Address":"1.1.1.3"}')
for path in ("nodes", "services"):
    for query in ("", "?stale", "?consistent", "?consistent&stale", "?dc=nope", "?dc=dc1", "?pretty", "?wait=foo", "?index=foo",
                  "?index=1&wait=1s", "?filter=Nope==1", "?filter=(", "?filter=", "?token=x", "?filter=Nope==1&dc=nope"):
        get(U + path + query, loose=("Meta", "Output", "Version"))
for filter in ("Node==n1", "Node!=n1", "Meta.a==b", "ID==%22%22", "Address==%221.1.1.2%22", "Services.Service==web",
               "TaggedAddresses.lan==%221.1.1.1%22", "Checks.Status==critical", "Services+is+empty"):
    get(U + "nodes?filter=" + filter, loose=("Meta", "Output"))
for filter in ("Service.Service==web", "Node.Node==n1", "Service.Kind==connect-proxy", "b+in+Service.Tags", "Checks.Status==passing",
               "Service.Meta.x==y", "Service.Port==80", "Node.Node==nope"):
    get(U + "services?filter=" + filter)
for name in ("n1", "n2", "n3", "N1", "nope", "", "n1/x", "n1?dc=nope", "nope?dc=nope", "n1?stale", "n1?index=1&wait=1s", "n1?wait=foo",
             "n1?pretty", "n1?filter=Nope==1"):
    get(U + "node/" + name)
for path in ("nodes", "services", "node/n1", "node"):
    put(U + path)
    ask("OPTIONS", U + path)
for path in ("", "nodes/", "services/", "nope"):
    get(U + path)
put("/v1/catalog/deregister", '{"Node":"n1"}')
get(U + "nodes", loose=("Meta", "Output"))
get(U + "services")
get(U + "node/n1")
