"""Sessions, and the locks that they hold."""

import json

from script import delete, get, put

CREATE = "/v1/session/create"
ZERO = "00000000-0000-0000-0000-000000000000"
BAD_IDS = ("abc", "zzzzzzzz-0000-0000-0000-000000000000", "----0-00-0000-0000-0000-000000000000",
           "00000000-0000-0000-0000000000000000x", "000000000000000000000000000000000000")

# ---- Making ----
get("/v1/session/list")
get(CREATE)
put("/v1/session/creat")
for body in ("{", "x", "[]", '"x"', "7", '{"TTL":10}', '{"Node":5}', '{"Name":{}}', '{"LockDelay":"abc"}',
             '{"LockDelay":"10"}', '{"LockDelay":"1d"}', '{"TTL":"5s"}', '{"TTL":"-5s"}', '{"TTL":"9999ms"}',
             '{"TTL":"86401s"}', '{"TTL":"abc"}', '{"TTL":"1d"}', '{"TTL":"10"}', '{"Behavior":"foo"}', '{"Behavior":"Release"}',
             '{"Node":""}', '{"Node":"nope"}', '{"NodeChecks":["nope"]}', '{"Checks":["nope"]}', '{"NodeChecks":"serfHealth"}',
             '{"ServiceChecks":[{"ID":"nope"}]}', '{"ServiceChecks":["serfHealth"]}', '{"Checks":["serfHealth"],"NodeChecks":["x"]}'):
    put(CREATE, body)
put(CREATE + "?dc=nope")
put(CREATE + "?ns=x")
for i, body in enumerate((
        "", "null", "{}", '{"name":"a","UNKNOWN":1,"ID":"abc","CreateIndex":7}', '{"LockDelay":"500ns"}', '{"LockDelay":-5}',
        '{"LockDelay":15.7,"Behavior":""}', '{"LockDelay":true}', '{"LockDelay":null}', '{"LockDelay":2000000000}',
        '{"LockDelay":"1m30s"}', '{"LockDelay":0}', '{"TTL":""}', '{"TTL":"0s"}', '{"TTL":"24h"}', '{"TTL":"10s"}',
        '{"Behavior":"delete"}', '{"Checks":[]}', '{"Checks":null}', '{"NodeChecks":[]}', '{"NodeChecks":null}',
        '{"Checks":["serfHealth"]}', '{"NodeChecks":[],"Checks":["serfHealth"]}', '{"Checks":[],"NodeChecks":["nope"]}',
        '{"ServiceChecks":[]}', '{"ServiceChecks":[{"id":"serfHealth","Namespace":"x","y":1}]}',
        '{"NodeChecks":["SERFHEALTH"]}', '{"Name":"<&>\\u20ac"}')):
    name = "s%d" % i
    put(CREATE, body, keep=name, at="ID")
    get("/v1/session/info/{%s}" % name)
    put("/v1/session/renew/{%s}" % name)
    put("/v1/session/destroy/{%s}" % name)
    get("/v1/session/info/{%s}" % name)
    put("/v1/session/renew/{%s}" % name)
get("/v1/session/list")

# ---- Ids ----
for path in ("info", "renew", "destroy"):
    method = get if path == "info" else put
    method("/v1/session/%s/" % path)
    method("/v1/session/%s" % path)
    method("/v1/session/%s/%s" % (path, ZERO))
    method("/v1/session/%s/%s?dc=nope" % (path, ZERO))
    method("/v1/session/%s/%s?ns=x" % (path, ZERO))
    for bad in BAD_IDS:
        method("/v1/session/%s/%s" % (path, bad))
for path in ("info", "node", "list"):
    put("/v1/session/%s" % path)
    put("/v1/session/%s/x" % path)
delete("/v1/session/destroy/" + ZERO)
get("/v1/session/renew/" + ZERO)
get("/v1/session/node/")
get("/v1/session/node/nope")
put(CREATE, '{"Name":"one"}', keep="one", at="ID")
for query in ("", "?pretty", "?stale", "?consistent", "?stale&consistent", "?index=1&wait=10ms", "?wait=x", "?index=x", "?dc=nope",
              "?ns=x"):
    get("/v1/session/info/{one}" + query)
    get("/v1/session/node/conf" + query)
    get("/v1/session/node/CONF" + query)
    get("/v1/session/list" + query)

# ---- Locks ----
KEY = "/v1/kv/lock/a"
put(CREATE, '{"Name":"two","Behavior":"delete","LockDelay":0}', keep="two", at="ID")
for bad in BAD_IDS + (ZERO, ""):
    put(KEY + "?acquire=" + bad, "v")
    put(KEY + "?release=" + bad, "v")
