"""What a proxy asks its agent for: roots, the certificate of its service, and whether a connection may be."""

import json

from script import ask, asked, delete, get, put, settle

# Agents need not know that Connect is on: servers do.
asked("client", server={"connect": {"enabled": True}})

A = "/v1/agent/connect"
ROOT = ("ID", "ActiveRootID", "SigningKeyID", "NotBefore", "NotAfter", "RootCert", "TrustDomain", "ExternalTrustDomain", "SerialNumber")
LEAF = ("SerialNumber", "CertPEM", "PrivateKeyPEM", "ServiceURI", "ValidAfter", "ValidBefore", "CreateIndex", "ModifyIndex")


def roots(query="", **more):
    get(A + "/ca/roots" + query, loose=ROOT, **more)


def leaf(tail, **more):
    get(A + "/ca/leaf/" + tail, loose=LEAF, **more)


settle(A + "/ca/roots", "RootCert")
roots(keep="roots", at="header:X-Consul-Index")
for query in ("", "?index=1", "?index={roots}&wait=1s", "?index=x", "?wait=x", "?pem=true", "?pem=x", "?ns=a", "?dc=dc1", "?dc=nope", "?stale", "?consistent",
              "?consistent&stale", "?cached", "?cached&consistent", "?pretty", "?token=x", "?filter=Nope==1", "?max_stale=x", "?near=conf"):
    roots(query)
for method in ("PUT", "POST", "DELETE", "HEAD", "OPTIONS"):
    ask(method, A + "/ca/roots")
    ask(method, A + "/ca/leaf/web")
get(A + "/ca/roots/")
get(A + "/ca/leaf")
get(A + "/ca")

leaf("web", keep="leaf", at="header:X-Consul-Index")
for query in ("", "?index=1", "?index={leaf}&wait=1s", "?index=99999999&wait=1s", "?index=x", "?wait=x", "?ns=a", "?ns=", "?dc=dc1", "?dc=nope", "?stale",
              "?consistent", "?consistent&stale", "?cached", "?cached&consistent", "?pretty", "?near=conf", "?filter=Nope==1", "?max_stale=x",
              "?index=x&ns=a", "?dc=nope&index=x", "?dc=nope&ns=a"):
    leaf("web" + query)
for name in ("", "Web", "web%20x", "a/b", "a/", "/a", "*", "%C3%A9", "a.b", "a_b", "a%25b", "a%3Fb", "a%2Fb", "x" * 120, "1"):
    leaf(name)
    leaf(name + "?index=1")
get(A + "/ca/leaf/web", headers={"X-Consul-Namespace": "a"})

# ---- Registered, so its certificate is there before it is asked for ----
put("/v1/agent/service/register", json.dumps({"Name": "native", "Port": 80, "Connect": {"Native": True}}))
put("/v1/agent/service/register", json.dumps({"Name": "db-proxy", "Kind": "connect-proxy", "Port": 81, "Proxy": {"DestinationServiceName": "db"}}))
settle(A + "/ca/leaf/native", "CertPEM")
settle(A + "/ca/leaf/db", "CertPEM")
leaf("native")
leaf("db")
put("/v1/agent/service/deregister/db-proxy")
leaf("db")

# ---- May it be? ----
ask("POST", "/v1/connect/intentions", json.dumps({"SourceName": "web", "DestinationName": "db", "Action": "deny"}), keep="deny", at="ID")
URI = "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/%s"
settle("/v1/connect/intentions/match?by=destination&name=db", "deny")
for source, target in (("web", "db"), ("web", "db"), ("api", "db"), ("web", "other"), ("nosuch", "nosuch")):
    body = json.dumps({"Target": target, "ClientCertURI": URI % source, "ClientCertSerial": "01"})
    ask("POST", A + "/authorize", body)
delete("/v1/connect/intentions/{deny}")
