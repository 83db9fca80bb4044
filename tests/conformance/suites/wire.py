"""HTTP as proxies, old libraries and odd clients speak it: versions, methods, headers, bodies and targets, in bytes."""

from script import asked, delete, get, put, raw

asked(config={"http_config": {"response_headers": {"X-Configured": "yes", "Access-Control-Allow-Origin": "*"}}})

H = "Host: muster\r\n"
put("/v1/kv/w/a", "one")
put("/v1/kv/w/empty", "")
put("/v1/kv/w/long", "x" * 5000)


def req(line, *headers, body=""):
    return line + "\r\n" + "".join(h + "\r\n" for h in headers) + "\r\n" + body


def ask11(line, *headers, body=""):
    return req(line + " HTTP/1.1", "Host: muster", *headers, body=body)


# ---- Versions and whether the connection stays ----
raw(req("GET /v1/kv/w/a?raw HTTP/1.0"))
raw(req("GET /v1/kv/w/long?raw HTTP/1.0"))
raw(req("GET /v1/kv/w/a?raw HTTP/1.0", "Connection: keep-alive"))
raw(req("GET /v1/kv/w/long?raw HTTP/1.0", "Connection: keep-alive"))
raw(req("GET /v1/catalog/nodes HTTP/1.0", "Connection: Keep-Alive"))
raw(req("PUT /v1/kv/w/old HTTP/1.0", "Content-Length: 3", body="abc"))
raw(req("PUT /v1/kv/w/old2 HTTP/1.0", body="abc"))
raw(req("HEAD /v1/kv/w/a HTTP/1.0"))
raw(ask11("GET /v1/kv/w/a?raw", "Connection: close"))
raw(ask11("GET /v1/kv/w/a?raw", "Connection: Close"))
raw(ask11("GET /v1/kv/w/a?raw", "connection: keep-alive, close"))
raw(ask11("GET /v1/kv/w/a?raw", "Connection: keep-alive"))
raw(ask11("GET /v1/kv/w/a?raw", "Connection: upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"))
raw(ask11("GET /v1/kv/w/a?raw", "Connection: Upgrade", "Upgrade: websocket"))
raw(ask11("PUT /v1/kv/w/b", "Connection: close", "Content-Length: 1", body="b"))
raw(req("GET /v1/kv/w/a HTTP/1.2", "Host: x"))
raw(req("GET /v1/kv/w/a HTTP/2.0", "Host: x"))
raw(req("GET /v1/kv/w/a HTTP/0.9", "Host: x"))
raw(req("GET /v1/kv/w/a http/1.1", "Host: x"))
raw(req("GET /v1/kv/w/a HTTP/1.10", "Host: x"))
raw("GET /v1/kv/w/a\r\n\r\n")
raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
raw("\x16\x03\x01\x00\x05hello\r\n\r\n")

# ---- Methods ----
for path in ("/v1/kv/w/a", "/v1/kv/", "/v1/agent/self", "/v1/catalog/nodes", "/v1/health/service/consul", "/v1/nope", "/", "/ui/",
             "/v1/txn", "/v1/event/fire/x", "/v1/snapshot", "/v1/query", "/v1/query/x", "/v1/agent/metrics", "/v1/agent/monitor"):
    for method in ("HEAD", "OPTIONS"):
        raw(ask11(method + " " + path))
for method in ("PATCH", "TRACE", "get", "Put", "CONNECT", "PROPFIND", "G\x01T", "GE T", ""):
    raw(ask11(method + " /v1/kv/w/a"))
raw(ask11("CONNECT muster:443"))
raw(ask11("OPTIONS *"))
raw(ask11("GET *"))

