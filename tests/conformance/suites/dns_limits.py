"""Limits that a configuration sets, and saying that something was left out (dns.md 3.1, 11, 13)."""

import json

from script import asked, dns, dns_settle, put

asked("server", {"dns_config": {"a_record_limit": 6, "udp_answer_limit": 5, "enable_truncate": True}})
ANY_ONE = r"10\.9\.\d+\.\d+|2001:db8::[0-9a-f]+|n\d{3}\b|\b9\d{3}\b|host\d{3}"

for name, count, address in (("four", 4, "10.9.0.%d"), ("five", 5, "10.9.0.%d"), ("six", 6, "10.9.0.%d"), ("seven", 7, "10.9.0.%d"),
                             ("forty", 40, "10.9.0.%d"), ("sixes", 20, "2001:db8::%x")):
    for i in range(1, count + 1):
        put("/v1/catalog/register", json.dumps({"Node": "n%03d" % i, "Address": "10.9.0.%d" % i, "Service": {
            "Service": name, "Port": 9000 + i, "Address": "" if address[0] == "1" else address % i}}))
for i in range(1, 4):
    put("/v1/catalog/register", json.dumps({"Node": "n%03d" % i, "Address": "10.9.0.%d" % i, "Service": {
        "ID": "m%d" % i, "Service": "hosts", "Port": 9000 + i, "Address": "host%03d.example.com" % i}}))
put("/v1/catalog/register", json.dumps({"Node": "wordy", "Address": "10.8.0.1", "NodeMeta": {"key-%02d" % i: "v" * 50 for i in range(20)},
                                        "Service": {"Service": "wordy", "Port": 1}}))
dns_settle("wordy.service.consul", "10.8.0.1")
for name in ("four", "five", "six", "seven", "forty", "sixes", "hosts"):
    for qtype in ("A", "AAAA", "SRV", "ANY", "MX"):
        for more in ({}, {"edns": 512}, {"edns": 600}, {"edns": 1232}, {"edns": 4096}, {"tcp": True}):
            dns(name + ".service.consul", qtype, pick=ANY_ONE + "|20010db8[0-9a-f]{24}", **more)
for name, qtype in (("wordy.service.consul", "SRV"), ("wordy.node.consul", "A"), ("wordy.node.consul", "TXT")):
    for more in ({}, {"edns": 1232}, {"edns": 4096}, {"tcp": True}):
        dns(name, qtype, pick=r"key-\d\d", **more)
