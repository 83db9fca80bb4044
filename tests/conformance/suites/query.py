"""Prepared queries."""

import json

from script import ask, delete, get, put

Q = "/v1/query"
NOBODY = "00000000-0000-0000-0000-000000000009"


def post(body, query="", **more):
    ask("POST", Q + query, body if isinstance(body, str) else json.dumps(body), **more)


def register(node, service, status, **more):
    put("/v1/catalog/register", json.dumps({
        "Node": node, "Address": "10.0.0." + node[1:], "NodeMeta": {"rack": node[1:]}, "Service": {**service, "Service": "web"},
        "Check": {"CheckID": "c" + node[1:], "ServiceID": service["ID"], "Status": status}, **more}))


def template(name, service, **more):
    return {"Name": name, "Template": {"Type": "name_prefix_match", **more},
            "Service": service if isinstance(service, dict) else {"Service": service}}


# What is no query
get(Q)
for body in ("", "{}", "[]", "{", '"x"', '{"Name":3}', '{"Name":"q","Bogus":1}', '{"Service":3}', '{"Service":{"Tags":"x"}}',
             '{"Service":{"Bogus":1}}', '{"Service":{"Failover":{"NearestN":"x"}}}', '{"DNS":{"TTL":3}}', '{"Template":3}'):
    post(body)
post({"Name": "q"})
post({"Service": {"Service": "web"}})
post({"ID": NOBODY, "Name": "q", "Service": {"Service": "web"}})
post({"Name": "q", "Service": {"Service": "web", "Failover": {"NearestN": -1}}})
for ttl in ("abc", "-1s", "10"):
    post({"Name": "q", "Service": {"Service": "web"}, "DNS": {"TTL": ttl}})
post({"Name": "q", "Token": "<hidden>", "Service": {"Service": "web"}})
post({"Name": "q", "Session": "nope", "Service": {"Service": "web"}})
post({"Name": "q", "Session": NOBODY, "Service": {"Service": "web"}})
for path in ("", "/nope", "/" + NOBODY, "/x/other"):
    get(Q + path + ("" if path else "/"))
put(Q + "/nope", '{"Name":"x","Service":{"Service":"web"}}')
put(Q + "/" + NOBODY, '{"Name":"x","Service":{"Service":"web"}}')
put(Q + "/" + NOBODY, "{")
delete(Q + "/nope")
delete(Q + "/" + NOBODY)
for method, path in (("DELETE", ""), ("PUT", ""), ("OPTIONS", ""), ("POST", "/x"), ("HEAD", "/x"), ("OPTIONS", "/x"),
                     ("POST", "/x/execute"), ("OPTIONS", "/x/execute"), ("PUT", "/x/explain"), ("OPTIONS", "/x/explain")):
    ask(method, Q + path)
get(Q + "/nothing/execute")
get(Q + "/nothing/explain")
get(Q + "/nothing/execute?cached")
get(Q + "/nothing/execute?limit=x")
get(Q + "/nothing/execute?connect=x")

# One query
register("n1", {"ID": "w1", "Port": 81, "Tags": ["A", "b"], "Meta": {"v": "1"}}, "passing")
register("n2", {"ID": "w2", "Port": 82, "Tags": ["a"], "Meta": {"v": "2"}}, "warning")
register("n3", {"ID": "w3", "Port": 83}, "critical")
post({"Name": "w", "Service": {"Service": "web"}, "DNS": {"TTL": "7s"}}, keep="w", at="ID")
post({"Name": "w", "Service": {"Service": "web"}})
post({"Name": "W", "Service": {"Service": "web"}})
post('{"Name":"{w}","Service":{"Service":"web"}}')
get(Q)
get(Q + "/{w}")
get(Q + "?stale")
get(Q + "?consistent")
get(Q + "?dc=nope")
get(Q + "?index=1&wait=1s")
get(Q + "?index=x")
get(Q + "/{w}?pretty")
for path in ("/w", "/{w}", "/W"):
    get(Q + path + "/explain")
    get(Q + path + "/execute", unordered=True)
for query in ("limit=0", "limit=-1", "limit=", "connect", "connect=true", "connect=false", "near=_agent", "near=_ip", "near=n2",
              "near=nope", "stale", "consistent", "stale&consistent", "cached", "pretty", "max_stale=1s", "index=5&wait=1s"):
    get(Q + "/w/execute?" + query, unordered=True)
get(Q + "/w/execute?limit=x")
get(Q + "/w/execute?limit=99999999999999999999")
get(Q + "/w/execute?connect=x")
get(Q + "/w/execute?dc=nope")
get(Q + "/w/explain?dc=nope")
get(Q + "/w/explain?stale")
get(Q + "/w/execute?ns=x", unordered=True)

# What it asks for
FULL = {"Service": "web", "Failover": {"NearestN": 3, "Datacenters": ["dc2", "dc3"]}, "OnlyPassing": True,
        "IgnoreCheckIDs": ["a"], "Near": "_agent", "Tags": ["a", "!b"], "NodeMeta": {"x": "y"}, "ServiceMeta": {"s": "t"},
        "Connect": True}
