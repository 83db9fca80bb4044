"""Transactions."""

import base64
import json

from script import ask, get, put

TXN = "/v1/txn"


def txn(ops, query="", **more):
    put(TXN + query, ops if isinstance(ops, str) else json.dumps(ops), **more)


def kv(verb, key=None, value=None, **more):
    op = {"Verb": verb}
    if key is not None:
        op["Key"] = key
    if value is not None:
        op["Value"] = base64.b64encode(value.encode()).decode()
    return {"KV": {**op, **more}}


def node(verb, name=None, **more):
    return {"Node": {"Verb": verb, "Node": {**({"Node": name} if name is not None else {}), **more}}}


def service(verb, on, **more):
    return {"Service": {"Verb": verb, "Node": on, "Service": more}}


def check(verb, **more):
    return {"Check": {"Verb": verb, "Check": more}}


# What is no transaction
for body in ("", "[]", "null", "{}", "[", "[] x", '"x"', "[1]", "[[]]", "[{}]", '[{"KV":null}]', '[{"KV":"x"}]', '[{"KV":[]}]',
             '[{"Session":{"Verb":"delete"}}]', '[{"Bogus":{}}]', '[{"KV":{"Verb":"get","Key":"a","LockIndex":7}}]',
             '[{"KV":{"Key":3}}]', '[{"KV":{"Flags":"x"}}]', '[{"KV":{"Index":-1}}]', '[{"KV":{"Index":1.5}}]',
             '[{"KV":{"Value":17}}]', '[{"KV":{"Value":"!!"}}]', '[{"KV":{"Value":"YQ"}}]', '[{"KV":{"Value":"Y Q=="}}]',
             '[{"KV":3}]', '[{"Node":3}]', '[{"Service":3}]', '[{"Check":3}]', '[{"KV":{"Verb":3}}]',
             '[{"Node":{"Node":3}}]', '[{"Node":{"Node":{"TaggedAddresses":3}}}]', '[{"Node":{"Node":{"Bogus":1}}}]',
             '[{"Service":{"Service":3}}]', '[{"Service":{"Node":3}}]', '[{"Service":{"Service":{"Port":"x"}}}]',
             '[{"Service":{"Service":{"Tags":"x"}}}]', '[{"Service":{"Service":{"Weights":3}}}]',
             '[{"Service":{"Service":{"Weights":{"Passing":"x"}}}}]', '[{"Service":{"Service":{"Connect":3}}}]',
             '[{"Service":{"Service":{"Datacenter":"x"}}}]', '[{"Service":{"Service":{"Proxy":{"Bogus":1}}}}]',
             '[{"Service":{"Service":{"TaggedAddresses":{"a":{"Port":"x"}}}}}]',
             '[{"Check":{"Check":{"Node":3}}}]', '[{"Check":{"Check":{"Definition":{"HTTP":3}}}}]',
             '[{"Check":{"Check":{"Definition":{"Interval":"10x"}}}}]'):
    txn(body)
get(TXN)
ask("POST", TXN, "[]")
ask("DELETE", TXN)
ask("OPTIONS", TXN)
txn([kv("get", "k%d" % i) for i in range(65)])
txn([kv("set", "k%d" % i, "x") for i in range(64)], loose=["ModifyIndex"])
txn([kv("delete-tree", "k")])
txn([kv("set", "big", "x" * 393300)])
txn([kv("set", "big", "x" * 390000)])
txn([kv("delete", "big")])

