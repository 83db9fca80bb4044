"""Proxies beside services: sidecars that a definition asks for, proxies of their own, gateways (http-api 2.14)."""

import json

from script import asked, dns, get, put, settle

SERVICE = "/v1/agent/service/register"
asked("server", {"ports": {"sidecar_min_port": 21000, "sidecar_max_port": 21004}})


def register(name, sidecar=None, query="", **more):
    if sidecar is not None:
        more["Connect"] = {"SidecarService": sidecar}
    put(SERVICE + query, json.dumps({"Name": name, **more}))


def look():
    get("/v1/agent/services")
    get("/v1/agent/checks", loose=("Output",))


# What is refused, and which of the two is there all the same.
for sidecar in ({"ID": "x"}, {"ID": "x", "Connect": {"SidecarService": {}}}, {"Connect": {"SidecarService": {}}}, {"Meta": {"consul-x": "1"}},
                {"Meta": {"a b": "1"}}, {"Check": {"TCP": "a:1"}}, {"Check": {"TTL": "1s", "Status": "zz"}}, {"Checks": [{}]},
                {"Check": {"TTL": "1s", "Interval": "1s"}}, {"Bogus": 1}, {"Port": "x"}, {"Tags": "x"}, 1, [], "x"):
    register("bad", sidecar)
register("bad", {"Meta": {"consul-x": "1"}}, Check={"TTL": "1s", "Status": "zz"})
register("bad", {"Check": {"TCP": "a:1"}, "Meta": {"consul-x": "1"}})
look()
register("half", {"TaggedAddresses": {"lan_ipv4": {"Address": "zz", "Port": 1}}})
register("half2", {"Check": {"Args": ["x"], "Interval": "10s"}})
look()
for name in ("half", "half2"):
    put("/v1/agent/service/deregister/" + name)

# Defaults, and what is taken over.
register("web", {}, Port=80, Tags=["a"], Meta={"k": "v"}, Address="10.0.0.1", EnableTagOverride=True, Weights={"Passing": 5, "Warning": 2})
register("db", {}, ID="db1")
look()
get("/v1/agent/service/web-sidecar-proxy", loose=("ContentHash",))
get("/v1/agent/service/db1-sidecar-proxy", loose=("ContentHash",))
get("/v1/agent/health/service/id/web-sidecar-proxy", loose=("Output",), unordered=True)
get("/v1/agent/health/service/name/db-sidecar-proxy", loose=("Output",), unordered=True)
get("/v1/agent/services?filter=Kind==%22connect-proxy%22")
settle("/v1/catalog/connect/db", "db1-sidecar-proxy")
settle("/v1/catalog/connect/web", "web-sidecar-proxy")
get("/v1/catalog/connect/web", loose=("NodeMeta", "TaggedAddresses"))
get("/v1/catalog/service/web-sidecar-proxy", loose=("NodeMeta", "TaggedAddresses"))
get("/v1/health/connect/db", loose=("TaggedAddresses", "Output"))
get("/v1/health/connect/none")
# Nothing listens, so its check is critical and DNS leaves it out.
dns("web.connect.consul", "A")
dns("web.connect.consul", "SRV")

# Once more: the ports stay, and so does a sidecar that is not asked for any more.
register("db", {}, ID="db1")
register("web", {}, Port=81)
register("web", Port=82)
look()
register("web", {"Port": 21002}, Port=80)
register("web", {}, Port=80)
get("/v1/agent/service/web-sidecar-proxy", loose=("ContentHash",))
register("web", {"Port": 7}, Port=80)
register("api", {})
get("/v1/agent/services")

# All that can be said.
register("full", {"Name": "front", "Kind": "connect-proxy", "Tags": ["x"], "Meta": {"m": "n"}, "Port": 99, "Address": "10.9.9.9", "EnableTagOverride": True,
                  "Weights": {"Passing": 3, "Warning": 1}, "TaggedAddresses": {"wan": {"Address": "1.2.3.4", "Port": 5}},
                  "Check": {"Name": "one", "TTL": "1h", "Status": "passing"},
                  "Proxy": {"DestinationServiceName": "other", "DestinationServiceID": "other1", "LocalServiceAddress": "::1", "LocalServicePort": 9,
                            "Config": {"a": {"b": [1, 2.5, "c", True]}}, "MeshGateway": {"Mode": "local"},
                            "Upstreams": [{"DestinationName": "db", "LocalBindPort": 1}, {"DestinationType": "prepared_query", "DestinationName": "q",
                                           "Datacenter": "dc2", "LocalBindAddress": "127.0.0.2", "LocalBindPort": 1, "Config": {"x": 1},
                                           "MeshGateway": {"Mode": "none"}}],
                            "Expose": {"Paths": [{"Path": "/h", "ListenerPort": 2, "LocalPathPort": 3, "Protocol": "http2"}]}}}, Port=8)
get("/v1/agent/service/full-sidecar-proxy", loose=("ContentHash",))
put(SERVICE, '{"name":"snake","port":1,"connect":{"sidecar_service":{"enable_tag_override":true,"proxy":{"destination_service_name":"d",'
             '"destination_service_id":"i","local_service_address":"::1","local_service_port":2,"config":{"k":1},"upstreams":[{"destination_type":"service",'
             '"destination_name":"n","local_bind_address":"127.0.0.3","local_bind_port":4}],"meshgateway":{"mode":"remote"},'
             '"expose":{"paths":[{"path":"/x","listener_port":5,"local_path_port":6}]}}}}}')
get("/v1/agent/service/snake-sidecar-proxy", loose=("ContentHash",))
look()
put("/v1/agent/service/deregister/full")
put("/v1/agent/service/deregister/snake")

