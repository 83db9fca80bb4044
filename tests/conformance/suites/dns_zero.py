"""Settings at their ends: no answers over UDP, kept answers, many settings of time (dns.md 11, 12, 13)."""

import json

from script import asked, dns, dns_settle, put

asked("server", {"dns_config": {"udp_answer_limit": 0, "allow_stale": False, "max_stale": "0s", "use_cache": True, "cache_max_age": "1s"}})
for i in range(1, 13):
    put("/v1/catalog/register", json.dumps({"Node": "n%03d" % i, "Address": "10.9.0.%d" % i, "Service": {"Service": "web", "Port": 80}}))
dns_settle("n012.node.consul", "10.9.0.12")
for name in ("web.service.consul", "n001.node.consul", "none.service.consul", "consul"):
    for qtype in ("A", "SRV", "ANY", "NS"):
        for more in ({}, {"edns": 512}, {"edns": 1232}, {"tcp": True}):
            dns(name, qtype, pick=r"10\.9\.\d+\.\d+|n\d{3}\b" if name[0] == "w" else None, **more)