# Keys
txn([kv("set", "a", "hello", Flags=7)])
txn([kv("set", "a", "hello", Flags=7)])
get("/v1/kv/a")
txn('[{"kv":{"verb":"set","key":"lower","value":"aGk=","flags":3}}]')
txn('[{"KV":{"Verb":"set","Key":"dup","Key":"dup2","Value":""}}]')
txn([kv("set", "nothing")])
txn([kv("get", "nothing")])
txn([kv("get", "a")])
txn([kv("get", "a")], "?pretty")
txn([kv("get", "a")], "?stale")
txn([kv("get", "a")], "?consistent")
txn([kv("get", "a")], "?stale&consistent")
txn([kv("get", "a")], "?max_stale=x")
txn([kv("get", "a")], "?index=1&wait=1s")
txn([kv("get", "a")], "?index=x")
txn([kv("get", "a")], "?wait=x")
txn([kv("get", "a")], "?dc=nope")
txn([kv("set", "a", "x")], "?dc=nope")
txn([kv("get", "a")], "?ns=x")
txn([kv("get", "a")], "?filter=x")
txn([kv("get", "a")], "?cached")
txn([kv("set", "a", "hello", Flags=7)], "?index=x&stale&consistent&ns=x")
txn([kv("get", "missing")])
txn([kv("get", "missing"), kv("get", "a"), kv("get", "gone")])
txn([kv("get", 'q"uo\u00e9te\x01\\')])
txn([kv("get", "")])
txn([kv("get-tree", "")])
txn([kv("get-tree", "missing")])
txn([kv("get-tree", "dup")])
txn([kv("bogus", "a")])
txn([kv("", "a")])
txn([{"KV": {"Key": "a"}}])
txn([kv("bogus", "")])
txn([kv("set", ""), kv("delete"), kv("get", "missing")])
txn([kv("delete-tree", "none-of-these")])
txn([kv("cas", "a", "x", Index=1)])
txn([kv("cas", "a", "x", Index=0)])
txn([kv("cas", "new", "x", Index=0)])
txn([kv("delete-cas", "a", Index=1)])
txn([kv("delete-cas", "missing", Index=1)])
txn([kv("delete", "missing")])
txn([kv("check-index", "a", Index=1)], loose=["What"])
txn([kv("check-index", "missing", Index=1)])
txn([kv("check-session", "missing", Session="x")])
txn([kv("check-session", "a", Session="x")])
txn([kv("check-session", "a", Session="")])
txn([kv("check-not-exists", "a")])
txn([kv("check-not-exists", "missing")])
txn([kv("check-not-exists", "")])
txn([kv("lock", "a")])
txn([kv("lock", "a", Session="x")])
txn([kv("lock", "a", Session="00000000-0000-0000-0000-000000000001")])
txn([kv("unlock", "a")])
txn([kv("unlock", "a", Session="x")])
txn([kv("unlock", "missing", Session="00000000-0000-0000-0000-000000000001")])
txn([kv("set", "t/1", "1"), kv("set", "t/2", "2"), kv("get-tree", "t/"), kv("get", "t/1"), kv("delete-tree", "t/"),
     kv("get-tree", "t/"), kv("check-not-exists", "t/1")])
txn([kv("set", "roll", "1"), kv("get", "missing"), kv("bogus", "x"), kv("check-not-exists", "roll")])
get("/v1/kv/roll")
txn([{}, kv("get", "missing")])
txn([{**kv("get", "a"), **node("get", "nobody")}])

# Nodes
txn([node("get", "nobody")])
txn([node("get")])
txn([node("get", "nobody", ID="zz")])
txn([node("get", "nobody", ID="00000000-0000-0000-0000-0000000000zz")])
txn([node("get", "nobody", ID="00000000-0000-0000-0000-000000000077")])
txn([node("bogus", "n1")])
txn([node("", "n1")])
txn([node("set", "n1")])
txn([node("set", "n1", Address="10.1.1.1")])
txn([node("set", "n1", Address="10.1.1.1")])
txn([node("get", "N1")])
txn([node("set", "n2", Address="10.1.1.2", ID="00000000-0000-0000-0000-000000000002", Datacenter="dc9",
          TaggedAddresses={"lan": "1.1.1.1"}, Meta={"a": "b"}, CreateIndex=4, ModifyIndex=7)])
txn([node("set", "n2b", Address="10.1.1.2", ID="00000000-0000-0000-0000-000000000002")])
txn([node("get", ID="00000000-0000-0000-0000-000000000002")])
txn([node("get", "n2")])
txn([node("set", "n3", ID="nouuid")])
txn([node("set", "conf", Address="1", ID="00000000-0000-0000-0000-000000000003")], loose=["What"])
txn([node("set", "n3", Address="x", Meta={"consul-x": "y", "bad key": "z"})])
txn([node("set", ""), node("delete"), node("delete", "x", ID="bad")])
txn([node("cas", "n1", Address="9", ModifyIndex=1)])
txn([node("cas", "n1", Address="9")])
txn([node("cas", "n4", Address="9", ModifyIndex=5)])
txn([node("cas", "n4", Address="9")])
txn([node("delete-cas", "n4", ModifyIndex=1)])
txn([node("delete-cas", "nobody", ModifyIndex=1)])
txn([node("delete", "nobody"), node("delete", "n4")])
txn([node("delete", ID="00000000-0000-0000-0000-000000000002")])

# Services
txn([service("get", "n1", ID="web")])
txn([service("get", "nobody", ID="web")])
txn([service("get", "n1", Service="web")])
txn([service("bogus", "n1", ID="web")])
txn([service("bogus", "n1", Service="web")])
txn([service("set", "nobody", Service="web")])
txn([service("set", "", Service="web")])
txn([service("set", "n1")])
txn([service("set", "n1", ID="web")])
txn([service("set", "n1", Service="web")])
txn([service("set", "n1", Service="web", Tags=[], Meta={})])
txn([service("set", "n1", Service="web", Tags=["a", "b"], Meta={"k": "v"}, Port=80, Address="10.9.9.9",
             Weights={"Passing": 3, "Warning": 2}, EnableTagOverride=True, CreateIndex=4, ContentHash="x", Namespace="z")])
