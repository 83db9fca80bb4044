"""Answers follow checks and registrations (dns.md 3.2, 9)."""

import json

from script import dns, dns_settle, put


def ask_all(when):
    for qtype in ("A", "SRV", "AAAA"):
        dns("web.service.consul", qtype, edns=1232, when=when)
        dns("v1.web.service.consul", qtype, edns=1232, when=when)
    dns("n1.node.consul", when=when)


def check(status, node="n1", service="web"):
    put("/v1/catalog/register", json.dumps({"Node": node, "SkipNodeUpdate": True, "Address": "10.0.0.1", "Check": {
        "CheckID": "c" + service, "Name": "c", "Status": status, "ServiceID": service}}))


ask_all("nothing yet")
put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","Service":{"ID":"web","Service":"web","Port":1,"Tags":["v1"],'
    '"Weights":{"Passing":10,"Warning":2}}}')
dns_settle("web.service.consul", "10.0.0.1")
ask_all("one")
put("/v1/catalog/register", '{"Node":"n2","Address":"10.0.0.2","Service":{"ID":"web","Service":"web","Port":2}}')
dns_settle("web.service.consul", "10.0.0.2")
ask_all("two")
check("warning")
dns_settle("web.service.consul", " 1 2 1 n1.node", "SRV")
ask_all("the first warns")
check("critical")
dns_settle("web.service.consul", "10.0.0.1", gone=True)
ask_all("the first fails")
check("passing")
dns_settle("web.service.consul", " 1 10 1 n1.node", "SRV")
ask_all("the first is well again")
check("critical", service="")
dns_settle("web.service.consul", "10.0.0.1", gone=True)
ask_all("its node fails")
put("/v1/catalog/deregister", '{"Node":"n1","CheckID":"c"}')
dns_settle("web.service.consul", "10.0.0.1")
ask_all("its node is well again")
put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.9"}')
dns_settle("n1.node.consul", "10.0.0.9")
dns_settle("web.service.consul", "10.0.0.9")
ask_all("it has moved")
put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.9","Service":{"ID":"web","Service":"web","Port":1,"Tags":["v2"]}}')
dns_settle("v1.web.service.consul", "NXDOMAIN")
ask_all("it has another tag")
put("/v1/catalog/deregister", '{"Node":"n1"}')
dns_settle("n1.node.consul", "NXDOMAIN")
dns_settle("web.service.consul", "10.0.0.9", gone=True)
ask_all("it is gone")
put("/v1/catalog/deregister", '{"Node":"n2"}')
dns_settle("web.service.consul", "NXDOMAIN")
ask_all("both are gone")
