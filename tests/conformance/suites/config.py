"""Config entries: all kinds, good and bad, and what they do to each other."""

import json

from script import ask, delete, get, put

CONFIG = "/v1/config"


def name_of(entry):
    """Where the entry will stand."""
    kind = entry.get("Kind", entry.get("kind"))
    names = [v for k, v in entry.items() if k.lower() == "name"]
    return kind, "global" if kind == "proxy-defaults" else str(names[0]) if names and isinstance(names[0], (str, float, int)) else "x"


def write(*bodies):
    """Each is written, read and deleted; those that are refused leave nothing to read."""
    for body in bodies:
        put(CONFIG, body)
        try:
            kind, name = name_of(json.loads(body))
        except (ValueError, AttributeError):
            continue
        get("/v1/config/%s/%s" % (kind, name))
        delete("/v1/config/%s/%s" % (kind, name))


# ---- What is no entry ----
write(
    '',
    '{}',
    '[]',
    '"x"',
    '{"Kind":1}',
    'x',
)

# ---- Defaults of services ----
write(
    '{"Kind":"service-defaults"',
    '{"Kind":"service-defaults"}',
    '{"kind":"service-defaults","name":"a"}',
    '{"KIND":"service-defaults","name":"a"}',
    '{"Kind":"service-defaults","NAME":"a","PROTOCOL":"HTTP"}',
    '{"Kind":"service-defaults","Name":"a","Bad":1}',
    '{"Kind":"service-defaults","Name":"a","CreateIndex":5,"ModifyIndex":7}',
    '{"Kind":"service-defaults","Name":"a","RaftIndex":{"CreateIndex":5}}',
    '{"Kind":"service-defaults","Name":1}',
    '{"Kind":"service-defaults","Name":true}',
    '{"Kind":"service-defaults","Name":1.5}',
    '{"Kind":"service-defaults","Name":["x"]}',
    '{"Kind":"service-defaults","Name":{"a":1}}',
    '{"Kind":"service-defaults","Name":null}',
    '{"Kind":"service-defaults","Name":["x","y"]}',
    '{"Kind":"service-defaults","Name":"a","MeshGateway":{"Mode":"local"}}',
    '{"Kind":"service-defaults","Name":"a","mesh_gateway":{"mode":"remote"}}',
    '{"Kind":"service-defaults","Name":"a","MeshGateway":{"Mode":"bogus"}}',
    '{"Kind":"service-defaults","Name":"a","MeshGateway":"x"}',
    '{"Kind":"service-defaults","Name":"a","MeshGateway":[{"Mode":"local"}]}',
    '{"Kind":"service-defaults","Name":"a","MeshGateway":[]}',
    '{"Kind":"service-defaults","Name":"a","MeshGateway":{"Mode":"local","Bad":1}}',
    '{"Kind":"service-defaults","Name":"a","Expose":{"Checks":true,"Paths":[{"ListenerPort":1,"Path":"/x","LocalPathPort":2,"Protocol":"http2"}]}}',
    '{"Kind":"service-defaults","Name":"a","expose":{"checks":"true","paths":[{"listener_port":"1","path":"/x","local_path_port":2,"protocol":"http"}]}}',
    '{"Kind":"service-defaults","Name":"a","expose":{"checks":1,"paths":{"listener_port":"1","path":"/x","local_path_port":2,"protocol":"http"}}}',
    '{"Kind":"service-defaults","Name":"a","expose":{"checks":"maybe"}}',
    '{"Kind":"service-defaults","Name":"a","expose":{"paths":[{"listener_port":"abc"}]}}',
    '{"Kind":"service-defaults","Name":"a","expose":{"paths":[{"listener_port":1.7,"Bad":1}]}}',
    '{"Kind":"service-defaults","Name":"a","ExternalSNI":"x"}',
    '{"Kind":"service-defaults","Name":"a","external_sni":"x"}',
    '{"Kind":"service-defaults","Name":"a","Meta":{"a":"b","c":1}}',
    '{"Kind":"service-defaults","Name":"a","Meta":{"a":{"x":1}}}',
    '{"Kind":"service-defaults","Name":"a","Meta":[{"a":"b"},{"c":"d"}]}',
    '{"Kind":"service-defaults","Name":"a","Meta":{}}',
    '{"Kind":"service-defaults","Name":"a","Meta":null}',
    '{"Kind":"service-defaults","Name":"a","Meta":"x"}',
    '{"Kind":"service-defaults","Name":"a","Meta":{"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk":"v"}}',
    '{"Kind":"service-defaults","Name":"a","Meta":{"":"v"}}',
    '{"Kind":"service-defaults","Name":"a","Meta":{"a b":"v"}}',
    '{"Kind":"service-defaults","Name":"a","Meta":{"consul-x":"v"}}',
    '{"Kind":"service-defaults","Name":"a","Protocol":"bogus"}',
    '{"Kind":"service-defaults","Name":"a","Protocol":1}',
    '{"Kind":"service-defaults","Name":"a","Protocol":"http","protocol":"tcp"}',
    '{"Kind":"service-defaults","Name":"a/b"}',
    '{"Kind":"service-defaults","Name":"a"} trailing',
    '{"Kind":"service-defaults","Name":"a"}{}',
)