put(KEY + "?acquire={one}&release={one}", "v")
put(KEY + "?acquire={one}&cas=0", "v")
put("/v1/kv/?acquire={one}", "v")
put(KEY + "?acquire={one}&flags=3", "first")
get(KEY)
put(KEY + "?acquire={one}&flags=3", "first")
get(KEY)
put(KEY + "?acquire={one}&flags=4", "again")
get(KEY)
put(KEY + "?acquire={two}", "other")
put(KEY + "?release={two}", "other")
get(KEY)
put(KEY, "plain")
get(KEY)
put(KEY + "?acquire={one}", "locked")
get(KEY)
put(KEY + "?release={one}", "")
get(KEY)
put(KEY + "?release={one}", "")
put(KEY + "?acquire={two}", "second")
get(KEY)
put("/v1/kv/lock/b?acquire={two}", "b")
put("/v1/kv/lock/c?acquire={one}", "c")
put("/v1/kv/lock/none?release={one}", "x")
get("/v1/kv/lock/?recurse")
put("/v1/session/destroy/{two}")
get("/v1/kv/lock/?recurse")
put("/v1/kv/lock/a?acquire={one}", "no delay")
put("/v1/session/destroy/{one}")
get("/v1/kv/lock/?recurse")
put(CREATE, '{"Name":"three"}', keep="three", at="ID")
put("/v1/kv/lock/a?acquire={three}", "delayed")
put("/v1/kv/lock/b?acquire={three}", "not delayed")
put("/v1/txn", json.dumps([{"KV": {"Verb": "lock", "Key": "lock/a", "Session": ZERO}},
                           {"KV": {"Verb": "lock", "Key": "lock/b", "Session": ZERO}}]))
put("/v1/txn", json.dumps([{"KV": {"Verb": "lock", "Key": "lock/b", "Session": ZERO}}]))
put("/v1/txn", json.dumps([{"KV": {"Verb": "lock", "Key": "lock/b", "Session": "abc"}}]))
put("/v1/txn", '[{"KV":{"Verb":"lock","Key":"lock/t","Value":"dg==","Session":"{three}"}},'
               '{"KV":{"Verb":"check-session","Key":"lock/t","Session":"{three}"}},{"KV":{"Verb":"get","Key":"lock/t"}}]')
put("/v1/txn", '[{"KV":{"Verb":"check-session","Key":"lock/t","Session":"x"}}]')
put("/v1/txn", '[{"KV":{"Verb":"unlock","Key":"lock/t","Session":"{three}"}}]')
put("/v1/txn", '[{"KV":{"Verb":"unlock","Key":"lock/t","Session":"{three}"}}]')
delete("/v1/kv/lock/b")
put("/v1/kv/lock/b?acquire={three}", "anew")
get("/v1/kv/lock/b")

# ---- What ends a session ----
REGISTER, DEREGISTER = "/v1/catalog/register", "/v1/catalog/deregister"
CHECK = ('{"Node":"ext","Address":"10.0.0.1","Service":{"Service":"web"},"Checks":[{"CheckID":"up","Status":"%s"},'
         '{"CheckID":"web","ServiceID":"web","Status":"passing"}]}')
put(REGISTER, CHECK % "critical")
put(CREATE, '{"Node":"ext"}')
put(CREATE, '{"Node":"ext","NodeChecks":["up"]}')
put(REGISTER, CHECK % "passing")
put(CREATE, '{"Node":"ext","NodeChecks":["up"],"LockDelay":"1ms"}', keep="up", at="ID")
put(CREATE, '{"Node":"EXT","NodeChecks":[],"ServiceChecks":[{"ID":"web"}]}', keep="web", at="ID")
put(CREATE, '{"Node":"ext","NodeChecks":[],"Checks":["up"]}', keep="old", at="ID")
put(CREATE, '{"Node":"ext","NodeChecks":[]}', keep="node", at="ID")
for name in ("up", "web", "old", "node"):
    put("/v1/kv/held/%s?acquire={%s}" % (name, name), name)
    get("/v1/session/info/{%s}" % name)
get("/v1/kv/held/?recurse")
put(REGISTER, CHECK % "warning")
get("/v1/session/info/{up}")
put(REGISTER, CHECK % "critical")
get("/v1/session/info/{up}")
get("/v1/session/info/{old}")
get("/v1/session/info/{web}")
put(DEREGISTER, '{"Node":"ext","ServiceID":"web"}')
get("/v1/session/info/{web}")
get("/v1/session/info/{node}")
put(DEREGISTER, '{"Node":"ext"}')
get("/v1/session/info/{node}")
get("/v1/kv/held/?recurse")
get("/v1/session/node/ext")
