"""Sends the steps of a suite to one agent, and makes answers comparable: what must differ is replaced by its kind."""

import gzip
import http.client
import json
import re
import struct
import time

import dns_ask
import raw

# Headers that are compared by value; of the others in the second list only whether they are there.
BY_VALUE = ("content-type", "allow", "location", "vary", "content-encoding", "x-consul-effective-consistency",
            "x-consul-knownleader", "x-consul-reason", "x-content-type-options", "content-security-policy",
            "x-consul-translate-addresses", "x-cache")
BY_PRESENCE = ("x-consul-index", "x-consul-lastcontact", "x-consul-contenthash", "date", "age")

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LOOPBACK = re.compile(r"\b127\.\d+\.\d+\.\d+(:\d+)?")
HEX16 = re.compile(r"\b[0-9a-f]{16}\b")
# What decodes itself has no name in Go's errors but all of its source; muster says the name of the record.
UNNAMED = re.compile(r"of type (struct \{.*\}|structs\.(ServiceDefinition|CheckDefinition|CheckType|DeregisterRequest|ConnectProxyConfig"
                     r"|ServiceConnect|HealthCheckDefinition)s?)$", re.DOTALL)


def masked_text(text, kept):
    for name, value in kept.items():
        if isinstance(value, str) and len(value) >= 8:
            text = text.replace(value, "{%s}" % name)
    text = UNNAMED.sub("of type <record>", text)
    text = UUID.sub("<uuid>", text)
    text = HEX16.sub("<hash>", text)
    return LOOPBACK.sub(lambda m: "<ip>" + ("<port>" if m.group(1) else ""), text)


def shape(value):
    """The type of a value alone, for what is loose."""
    if isinstance(value, bool):
        return "<bool>"
    if isinstance(value, (int, float)):
        return "<number>"
    if isinstance(value, str):
        return "<string>"
    return "<list>" if isinstance(value, list) else "<null>" if value is None else "<object>"


class Pairs(list):
    """A JSON object as its members in their order."""


def masked(value, step, kept):
    if isinstance(value, Pairs):
        out = Pairs()
        for key, member in value:
            if key in step["loose"]:
                # A list of members is one to Python, an object to JSON.
                out.append((key, "<object>" if isinstance(member, Pairs) else shape(member)))
            elif key in ("CreateIndex", "ModifyIndex") and member:
                out.append((key, "<index>"))
            else:
                out.append((masked_text(key, kept), masked(member, step, kept)))
        return out
    if isinstance(value, list):
        items = [masked(item, step, kept) for item in value]
        return sorted(items, key=lambda item: json.dumps(plain(item))) if step["unordered"] else items
    return masked_text(value, kept) if isinstance(value, str) else value


def plain(value):
    """Pairs as [key, value] lists, so that recorded answers keep the order of keys."""
    if isinstance(value, Pairs):
        return {"object": [[k, plain(v)] for k, v in value]}
    return [plain(v) for v in value] if isinstance(value, list) else value


def answer_of(response, body, step, kept):
    headers = {k.lower(): v for k, v in response.getheaders()}
    shown = {h: masked_text(headers[h], kept) for h in BY_VALUE if h in headers}
    shown.update({h: "<present>" for h in BY_PRESENCE if h in headers})
    out = {"status": response.status, "headers": shown}
    if step["opaque"]:
        out["body"] = "<present>" if body else "<empty>"
        return out
    text = (gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body).decode("utf-8", "replace")
    if headers.get("content-type") == "application/json":
        out["indented"] = "\n" in text
        out["final_newline"] = text.endswith("\n")
        out["json"] = plain(masked(json.loads(text, object_pairs_hook=Pairs), step, kept))
    else:
        out["text"] = masked_text(text, kept)
    return out


