"""Prepared queries by DNS (dns.md 2, 3.1, 8, 10, 11)."""

import json

from script import ask, asked, dns, dns_settle, put

asked("server", {"dns_config": {"service_ttl": {"web": "9s", "*": "5s"}, "node_ttl": "8s"}})
Q = "/v1/query"
for i in range(1, 13):
    put("/v1/catalog/register", json.dumps({"Node": "n%03d" % i, "Address": "10.9.0.%d" % i, "NodeMeta": {"k": "v"}, "Service": {
        "ID": "web", "Service": "web", "Port": 9000 + i, "Tags": ["t%d" % (i % 2), "n%d" % i]}}))
put("/v1/catalog/register", '{"Node":"w1","Address":"10.8.0.1","Service":{"ID":"s","Service":"ill","Port":1},"Check":{"Name":"c","Status":"warning","ServiceID":"s"}}')
put("/v1/catalog/register", '{"Node":"w2","Address":"10.8.0.2","Service":{"ID":"s","Service":"ill","Port":1},"Check":{"Name":"c","Status":"critical","ServiceID":"s"}}')
put("/v1/catalog/register", '{"Node":"h","Address":"10.8.0.3","Service":{"Service":"hosted","Port":1,"Address":"svc.example.com"}}')
put("/v1/catalog/register", '{"Node":"six","Address":"2001:db8::1","Service":{"Service":"six","Port":1}}')
for body in ('{"Name":"plain","Service":{"Service":"web"}}', '{"Name":"timed","Service":{"Service":"web"},"DNS":{"TTL":"77s"}}',
             '{"Name":"one","Service":{"Service":"web","Tags":["n1"]}}', '{"Name":"Cased.With.Dots","Service":{"Service":"web","Tags":["n2"]}}',
             '{"Name":"ill","Service":{"Service":"ill"}}', '{"Name":"illp","Service":{"Service":"ill","OnlyPassing":true}}',
             '{"Name":"none","Service":{"Service":"nobody"}}', '{"Name":"hosted","Service":{"Service":"hosted"}}',
             '{"Name":"six","Service":{"Service":"six"}}', '{"Name":"not","Service":{"Service":"web","Tags":["!t0","!n1"]}}',
             '{"Name":"near","Service":{"Service":"web","Near":"_agent","Tags":["n3"]}}', '{"Name":"nearip","Service":{"Service":"web","Near":"_ip","Tags":["n4"]}}',
             '{"Name":"meta","Service":{"Service":"web","NodeMeta":{"k":"v"},"Tags":["n5"]}}',
             '{"Name":"fail","Service":{"Service":"nobody","Failover":{"Datacenters":["dc1"]}}}',
             '{"Name":"zero","Service":{"Service":"web","Tags":["n6"]},"DNS":{"TTL":"0s"}}',
             '{"Name":"t-","Template":{"Type":"name_prefix_match","Regexp":"^t-(.+)-(n[0-9]+)$"},"Service":{"Service":"${match(1)}","Tags":["${match(2)}"]}}',
             '{"Name":"sfx-","Template":{"Type":"name_prefix_match"},"Service":{"Service":"${name.suffix}"}}'):
    ask("POST", Q, body)
ask("POST", Q, '{"Service":{"Service":"web","Tags":["n7"]}}', keep="id", at="ID")
dns_settle("plain.query.consul", "10.9.0.12")

ANY_ONE = r"10\.9\.\d+\.\d+|n\d{3}\b|\b9\d{3}\b"
for name in ("plain", "timed", "not", "sfx-web"):
    for qtype in ("A", "AAAA", "SRV", "ANY", "TXT", "SOA", "NS", "MX"):
        for more in ({}, {"edns": 1232}, {"edns": 4096}, {"tcp": True}, {"edns": 1232, "subnet": "10.1.0.0/16"}):
            dns(name + ".query.consul", qtype, pick=ANY_ONE, **more)
for name in ("one.query.consul", "ONE.Query.Consul", "one.query.dc1.consul", "one.query.dc2.consul", "one.query.x.dc1.consul", "cased.with.dots.query.consul",
             "Cased.With.Dots.query.dc1.consul", "{id}.query.consul", "{id}.query.dc1.consul", "ill.query.consul", "illp.query.consul",
             "none.query.consul", "hosted.query.consul", "six.query.consul", "near.query.consul", "nearip.query.consul", "meta.query.consul",
             "fail.query.consul", "zero.query.consul", "t-web-n9.query.consul", "t-web.query.consul", "t-.query.consul", "sfx-ill.query.consul",
             "sfx-.query.consul", "unknown.query.consul", "query.consul", "00000000-0000-0000-0000-000000000009.query.consul",
             "x.one.query.consul", "_one._tcp.query.consul"):
    for qtype in ("A", "SRV", "AAAA", "ANY"):
        dns(name, qtype)
        dns(name, qtype, edns=1232)
        dns(name, qtype, edns=1232, subnet="10.1.0.0/16")
for subnet in ("10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32"):
    dns("nearip.query.consul", edns=1232, subnet=subnet)
