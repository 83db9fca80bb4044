"""Every form that a name in the domain can have (dns.md 2)."""

import json

from script import dns, dns_settle, put


def register(node, address, service=None, check=None, **more):
    body = {"Node": node, "Address": address, **more}
    if service:
        body["Service"] = service
    if check:
        body["Check"] = {"CheckID": "c:" + (service or {}).get("ID", "node"), "Name": "c", "Status": check}
        if service:
            body["Check"]["ServiceID"] = service["ID"]
    put("/v1/catalog/register", json.dumps(body))


register("n1", "10.0.0.1", {"ID": "web1", "Service": "web", "Port": 8080, "Tags": ["v1", "Prod", "a.b", "service"]},
         NodeMeta={"rack": "7"})
register("n2", "10.0.0.2", {"ID": "web2", "Service": "web", "Port": 8081, "Tags": ["v2", "tcp", "udp"], "Address": "10.1.0.2"})
register("Node.With.Dots", "10.0.0.3", {"ID": "Cased", "Service": "CasedName", "Port": 1, "Tags": ["Tagged"]})
register("node.service", "10.0.0.4")
register("n5", "10.0.0.5", {"ID": "under_score", "Service": "under_score", "Port": 5, "Tags": ["_x"]})
register("n6", "10.0.0.6", {"ID": "dotted.name", "Service": "dotted.name", "Port": 6})
register("n7", "10.0.0.7", {"ID": "service", "Service": "service", "Port": 7, "Tags": ["node"]})
register("n8", "10.0.0.8", {"ID": "node", "Service": "node", "Port": 8})
register("addr", "10.0.0.9")
register("-n-", "10.0.0.10", {"ID": "_s", "Service": "_s", "Port": 10})
dns_settle("_s.service.consul", "10.0.0.10")

for name in (
        # services and tags
        "web.service.consul", "web.service.dc1.consul", "WEB.Service.DC1.cOnSuL", "web.service.consul.", "v1.web.service.consul",
        "V1.web.service.consul", "prod.web.service.dc1.consul", "a.b.web.service.consul", "A.B.web.service.consul",
        "a.b.web.service.dc1.consul", "x.v1.web.service.consul", "v1.v2.web.service.consul", "none.web.service.consul",
        "service.web.service.consul", "tcp.web.service.consul", "none.service.consul", "none.service.dc1.consul",
        "casedname.service.consul", "CASEDNAME.service.consul", "tagged.casedname.service.consul", "under_score.service.consul",
        "_x.under_score.service.consul", "_s.service.consul", "dotted.name.service.consul", "dotted\\.name.service.consul",
        "service.service.consul", "node.service.service.consul", "node.service.consul", "service.node.consul", "consul.service.consul",
        # datacenters
        "web.service.dc2.consul", "n1.node.dc2.consul", "web.service.DC1.consul", "web.service.dc1.dc1.consul", "web.service.a.dc1.consul",
        "n1.node.x.dc1.consul", "web.service..consul", "none.service.dc2.consul", "0a000001.addr.dc2.consul", "0a000001.addr.x.dc1.consul",
        "web.service.consul.consul", "consul.consul",
        # RFC 2782
        "_web._tcp.service.consul", "_web._tcp.service.dc1.consul", "_web._udp.service.consul", "_web._v1.service.consul",
        "_web._V1.service.consul", "_web._none.service.consul", "_none._tcp.service.consul", "_WEB._TCP.service.consul", "_web._tcp.consul",
        "_web._tcp.dc1.consul", "_web._v1.consul", "_web._tcp.dc2.consul", "_web.tcp.service.consul", "web._tcp.service.consul",
        "x._web._tcp.service.consul", "_web._a._b.service.consul", "_web._tcp.x.dc1.consul", "_._tcp.service.consul",
        "_web._.service.consul", "_under_score._tcp.service.consul", "__s._tcp.service.consul", "_web._a\\.b.service.consul",
        "_web._tcp.service.dc1.x.consul", "_web._udp.consul", "_._.consul", "_web._tcp.node.consul",
        # nodes
        "n1.node.consul", "N1.NODE.consul", "n1.node.dc1.consul", "node.with.dots.node.consul", "NODE.with.DOTS.node.dc1.consul",
        "node.service.node.consul", "-n-.node.consul", "addr.node.consul", "none.node.consul", "x.n1.node.consul", "conf.node.consul",
        "node.consul", "service.consul", ".node.consul", "7b5c1e90.node.consul", "7b5c1e90-3d2a-4f6b-8c1d-000000000004.node.consul",
        # addresses
        "0a000001.addr.consul", "0A00000F.addr.consul", "0a000001.addr.dc1.consul", "0a00000.addr.consul", "0a00000g.addr.consul",
        "20010db8000000000000000000000001.addr.consul", "20010DB800000000000000000000000F.addr.dc1.consul",
        "2001.addr.consul", "00000000000000000000ffff0a000001.addr.consul", "20010db800000000000000000000000g.addr.consul",
        "x.0a000001.addr.consul", "0a000001.x.addr.consul", "addr.consul", "0a.00.00.01.addr.consul", "00000000.addr.consul",
        # nothing of these
        "consul", "CONSUL.", "web.consul", "x.y.z.consul", "web.services.consul", "dc1.consul", "web.dc1.consul", "ns.consul",
        "hostmaster.consul", "\\001.service.consul", "w\\255b.service.consul", "web\\ x.service.consul", "*.service.consul",
        "web\\.service.consul", "\\.\\..node.consul", "a\\000b.service.consul", "a" * 63 + ".service.consul",
        ".".join(["a" * 60] * 3) + ".service.consul", ".".join("x" * 50) + ".node.consul",
        "connect.consul", "ingress.consul", "query.consul", "service.connect.x.y.consul"):
    for qtype in ("A", "SRV"):
        dns(name, qtype)

# outside of the domain, without recursors
for name in ("example.com", ".", "consul.example.com", "notconsul", "xconsul", "con.sul", "consul.x", "web.service.consulx"):
    for qtype in ("A", "SOA", "NS", "ANY", "AXFR"):
        dns(name, qtype)
