"""ACLs and Connect where they are off."""

from script import ask, asked, delete, get, put

asked("server", {"connect": {"enabled": False}})

ID = "11111111-2222-3333-4444-555555555555"
A = "/v1/acl/"
for path in ("bootstrap", "token", "policy", "role", "auth-method", "binding-rule", "create", "update"):
    put(A + path, "{}")
    get(A + path)
for path in ("tokens", "policies", "roles", "auth-methods", "binding-rules", "replication", "list", "token/self", "policy/name/x",
             "role/name/x", "info/x", "info/", "rules/translate/x"):
    get(A + path)
    ask("POST", A + path)
for path in ("token/", "policy/", "role/", "auth-method/", "binding-rule/"):
    for tail in ("", ID):
        get(A + path + tail)
        put(A + path + tail, "{}")
        delete(A + path + tail)
        ask("POST", A + path + tail)
for path in ("login", "logout", "rules/translate"):
    ask("POST", A + path)
    put(A + path, "{}")
for path in ("destroy/x", "destroy/", "clone/x"):
    put(A + path)
put(A + "token/" + ID + "/clone", "{}")
for path in ("/v1/acl", "/v1/acl/", "/v1/acl/foo", "/v1/acl/token/self/x"):
    get(path)
ask("OPTIONS", A + "tokens")
ask("POST", "/v1/internal/acl/authorize", "[]")
get("/v1/internal/acl/authorize")

for kind in ("default", "agent", "agent_master", "replication", "acl_token", "foo", ""):
    put("/v1/agent/token/" + kind, '{"Token":"x"}')
put("/v1/agent/token/default")
get("/v1/agent/token/default")

for path in ("ca/roots", "ca/leaf/web", "ca/leaf/"):
    get("/v1/agent/connect/" + path)
    put("/v1/agent/connect/" + path)
URI = "spiffe://11111111-2222-3333-4444-555555555555.consul"
for body in ("", "{}", "null", "[]", "{", '{"Target":"web"}', '{"Target":5}', '{"Target":"web","ClientCertURI":""}',
             '{"Target":"web","ClientCertURI":"web"}', '{"Target":"web","ClientCertURI":"spiffe://x/ns/default"}',
             '{"Target":"web","ClientCertURI":"%s"}' % URI,
             '{"Target":"web","ClientCertURI":"%s/ns/default/dc/dc1/svc/db"}' % URI,
             '{"Target":"web","ClientCertURI":"%s/ns/default/dc/dc1/svc/db/x"}' % URI,
             '{"Target":"web","ClientCertURI":"%s/ns/default/dc/dc1/svc/"}' % URI,
             '{"Target":"web","ClientCertURI":"%s/agent/client/dc/dc1/id/x"}' % URI,
             '{"Target":"web","ClientCertURI":"%s/ns/default/dc/dc1/svc/db","ClientCertSerial":"1"}' % URI):
    ask("POST", "/v1/agent/connect/authorize", body)
get("/v1/agent/connect/authorize")

for query in ("", "?pem=true", "?pem=false", "?pem=x", "?pem="):
    get("/v1/connect/ca/roots" + query)
get("/v1/connect/ca/configuration")
for body in ("", '{"Provider":"consul"}'):
    put("/v1/connect/ca/configuration", body)
ask("POST", "/v1/connect/ca/configuration")
get("/v1/connect/foo")

for path in ("/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/pprof", "/debug", "/debug/"):
    get(path)
    put(path)
    ask("OPTIONS", path)
