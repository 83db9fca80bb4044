"""Addresses for other datacenters, asked in the own one, where they must not show (dns.md 4)."""

from script import asked, dns, dns_settle, put

asked("server", {"translate_wan_addrs": True})
put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","TaggedAddresses":{"lan":"10.0.0.1","wan":"192.0.2.1"},'
    '"Service":{"Service":"web","Port":80}}')
put("/v1/catalog/register", '{"Node":"n2","Address":"10.0.0.2","TaggedAddresses":{"wan":"192.0.2.2","wan_ipv4":"192.0.2.3","wan_ipv6":"2001:db8::2"},'
    '"Service":{"Service":"web","Port":81,"Address":"10.1.0.2","TaggedAddresses":{"wan":{"Address":"198.51.100.2","Port":8081},'
    '"lan":{"Address":"10.2.0.2","Port":82},"lan_ipv4":{"Address":"10.3.0.2","Port":83}}}}')
put("/v1/catalog/register", '{"Node":"n3","Address":"10.0.0.3","TaggedAddresses":{"wan":"wan.example.com"},"Service":{"Service":"six","Port":80,'
    '"TaggedAddresses":{"lan_ipv6":{"Address":"2001:db8:1::3","Port":0}}}}')
dns_settle("six.service.consul", "10.0.0.3")
for name in ("web.service.consul", "six.service.consul", "n1.node.consul", "n2.node.consul", "n3.node.consul", "web.service.dc1.consul", "consul"):
    for qtype in ("A", "AAAA", "SRV", "ANY", "SOA"):
        dns(name, qtype, edns=1232)
for address in ("1.0.0.10", "1.2.0.192", "2.0.1.10", "2.100.51.198"):
    dns(address + ".in-addr.arpa", "PTR")
