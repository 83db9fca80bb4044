"""Intentions by id: made, changed, deleted, listed, matched and checked. Connect is off by default, and they are there."""

import json

from script import ask, asked, delete, get, put

asked("server", {})

I = "/v1/connect/intentions"
ID = "11111111-2222-3333-4444-555555555555"
CHANGES = ("CreatedAt", "UpdatedAt", "Hash")


def post(body, **more):
    ask("POST", I, body if isinstance(body, (str, type(None))) else json.dumps(body), **more)


def show(**more):
    get(I, loose=CHANGES, **more)


def intention(source, destination, action="allow", **more):
    return {"SourceName": source, "DestinationName": destination, "Action": action, **more}


# ---- Nothing there ----
show()
for method in ("POST", "HEAD", "OPTIONS", "PATCH", "PUT", "DELETE"):
    if method != "POST":
        ask(method, I)
    ask(method, I + "/match")
    ask(method, I + "/check")
    if method not in ("PUT", "DELETE"):
        ask(method, I + "/" + ID)
for path in ("/", "/" + ID, "/x", "/%20", "/" + ID + "/x", "/" + ID[:-1], "/" + ID.replace("-", "_"), "/" + ID.replace("5", "z"), "/match/", "/check/",
             "/" + ID.replace("1", "A")):
    get(I + path)
    put(I + path, "{}")
    delete(I + path)
for query in ("", "?by=source", "?by=destination", "?by=foo&name=a", "?name=a", "?by=source&name=", "?by=source&name=a", "?by=destination&name=a&name=b",
              "?by=destination&name=a&name=a", "?by=source&name=*", "?by=source&name=ns/a", "?by=source&name=default/a", "?by=source&name=a/b/c",
              "?by=source&name=/a", "?by=source&name=a/", "?by=Source&name=a"):
    get(I + "/match" + query)
for query in ("", "?source=a", "?destination=a", "?source=&destination=", "?source=a&destination=b", "?source=ns/a&destination=b",
              "?source=a&destination=b&source-type=foo", "?source=a&destination=b&source-type=consul", "?source=a&destination=b&source-type=",
              "?source=a/b/c&destination=b", "?source=*&destination=b", "?source=a&destination=*", "?source=a&destination=default/b",
              "?source=a&destination=a/b/c"):
    get(I + "/check" + query)

# ---- What is none ----
for body in (None, "", "null", "[]", "{", "5", '"x"', "{}", '{"SourceName":5}', '{"SourceName":"a","DestinationName":"b","Action":5}', '{"Nope":1}',
             '{"SourceName":"a"}', '{"DestinationName":"b"}', '{"SourceName":"a","DestinationName":"b"}',
             '{"SourceName":"a","DestinationName":"b","Action":"allow"} x'):
    post(body)
for more in ({"Action": "foo"}, {"Action": ""}, {"Action": "ALLOW"}, {"SourceType": "foo"}, {"SourceType": ""}, {"SourceName": "a*"}, {"DestinationName": "*b"},
             {"SourceName": "**"}, {"SourceName": "*", "SourceNS": "*"}, {"SourceNS": "*"}, {"SourceNS": "foo"}, {"DestinationNS": "foo"},
             {"DestinationNS": "*"}, {"SourceNS": "f*"}, {"DestinationNS": "*", "DestinationName": "*"}, {"SourceNS": "default", "DestinationNS": "default"},
             {"ID": ID}, {"ID": "x"}, {"ID": ""}, {"Description": "d" * 512}, {"Description": "d" * 513}, {"Meta": {"k": "v" * 512}}, {"Meta": {"k": "v" * 513}},
             {"Meta": {"k" * 128: "v"}}, {"Meta": {"k" * 129: "v"}}, {"Meta": {"a b": "v"}}, {"Meta": {"": "v"}}, {"Meta": {"consul-x": "v"}},
             {"Meta": {"k%d" % i: "v" for i in range(64)}}, {"Meta": {"k%d" % i: "v" for i in range(65)}}, {"Meta": {"k": 5}}, {"Meta": None}, {"Meta": []},
             {"Precedence": 3}, {"Precedence": "x"}, {"Precedence": 99}, {"CreateIndex": 7, "ModifyIndex": 8}, {"CreatedAt": "2020-01-01T00:00:00Z"},
             {"CreatedAt": "x"}, {"UpdatedAt": "x"}, {"SourceType": 5}, {"Action": 5}, {"Description": 5}, {"Meta": "x"}, {"CreateIndex": -1},
             {"CreatedAt": None}, {"CreatedAt": 5}, {"UpdatedAt": "2020-01-01T00:00:00Z"}, {"DefaultAddr": "1.2.3.4", "DefaultPort": 80},
             {"DefaultPort": -1}, {"DefaultPort": 65536}, {"DefaultPort": 1.5}, {"DefaultPort": "80"}, {"Hash": "eA=="}, {"Hash": "!"}, {"Hash": None},
             {"SourceName": "A b/c"}, {"SourceName": "é"}, {"SourceName": " "}, {"sourcename": "lower"}, {"Permissions": []}):
    post(intention("a", "b") | more, keep="made", at="ID")
    get(I + "/{made}", loose=CHANGES)
    delete(I + "/{made}")
    show()