# ---- Targets ----
for target in ("http://muster/v1/kv/w/a?raw", "HTTP://Muster:80/v1/kv/w/a?raw", "https://other/v1/kv/w/a?raw", "http://muster", "http://muster?x=1",
               "http:///v1/kv/w/a?raw", "ftp://muster/v1/kv/w/a?raw", "//muster/v1/kv/w/a?raw", "///v1/kv/w/a", "v1/kv/w/a", "http:v1/kv", "?raw",
               "/v1/kv/w/a?raw#fragment", "/v1/kv/w/a%23b", "/v1/kv/w/a#b", "http://user:pass@muster/v1/kv/w/a?raw", "/v1/kv/w/%61?raw",
               "/v1/kv/%77/a?raw", "/v1/kv/w%2Fa?raw", "/v1/kv/w%2fa?raw", "/v1/%6Bv/w/a?raw", "/v1/kv/w/a%", "/v1/kv/w/a%4", "/v1/kv/w/a%zz", "/v1/kv/w/a+b?raw",
               "/v1/kv/w/a%2Bb", "/v1/kv/w/a%20b", "/v1/kv/w/\xc3\xa4", "/v1/kv/w/%C3%A4", "/v1/kv/w/%ff", "/v1/kv/w/\xff", "/v1/kv/w/a;b", "/v1/kv/w/a;b?raw;x",
               "/v1/kv/w/a?raw&raw", "/v1/kv/w/a?raw=false", "/v1/kv/w/a?RAW", "/v1/kv/w/a?", "/v1/kv/w/a??raw", "/v1/kv/w/a?&&raw&", "/v1/kv/w/a?=&raw",
               "/v1/kv/w/a?%72aw", "/v1/kv/w/a?raw%3D1", "/v1/kv/w/a?x=%zz&raw", "/v1/kv/w/a?x=a+b&raw", "/v1/kv/w/a?x=\xe4&raw", "/v1/kv/w/a?raw;pretty",
               "/v1/kv/w/a/", "/v1/kv/w/", "/v1/kv/w", "/v1/kv//w/a", "/v1/kv/w//a", "/v1/kv/w/a//", "/v1//kv/w/a", "//v1/kv/w/a", "/v1/kv/w/./a", "/v1/kv/w/../w/a",
               "/v1/kv/w/%2e%2e/a", "/v1/kv/w/%2E/a", "/v1/kv/..", "/v1/../v1/kv/w/a", "/../v1/kv/w/a", "/v1/kv/w/a/.", "/v1/kv/w/a/..", "/v1/catalog/nodes/",
               "/v1/catalog/nodes//", "/v1/health/service/consul/", "/v1/health/service/a/b", "/v1/health/service/a%2Fb", "/v1/health/service/%C3%BC",
               "/v1/catalog/service/a b", "/v1/kv/w/a\tb", "/v1/kv/w/a\x7fb", "/v1/kv/w/a\\b", "/v1/kv/w/a|b", "/v1/kv/w/a\"b", "/v1/kv/w/a<b>", "/v1/kv/w/{a}",
               "/v1/kv/w/a%C2%A0b", "/v1/kv/w/a%C2%ADb", "/v1/kv/w/a%E3%80%80b", "/v1/kv/w/a%EF%BB%BFb", "/v1/kv/w/a%F0%9F%98%80", "/v1/kv/w/a%CD%B8",
               "/v1/kv/w/a?index=1&index=2&wait=1ms&raw", "/v1/kv/w/a?dc=dc1&dc=nope&raw", "/v1/kv/w/a?dc=&raw", "/v1/kv/w/a?recurse=&keys=", "/v1/kv/w/?keys&separator=",
               "/v1/kv/?keys&separator=%2F", "/v1/kv/w/a?pretty=false", "/v1/kv/w/a?pretty=0&raw", "/v1/catalog/nodes?pretty=&near=", "/ui", "/ui/x", "/favicon.ico", "/robots.txt"):
    raw("GET " + target + " HTTP/1.1\r\n" + H + "\r\n")
for n in (2000, 8000):
    raw(ask11("GET /v1/kv/w/" + "k" * n))
raw(ask11("GET /v1/kv/w/a?x=" + "q" * 60000 + "&raw"))

