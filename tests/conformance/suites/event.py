"""User events."""

from script import ask, delete, get, put, settle

FIRE, EVENTS = "/v1/event/fire/", "/v1/event/list"
for path in (FIRE + "x", EVENTS):
    ask("POST", path)
    ask("HEAD", path)
    ask("OPTIONS", path)
    delete(path)
get(FIRE + "x")
put(EVENTS)
get("/v1/event")
get("/v1/event/")
get(EVENTS)
put(FIRE)
put("/v1/event/fire")
put(FIRE + "conf-a", "hello")
settle(EVENTS, "conf-a")
get(EVENTS)
put(FIRE + "conf/b?node=^co.f$&service=")
settle(EVENTS, "conf/b")
put(FIRE + "conf-nobody?node=^nobody$")
put(FIRE + "conf-none?service=nothing-of-that-name")
for query in ("", "?name=conf-a", "?name=nope", "?name=", "?node=x", "?service=(", "?tag=x", "?index=x", "?index=-1", "?wait=x",
              "?wait=10", "?index=5&wait=1s", "?pretty", "?stale&consistent", "?cached&consistent", "?max_stale=x", "?dc=nope",
              "?ns=x", "?token=x", "?near=a", "?filter=Nope==1"):
    get(EVENTS + query)
for query in ("?tag=x", "?node=(", "?node=a**", "?service=[", "?service=a&tag=*", "?service=(?P<x)", "?node=\\8", "?node=x{1001}",
              "?node=(?i)a%2Bb", "?dc=nope", "?ns=x", "?stale&consistent", "?wait=x", "?index=x", "?token=x"):
    put(FIRE + "conf-c" + query, "x")
put(FIRE + "conf-big", "x" * 513)
put(FIRE + "conf-big", "x" * 470)
put(FIRE + "y" * 500, "x")