post({"Name": "full", "Token": "secret", "Service": FULL, "DNS": {"TTL": "5s"}}, keep="full", at="ID")
get(Q + "/full/explain")
get(Q + "/{full}")
get(Q + "/full/execute")
for i, service in enumerate(({"Tags": ["A"]}, {"Tags": ["!B"]}, {"Tags": ["a", "!b"]}, {"Tags": ["x"]}, {"Tags": [""]},
                             {"OnlyPassing": True}, {"IgnoreCheckIDs": ["c3"]}, {"IgnoreCheckIDs": ["c2"], "OnlyPassing": True},
                             {"NodeMeta": {"rack": "1"}}, {"NodeMeta": {"rack": "9"}}, {"ServiceMeta": {"v": "2"}},
                             {"Near": "_agent"}, {"Near": "n2"}, {"Near": "_ip"}, {"Connect": True},
                             {"Service": "none", "Failover": {"NearestN": 2, "Datacenters": ["dc2", "dc1"]}})):
    post({"Name": "ask-%d" % i, "Service": {"Service": "web", **service}})
    get(Q + "/ask-%d/execute" % i, unordered=True)

# Templates
for i, (text, more) in enumerate((("${name.full}-${name.prefix}-${name.suffix}", {}),
                                  ("${match(1)}.${match(2)}.${match(0)}.${match(9)}", {"Regexp": "^t1-(.*?)-(.*?)$"}),
                                  ("$${name.full} ${\"text\"} $x {} $ } ${ name.full } ${match(1)} ${1}", {"Regexp": "(.)(.)"}),
                                  ("${agent.segment}x$", {}),
                                  ("${name.full}}", {}),
                                  ("${match(1.5)}", {"Regexp": "(a)|(b)"}),
                                  ("${match(1)}${match(2)}", {"Regexp": "(?i)(A+?)(B*)"}))):
    post(template("t%d-" % i, text, **more))
    for name in ("t%d-a-b" % i, "T%d-A" % i, "t%d-" % i, "t%d-aab" % i):
        get(Q + "/" + name + "/explain")
post(template("all-", {"Service": "${name.suffix}", "Near": "${match(1)}", "Tags": ["${match(1)}", "", "${match(2)}", "x"],
                       "NodeMeta": {"k": "${name.full}"}, "ServiceMeta": {"${x}": "${name.suffix}"},
                       "IgnoreCheckIDs": ["${name.prefix}"], "Failover": {"Datacenters": ["dc-${name.suffix}"]}},
              Regexp="all-(.)(.)?$", RemoveEmptyTags=True), keep="all", at="ID")
get(Q + "/all-1/explain")
get(Q + "/all-12/explain")
get(Q + "/all-123/explain")
get(Q + "/{all}/explain")
get(Q + "/{all}/execute")
get(Q + "/{all}")
post(template("all-1", "longer"))
get(Q + "/all-12/explain")
get(Q + "/all-2/explain")
post(template("svc-", {"Service": "${name.suffix}"}))
get(Q + "/svc-web/execute", unordered=True)
get(Q + "/svc-none/execute")
post(template("", "${name.full}"), keep="any", at="ID")
post(template("", "again"))
get(Q + "/whatever/explain")
get(Q + "/a/b/explain")
get(Q + "/" + NOBODY + "/explain")
delete(Q + "/{any}")
get(Q + "/whatever/explain")
post(template("svc-", "again"))
post({"Name": "svc-", "Service": {"Service": "web"}})
post({"Name": "bad", "Template": {"Type": "foo"}, "Service": {"Service": "web"}})
post({"Name": "no-template", "Template": {"Regexp": "(("}, "Service": {"Service": "${nope}"}}, keep="plain", at="ID")
for regexp in ("^re-((", "a)", "[a", "*", "a**", "(?<x>a)", "\\8", "a{2,1}"):
    post(template("bad-", "x", Regexp=regexp))
for text in ("${}", "${ }", "${bad}", "x ${name.nope} y", "${name}", "${match(1", "${name.full", "x ${match(a)} y", "${match()}",
             "${match(1,2)}", "${foo(1)}", "${match(\"a\")}", "${match(name.full)}", "${name.full}${x}", "${true}",
             "${name.full ? 1 : 2}"):
    post(template("bad-", text))
post(template("bad-", {"Service": "x", "Tags": ["ok", "${nope}"]}))
post(template("bad-", {"Service": "x", "NodeMeta": {"a": "${nope}"}}))
post(template("bad-", {"Service": "x", "ServiceMeta": {"a": "${nope"}}))

# Changes
put(Q + "/{w}", '{"Name":"renamed","Service":{"Service":"web"}}')
get(Q + "/{w}")
get(Q + "/w/explain")
get(Q + "/RENAMED/explain")
put(Q + "/{w}", '{"ID":"' + NOBODY + '","Name":"renamed","Service":{"Service":"web","Tags":[]}}')
get(Q + "/{w}")
put(Q + "/{w}", '{"Name":"full","Service":{"Service":"web"}}')
put(Q + "/{w}", '{"Name":"{w}","Service":{"Service":"web"}}')
put(Q + "/{w}", '{"Service":{"Service":"web"}}')
put(Q + "/{w}", '{"Name":"renamed"}')
delete(Q + "/{w}")
get(Q + "/{w}")
delete(Q + "/{w}")
post({"Name": "w", "Service": {"Service": "web"}})

# A query that is bound to a session goes with it
put("/v1/session/create", '{"Name":"s","LockDelay":"0s"}', keep="s", at="ID")
post('{"Session":"{s}","Service":{"Service":"web"}}', keep="bound", at="ID")
get(Q + "/{bound}")
get(Q + "/{bound}/execute", unordered=True)
put("/v1/session/destroy/{s}")
get(Q + "/{bound}")