# ---- Headers ----
for fields in (["host: muster"], ["HOST:muster"], ["Host:   muster  "], [], ["Host: a", "Host: b"], ["Host:"], ["Host: a/b"], ["Host: a b"], ["Host: evil.example"],
               ["Host: \xe4"], ["Host: muster", "Accept-Encoding : gzip"], ["Host: muster", " folded: x"], ["Host: muster", "X: a", "\tb"], ["Host: muster", "NoColon"],
               ["Host: muster", ": empty"], ["Host: muster", "X-\xe4: y"], ["Host: muster", "X: \xe4"], ["Host: muster", "X: a\x01b"], ["Host: muster", "X: a\x00b"],
               ["Host: muster", "X:"], ["Host: muster", "Accept: text/html"], ["Host: muster", "Content-Type: text/xml"], ["Host: muster", "X-Forwarded-For: 1.2.3.4"],
               ["Host: muster", "Range: bytes=0-1"], ["Host: muster", "If-None-Match: *"], ["Host: muster", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"],
               ["Host: muster", "Origin: http://evil.example"], ["Host: muster", "Cookie: a=b"], ["Host: muster", "TE: trailers"], ["Host: muster", "Referer: x"],
               ["Host: muster", "X-HTTP-Method-Override: DELETE"], ["Host: muster", "Cache-Control: no-cache, no-store"], ["Host: muster", "Pragma: no-cache"],
               ["Host: muster", "Authorization: Basic dTpw"], ["Host: muster", "Authorization: Bearer x"], ["Host: muster", "authorization: bearer x"], ["Host: muster", "x-consul-token: x"],
               ["Host: muster", "X-Consul-Token:"], ["Host: muster", "Proxy-Connection: close"], ["Host: muster", "Keep-Alive: timeout=5"], ["Host: muster", "Forwarded: for=1.2.3.4"]):
    raw(req("GET /v1/kv/w/a?raw HTTP/1.1", *fields))
raw(req("GET /v1/kv/w/a?raw HTTP/1.1", "Host: muster", *["X-%d: y" % i for i in range(90)]))
raw(ask11("GET /v1/kv/w/a?raw", "X: " + "y" * 60000))
raw("GET /v1/kv/w/a?raw HTTP/1.1\nHost: muster\n\n")
raw("\r\n\r\nGET /v1/kv/w/a?raw HTTP/1.1\r\nHost: muster\r\n\r\n")
raw("\nGET /v1/kv/w/a?raw HTTP/1.1\r\nHost: muster\r\n\r\n")
raw("GET  /v1/kv/w/a?raw HTTP/1.1\r\nHost: muster\r\n\r\n")
raw("GET /v1/kv/w/a?raw  HTTP/1.1\r\nHost: muster\r\n\r\n")
raw("GET /v1/kv/w/a?raw HTTP/1.1 \r\nHost: muster\r\n\r\n")
raw("GET\t/v1/kv/w/a?raw\tHTTP/1.1\r\nHost: muster\r\n\r\n")

# ---- Compression: any size, if it is taken ----
for value in ("gzip", "gzip, deflate", "deflate, gzip;q=1.0, *;q=0.5", "gzip;q=0", "gzip;q=0.0", "gzip; q=0.5", "gzip;q=0.001", "*", "identity", "identity;q=0", "GZIP", "x-gzip", "br",
              "br, gzip", "", "gzip;q=x", "gzip;q=2", "gzip;", "gzip;q", "deflate", "gzip,gzip;q=0", "agzip", "gzipb", "gzip ;q=0", "compress;q=0.5, gzip;q=1", "gzip;level=1"):
    raw(ask11("GET /v1/kv/w/long", "Accept-Encoding: " + value))
raw(ask11("GET /v1/kv/w/long", "Accept-Encoding: deflate", "Accept-Encoding: gzip"))
for path in ("/v1/kv/w/a", "/v1/kv/w/a?raw", "/v1/kv/w/long?raw", "/v1/kv/w/empty", "/v1/kv/w/empty?raw", "/v1/kv/none", "/v1/status/leader", "/v1/catalog/services", "/", "/v1/nope",
             "/v1/catalog/nodes?filter=x", "/v1/agent/services", "/v1/agent/metrics?format=prometheus", "/v1/kv//x"):
    raw(ask11("GET " + path, "Accept-Encoding: gzip"), opaque="metrics" in path)
raw(ask11("PUT /v1/kv/w/g", "Accept-Encoding: gzip", "Content-Length: 1", body="g"))
raw(ask11("POST /v1/kv/w/g", "Accept-Encoding: gzip", "Content-Length: 1", body="g"))
raw(ask11("OPTIONS /v1/kv/w/g", "Accept-Encoding: gzip"))
raw(ask11("HEAD /v1/kv/w/g", "Accept-Encoding: gzip"))
raw(ask11("PUT /v1/agent/check/register", "Accept-Encoding: gzip", "Content-Length: 2", body="{}"))

# ---- Bodies ----
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="3\r\nabc\r\n0\r\n\r\n"))
get("/v1/kv/w/c?raw")
raw(ask11("PUT /v1/kv/w/c", "transfer-encoding: Chunked", body="1\r\na\r\n2;ext=1\r\nbc\r\n0\r\nTrailer: x\r\n\r\n"))
get("/v1/kv/w/c?raw")
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="0\r\n\r\n"))
get("/v1/kv/w/c?raw")
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="00000000003\r\nabc\r\n000\r\n\r\n"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="3\nabc\n0\n\n"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="zz\r\nabc\r\n0\r\n\r\n"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="-1\r\nabc\r\n0\r\n\r\n"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="3\r\nabcd\r\n0\r\n\r\n"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", body="fffffffffffffffff\r\nabc"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: gzip, chunked", body="3\r\nabc\r\n0\r\n\r\n"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: identity", "Content-Length: 3", body="abc"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: identity"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: x"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", "Content-Length: 3", body="3\r\nabc\r\n0\r\n\r\n"))
raw(ask11("PUT /v1/kv/w/c", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="3\r\nabc\r\n0\r\n\r\n"))
raw(req("PUT /v1/kv/w/c HTTP/1.0", "Transfer-Encoding: chunked", body="3\r\nabc\r\n0\r\n\r\n"))
raw(ask11("PUT /v1/kv/w/c"))
for length in ("x", "-1", "+1", "1 ", "0x1", "1,1", "", "99999999999999999999", "1_0", "01"):
    raw(ask11("PUT /v1/kv/w/c", "Content-Length: " + length, body="a"))
