"""Health checks: what may be registered, and what those that run say of what they look at. Nothing listens on port 1."""

import json

from script import asked, get, put, settle

asked(config={"enable_script_checks": True})
CHECK, SERVICE = "/v1/agent/check/register", "/v1/agent/service/register"


def register(**more):
    put(CHECK, json.dumps(more))


put(SERVICE, '{"Name":"web","Check":{"TTL":"1h","Status":"passing"}}')
put(SERVICE, '{"Name":"db"}')

# What is refused, and what is taken although it makes little sense.
for body in ({"GRPC": "a:1"}, {"GRPC": "a:1", "TTL": "1s"}, {"GRPC": "a:1", "Interval": "1h", "AliasService": "x"},
             {"DockerContainerID": "a"}, {"DockerContainerID": "a", "Interval": "1h"}, {"DockerContainerID": "a", "Args": ["x"]},
             {"DockerContainerID": "a", "Args": ["x"], "TTL": "1s"}, {"Args": []}, {"Args": ["x"]}, {"Args": ["x"], "TTL": "1h"},
             {"Script": "/bin/true", "Interval": "1h"}, {"AliasService": "web", "TTL": "1s"},
             {"HTTP": "http://127.0.0.1:1/", "Interval": "-1s"}, {"HTTP": "http://127.0.0.1:1/", "Interval": "0"},
             {"TCP": "127.0.0.1:1", "Interval": "1h", "OutputMaxSize": -1}, {"TTL": "1s", "Interval": "1s"}, {"Interval": "1h"},
             {"Notes": "n"}, {"TTL": "1h", "Timeout": "x"}, {"HTTP": "http://127.0.0.1:1/", "Interval": "1h", "Header": {"a": "b"}},
             {"TTL": "1h", "SuccessBeforePassing": "1"}, {"TTL": "1h", "TLSSkipVerify": 1}, {"GRPC": 1}, {"AliasNode": 1}):
    register(Name="bad", **body)
get("/v1/agent/checks")
for i, body in enumerate((
        {"Args": ["x"], "HTTP": "http://127.0.0.1:1/", "Interval": "9h"}, {"HTTP": "http://127.0.0.1:1/", "TCP": "a:1", "Interval": "9h"},
        {"HTTP": "http://127.0.0.1:1/", "GRPC": "a:1", "Interval": "9h"}, {"ScriptArgs": ["a"], "Interval": "9h"},
        {"args": ["a"], "Interval": "9h"}, {"DockerContainerID": "a", "Args": ["x"], "Shell": "/bin/bash", "Interval": "9h"},
        {"docker_container_id": "a", "script_args": ["x"], "Interval": "9h"}, {"Shell": "/bin/sh", "TTL": "9h"},
        {"TTL": "9h", "SuccessBeforePassing": -1}, {"TCP": "127.0.0.1:1", "Interval": "9h", "Timeout": "-1s"},
        {"GRPC": "a:1", "Interval": "9h", "GRPCUseTLS": True, "TLSSkipVerify": True, "SuccessBeforePassing": 3},
        {"HTTP": "https://127.0.0.1:1/", "Interval": "9h", "tls_skip_verify": True, "Status": "passing"},
        {"TTL": "9h", "ServiceID": "web", "deregister_critical_service_after": "1s"},
        {"HTTP": "http://127.0.0.1:1/", "Interval": "9h", "Method": "X Y", "Body": "b", "OutputMaxSize": 1, "Notes": "n"})):
    register(Name=f"good{i}", **body)
get("/v1/agent/checks")