# ---- By precedence ----
for source, destination, action in (("web", "db", "allow"), ("*", "db", "deny"), ("web", "*", "deny"), ("*", "*", "allow"), ("api", "db", "deny"),
                                    ("Alpha", "db", "allow"), ("web", "cache", "deny"), ("*", "cache", "allow"), ("zeta", "alpha", "allow")):
    post(intention(source, destination, action), keep="%s-%s" % (source.replace("*", "any"), destination.replace("*", "any")), at="ID")
show()
for query in ("?filter=Action==allow", "?filter=SourceName==%22*%22", "?filter=Nope==1", "?filter=Precedence==9", "?filter=Meta.a==b", "?filter=Meta+is+empty",
              "?filter=CreateIndex==1", "?filter=CreatedAt==x", "?filter=Hash==x", "?filter=DefaultAddr==x", "?filter=DefaultPort==0", "?filter=ID==x",
              "?filter=Description+matches+d", "?filter=SourceNS==default", "?filter=DestinationNS==default+and+SourceType==consul", "?stale", "?consistent",
              "?consistent&stale", "?dc=nope", "?dc=dc1", "?index=1&wait=1s", "?index=x", "?wait=x", "?pretty", "?ns=x", "?token=x", "?cached", "?near=conf",
              "?max_stale=x", "?source=web", "?filter="):
    show() if not query else get(I + query, loose=CHANGES)
for by in ("source", "destination"):
    for names in ("web", "db", "WEB", "Db", "nosuch", "*", "web&name=db", "db&name=db", "alpha", "cache"):
        get("%s/match?by=%s&name=%s" % (I, by, names), loose=CHANGES)
for query in ("?by=source&name=web&stale", "?by=source&name=web&consistent&stale", "?by=source&name=web&dc=nope", "?by=source&name=web&index=1&wait=1s",
              "?by=source&name=web&filter=Nope==1", "?by=source&name=web&index=x", "?by=source&name=web&cached", "?by=source&name=web&ns=x"):
    get(I + "/match" + query, loose=CHANGES)
for source in ("web", "WEB", "api", "Alpha", "alpha", "nosuch", "*"):
    for destination in ("db", "DB", "cache", "nosuch", "*"):
        get("%s/check?source=%s&destination=%s" % (I, source, destination))
for query in ("stale", "consistent", "consistent&stale", "dc=nope", "index=1&wait=1s", "index=x", "ns=x", "token=x", "cached", "pretty", "filter=Nope==1"):
    get(I + "/check?source=web&destination=db&" + query)
    get(I + "/{web-db}?" + query, loose=CHANGES)

# ---- Asked for a certificate ----
URI = "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/%s/dc/dc1/svc/%s"
for ns, source in (("default", "web"), ("default", "WEB"), ("default", "api"), ("default", "nosuch"), ("other", "web"), ("default", "w%65b"),
                   ("def%61ult", "web"), ("default", "w%zz"), ("default", "*"), ("*", "web")):
    for target in ("db", "DB", "cache", "nosuch", "*"):
        ask("POST", "/v1/agent/connect/authorize", json.dumps({"Target": target, "ClientCertURI": URI % (ns, source)}))
for query in ("?dc=nope", "?stale", "?consistent", "?index=x", "?ns=x"):
    ask("POST", "/v1/agent/connect/authorize" + query, json.dumps({"Target": "db", "ClientCertURI": URI % ("default", "web")}))

# ---- Twice the same ----
for source, destination in (("web", "db"), ("WEB", "db"), ("web", "DB"), ("*", "*"), ("alpha", "db")):
    post(intention(source, destination, "deny"))
show()

# ---- Changed ----
W = I + "/{web-db}"
for body in (None, "", "[]", "{", "5", "{}", '{"SourceName":5}', '{"Nope":1}', json.dumps(intention("web", "db", "deny")),
             json.dumps(intention("web", "db", "deny", Description="more", Meta={"a": "b"})), json.dumps(intention("web", "db", "deny")),
             json.dumps(intention("web", "other", "allow")), json.dumps(intention("*", "db", "allow")), json.dumps(intention("WEB", "db", "allow")),
             json.dumps(intention("web", "db", "foo")), json.dumps(intention("w*", "db", "allow")), json.dumps(intention("web", "db", "allow", ID=ID)),
             json.dumps(intention("web", "db", "allow", Precedence=3, CreatedAt="2020-01-01T00:00:00Z")), json.dumps(intention("web", "db", "allow", SourceNS="x")),
             json.dumps({"SourceName": "web"}), json.dumps(intention("api", "db", "allow"))):
    put(W, body)
    get(W, loose=CHANGES)
put(W.replace("web-db", "WEB-DB"), json.dumps(intention("web", "db")))
for query in ("?dc=nope", "?stale", "?token=x", "?ns=x", "?consistent&stale", "?wait=x"):
    put(W + query, json.dumps(intention("web", "db")))
    post(intention("q", "q" + query[1:3]), keep="gone", at="ID")
    ask("POST", I + query, json.dumps(intention("p", "p" + query[1:3])))
    delete(I + "/{gone}" + query)
show()

# ---- Gone ----
delete(W)
delete(W)
get(W)
put(W, json.dumps(intention("web", "db")))
get(I + "/check?source=web&destination=db")
show()
post(intention("web", "db", "deny"))
show()

# ---- In transactions ----
put("/v1/txn", '[{"Intention":{"Op":"create","Intention":{"SourceName":"t","DestinationName":"t","Action":"allow"}}}]')
put("/v1/txn", '[{"Intention":{"Op":"delete","Intention":{"ID":"%s"}}}]' % ID)
show()