# ---- Defaults of proxies ----
write(
    '{"Kind":"proxy-defaults","Name":"x"}',
    '{"Kind":"proxy-defaults"}',
    '{"Kind":"proxy-defaults","Name":"global"}',
    '{"Kind":"proxy-defaults","Name":"global","Config":{"a":[1],"b":[{"x":1}],"c":[],"d":{"e":{"f":[1,2,{"g":1}]}},"h":1.5,"i":true,"k":"s","protocol":"http","big":12345678901234567890,"m":1e30,"n":-3}}',
    '{"Kind":"proxy-defaults","Config":{"j":[[]],"k":{},"l":[{},{}],"m":[[1]],"n":[["a","b"],{"x":["y"]}],"a_b":1,"A":{"b":[true,false]}}}',
    '{"Kind":"proxy-defaults","Name":"global","Config":[{"a":1},{"b":2}]}',
    '{"Kind":"proxy-defaults","Name":"global","Config":{}}',
    '{"Kind":"proxy-defaults","Name":"global","Config":null}',
    '{"Kind":"proxy-defaults","Name":"global","Config":"x"}',
    '{"Kind":"proxy-defaults","Name":"global","Config":[]}',
    '{"Kind":"proxy-defaults","Name":"global","config":{"some_key":{"inner_key":1}},"mesh_gateway":{"Mode":"none"}}',
    '{"Kind":"proxy-defaults","Name":"global","Config":{"Protocol":"http"}}',
)

# ---- Resolvers ----
write(
    '{"Kind":"service-resolver"}',
    '{"Kind":"service-resolver","Name":"r1"}',
    '{"Kind":"service-resolver","Name":"r1","DefaultSubset":"x"}',
    '{"Kind":"service-resolver","Name":"r1","DefaultSubset":"v1","Subsets":{"v1":{"Filter":"Service.Meta.v == 1","OnlyPassing":true},"v2":{}}}',
    '{"Kind":"service-resolver","Name":"r1","default_subset":"v1","subsets":{"v1":{"filter":"Service.Meta.v == 1","only_passing":"true"}}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"v1":{"Filter":"bogus =="}}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"":{}}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"a b":{}}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"V1":{}}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"-a":{}}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":{}}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"Service":"x"}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"Service":"r1"}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"ServiceSubset":"v1"}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"Service":"x","ServiceSubset":"v1"}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"Datacenter":"dc9"}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"Namespace":"foo"}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"Service":"x","Namespace":"default"}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"Service":"x"},"Failover":{"*":{"Service":"y"}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"x":{"Service":"y"}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{"Service":"y"}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{"Datacenters":["a","b"]}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{"Datacenters":["a",""]}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{"ServiceSubset":"zz"}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{"Service":"r1"}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{"Service":"y","ServiceSubset":"q"}}}',
    '{"Kind":"service-resolver","Name":"r1","Failover":{"*":{"Datacenters":"dc2"}}}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":"5s"}',
    '{"Kind":"service-resolver","Name":"r1","connect_timeout":"1500ms"}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":5000000000}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":"-5s"}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":"5"}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":"x"}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":true}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":null}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":""}',
    '{"Kind":"service-resolver","Name":"r1","ConnectTimeout":{"a":1}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":[{"v1":{}}]}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"v1":[{"OnlyPassing":1}]}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"v1":[]}}',
    '{"Kind":"service-resolver","Name":"r1","Subsets":{"v1":null}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":null}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":[{"Service":"x"}]}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":"x"}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"service_subset":1.5,"Service":["x"]}}',
    '{"Kind":"service-resolver","Name":"r1","Redirect":{"service":{"a":1},"ServiceSubset":[1,2],"Datacenter":{}},"ConnectTimeout":"zz"}',
    '{"Kind":"service-resolver","Name":"r1","Meta":{"a":"b"}}',
    '{"Kind":"service-resolver","Name":"r1","RaftIndex":5}',
    '{"Kind":"service-resolver","Name":"r1","EnterpriseMeta":{}}',
)

