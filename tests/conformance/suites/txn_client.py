"""Transactions by way of a client agent."""

import json

from script import asked, get, put

asked("client")

TXN = "/v1/txn"


def txn(ops, query=""):
    put(TXN + query, json.dumps(ops))


txn([{"KV": {"Verb": "set", "Key": "a", "Value": "aGk=", "Flags": 3}}, {"KV": {"Verb": "get", "Key": "a"}}])
txn([{"KV": {"Verb": "get", "Key": "a"}}])
txn([{"KV": {"Verb": "get", "Key": "a"}}], "?stale")
txn([{"KV": {"Verb": "get", "Key": "none"}}])
txn([{"KV": {"Verb": "set", "Key": ""}}])
txn([{"KV": {"Verb": "set", "Key": "b"}}, {"KV": {"Verb": "cas", "Key": "a", "Index": 1}}])
txn([{"Node": {"Verb": "set", "Node": {"Node": "n1", "Address": "10.1.1.1"}}},
     {"Service": {"Verb": "set", "Node": "n1", "Service": {"Service": "web", "Port": 80}}},
     {"Service": {"Verb": "set", "Node": "n1", "Service": {"Service": "db", "Tags": []}}},
     {"Check": {"Verb": "set", "Check": {"Node": "n1", "CheckID": "c1", "ServiceID": "web"}}},
     {"Check": {"Verb": "get", "Check": {"Node": "n1", "CheckID": "c1"}}}])
txn([{"Node": {"Verb": "get", "Node": {"Node": "n1"}}}, {"Service": {"Verb": "get", "Node": "n1", "Service": {"ID": "db"}}}])
txn([])
txn([{"KV": {"Verb": "get", "Key": "a"}}], "?dc=nope")
get("/v1/kv/b")
