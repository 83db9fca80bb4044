"""How bodies are read: each kind of wrong value in each kind of field, keys in any case, null, what follows the value, UTF-8."""

from script import delete, get, put

REGISTER, DEREGISTER = "/v1/catalog/register", "/v1/catalog/deregister"
SERVICE, CHECK, UPDATE = "/v1/agent/service/register", "/v1/agent/check/register", "/v1/agent/check/update/c"
AUTOPILOT = "/v1/operator/autopilot/configuration"
VALUES = ("null", "true", "5", "-5", "1.5", "1e2", "18446744073709551616", '"x"', '""', '"5"', "[]", "[1]", '["a"]', "[null]", "{}",
          '{"a":1}', '{"a":"b"}', '{"a":null}')


def each(path, fields, shape):
    """Every value in every field; shape wraps `"Field":value` into a body."""
    for field in fields:
        for value in VALUES:
            put(path, shape % ('"%s":%s' % (field, value)))


each(REGISTER, ("Datacenter", "ID", "Address", "TaggedAddresses", "NodeMeta", "Service", "Check", "Checks", "SkipNodeUpdate",
                "WriteRequest", "EnterpriseMeta", "PeerName"), '{"Node":"d",%s}')
each(REGISTER, ("ID", "Service", "Tags", "Address", "TaggedAddresses", "Meta", "Port", "Weights", "EnableTagOverride", "Kind",
                "CreateIndex", "LocallyRegisteredAsSidecar"), '{"Node":"d","Address":"1.1.1.1","Service":{"Service":"s",%s}}')
each(REGISTER, ("CheckID", "Name", "Status", "Notes", "Output", "ServiceID", "ServiceTags", "Type", "ModifyIndex"),
     '{"Node":"d","Address":"1.1.1.1","Check":{"Name":"c",%s}}')
each(REGISTER, ("HTTP", "Header", "Method", "Interval", "Timeout", "TLSSkipVerify", "DeregisterCriticalServiceAfter"),
     '{"Node":"d","Address":"1.1.1.1","Check":{"Name":"c","Definition":{%s}}}')
put(DEREGISTER, '{"Node":"d"}')
each(DEREGISTER, ("Datacenter", "ServiceID", "CheckID", "Address", "Namespace"), '{"Node":"unknown",%s}')
each(SERVICE, ("ID", "Tags", "Address", "TaggedAddresses", "tagged_addresses", "Meta", "Port", "Weights", "EnableTagOverride",
               "Kind"), '{"Name":"",%s}')
each(CHECK, ("ID", "ServiceID", "service_id", "Notes", "Status", "Args", "HTTP", "Header", "Method", "TCP", "Interval",
             "Timeout", "TTL", "DeregisterCriticalServiceAfter", "OutputMaxSize", "TLSSkipVerify", "SuccessBeforePassing"),
     '{"Name":"",%s}')
each(UPDATE, ("Status", "Output"), '{"Status":"passing",%s}')
# Records that read themselves: their Go types, which errors name, are long and without a name of their own.
for value in ("{}", '{"a":1}', "5"):
    for body in ('{"Node":"d","Address":"1.1.1.1","Service":{"Service":"s","Proxy":%s}}',
                 '{"Node":"d","Address":"1.1.1.1","Service":{"Service":"s","Connect":%s}}',
                 '{"Node":"d","Address":"1.1.1.1","Check":{"Name":"c","Definition":%s}}'):
        put(REGISTER, body % value)
    for field in ("Check", "Proxy", "Connect"):
        put(SERVICE, '{"Name":"","%s":%s}' % (field, value))
put(SERVICE, '{"Name":"order","Check":{"TTL":"1h","CheckID":"c"},"ID":"first","id":"second","Id":"third"}')
get("/v1/agent/services")
put("/v1/agent/service/deregister/third")