for service in ("s1", "s2"):
    put(CONFIG, '{"Kind":"service-defaults","Name":"%s","Protocol":"http"}' % service)

# ---- Splitters ----
write(
    '{"Kind":"service-splitter"}',
    '{"Kind":"service-splitter","Name":"s1"}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":100}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":90},{"Weight":10,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":90},{"Weight":10,"Service":"s1"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":90,"Service":"s2"},{"Weight":10,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":90},{"Weight":1,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":-1},{"Weight":101,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":99.999},{"Weight":0.001,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":99.99},{"Weight":0.01,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":33.33},{"Weight":33.33,"Service":"s2"},{"Weight":33.34,"service":"tcpsvc"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":33.333},{"Weight":66.667,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":{"Weight":"100"}}',
    '{"Kind":"service-splitter","Name":"s1","splits":[{"weight":"50.5","service_subset":"v1"},{"weight":49.5}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":"x"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[1]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":"x"}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[null]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":100,"Namespace":"foo"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":100,"Namespace":"default"}]}',
    '{"Kind":"service-splitter","Name":"tcpsvc","Splits":[{"Weight":100}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":200}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":0},{"Weight":100,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":true},{"Weight":99,"Service":"s2"}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":100,"Bad":1}]}',
    '{"Kind":"service-splitter","Name":"s1","Splits":[{"Weight":50},{"Weight":50,"Service":"S2"}]}',
)

# ---- Routers ----
write(
    '{"Kind":"service-router"}',
    '{"Kind":"service-router","Name":"s1"}',
    '{"Kind":"service-router","Name":"s1","Routes":[]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[null]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathExact":"/x"}},"Destination":{"Service":"s2"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathExact":"x"}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathPrefix":"x"}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathRegex":"("}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathRegex":"x","PathExact":"/x"}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Header":[{}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Header":[{"Name":"a"}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Header":[{"Name":"a","Present":true,"Exact":"x"}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Header":[{"Name":"a","Present":true,"Invert":true},{"name":"b","prefix":"x"},{"name":"b","suffix":"x"},{"name":"b","regex":"x"},{"name":"b","exact":"x"}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"QueryParam":[{}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"QueryParam":[{"Name":"a"}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"query_param":[{"Name":"a","Present":true,"Exact":"b"}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"query_param":[{"Name":"a","Regex":"b"},{"Name":"a","Exact":"b"},{"Name":"a","Present":"1"}]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Methods":["get","POST"]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Methods":["get","GET"]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Methods":["bogus",""]}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"Methods":"get"}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"PrefixRewrite":"/"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathPrefix":"/a"}},"Destination":{"PrefixRewrite":"/b"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathRegex":"/a"}},"Destination":{"prefix_rewrite":"/b"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathPrefix":"/a"}},"Destination":{"RequestTimeout":"5s","NumRetries":3,"RetryOnConnectFailure":true,"RetryOnStatusCodes":[500,503]}}]}',
    '{"Kind":"service-router","Name":"s1","routes":[{"match":{"http":{"path_prefix":"/a"}},"destination":{"request_timeout":5000000,"num_retries":"3","retry_on_connect_failure":"true","retry_on_status_codes":["500"],"service_subset":"v1"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"NumRetries":-1}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"NumRetries":4294967296}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"RetryOnStatusCodes":500}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"RetryOnStatusCodes":[]}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"Service":"s2","Namespace":"foo"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"Service":"tcpsvc"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"Service":"s1"}}]}',
    '{"Kind":"service-router","Name":"tcpsvc","Routes":[{}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"Bad":1,"HTTP":{"Bad":1,"Header":[{"Bad":1}]}},"Destination":{"Bad":1},"Bad":1}]}',
    '{"Kind":"service-router","Name":"s1","Routes":{"Match":{"HTTP":{"PathExact":"/x"}}}}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathExact":"/x","Header":{"Name":"a","Present":true}}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Match":{"HTTP":{"PathExact":"/x","PathPrefix":""}}},{"Match":{"HTTP":{"PathExact":"y"}}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":{"RequestTimeout":"x","NumRetries":"y"}}]}',
    '{"Kind":"service-router","Name":"s1","Routes":[[{"Destination":{"Service":"s2"}}]]}',
    '{"Kind":"service-router","Name":"s1","Routes":[{"Destination":[{"Service":"s2"}]}]}',
)

