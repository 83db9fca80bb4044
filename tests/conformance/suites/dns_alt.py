"""Another domain, and a second one (dns.md 1, 2, 3.2)."""

from script import asked, dns, dns_settle, put

asked("server", {"domain": "Inner.Example.", "alt_domain": "outer.test", "dns_config": {"node_ttl": "7s"}})
put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","Service":{"ID":"a","Service":"web","Port":80,"Tags":["v1"]}}')
put("/v1/catalog/register", '{"Node":"n2","Address":"10.0.0.2","Service":{"ID":"b","Service":"web","Port":81,"Address":"10.1.0.2"}}')
put("/v1/catalog/register", '{"Node":"n3","Address":"n1.node.outer.test","Service":{"Service":"hosted","Port":1}}')
put("/v1/catalog/register", '{"Node":"n4","Address":"n1.node.inner.example","Service":{"Service":"hosted2","Port":1}}')
put("/v1/catalog/register", '{"Node":"n5","Address":"n1.node.consul","Service":{"Service":"hosted3","Port":1}}')
dns_settle("hosted.service.inner.example", "n1.node")
for domain in ("inner.example", "INNER.EXAMPLE", "outer.test", "Outer.Test", "consul", "example", "x.outer.test", "outer.test.inner.example"):
    for name in ("web.service.", "web.service.dc1.", "v1.web.service.", "_web._tcp.", "n1.node.", "0a000001.addr.", "", "none.service.",
                 "hosted.service.", "hosted2.service.", "hosted3.service."):
        for qtype in ("A", "SRV", "SOA", "NS"):
            dns(name + domain, qtype, edns=1232)
