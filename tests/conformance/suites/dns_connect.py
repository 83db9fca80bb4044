"""Instances that speak Connect, and gateways (dns.md 2)."""

import json

from script import dns, dns_settle, put


def register(node, address, service):
    put("/v1/catalog/register", json.dumps({"Node": node, "Address": address, "Service": service}))


register("n1", "10.0.0.1", {"ID": "web", "Service": "web", "Port": 80, "Tags": ["v1"]})
register("n1", "10.0.0.1", {"ID": "webp", "Service": "web-proxy", "Kind": "connect-proxy", "Port": 21000, "Proxy": {"DestinationServiceName": "web"}})
register("n2", "10.0.0.2", {"ID": "webp", "Service": "web-proxy", "Kind": "connect-proxy", "Port": 21001, "Address": "10.1.0.2",
                            "Proxy": {"DestinationServiceName": "web"}})
register("n3", "10.0.0.3", {"ID": "native", "Service": "native", "Port": 82, "Connect": {"Native": True}})
register("n4", "10.0.0.4", {"ID": "only", "Service": "only", "Port": 83})
register("n5", "10.0.0.5", {"ID": "gw", "Service": "gate", "Kind": "ingress-gateway", "Port": 8443})
register("n6", "10.0.0.6", {"ID": "gw", "Service": "gate", "Kind": "ingress-gateway", "Port": 8443, "Address": "2001:db8::6"})
register("n7", "10.0.0.7", {"ID": "tg", "Service": "term", "Kind": "terminating-gateway", "Port": 8443})
put("/v1/config", '{"Kind":"proxy-defaults","Name":"global","Config":{"protocol":"http"}}')
put("/v1/config", '{"Kind":"ingress-gateway","Name":"gate","Listeners":[{"Port":8080,"Protocol":"http","Services":[{"Name":"web"},{"Name":"native","Hosts":["x.example"]}]},'
    '{"Port":9090,"Protocol":"http","Services":[{"Name":"hosted","Hosts":["*"]}]}]}')
put("/v1/config", '{"Kind":"terminating-gateway","Name":"term","Services":[{"Name":"ext"}]}')
dns_settle("web.service.consul", "10.0.0.1")

for name in ("web.connect.consul", "WEB.Connect.consul", "web.connect.dc1.consul", "web.connect.dc2.consul", "web.connect.x.dc1.consul",
             "v1.web.connect.consul", "x.y.web.connect.consul", "native.connect.consul", "only.connect.consul", "none.connect.consul",
             "web-proxy.connect.consul", "web-proxy.service.consul", "gate.connect.consul", "gate.service.consul", "ext.connect.consul",
             "term.service.consul", "_web._tcp.connect.consul", "_web._v1.connect.consul", "connect.consul",
             "web.ingress.consul", "Web.INGRESS.consul", "web.ingress.dc1.consul", "web.ingress.dc2.consul", "native.ingress.consul",
             "hosted.ingress.consul", "only.ingress.consul", "none.ingress.consul", "gate.ingress.consul", "x.web.ingress.consul",
             "_web._tcp.ingress.consul", "ingress.consul", "web.virtual.consul", "web.gateway.consul"):
    for qtype in ("A", "AAAA", "ANY", "SRV", "TXT", "SOA", "MX"):
        dns(name, qtype)
        dns(name, qtype, edns=1232)