for path in (REGISTER, DEREGISTER, SERVICE, CHECK, UPDATE, AUTOPILOT):
    for body in ("  ", "nul", "nullx", "null null", "true", "1", "1x", "-", "-x", "01", "1.", "1e", '"', '"a', '"\\x"', '"\\u12"', "[", "[}",
                 "{]", '{"', '{"a', '{"a"', '{"a":', '{"a":}', '{"a":1', '{"a":1,', '{"a":1,}', "{,}", '{"a" 1}', '{"Node":"a"}{', "\ufeff{}",
                 "\u0001", '{"a":"\u0001"}', "[" * 20, '{"a":' * 20, "tru", "fals", "'a'", "//", "{}}", "nan", '{"Nope":1}', '{"\\u004eope":1}',
                 '{"N\u017fpe":{}}'):
        put(path, body)

for body in ('{"node":"d1","ADDRESS":"10.0.0.1"}', '{"Node":"d3","Address":"a","Address":"b"}',
             '{"Node":"d4","Address":"x","NodeMeta":{"a":"1","a":"2"}}', '{"Node":"d5","Address":"x","NodeMeta":{"k":null}}',
             '{"Node":"d7 \u20ac","Address":"\\ud83d\\ude00"}', '{"Node":"d8","Address":"\\ud83d"}',
             '{"Node":"d9","Address":"x"} trailing', '{"Node":"d10","Address":null}', '{"Node":"d11","Address":"x","Service":null,"Checks":null}',
             '{"Node":"d14","Address":"x","Service":{"Service":"s","Tags":null,"Meta":null,"Weights":null}}',
             '{"Node":"d15","Address":"x","Service":{"Service":"s","Tags":[null,"a",null]}}',
             '{"Node":"d16","Address":"x","Service":{"Service":"s","Port":99999}}',
             '{"Node":"d17","Address":"x","Service":{"Service":"s","Weights":{"Passing":0}}}',
             '{"Node":"d18","Address":"x","Service":{"Service":"s","Weights":{"Passing":-1,"Warning":99999999}}}',
             '{"Node":"d19","Address":"x","Service":{"Service":"s"},"Check":{"Name":"c","ServiceID":"s","Definition":{"Interval":1000000000}}}',
             '{"Node":"d20","Address":"x","Check":{"CheckID":"c","Definition":{"IntervalDuration":"5s"}}}',
             '{"Node":"d21","Address":"x","Check":{"Name":"c","Status":"nonsense"}}',
             '{"ID":"40E4A748-2192-161A-0510-9BF59FE950B5","Node":"d22","Address":"x"}',
             '{"ID":"40e4a748-2192-161a-0510-9bf59fe950b5","Node":"d23","Address":"x"}'):
    put(REGISTER, body)
for n in range(1, 24):
    get("/v1/catalog/node/d%d" % n)
    get("/v1/health/node/d%d" % n)
get("/v1/catalog/nodes", loose=("TaggedAddresses", "Meta"))

# Bytes that are no UTF-8, in paths, keys, values and bodies.
for path in ("/v1/kv/%ff", "/v1/kv/%c3%28", "/v1/kv/%F0%9F%98%80", "/v1/kv/a%2fb", "/v1/kv/a%20b", "/v1/kv/a+b", "/v1/kv/%61", "/v1/kv/a%3fb",
             "/v1/kv/a%23b", "/v1/kv/a;b", "/v1/kv/a=b&c", "/v1/kv/..a", "/v1/kv/a%2e%2e", "/v1/kv/%2e%2e/a", "/v1/kv/a/%2e/b",
             "/v1/kv/a%5cb", "/v1/kv/a\"b", "/v1/kv/a<b>", "/v1/kv/\u00e9".encode().decode("latin-1")):
    put(path, "v")
    get(path)
    get(path + "?keys")
    delete(path)
get("/v1/kv/%zz")
put("/v1/kv/bytes", b"\x00\xff\xfe{}")
get("/v1/kv/bytes")
get("/v1/kv/bytes?raw")
put("/v1/kv/bytes?flags=1&flags=2", b"")
get("/v1/kv/bytes")
put(REGISTER, b'{"Node":"u\xff","Address":"\xc3("}')
get("/v1/catalog/node/u%EF%BF%BD")
