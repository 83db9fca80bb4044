"""How large an answer may be: EDNS sizes, TCP, and what is left out first (dns.md 11)."""

import json

from script import dns, dns_settle, put

LIMITS = ({}, {"edns": 0}, {"edns": 511}, {"edns": 512}, {"edns": 513}, {"edns": 600}, {"edns": 1232}, {"edns": 1400}, {"edns": 4096},
          {"edns": 65535}, {"tcp": True}, {"tcp": True, "edns": 512}, {"tcp": True, "edns": 4096}, {"edns": 1232, "subnet": "10.1.0.0/16"},
          {"edns": 512, "options": ((10, b"12345678"),)})
ANY_ONE = r"10\.9\.\d+\.\d+|2001:db8::[0-9a-f]+|0a09[0-9a-f]{4}|20010db8[0-9a-f]{24}|(n|node-of-a-longer-name-)\d{3}\b|\b9\d{3}\b|host\d{3}|=\d{3}\b"


def register(name, count, node="n%03d", address="10.9.0.%d", service_address="", meta=False):
    for i in range(1, count + 1):
        body = {"Node": node % i, "Address": address % i, "Service": {"Service": name, "Port": 9000 + i}}
        if service_address:
            body["Service"]["Address"] = service_address % i
        if meta:
            body["NodeMeta"] = {"number": "%03d" % i}
        put("/v1/catalog/register", json.dumps(body))


register("one", 1)
register("three", 3)
register("four", 4)
register("eight", 8)
register("nine", 9)
register("twelve", 12)
register("hundred", 100)
register("apart", 40, service_address="10.9.1.%d")
register("sixes", 30, service_address="2001:db8::%x")
register("hosts", 30, service_address="host%03d.example.com")
register("a-service-with-a-name-that-is-rather-long", 40, node="node-of-a-longer-name-%03d", address="10.9.2.%d", meta=True)
put("/v1/catalog/register", json.dumps({"Node": "wordy", "Address": "10.8.0.1", "NodeMeta": {"key-%02d" % i: "v" * 50 for i in range(20)},
                                        "Service": {"Service": "wordy", "Port": 1}}))
dns_settle("wordy.service.consul", "10.8.0.1")

for name in ("one", "three", "four", "eight", "nine", "twelve", "hundred", "apart", "a-service-with-a-name-that-is-rather-long", "wordy"):
    for qtype in ("A", "SRV", "ANY"):
        for limit in LIMITS:
            dns(name + ".service.consul", qtype, pick=ANY_ONE, **limit)
for name, types in (("sixes", ("AAAA", "SRV", "A")), ("hosts", ("SRV", "A")), ("hundred", ("AAAA", "TXT", "MX", "SOA"))):
    for qtype in types:
        for limit in LIMITS:
            dns(name + ".service.consul", qtype, pick=ANY_ONE, **limit)
for limit in LIMITS:
    for name, qtype in (("wordy.node.consul", "A"), ("wordy.node.consul", "TXT"), ("wordy.node.consul", "ANY"), ("consul", "SOA"),
                        ("none.service.consul", "A"), ("0a000001.addr.consul", "A")):
        # which texts there is room for is random
        dns(name, qtype, pick=r"key-\d\d", **limit)