# What those say that run. First comes the text that tells that one has run.
RUNS = {
    "h-plain": ("refused", {"HTTP": "http://127.0.0.1:1/a?b"}),
    "h-tls": ("refused", {"HTTP": "https://127.0.0.1:1/a", "TLSSkipVerify": True}),
    "h-post": ("Post", {"HTTP": "http://127.0.0.1:1/a", "Method": "POST"}),
    "h-method": ("invalid method", {"HTTP": "http://127.0.0.1:1/a", "Method": "X Y"}),
    "h-scheme": ("unsupported", {"HTTP": "ftp://127.0.0.1:1/a"}),
    "h-none": ("unsupported", {"HTTP": "foo"}),
    "h-colon": ("cannot contain colon", {"HTTP": "127.0.0.1:1/a"}),
    "h-host": ("no Host", {"HTTP": "http:///a"}),
    "h-opaque": ("no Host", {"HTTP": "https:opaque"}),
    "h-escape": ("invalid URL escape", {"HTTP": "http://127.0.0.1:1/%zz"}),
    "h-control": ("control character", {"HTTP": "http://127.0.0.1:1/a\nb"}),
    "h-bracket": ("missing", {"HTTP": "http://[::1:1/a"}),
    "h-blank": ("invalid character", {"HTTP": "http://a b.c/"}),
    "h-port": ("invalid port", {"HTTP": "http://127.0.0.1:x/a"}),
    "h-large": ("invalid port", {"HTTP": "http://127.0.0.1:99999/a"}),
    "h-name": ("header field name", {"HTTP": "http://127.0.0.1:1/a", "Header": {"X A": ["1"]}}),
    "h-value": ("header field value", {"HTTP": "http://127.0.0.1:1/a", "Header": {"X": ["1\n2"]}}),
    "g-plain": ("refused", {"GRPC": "127.0.0.1:1"}),
    "g-service": ("refused", {"GRPC": "127.0.0.1:1/a", "GRPCUseTLS": True}),
    "g-port": ("missing port", {"GRPC": "hostonly"}),
    "g-empty": ("missing address", {"GRPC": "/a"}),
    "t-plain": ("refused", {"TCP": "127.0.0.1:1"}),
    "t-port": ("missing port", {"TCP": "hostonly"}),
    "t-colons": ("too many colons", {"TCP": "::1:80"}),
    "t-none": ("refused", {"TCP": "127.0.0.1:"}),
    "s-zero": ("both", {"Args": ["/bin/sh", "-c", "echo both; echo err >&2"]}),
    "s-one": ("warned", {"Args": ["/bin/sh", "-c", "echo warned; exit 1"]}),
    "s-two": ("failed", {"Args": ["/bin/sh", "-c", "echo failed; exit 2"]}),
    "s-signal": ("signalled", {"Args": ["/bin/sh", "-c", "echo signalled; kill -9 $$"]}),
    "s-long": ("Captured", {"Args": ["/bin/sh", "-c", "echo 1234567890; echo abcdefghij"], "OutputMaxSize": 12}),
    "s-time": ("Timed out", {"Args": ["/bin/sleep", "100"], "Timeout": "100ms"}),
}
for i in range(14):
    put(f"/v1/agent/check/deregister/good{i}")
for name, (text, body) in RUNS.items():
    put(CHECK, json.dumps({"Name": name, "Interval": "1s", **body}))
for name, (text, body) in RUNS.items():
    where = f"/v1/agent/checks?filter=CheckID==%22{name}%22"
    settle(where, text)
    get(where)
for name in RUNS:
    put("/v1/agent/check/deregister/" + name)

# A service's checks are its own; reports, and what they are cut to.
put("/v1/agent/check/fail/service:web?note=down")
register(Name="alias", AliasService="web", ServiceID="db")  # of the node, Consul's would look at itself
register(Name="lost", AliasService="nope", ServiceID="db")
settle("/v1/agent/checks", "Aliased check")
settle("/v1/agent/checks", "nope could not be found")
get("/v1/agent/checks")
put("/v1/agent/check/pass/service:web?note=up")
settle("/v1/agent/checks", "All checks passing")
get("/v1/agent/checks")
put("/v1/agent/check/update/alias", '{"Status":"passing"}')
put("/v1/agent/service/deregister/web")
settle("/v1/agent/checks", "web could not be found")
get("/v1/agent/checks")
put("/v1/agent/service/deregister/db")
get("/v1/agent/checks")

# An alias of another node.
put("/v1/catalog/register", '{"Node":"other","Address":"10.0.0.1","Service":{"Service":"s","ID":"s1"},"Checks":'
                            '[{"Name":"n","CheckID":"n","Status":"passing"},{"Name":"c","CheckID":"c","ServiceID":"s1","Status":"passing"}]}')
for name, body in {"r-node": {"AliasNode": "other"}, "r-both": {"AliasNode": "other", "AliasService": "s1"}}.items():
    register(Name=name, **body)
    settle(f"/v1/agent/checks?filter=CheckID==%22{name}%22", "All checks passing")
put("/v1/catalog/register", '{"Node":"other","Address":"10.0.0.1","Checks":[{"Name":"c","CheckID":"c","ServiceID":"s1","Status":"critical","Output":"o"}]}')
settle("/v1/agent/checks?filter=CheckID==%22r-both%22", "failing: o")
get("/v1/agent/checks")
put("/v1/catalog/deregister", '{"Node":"other","ServiceID":"s1"}')
settle("/v1/agent/checks?filter=CheckID==%22r-both%22", "could not be found on node other")
get("/v1/agent/checks")