# ---- Ingress gateways ----
write(
    '{"Kind":"ingress-gateway"}',
    '{"Kind":"ingress-gateway","Name":"ig"}',
    '{"Kind":"ingress-gateway","Name":"ig","TLS":{"Enabled":true}}',
    '{"Kind":"ingress-gateway","Name":"ig","tls":{"enabled":1}}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"tcp"}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"tcp","Services":[{"Name":"x"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Services":[{"Name":"x"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"HTTP","Services":[{"Name":"s1"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"x"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"tcp","Services":[{"Name":"s1"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"x","Services":[{"Name":"s1"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"tcp","Services":[{"Name":"x"},{"Name":"y"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1"},{"Name":"s2"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1"},{"Name":"s1"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":""}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"*"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"tcp","Services":[{"Name":"*"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"*","Hosts":["a.com"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["a.com","b.com"]},{"Name":"s2","Hosts":["a.com"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"tcp","Services":[{"Name":"x","Hosts":["a.com"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["*"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["*.a.com"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["a.*.com"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["a.com:80"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["-a.com",""]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["a_b.com"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","TLS":{"Enabled":true},"Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Hosts":["*"]}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1"}]},{"Port":80,"Protocol":"http","Services":[{"Name":"s2"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":-1,"Protocol":"http","Services":[{"Name":"s1"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":70000,"Protocol":"http","Services":[{"Name":"s1"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":"80","Protocol":"http","Services":{"Name":"s1","hosts":"a.com"}}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Meta":{"a":"b"}}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Bad":1,"Services":[{"Bad":2}]}],"TLS":{"Bad":3}}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"grpc","Services":[{"Name":"*"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http2","Services":[{"Name":"*"},{"Name":"s1"}]}]}',
    '{"Kind":"ingress-gateway","Name":"ig","Meta":{"a":"b"}}',
    '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1","Namespace":"x"}]}]}',
)

# ---- Terminating gateways ----
write(
    '{"Kind":"terminating-gateway"}',
    '{"Kind":"terminating-gateway","Name":"tg"}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x"},{"Name":"x"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"*"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","CAFile":"a"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","CertFile":"a"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","KeyFile":"a"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","CAFile":"a","CertFile":"b","KeyFile":"c","SNI":"d"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","services":[{"name":"x","ca_file":"a","cert_file":"b","key_file":"c","sni":"d"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","CertFile":"b","KeyFile":"c"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","SNI":"b"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":{"Name":"x"}}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","Namespace":"x"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[{"Name":"x","Namespace":"*"}]}',
    '{"Kind":"terminating-gateway","Name":"tg","Meta":{"a":"b"}}',
    '{"Kind":"terminating-gateway","Name":"tg","Services":[null]}',
)

# ---- What entries do to each other ----
for method, path, body in (
        ('PUT', '/v1/config', '{"Kind":"ingress-gateway","Name":"ig"}'),
        ('PUT', '/v1/config', '{"Kind":"terminating-gateway","Name":"ig"}'),
        ('PUT', '/v1/config', '{"Kind":"terminating-gateway","Name":"tg"}'),
        ('PUT', '/v1/config', '{"Kind":"ingress-gateway","Name":"tg"}'),
        ('PUT', '/v1/config', '{"Kind":"ingress-gateway","Name":"ig","Listeners":[{"Port":80,"Protocol":"http","Services":[{"Name":"s1"},{"Name":"*"}]}]}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"s1","Protocol":"tcp"}'),
        ('DELETE', '/v1/config/service-defaults/s1', None),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"s1","Protocol":"grpc"}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"s1","Redirect":{"Service":"other"}}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"s1","Redirect":{"Service":"s2"}}'),
        ('DELETE', '/v1/config/service-resolver/s1', None),
        ('PUT', '/v1/config', '{"Kind":"proxy-defaults","Config":{"protocol":"http"}}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"s3"}'),
        ('PUT', '/v1/config', '{"Kind":"service-splitter","Name":"s3","Splits":[{"Weight":100}]}'),
        ('DELETE', '/v1/config/proxy-defaults/global', None),
        ('PUT', '/v1/config', '{"Kind":"proxy-defaults","Config":{"protocol":"grpc"}}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"s3","Protocol":"tcp"}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"s3","Protocol":"http"}'),
        ('DELETE', '/v1/config/proxy-defaults/global', None),
        ('DELETE', '/v1/config/service-defaults/s3', None),
        ('DELETE', '/v1/config/service-splitter/s3', None),
        ('DELETE', '/v1/config/service-defaults/s3', None),
        ('DELETE', '/v1/config/ingress-gateway/ig', None),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"c1","Redirect":{"Service":"c2"}}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"c2","Redirect":{"Service":"c3"}}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"ka","Protocol":"http"}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"kb","Protocol":"http"}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"kc","Protocol":"http"}'),
        ('PUT', '/v1/config', '{"Kind":"service-splitter","Name":"ka","Splits":[{"Weight":50},{"Weight":50,"Service":"kb"}]}'),
        ('PUT', '/v1/config', '{"Kind":"service-splitter","Name":"kb","Splits":[{"Weight":50},{"Weight":50,"Service":"kc"}]}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"kd","Subsets":{"v1":{}}}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"ke","Redirect":{"Service":"kd","ServiceSubset":"v1"}}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"kd","Subsets":{"v2":{}}}'),
        ('DELETE', '/v1/config/service-resolver/kd', None),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"kf","Failover":{"*":{"Service":"kd","ServiceSubset":"v1"}}}'),
        ('DELETE', '/v1/config/service-resolver/ke', None),
        ('DELETE', '/v1/config/service-resolver/kd', None),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"kx","Protocol":"http","ExternalSNI":"foo"}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"kx","Subsets":{"v1":{}}}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"kx","Redirect":{"Service":"a"}}'),
        ('PUT', '/v1/config', '{"Kind":"service-resolver","Name":"kx","Failover":{"*":{"Service":"a"}}}'),
        ('PUT', '/v1/config', '{"Kind":"service-defaults","Name":"","Protocol":"http"}'),
):
    ask(method, path, body)

