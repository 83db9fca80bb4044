"""Names of addresses (dns.md 7)."""

from script import dns, dns_settle, put

put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","Service":{"Service":"web","Port":80,"Address":"10.1.0.1"}}')
put("/v1/catalog/register", '{"Node":"Twin.b","Address":"10.0.0.2"}')
put("/v1/catalog/register", '{"Node":"n6","Address":"2001:db8::1","Service":{"Service":"six","Port":80,"Address":"2001:db8::2"}}')
put("/v1/catalog/register", '{"Node":"n7","Address":"10.0.0.7","Service":{"Service":"onnode","Port":80,"Address":"10.0.0.1"}}')
put("/v1/catalog/register", '{"Node":"n8","Address":"10.0.0.8","Service":{"Service":"Cased","Port":80,"Address":"10.1.0.8"},'
    '"Check":{"Name":"c","Status":"critical"}}')
put("/v1/catalog/register", '{"Node":"host","Address":"host.example.com"}')
put("/v1/catalog/register", '{"Node":"odd","Address":"2001:0DB8::00F0"}')
put("/v1/catalog/register", '{"Node":"mapped","Address":"::ffff:10.0.0.9"}')
put("/v1/catalog/register", '{"Node":"tagged","Address":"10.0.0.10","TaggedAddresses":{"lan":"10.0.0.11","wan":"10.0.0.12"}}')
dns_settle("web.service.consul", "10.1.0.1")

SIX = ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa"
for name in ("1.0.0.10.in-addr.arpa", "1.0.0.10.IN-ADDR.ARPA", "2.0.0.10.in-addr.arpa", "1.0.1.10.in-addr.arpa", "8.0.1.10.in-addr.arpa",
             "7.0.0.10.in-addr.arpa", "8.0.0.10.in-addr.arpa", "9.0.0.10.in-addr.arpa", "10.0.0.10.in-addr.arpa", "11.0.0.10.in-addr.arpa",
             "12.0.0.10.in-addr.arpa", "99.0.0.10.in-addr.arpa", "1" + SIX, "2" + SIX, "3" + SIX, "0.f" + SIX[2:], "0.F" + SIX[2:].upper(),
             "1.0.0.in-addr.arpa", "1.1.0.0.10.in-addr.arpa", "in-addr.arpa", "ip6.arpa", "arpa", "x.arpa", "256.0.0.10.in-addr.arpa",
             "01.0.0.10.in-addr.arpa", "a.0.0.10.in-addr.arpa", "1.0.0.10.ip6.arpa", "1.0" + SIX, "1.0.0.10.in-addr.arpa.consul", "g" + SIX,
             ".".join("0" * 32) + ".ip6.arpa", "1.2.3.4.x.in-addr.arpa"):
    for qtype in ("PTR", "A", "ANY", "SOA", "TXT"):
        dns(name, qtype)
    dns(name, "PTR", edns=1232)
    dns(name, "PTR", tcp=True)
    dns(name, "PTR", flags=())
