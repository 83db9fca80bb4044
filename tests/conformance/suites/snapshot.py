"""Archives of the state: what is asked for wrongly, and what is refused."""

from script import ask, delete, get, put

S = "/v1/snapshot"
get(S, opaque=True)
get(S + "?stale", opaque=True)
for query in ("?dc=nope", "?dc=nope&stale"):
    get(S + query)
    put(S + query, "x")
for body in ("", "x", "garbage", "longer than ten bytes, and no gzip", "{}"):
    put(S, body)
put(S + "?stale", "x")
ask("POST", S)
delete(S)
ask("OPTIONS", S)
get(S + "/")
get(S + "/x")