# ---- Paths and options ----
ask('GET', '/v1/config')
ask('GET', '/v1/config/foo')
ask('GET', '/v1/config/foo/bar')
ask('GET', '/v1/config/service-defaults')
ask('GET', '/v1/config/service-defaults/')
ask('GET', '/v1/config/service-defaults/nope')
ask('GET', '/v1/config/service-defaults/a/b')
ask('DELETE', '/v1/config/service-defaults')
ask('DELETE', '/v1/config/foo/bar')
ask('DELETE', '/v1/config/service-defaults/')
ask('DELETE', '/v1/config/service-defaults/nope')
ask('POST', '/v1/config')
ask('PUT', '/v1/config/service-defaults/x')
ask('GET', '/v1/config/Service-Defaults')
ask('GET', '/v1/config/service-defaults?dc=foo')
ask('DELETE', '/v1/config/service-defaults/x?dc=foo')
ask('GET', '/v1/config/service-defaults?ns=foo')
ask('DELETE', '/v1/config/service-defaults/x?ns=foo')
ask('GET', '/v1/config/service-defaults?index=abc')
ask('GET', '/v1/config/service-defaults?filter=Name==a')
ask('GET', '/v1/config/service-defaults/zed')
ask('GET', '/v1/config/service-defaults')
ask('DELETE', '/v1/config/service-defaults/ZED')
put(CONFIG + '?cas=abc', '{"Kind":"service-defaults","Name":"a"}')
put(CONFIG + '?cas=5', '{"Kind":"service-defaults","Name":"a"}')
put(CONFIG + '?cas=0', '{"Kind":"service-defaults","Name":"a"}')
put(CONFIG + '?cas=0', '{"Kind":"service-defaults","Name":"a"}')
put(CONFIG + '?cas=', '{"Kind":"service-defaults","Name":"a"}')
put(CONFIG + '?dc=foo', '{"Kind":"service-defaults","Name":"a"}')
put(CONFIG + '?ns=foo', '{"Kind":"service-defaults","Name":"a"}')
put(CONFIG + '', '{"Kind":"service-defaults","Name":"Zed"}')
put(CONFIG + '', '{"Kind":"service-defaults","Name":"zed"}')
get("/v1/config/service-defaults/zed")
delete("/v1/config/service-defaults/ZED")
get("/v1/config/service-defaults")
for kind in ("service-defaults", "proxy-defaults", "service-router", "service-splitter", "service-resolver", "ingress-gateway",
             "terminating-gateway"):
    get("/v1/config/%s?index=1&wait=10ms" % kind)
    get("/v1/config/%s?stale" % kind)
    get("/v1/config/%s/nope?consistent" % kind)

# ---- Chains: what is refused before there is one ----
for path in ("/v1/discovery-chain", "/v1/discovery-chain/", "/v1/discovery-chain/x?ns=x", "/v1/discovery-chain/x?index=x",
             "/v1/discovery-chain/x?stale&consistent"):
    get(path)
put("/v1/discovery-chain/x")
for body in ("", "x", "[]", '"x"', '{"OverrideMeshGateway":{"Mode":"bogus"}}', '{"OverrideMeshGateway":"local"}',
             '{"OverrideConnectTimeout":"x"}', '{"override_protocol":{}}'):
    ask("POST", "/v1/discovery-chain/x", body)
