"""What is reached through ingress and terminating gateways, and states of federation."""

from script import ask, delete, get, put, settle

settle("/v1/health/service/consul", "passing")
GS, IN, UI = "/v1/catalog/gateway-services/", "/v1/health/ingress/", "/v1/internal/ui/gateway-services-nodes/"
QUERIES = ("", "?stale", "?consistent", "?consistent&stale", "?dc=nope", "?dc=dc1", "?pretty", "?wait=foo", "?index=foo", "?ns=x",
           "?index=1&wait=1s", "?filter=Nope==1", "?token=x", "?near=n2", "?cached", "?tag=t1", "?node-meta=a:b",
           "?node-meta=a:c", "?passing", "?passing=x")


def look(gateway, *services):
    get(GS + gateway)
    get(UI + gateway)
    for service in services:
        get(IN + service)
        get("/v1/health/connect/" + service)
        get("/v1/catalog/connect/" + service)


# Nothing is there yet, and what nobody takes
for path in (GS, IN, UI):
    for name in ("", "nope", "nope?dc=nope", "?dc=nope", "nope?filter=Nope==1", "nope?index=1&wait=1s", "a/b"):
        get(path + name)
    get(path[:-1])
    put(path + "nope")
    delete(path + "nope")
    ask("OPTIONS", path + "nope")

# Services first, then a gateway that names some, and takes all others
put("/v1/catalog/register", '{"Node":"n1","Address":"1.1.1.1","NodeMeta":{"a":"b"},"Service":{"ID":"web1","Service":"web","Port":80}}')
put("/v1/catalog/register", '{"Node":"n2","Address":"1.1.1.2","Service":{"ID":"web2","Service":"web","Port":80,"Tags":["t1"],"Meta":'
    '{"external-source":"k8s"}},"Check":{"CheckID":"c","Name":"c","Status":"passing","ServiceID":"web2"}}')
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"ID":"db1","Service":"db","Port":81}}')
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"ID":"p1","Service":"web-proxy","Kind":"connect-proxy",'
    '"Port":82,"Proxy":{"DestinationServiceName":"web"}}}')
put("/v1/config", '{"Kind":"terminating-gateway","Name":"tgw","Services":[{"Name":"web","CAFile":"ca","CertFile":"ce","KeyFile":"k",'
    '"SNI":"sni"},{"Name":"*","CAFile":"wca"},{"Name":"late"}]}')
look("tgw", "web", "db", "late", "web-proxy", "consul", "nope")
put("/v1/catalog/register", '{"Node":"n3","Address":"1.1.1.3","Service":{"ID":"tg1","Service":"tgw","Kind":"terminating-gateway",'
    '"Port":443,"Tags":["t1"]},"Check":{"CheckID":"tc","Name":"tc","Status":"warning","ServiceID":"tg1"}}')
look("tgw", "web", "db", "late", "tgw")
for query in QUERIES:
    get(GS + "tgw" + query)
    get(UI + "tgw" + query)
    get("/v1/health/connect/web" + query)
get(GS + "TGW")

# A service comes, and goes
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"ID":"new1","Service":"new","Port":90}}')
look("tgw", "new")
put("/v1/catalog/register", '{"Node":"n2","SkipNodeUpdate":true,"Service":{"ID":"new2","Service":"new","Port":90}}')
put("/v1/catalog/deregister", '{"Node":"n1","ServiceID":"new1"}')
get(GS + "tgw")
put("/v1/catalog/deregister", '{"Node":"n2","ServiceID":"new2"}')
look("tgw", "new")

# What an entry names stays as it says when it is registered again
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"ID":"late1","Service":"late","Port":91}}')
get(GS + "tgw?named=registered")
put("/v1/catalog/deregister", '{"Node":"n1","ServiceID":"late1"}')
get(GS + "tgw?named=deregistered")

# The entry changes, clashes, goes
put("/v1/config", '{"Kind":"terminating-gateway","Name":"tgw","Services":[{"Name":"db","SNI":"x"}]}')
look("tgw", "web", "db")
put("/v1/config", '{"Kind":"ingress-gateway","Name":"tgw","Listeners":[{"Port":80,"Protocol":"tcp","Services":[{"Name":"db"}]}]}')
delete("/v1/config/terminating-gateway/tgw")
look("tgw", "web", "db")

# Ingress: listeners, hosts, protocols
put("/v1/config", '{"Kind":"service-defaults","Name":"web","Protocol":"http"}')
put("/v1/config", '{"Kind":"service-defaults","Name":"api","Protocol":"http"}')
put("/v1/config", '{"Kind":"ingress-gateway","Name":"ing","TLS":{"Enabled":true},"Listeners":[{"Port":8080,"Protocol":"http","Services":'
    '[{"Name":"api","Hosts":["b.example.com","a.example.com","x.y.:7"]},{"Name":"*"}]},{"Port":9090,"Protocol":"tcp","Services":'
    '[{"Name":"db"}]},{"Port":7070,"Protocol":"http","Services":[{"Name":"api"}]},{"Port":-5,"Protocol":"tcp","Services":[{"Name":'
    '"nosuch"}]},{"Port":0,"Protocol":"tcp","Services":[{"Name":"none"}]}]}')
look("ing", "web", "api", "db", "nosuch", "none", "nope")
put("/v1/catalog/register", '{"Node":"n2","SkipNodeUpdate":true,"Service":{"ID":"i1","Service":"ing","Kind":"ingress-gateway","Port":'
    '8443,"Address":"10.0.0.1"},"Check":{"CheckID":"ic","Name":"ic","Status":"warning","ServiceID":"i1"}}')
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"ID":"i1","Service":"ing","Kind":"ingress-gateway","Port":'
    '8443}}')
look("ing", "web", "api", "db", "nosuch", "none", "ing")
for query in QUERIES:
    get(GS + "ing" + query)
    get(UI + "ing" + query)
    get(IN + "web" + query)
for filter in ("Service.Port==8443", "Node.Node==n1", "Service.Kind==%22ingress-gateway%22", "Checks+is+empty", "Service.Service==nope"):
    get(IN + "web?filter=" + filter)
get("/v1/internal/ui/services")
put("/v1/config", '{"Kind":"service-defaults","Name":"web","Protocol":"tcp"}')
look("ing", "web")
put("/v1/config", '{"Kind":"ingress-gateway","Name":"aing","Listeners":[{"Port":1,"Protocol":"tcp","Services":[{"Name":"db"}]}]}')
put("/v1/catalog/register", '{"Node":"n1","SkipNodeUpdate":true,"Service":{"ID":"a1","Service":"aing","Kind":"ingress-gateway","Port":1}}')
get("/v1/catalog/service/aing")
get("/v1/agent/services")
delete("/v1/config/ingress-gateway/ing")
look("ing", "web", "db", "api")
put("/v1/catalog/deregister", '{"Node":"n1"}')
look("aing", "db")
delete("/v1/config/ingress-gateway/aing")
look("aing", "db")