txn([service("get", "N1", ID="WEB")])
for weights in ({"Passing": 0, "Warning": 0}, {"Passing": -1}, {"Passing": 2}, {"Warning": 4}, {"Passing": 70000}, None):
    txn([service("set", "n1", Service="web", Weights=weights)])
txn([service("set", "n1", Service="web", Address="0.0.0.0")])
txn([service("set", "n1", Service="web", Address="::")])
txn([service("set", "n1", Service="bad", Meta={"bad key": "x"})])
txn([service("set", "n1", Kind="connect-proxy", ID="proxy", Service="web-proxy", TaggedAddresses={"lan": {"Address": "x", "Port": 5}},
             Proxy={"DestinationServiceName": "web", "LocalServicePort": 9}, Connect={"Native": True})])
txn([service("cas", "n1", Service="web", ModifyIndex=1)])
txn([service("cas", "n1", Service="db", ModifyIndex=5)])
txn([service("cas", "n1", Service="db")])
txn([service("cas", "nobody", Service="db")])
txn([service("delete-cas", "n1", Service="db", ModifyIndex=1)])
txn([service("delete-cas", "n1", Service="none", ModifyIndex=1)])
txn([service("delete", "n1", ID="db")])
txn([service("delete", "n1", ID="db", Service="other"), service("delete", "n1", Service="none")])
txn([service("delete", "nobody", Service="none")])
get("/v1/catalog/node/n1")

# Checks
txn([check("get", Node="n1", CheckID="c1")])
txn([check("get")])
txn([check("bogus", Node="n1", CheckID="c1")])
txn([check("set", Node="nobody", CheckID="c1")])
txn([check("set", CheckID="c1")])
txn([check("set", Node="n1")])
txn([check("set", Node="n1", CheckID="c1")])
txn([check("set", Node="n1", Name="named")])
txn([check("set", Node="n1", CheckID="c1", Status="odd", ServiceName="sn", ServiceTags=["q"])])
txn([check("set", Node="n1", CheckID="c2", ServiceID="none")])
txn([check("set", Node="N1", CheckID="c3", ServiceID="web", ServiceName="lie", ServiceTags=["x"], Name="nm", Notes="nt",
           Output="out", Status="passing", Type="http", Namespace="ns", ModifyIndex=9,
           Definition={"HTTP": "http://x", "Interval": "10s", "Timeout": "2s", "DeregisterCriticalServiceAfter": "3s",
                       "Header": {"a": ["b"]}, "Method": "GET", "Body": "bb", "TLSSkipVerify": True, "TCP": "t:1"})])
txn([check("set", Node="n1", CheckID="c4", Definition={"IntervalDuration": "10s", "TimeoutDuration": 3000000000})])
txn([check("set", Node="n1", CheckID="c4", Definition={"Interval": 10, "Bogus": [1, {"a": 2}], "TTL": "10s"})])
txn([check("get", Node="n1", CheckID="C3")])
txn([check("cas", Node="n1", CheckID="c1", ModifyIndex=1)])
txn([check("cas", Node="n1", CheckID="c9", ModifyIndex=8)])
txn([check("cas", Node="n1", CheckID="c9")])
txn([check("delete-cas", Node="n1", CheckID="c1", ModifyIndex=1)])
txn([check("delete-cas", Node="n1", CheckID="none", ModifyIndex=1)])
txn([check("delete", Node="n1", CheckID="none"), check("delete", Node="nobody", CheckID="none")])
txn([check("delete", Node="n1", CheckID="c9"), check("delete", Node="n1")])
get("/v1/health/node/n1")

# Together
txn([node("set", "all", Address="1.1.1.1"), service("set", "all", Service="s"),
     check("set", Node="all", CheckID="k", ServiceID="s"), kv("set", "all", "1"), check("get", Node="all", CheckID="k"),
     node("get", "all"), service("delete", "all", Service="s"), node("delete", "all")])
txn([kv("set", "cross", "1"), node("cas", "n1", ModifyIndex=1), service("get", "n1", ID="none")])
get("/v1/kv/cross")
get("/v1/catalog/node/all")

# Locks
put("/v1/session/create", '{"Name":"a","LockDelay":"0s"}', keep="s", at="ID")
put("/v1/session/create", '{"Name":"b","LockDelay":"0s"}', keep="other", at="ID")
txn([kv("lock", "held", "1", Session="{s}"), kv("check-session", "held", Session="{s}"), kv("get", "held")])
txn([kv("lock", "held", "2", Session="{s}")])
txn([kv("lock", "held", "2", Session="{other}")])
txn([kv("unlock", "held", "2", Session="{other}")])
txn([kv("set", "held", "3"), kv("check-session", "held", Session="{other}")])
txn([kv("set", "held", "3"), kv("unlock", "held", "4", Session="{s}"), kv("lock", "held", "5", Session="{other}")])
get("/v1/kv/held")
txn([kv("delete", "held"), kv("lock", "held", "6", Session="{s}")])