raw(ask11("PUT /v1/kv/w/c", "Content-Length: 1", "Content-Length: 1", body="a"))
raw(ask11("PUT /v1/kv/w/c", "Content-Length: 1", "Content-Length: 2", body="ab"))
raw(ask11("GET /v1/kv/w/a?raw", "Content-Length: 3", body="abc"))
raw(ask11("DELETE /v1/kv/w/c", "Content-Length: 3", body="abc"))
raw(ask11("GET /v1/kv/w/a?raw", "Transfer-Encoding: chunked", body="3\r\nabc\r\n0\r\n\r\n"))
raw(ask11("POST /v1/kv/w/a", "Content-Length: 3", body="abc"))
raw(ask11("PUT /v1/nope", "Content-Length: 3", body="abc"))
raw(ask11("PUT /v1/catalog/nodes", "Content-Length: 3", body="abc"))
raw(ask11("PUT /v1/kv/w/bin", "Content-Length: 6", body="\x00\xff\r\n\r\n"))
get("/v1/kv/w/bin?raw")
raw(ask11("PUT /v1/agent/check/register", "Content-Length: 2", "Content-Encoding: gzip", body="{}"))
raw(ask11("PUT /v1/kv/w/form", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 7", body="dc=nope"))
raw(ask11("PUT /v1/kv/w/form?flags=3", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 7", body="dc=nope"))
get("/v1/kv/w/form")
raw(ask11("GET /v1/kv/w/a?raw", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 7", body="dc=nope"))

# ---- Expect: 100-continue: curl says it before long bodies ----
raw(ask11("PUT /v1/kv/w/e", "Expect: 100-continue", "Content-Length: 3"), "abc")
raw(ask11("PUT /v1/kv/w/e", "expect: 100-Continue", "Transfer-Encoding: chunked"), "3\r\nabc\r\n0\r\n\r\n")
raw(ask11("PUT /v1/kv/w/e", "Expect: 100-continue", "Content-Length: 600000"))
raw(ask11("PUT /v1/nope", "Expect: 100-continue", "Content-Length: 3"))
raw(ask11("POST /v1/kv/w/e", "Expect: 100-continue", "Content-Length: 3"))
raw(ask11("PUT /v1/kv/w/e", "Expect: 100-continue", "Content-Length: 0"))
raw(ask11("PUT /v1/kv/w/e", "Expect: 200-ok", "Content-Length: 3", body="abc"))
raw(ask11("GET /v1/kv/w/a?raw", "Expect: 100-continue"))
raw(req("PUT /v1/kv/w/e HTTP/1.0", "Expect: 100-continue", "Content-Length: 3", body="abc"))
raw(ask11("PUT /v1/kv/w/big", "Content-Length: 524289", body="x" * 524289))
raw(ask11("PUT /v1/kv/w/big", "Transfer-Encoding: chunked", body="80001\r\n" + "x" * 524289 + "\r\n0\r\n\r\n"))

# ---- Several at once ----
raw(ask11("GET /v1/kv/w/a?raw") * 3, count=3)
raw(ask11("PUT /v1/kv/w/p", "Content-Length: 1", body="1") + ask11("GET /v1/kv/w/p?raw") + ask11("DELETE /v1/kv/w/p") + ask11("GET /v1/kv/w/p?raw"), count=4)
raw(ask11("GET /v1/nope") + ask11("GET /v1/kv/w/a?raw", "Connection: close") + ask11("GET /v1/kv/w/a?raw"), count=2)
raw(ask11("HEAD /v1/kv/w/a") + ask11("GET /v1/kv/w/a?raw"), count=2)
raw(ask11("GET /v1/kv/w/a?raw") + "rubbish\r\n\r\n", count=2)
raw(ask11("PUT /v1/catalog/nodes", "Content-Length: 3", body="abc") + ask11("GET /v1/kv/w/a?raw"), count=2)
delete("/v1/kv/w/?recurse")
