"""Times to live, the SOA's values, only passing instances, no texts beside addresses (dns.md 8, 9, 13)."""

import json

from script import asked, dns, dns_settle, put

asked("server", {"dns_config": {
    "node_ttl": "61s", "service_ttl": {"*": "5s", "db": "11s", "db*": "12s", "db-m*": "13s", "Cased": "14s", "cased2": "1500ms", "z": "0s"},
    "only_passing": True, "enable_additional_node_meta_txt": False, "soa": {"refresh": 3, "retry": 4, "expire": 5, "min_ttl": 6}}})

for n, name in enumerate(("db", "db2", "db-main", "dbx", "web", "Cased", "cased2", "z", "d")):
    put("/v1/catalog/register", json.dumps({"Node": "n%d" % n, "Address": "10.0.0.%d" % (n + 1), "NodeMeta": {"k": "v"},
                                            "Service": {"Service": name, "Port": 80 + n}}))
put("/v1/catalog/register", '{"Node":"h","Address":"host.example.com","Service":{"Service":"hosted","Port":1}}')
for n, status in enumerate(("passing", "warning", "critical", "maintenance", "")):
    put("/v1/catalog/register", json.dumps({"Node": "c%d" % n, "Address": "10.1.0.%d" % (n + 1), "Service": {"ID": "s", "Service": "checked"},
                                            "Check": {"CheckID": "c", "Name": "c", "Status": status, "ServiceID": "s"}}))
put("/v1/catalog/register", '{"Node":"w","Address":"10.2.0.1","Service":{"Service":"warned","Port":1},"Check":{"Name":"n","Status":"warning"}}')
dns_settle("db.service.consul", "10.0.0.1")

for name in ("db", "db2", "db-main", "dbx", "web", "Cased", "CASED", "cased2", "z", "d", "hosted", "checked", "warned", "none"):
    for qtype in ("A", "SRV", "ANY", "AAAA"):
        dns(name + ".service.consul", qtype, edns=1232)
        dns("_%s._tcp.service.dc1.consul" % name, qtype)
for name in ("n0.node.consul", "h.node.consul", "0a000001.addr.consul", "w.node.consul", "none.node.consul", "consul"):
    for qtype in ("A", "AAAA", "ANY", "TXT", "SOA", "NS", "SRV"):
        dns(name, qtype, edns=1232)
