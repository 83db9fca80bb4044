"""Without compression (dns.md 11)."""

import json

from script import asked, dns, dns_settle, put

asked("server", {"dns_config": {"disable_compression": True, "enable_truncate": True}})
for i in range(1, 41):
    put("/v1/catalog/register", json.dumps({"Node": "n%03d" % i, "Address": "10.9.0.%d" % i, "Service": {"Service": "web", "Port": 9000 + i}}))
    if i < 3:
        put("/v1/catalog/register", json.dumps({"Node": "n%03d" % i, "Address": "10.9.0.%d" % i, "Service": {"Service": "two", "Port": 80}}))
put("/v1/catalog/register", '{"Node":"h","Address":"host.example.com","Service":{"Service":"hosted","Port":1}}')
dns_settle("hosted.service.consul", "host.example")
for name in ("web.service.consul", "two.service.consul", "hosted.service.consul", "n001.node.consul", "none.service.consul", "consul",
             "0a000001.addr.consul", "h.node.consul"):
    for qtype in ("A", "SRV", "ANY", "SOA", "NS"):
        for more in ({}, {"edns": 512}, {"edns": 600}, {"edns": 1232}, {"tcp": True}):
            dns(name, qtype, pick=r"10\.9\.\d+\.\d+|n\d{3}\b|\b9\d{3}\b" if name == "web.service.consul" else None, **more)
