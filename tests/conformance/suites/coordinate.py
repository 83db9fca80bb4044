"""Network coordinates, and lists sorted by distance."""

import json

from script import delete, get, put, settle

UPDATE = "/v1/coordinate/update"


def coordinate(node, x, segment="", **more):
    vec = [x, 0, 0, 0, 0, 0, 0, 0]
    coord = {"Vec": vec, "Error": 1.5, "Height": 0.00001, "Adjustment": 0, **more}
    return json.dumps({"Node": node, "Segment": segment, "Coord": coord})


# ---- Before anybody but the agents has told anything; they do after 15 to 30 seconds ----
settle("/v1/coordinate/node/conf", "Vec")
get("/v1/coordinate/datacenters", loose=["Coord"])
get("/v1/coordinate/datacenters?dc=nope&ns=x&index=x&pretty", loose=["Coord"])
get("/v1/coordinate/nodes", loose=["Coord"], unordered=True)
for query in ("?stale", "?consistent", "?index=x", "?wait=x", "?dc=nope", "?ns=x", "?segment=", "?segment=s1", "?filter=x",
              "?index=1&wait=10ms"):
    get("/v1/coordinate/nodes" + query, loose=["Coord"], unordered=True)
for path in ("/v1/coordinate", "/v1/coordinate/", "/v1/coordinate/node", "/v1/coordinate/node/", "/v1/coordinate/node/nope",
             "/v1/coordinate/node/nope?segment=x", "/v1/coordinate/node/nope?dc=nope", "/v1/coordinate/node/nope?index=x",
             "/v1/coordinate/node/nope?ns=x", "/v1/coordinate/nope", UPDATE):
    get(path)
for path in ("datacenters", "nodes", "node/x", "nope"):
    put("/v1/coordinate/" + path, "{}")
    delete("/v1/coordinate/" + path)

# ---- What is refused ----
for body in ("", "x", "[]", "{", "7", '"x"', '{"Bad":1}', '{"Node":1}', '{"Node":"x","Coord":[]}', '{"Node":"x","Coord":"x"}',
             '{"Node":"x","Coord":{"Bad":1}}', '{"Node":"x","Coord":{}}', '{"Node":"x","Coord":{"Vec":null}}',
             '{"Node":"x","Coord":{"Vec":[1,2,3]}}', '{"Node":"x","Coord":{"Vec":[1,2,3,4,5,6,7,8,9]}}',
             '{"Node":"x","Coord":{"Vec":["a"]}}', '{"Node":"x","Coord":{"Vec":[0,0,0,0,0,0,0,0],"Error":1e999}}',
             '{"Node":"x","Coord":{"Vec":[0,0,0,0,0,0,0,0],"Error":"1"}}', coordinate("x", 1).replace("Node", "Nod")):
    put(UPDATE, body)
put(UPDATE + "?dc=nope", coordinate("x", 1))
put(UPDATE, coordinate("x", 1)[:-1] + ',"Datacenter":"nope"}')

# ---- What is kept ----
for node in ("a", "b", "c", "d", "e"):
    put("/v1/catalog/register", '{"Node":"%s","Address":"10.0.0.1","Service":{"Service":"web"},"Check":{"Name":"k"}}' % node)
put(UPDATE, coordinate("nope", 1))
put(UPDATE, coordinate("", 1))
put(UPDATE, coordinate("a", 9))
put(UPDATE, coordinate("a", 0.3).lower())
put(UPDATE, coordinate("b", 0.1))
put(UPDATE, coordinate("D", 0.2, Adjustment=-0.0001))
put(UPDATE, coordinate("e", 0.05, "s1"))
settle("/v1/coordinate/node/e", "s1")
settle("/v1/coordinate/node/a", "0.3")
for node in ("a", "A", "b", "c", "d", "e", "nope"):
    get("/v1/coordinate/node/" + node)
    get("/v1/coordinate/node/%s?segment=" % node)
    get("/v1/coordinate/node/%s?segment=s1" % node)
get("/v1/coordinate/nodes?segment=s1")
get("/v1/coordinate/nodes?segment=nope")

# ---- Near ----
for near in ("a", "b", "c", "d", "D", "e", "nope", "", "a&dc=nope", "a&passing", "a&tag=x"):
    for path in ("/v1/catalog/service/web", "/v1/health/service/web", "/v1/health/checks/web", "/v1/health/state/critical",
                 "/v1/catalog/connect/web", "/v1/health/connect/web", "/v1/catalog/services"):
        get(path + "?near=" + near)

# ---- What goes ----
put("/v1/catalog/deregister", '{"Node":"a"}')
get("/v1/coordinate/node/a")
get("/v1/catalog/service/web?near=a")
put("/v1/catalog/register", '{"Node":"a","Address":"10.0.0.1"}')
get("/v1/coordinate/node/a")
