"""Network coordinates where they are turned off."""

from script import asked, get, put

asked("server", {"disable_coordinates": True})
for path in ("datacenters", "nodes", "nodes?index=x", "nodes?dc=nope", "node/conf", "node/"):
    get("/v1/coordinate/" + path)
put("/v1/coordinate/nodes")
put("/v1/coordinate/update", "{}")
put("/v1/coordinate/update", "x")
get("/v1/catalog/nodes?near=conf")
get("/v1/catalog/nodes?near=_agent")
