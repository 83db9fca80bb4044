"""Names of others: recursors that answer, fail and keep silent, and chains of names (dns.md 6)."""

import json

from script import asked, dns, dns_settle, put, recursor

WEB = ["www.example.com. 300 A 192.0.2.1"]
recursor("first", {
    "www.example.com. A": WEB, "www.example.com. AAAA": ["www.example.com. 300 AAAA 2001:db8::80"], "www.example.com.": {"answer": WEB},
    "text.example.com.": ["text.example.com. 60 TXT hello", "text.example.com. 61 MX 10 mail.example.com"],
    "fails.example.com.": "SERVFAIL", "refuses.example.com.": "REFUSED", "silent.example.com.": "silence", "notimp.example.com.": "NOTIMP",
    "formerr.example.com.": "FORMERR", "dead.example.com.": "SERVFAIL", "empty.example.com.": [],
    "cut.example.com.": {"answer": ["cut.example.com. 5 A 192.0.2.2"], "flags": ["tc"]},
    "flags.example.com.": {"answer": ["flags.example.com. 5 A 192.0.2.3"], "flags": ["aa", "ad"], "edns": 1400},
    "large.example.com.": {"answer": ["large.example.com. 5 A 192.0.2.%d" % i for i in range(1, 100)]},
    "chain.example.com.": ["chain.example.com. 10 CNAME a.example.com", "a.example.com. 20 CNAME b.example.com", "b.example.com. 30 A 192.0.2.9",
                           "b.example.com. 30 A 192.0.2.10"],
    "long.example.com.": ["long.example.com. 10 A 192.0.2.%d" % i for i in range(1, 10)],
    "mixed.example.com.": ["mixed.example.com. 10 CNAME x.example.com", "x.example.com. 10 TXT no", "x.example.com. 10 A 192.0.2.11",
                           "x.example.com. 10 AAAA 2001:db8::b"],
    "back.example.com.": ["back.example.com. 10 CNAME n1.node.consul"],
    "loop.example.com.": ["loop.example.com. 10 CNAME loop.example.com"],
    "other.example.com.": ["unasked.example.com. 10 A 192.0.2.12"],
    "1.2.0.192.in-addr.arpa.": ["1.2.0.192.in-addr.arpa. 10 PTR www.example.com"],
})
recursor("second", {
    "fails.example.com.": ["fails.example.com. 7 A 192.0.2.20"], "refuses.example.com.": ["refuses.example.com. 7 A 192.0.2.21"],
    "silent.example.com.": ["silent.example.com. 7 A 192.0.2.22"], "notimp.example.com.": ["notimp.example.com. 7 A 192.0.2.23"],
    "formerr.example.com.": ["formerr.example.com. 7 A 192.0.2.24"], "dead.example.com.": "REFUSED", "www.example.com.": "SERVFAIL",
})
asked("server", {"recursors": ["{recursor:first}", "{recursor:second}"], "dns_config": {
    "recursor_timeout": "1s", "service_ttl": {"*": "33s"}, "node_ttl": "22s"}})

for n, host in enumerate(("www", "chain", "long", "mixed", "back", "loop", "none", "fails", "dead", "empty", "other", "cut", "text")):
    put("/v1/catalog/register", json.dumps({"Node": "h%d" % n, "Address": host + ".example.com", "Service": {"Service": "s-" + host, "Port": 80}}))
    put("/v1/catalog/register", json.dumps({"Node": "p%d" % n, "Address": "10.0.1.%d" % n, "Service": {
        "Service": "t-" + host, "Port": 80, "Address": host + ".example.com."}}))
put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","NodeMeta":{"k":"v"},"Service":{"Service":"web","Port":80}}')
put("/v1/catalog/register", '{"Node":"n2","Address":"n1.node.consul","Service":{"Service":"in1","Port":80}}')
put("/v1/catalog/register", '{"Node":"n3","Address":"n2.node.consul","Service":{"Service":"in2","Port":80}}')
put("/v1/catalog/register", '{"Node":"n4","Address":"n3.node.consul","Service":{"Service":"in3","Port":80}}')
put("/v1/catalog/register", '{"Node":"n5","Address":"n4.node.consul","Service":{"Service":"in4","Port":80}}')
put("/v1/catalog/register", '{"Node":"n6","Address":"n6.node.consul","Service":{"Service":"self","Port":80}}')
put("/v1/catalog/register", '{"Node":"n7","Address":"web.service.consul","Service":{"Service":"via","Port":80}}')
put("/v1/catalog/register", '{"Node":"n8","Address":"none.service.consul","Service":{"Service":"dangling","Port":80}}')
put("/v1/catalog/register", '{"Node":"n9","Address":"h0.node.consul","Service":{"Service":"out","Port":80}}')
dns_settle("out.service.consul", "CNAME")

# ---- Names that are not ours: passed on as they are, the original compresses them anew ----
for name in ("www", "WwW", "text", "fails", "refuses", "notimp", "formerr", "dead", "empty", "cut", "flags", "large", "chain", "back", "other", "none"):
    for more in ({}, {"edns": 1232}, {"tcp": True}):
        dns(name + ".example.com", size=False, **more)
dns("silent.example.com", size=False)
dns("silent.example.com", tcp=True, size=False)
for qtype in ("AAAA", "ANY", "TXT", "SRV", "SOA", "NS", "MX", "TYPE65"):
    dns("www.example.com", qtype, size=False)
dns("www.example.com", "AXFR", tcp=True, size=False)
for more in ({"flags": ()}, {"flags": ("rd", "cd", "ad")}, {"edns": 1232, "z": 0x8000}, {"edns": 4096, "options": ((10, b"12345678"),)},
             {"edns": 1232, "subnet": "10.1.0.0/16"}, {"qclass": 3}, {"edns": 512}):
    dns("www.example.com", size=False, **more)
for name in ("1.2.0.192.in-addr.arpa", "2.2.0.192.in-addr.arpa", "1.0.0.10.in-addr.arpa"):
    dns(name, "PTR", size=False)
    dns(name, "PTR", tcp=True, size=False)

# ---- Our own names say that recursion is to be had ----
for name, qtype in (("web.service.consul", "A"), ("none.service.consul", "A"), ("consul", "SOA"), ("n1.node.consul", "A"), ("consul", "AXFR")):
    dns(name, qtype)

# ---- Chains that begin with ours ----
for host in ("www", "chain", "long", "mixed", "back", "loop", "none", "fails", "dead", "empty", "other", "cut", "text"):
    for kind in ("s-", "t-"):
        for qtype in ("A", "AAAA", "SRV", "ANY", "MX"):
            dns(kind + host + ".service.consul", qtype, ordered=True)
            dns(kind + host + ".service.consul", qtype, edns=1232, ordered=True)
for n in range(13):
    for qtype in ("A", "AAAA", "ANY", "TXT"):
        dns("h%d.node.consul" % n, qtype, edns=1232)
for name in ("in1", "in2", "in3", "in4", "self", "via", "dangling", "out"):
    for qtype in ("A", "AAAA", "SRV", "ANY"):
        dns(name + ".service.consul", qtype, edns=1232)
        dns(name + ".service.consul", qtype, tcp=True)
for n in range(2, 10):
    for qtype in ("A", "AAAA", "ANY"):
        dns("n%d.node.consul" % n, qtype, edns=1232)
