"""Thousands of instances: what fits into 64 KiB over TCP, and what of it into datagrams (dns.md 11; consul#3850)."""

import json

from script import ask, dns, dns_settle

ANY_ONE = r"10\.9\.\d+\.\d+|0a09[0-9a-f]{4}|n\d{4}\b|\b\d{5}\b"
for first in range(0, 5000, 50):
    ops = [{"Node": {"Verb": "set", "Node": {"Node": "n%04d" % (i // 50), "Address": "10.9.255.%d" % (i // 50)}}} for i in (first,)]
    ops += [{"Service": {"Verb": "set", "Node": "n%04d" % (i // 50), "Service": {
        "ID": "m%d" % i, "Service": "many", "Port": 10000 + i, "Address": "10.9.%d.%d" % (i // 250, i % 250)}}} for i in range(first, first + 50)]
    ask("PUT", "/v1/txn", json.dumps(ops), opaque=True)
dns_settle("many.service.consul", "10.9.")
for qtype in ("A", "SRV", "ANY", "AAAA"):
    for more in ({}, {"edns": 512}, {"edns": 1232}, {"edns": 4096}, {"edns": 65535}, {"tcp": True}, {"tcp": True, "edns": 1232}):
        dns("many.service.consul", qtype, pick=ANY_ONE, silent=True, **more)
