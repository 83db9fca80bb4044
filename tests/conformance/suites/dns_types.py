"""Every question type for every kind of name, over addresses of every kind (dns.md 3, 4, 5, 9)."""

import json

from script import dns, dns_settle, put

TYPES = ("A", "AAAA", "ANY", "TXT", "CNAME", "MX", "HINFO", "SRV", "SOA", "NS", "AXFR", "PTR", "NAPTR", "CAA", "DS", "TYPE65", "TYPE0",
         "TYPE65535", "OPT")


def register(node, address, *services, checks=(), **more):
    """services: (id, name, rest); checks: (service id or "", status)."""
    put("/v1/catalog/register", json.dumps({"Node": node, "Address": address, **more}))
    for ident, name, rest in services:
        body = {"Node": node, "Address": address, **more, "Service": {"ID": ident, "Service": name, "Port": 80, **rest}}
        put("/v1/catalog/register", json.dumps(body))
    for n, (ident, status) in enumerate(checks):
        check = {"CheckID": "c%d" % n, "Name": "c", "Status": status, "ServiceID": ident}
        put("/v1/catalog/register", json.dumps({"Node": node, "Address": address, **more, "Check": check}))


META = {"rack": "7", "rfc1035-bare": "as it is", "a=b": "c=d", " lead": "x", "trail ": "`q`", "": "empty", "k`k": "",
        "x": "a\"b;d"}
register("four", "10.0.0.1", ("f4", "in4", {}), ("f4a", "in4", {"Address": "10.1.0.1", "Port": 81}), ("m4", "mixed", {}), NodeMeta=META)
register("six", "2001:db8::1", ("s6", "in6", {}), ("s6a", "in6", {"Address": "2001:db8:1::1"}), ("m6", "mixed", {}), NodeMeta={"six": "6"})
register("host", "web.example.com", ("h", "byhost", {}), ("ha", "hosted", {"Address": "svc.example.com"}), ("mh", "mixed", {}),
         NodeMeta={"h": "1"})
register("plain", "10.0.0.4", ("ha4", "hosted", {"Address": "other.example.com."}), ("hip", "hosted4", {"Address": "10.1.0.4"}))
register("inner", "four.node.consul", ("i", "inward", {}), ("ia", "inward2", {"Address": "in4.service.consul"}))
register("bad", "no address", ("b", "badly", {}), ("ba", "badly2", {"Address": "10.0.0.300"}), ("be", "badly3", {"Address": "a..b"}))
register("long", "10.0.0.17", ("l", "long", {}), NodeMeta={"long": "v" * 300})
register("slash", "10.0.0.18", NodeMeta={"x": "a\\b\\065\\\\c"})
register("mapped", "::ffff:10.9.9.9", ("mm", "mapped", {}))
# more than one instance on one node, the same address again
register("twice", "10.0.0.5", ("t1", "twice", {}), ("t2", "twice", {}), ("t3", "twice", {"Port": 81}), ("t4", "twice", {"Address": "10.0.0.5"}))
# health: of the instance, of the node, and without any
register("well", "10.0.0.6", ("w1", "health", {"Weights": {"Passing": 10, "Warning": 3}}), checks=[("w1", "passing")])
register("warned", "10.0.0.7", ("w2", "health", {"Weights": {"Passing": 20, "Warning": 4}}), checks=[("w2", "warning"), ("w2", "passing")])
register("ill", "10.0.0.8", ("w3", "health", {}), checks=[("w3", "critical")])
register("dead", "10.0.0.9", ("w4", "health", {}), ("d1", "gone", {}), checks=[("", "critical")])
register("nwarn", "10.0.0.10", ("w5", "health", {"Weights": {"Passing": 5, "Warning": 0}}), checks=[("", "warning"), ("w5", "passing")])
register("other", "10.0.0.11", ("w6", "health", {}), ("w7", "gone", {}), checks=[("w7", "critical")])
# addresses by family
register("tagged", "10.0.0.12", ("g", "tagged", {}), ("ga", "tagged2", {"Address": "10.1.0.12", "Port": 1000, "TaggedAddresses": {
    "lan_ipv4": {"Address": "10.2.0.12", "Port": 1004}, "lan_ipv6": {"Address": "2001:db8:2::12", "Port": 1006},
    "wan": {"Address": "192.0.2.12", "Port": 2000}, "wan_ipv4": {"Address": "192.0.2.13", "Port": 2004}}}),
    ("g4", "tagged3", {"TaggedAddresses": {"lan_ipv4": {"Address": "10.3.0.12", "Port": 3}}}),
    TaggedAddresses={"lan": "10.4.0.12", "lan_ipv4": "10.5.0.12", "lan_ipv6": "2001:db8:5::12", "wan": "192.0.2.14", "wan_ipv6": "2001:db8:6::12"})
register("onlysix", "10.0.0.13", ("o6", "onlysix", {}), TaggedAddresses={"lan_ipv6": "2001:db8:7::13"})
register("weights", "10.0.0.14", ("ww", "weights", {"Weights": {"Passing": 65535, "Warning": 1}, "Port": 65535}), ("wz", "weights", {"Port": 0}))
register("bad.label_x", "10.0.0.15", ("bl", "badnode", {}), ("bla", "badnode", {"Address": "10.1.0.15"}))
register("sp ace", "10.0.0.16", ("sp", "spaced", {}))
dns_settle("spaced.service.consul", "10.0.0.16")

for name in ("in4.service.consul", "in6.service.consul", "byhost.service.consul", "hosted.service.consul", "hosted4.service.consul",
             "mixed.service.consul", "health.service.consul", "gone.service.consul", "tagged.service.consul", "tagged2.service.consul",
             "four.node.consul", "six.node.consul", "host.node.consul", "tagged.node.consul", "0a000001.addr.consul",
             "20010db8000000000000000000000001.addr.consul", "0a.addr.consul", "none.service.consul", "none.node.consul",
             "web.service.dc2.consul", "consul", "nothing.consul", "_in4._tcp.service.consul", "dead.node.consul"):
    for qtype in TYPES:
        # one instance of two hosts is named
        dns(name, qtype, edns=4096, pick=r"(svc|other)\.example\.com" if name == "hosted.service.consul" else None,
            size=name != "hosted.service.consul")
for name in ("inward.service.consul", "inward2.service.consul", "badly.service.consul", "badly2.service.consul",
             "mapped.service.consul", "mapped.node.consul", "twice.service.consul", "tagged3.service.consul", "onlysix.service.consul",
             "onlysix.node.consul", "weights.service.consul", "badnode.service.consul", "bad.label_x.node.consul", "bad.node.consul",
             "spaced.service.consul", "inner.node.consul", "00000000000000000000ffff0a090909.addr.consul"):
    for qtype in ("A", "AAAA", "ANY", "TXT", "MX", "SRV"):
        dns(name, qtype, edns=4096)
for name in ("in4.service.consul", "four.node.consul", "hosted4.service.consul", "consul", "mixed.service.consul"):
    for qtype in TYPES:
        dns(name, qtype, tcp=True)
dns("slash.node.consul", "TXT", edns=4096)
# what the original cannot pack, so that nobody gets an answer: a text of more than 255 bytes, a name that is none
for name, qtype in (("long.node.consul", "TXT"), ("long.node.consul", "A"), ("long.service.consul", "SRV"), ("badly3.service.consul", "A"),
                    ("badly3.service.consul", "SRV")):
    dns(name, qtype, edns=4096, silent=True)