# What is not looked at in a sidecar.
for sidecar in ({"Address": "0.0.0.0"}, {"Weights": {"Passing": 2}}, {"Kind": "mesh-gateway"}, {"Kind": "zz"}, {"Port": -5}, {"Connect": {"Native": True}},
                {"Proxy": {"Upstreams": [{"DestinationName": "", "LocalBindPort": 0}]}}, {"Token": "t"}, None):
    put(SERVICE, json.dumps({"Name": "lax", "Connect": {"SidecarService": sidecar}}))
    get("/v1/agent/service/lax-sidecar-proxy", loose=("ContentHash",))
put("/v1/agent/service/deregister/lax")
register("p", {}, Kind="connect-proxy", Port=1, Proxy={"DestinationServiceName": "x"})
put("/v1/agent/service/deregister/p")
put(SERVICE, '{"Name":"n","Connect":{"Native":true,"SidecarService":{}}}')
look()
put("/v1/agent/service/deregister/n")
settle("/v1/agent/services", '"web"')

# One that was registered by itself under such a name is nobody's sidecar.
register("own-sidecar-proxy", Port=5)
register("own", Port=4)
put("/v1/agent/service/deregister/own")
get("/v1/agent/service/own-sidecar-proxy", loose=("ContentHash",))
register("own", {"Port": 6})
register("own-sidecar-proxy", Port=5)
put("/v1/agent/service/deregister/own")
get("/v1/agent/service/own-sidecar-proxy", loose=("ContentHash",))
put("/v1/agent/service/deregister/own-sidecar-proxy")

# Checks: kept and replaced.
register("checked", {"Checks": [{"TTL": "1h"}, {"TTL": "2h", "CheckID": "mine"}]})
register("checked", {"Check": {"TTL": "1h"}})
get("/v1/agent/checks", loose=("Output",))
register("checked", {}, "?replace-existing-checks=true")
get("/v1/agent/checks", loose=("Output",))
put("/v1/agent/service/maintenance/checked-sidecar-proxy?enable=true&reason=r")
get("/v1/agent/health/service/id/checked-sidecar-proxy", loose=("Output",), unordered=True)

# No port is left; one comes back.
for name in ("e1", "e2", "e3"):
    register(name, {})
get("/v1/agent/services")
put("/v1/agent/service/deregister/checked")
put("/v1/agent/service/deregister/db1-sidecar-proxy")
register("e2", {})
register("e3", {}, Port=21001)
get("/v1/agent/services")
for name in ("api", "db1", "e1", "e2", "e3"):
    put("/v1/agent/service/deregister/" + name)
get("/v1/agent/services")
put("/v1/agent/service/deregister/web")
look()

# Services that speak Connect themselves, proxies and gateways.
register("native", Connect={"Native": True}, Port=1)
register("np", Connect={"Native": True}, Port=1, Kind="connect-proxy", Proxy={"DestinationServiceName": "x"})
upstream = {"DestinationName": "db", "LocalBindPort": 1}
for proxy in ({}, {"DestinationServiceName": ""}, {"DestinationServiceName": "*"}, {"DestinationServiceName": "w", "Upstreams": [{}]}, {"DestinationServiceName": "w", "Upstreams": [upstream, upstream]},
              {"DestinationServiceName": "w", "Upstreams": [upstream, {**upstream, "LocalBindAddress": "127.0.0.1"}]},
              {"DestinationServiceName": "w", "Upstreams": [upstream, {**upstream, "LocalBindAddress": "127.0.0.2"}]},
              {"DestinationServiceName": "w", "Upstreams": [{**upstream, "DestinationType": "zz"}]}, {"DestinationServiceName": "w", "Config": 1},
              {"DestinationServiceName": "w", "Upstreams": [{**upstream, "DestinationName": "*"}]}, {"DestinationServiceName": "w", "Upstreams": 1},
              {"DestinationServiceName": "w", "Mode": "x"}, {"DestinationServiceName": "w", "MeshGateway": {"Mode": "zz"}},
              {"DestinationServiceName": "w", "Expose": {"Paths": [{"Path": "x"}]}},
              {"DestinationServiceName": " "}, {"DestinationServiceName": "w", "Upstreams": [{**upstream, "LocalBindPort": 0}]},
              {"DestinationServiceName": "w", "Upstreams": [upstream, {**upstream, "DestinationName": "e", "LocalBindAddress": "127.0.0.1"}]},
              {"DestinationServiceName": "w", "Upstreams": [{**upstream, "LocalBindAddress": "::1"}, {**upstream, "Datacenter": "dc2", "LocalBindAddress": "::1"}]},
              {"DestinationServiceName": "w", "Expose": {"Checks": True, "Paths": [{"Path": "/x", "ListenerPort": 70000}, {"Path": "/x", "ListenerPort": 70000}, {}]}},
              {"DestinationServiceName": "w", "Expose": {"Paths": [{"Path": "/x", "ListenerPort": 7, "Protocol": "HTTP2"}]}}):
    register("proxy", Kind="connect-proxy", Port=20000, Proxy=proxy)
    get("/v1/agent/service/proxy", loose=("ContentHash",))
for kind in ("mesh-gateway", "terminating-gateway", "ingress-gateway", "zz"):
    for more in ({}, {"Port": 1}, {"Port": 1, "Connect": {"Native": True}}, {"Port": 1, "Proxy": {"DestinationServiceName": "x", "DestinationServiceID": "y", "Upstreams": [upstream]}},
                 {"Port": 1, "Proxy": {"Config": {"a": 1}}, "TaggedAddresses": {"wan": {"Address": "1.2.3.4", "Port": 443}}},
                 {"Port": 1, "Connect": {"SidecarService": {}}}):
        register("gw", Kind=kind, **more)
look()