def value_at(response, body, way):
    """What a step keeps of its answer; None where there is no such thing."""
    if way.startswith("header:"):
        return response.getheader(way[len("header:"):])
    try:
        value = json.loads(body)
        for word in way.split("."):
            value = value[int(word)] if isinstance(value, list) else value[word]
        return value
    except (ValueError, LookupError, TypeError):
        return None


def filled(text, kept):
    """Kept values put where a text names them; braces that name none stay."""
    for name, value in kept.items():
        if isinstance(text, str) and "{%s}" % name in text:
            text = text.replace("{%s}" % name, value if isinstance(value, str) else json.dumps(value))
    return text


def request(address, method, path, body=None, headers=()):
    """Not urllib: paths must arrive as they stand."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    data = body.encode() if isinstance(body, str) else body
    connection.putrequest(method, path, skip_accept_encoding=True)
    names = {name.lower() for name, _ in headers}
    if "accept-encoding" not in names:
        connection.putheader("Accept-Encoding", "identity")
    if (data is not None or method in ("PUT", "POST", "PATCH")) and "content-length" not in names:
        connection.putheader("Content-Length", str(len(data or b"")))
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(data)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def name_of(step):
    if step["do"] == "dns":
        return dns_ask.name_of(step)
    if step["do"] == "raw":
        return "raw " + " | ".join(repr(p if len(p) < 300 else p[:120] + type(p)(b"..." if isinstance(p, bytes) else "...")) for p in step["pieces"])
    body = step["body"]
    if isinstance(body, bytes):
        body = "<%d bytes>" % len(body)
    shown = "" if body is None else " " + (body if len(body) < 200 else "<%d bytes>" % len(body))
    headers = "".join(" %s: %s" % tuple(pair) for pair in sorted(step["headers"]))
    return step["method"] + " " + step["path"] + headers + shown


def settle(address, step, kept):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if filled(step["text"], kept).encode() in request(address, "GET", filled(step["path"], kept))[1]:
            return
        time.sleep(0.2)


def answer(address, step, kept):
    headers = [(name, filled(value, kept)) for name, value in step["headers"]]
    response, body = request(address, step["method"], filled(step["path"], kept), filled(step["body"], kept), headers)
    out = answer_of(response, body, step, kept)
    if step["keep"]:
        kept[step["keep"]] = value_at(response, body, step["at"])
        out["kept"] = kept[step["keep"]] is not None
    return out


def ask_all(address, steps, recursors):
    """The answers of one agent to all steps, each with the name of its request."""
    answers, kept = [], {}
    for step in steps:
        if step["do"] == "settle":
            settle(address, step, kept)
            continue
        if step["do"] == "dns_settle":
            dns_ask.settle(address, step, kept)
            continue
        try:
            if step["do"] == "dns":
                given = dns_ask.answer(address, step, kept, recursors)
            else:
                given = (raw.answer if step["do"] == "raw" else answer)(address, step, kept)
            answers.append({"name": name_of(step), **given})
        except (OSError, http.client.HTTPException, ValueError, LookupError, struct.error) as e:
            answers.append({"name": name_of(step), "failed": type(e).__name__})
    return answers


def differences(want, got):
    """Paths into two answers where they differ, with both values."""
    if isinstance(want, dict) and isinstance(got, dict) and set(want) == {"object"} == set(got):
        wanted, given = [k for k, _ in want["object"]], [k for k, _ in got["object"]]
        if wanted != given:
            yield "keys", wanted, given
        theirs = dict((k, v) for k, v in got["object"])
        for key, value in want["object"]:
            if key in theirs:
                for path, a, b in differences(value, theirs[key]):
                    yield key + "." + path, a, b
    elif isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(set(want) | set(got)):
            for path, a, b in differences(want.get(key, "<absent>"), got.get(key, "<absent>")):
                yield key + ("." + path if path else ""), a, b
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (a, b) in enumerate(zip(want, got)):
            for path, x, y in differences(a, b):
                yield "%d.%s" % (i, path), x, y
    elif want != got or isinstance(want, bool) != isinstance(got, bool):
        yield "", want, got
