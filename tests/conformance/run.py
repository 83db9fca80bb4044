#!/usr/bin/env python3
"""Holds muster against a real Consul 1.8.7: the same requests to both, the answers compared.

    run.py record --oracle PATH             asks a real agent and keeps its answers in recorded/
    run.py check --muster PATH [--oracle PATH]
                                            asks muster; compares with the oracle if there is one, else with recorded/
    run.py check --url http://127.0.0.1:8500

Each server is started alone on a loopback address of its own, with its usual ports, and stopped at the end. Compared are
status, headers, and bodies: keys, their order, types and values, with what must differ (indexes, UUIDs, addresses)
replaced by its kind. Exit status: 0 all alike, 1 differences, 2 nothing could be compared.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.dont_write_bytecode = True
import requests as script  # noqa: E402  (the file beside this one)

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "recorded", "server.json")
NODE = "conf"

# Headers that are compared by value; of the others in the second list only whether they are there.
BY_VALUE = ("content-type", "allow", "location", "vary", "content-encoding", "x-consul-effective-consistency",
            "x-consul-knownleader", "x-consul-reason", "x-content-type-options", "content-security-policy")
BY_PRESENCE = ("x-consul-index", "x-consul-lastcontact", "x-consul-contenthash", "date")

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LOOPBACK = re.compile(r"\b127\.\d+\.\d+\.\d+(:\d+)?")
HEX16 = re.compile(r"\b[0-9a-f]{16}\b")


def masked_text(text):
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


def masked(value, loose, unordered):
    if isinstance(value, Pairs):
        out = Pairs()
        for key, member in value:
            if key in loose:
                out.append((key, shape(member)))
            elif key in ("CreateIndex", "ModifyIndex") and member:
                out.append((key, "<index>"))
            else:
                out.append((masked_text(key), masked(member, loose, unordered)))
        return out
    if isinstance(value, list):
        items = [masked(item, loose, unordered) for item in value]
        return sorted(items, key=lambda item: json.dumps(plain(item))) if unordered else items
    return masked_text(value) if isinstance(value, str) else value


def plain(value):
    """Pairs as [key, value] lists, so that recorded answers keep the order of keys."""
    if isinstance(value, Pairs):
        return {"object": [[k, plain(v)] for k, v in value]}
    return [plain(v) for v in value] if isinstance(value, list) else value


def answer_of(response, body, step):
    headers = {k.lower(): v for k, v in response.getheaders()}
    kept = {h: masked_text(headers[h]) for h in BY_VALUE if h in headers}
    kept.update({h: "<present>" for h in BY_PRESENCE if h in headers})
    out = {"status": response.status, "headers": kept}
    text = body.decode("utf-8", "replace")
    if headers.get("content-encoding") == "gzip":
        import gzip
        text = gzip.decompress(body).decode("utf-8", "replace")
    if headers.get("content-type") == "application/json":
        value = json.loads(text, object_pairs_hook=Pairs)
        out["indented"] = "\n" in text
        out["final_newline"] = text.endswith("\n")
        out["json"] = plain(masked(value, step["loose"], step["unordered"]))
    else:
        out["text"] = masked_text(text)
    return out


def request(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(*address, timeout=30)
    sent = {"Accept-Encoding": "identity", **(headers or {})}
    data = body.encode() if body is not None else None
    # Not urllib: paths must arrive as they stand.
    connection.request(method, path, body=data, headers=sent)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def name_of(step):
    body = step["body"]
    shown = "" if body is None else " " + (body if len(body) < 200 else "<%d bytes>" % len(body))
    headers = "".join(" %s: %s" % pair for pair in sorted(step["headers"].items()))
    return step["method"] + " " + step["path"] + headers + shown


def settle(address, step):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if step["text"].encode() in request(address, "GET", step["path"])[1]:
            return
        time.sleep(0.2)


def ask_all(address):
    answers = []
    for step in script.steps:
        if step["do"] == "settle":
            settle(address, step)
            continue
        try:
            response, body = request(address, step["method"], step["path"], step["body"], step["headers"])
            answers.append({"name": name_of(step), **answer_of(response, body, step)})
        except (OSError, http.client.HTTPException, ValueError) as e:
            answers.append({"name": name_of(step), "failed": type(e).__name__})
    return answers


def wait_until_ready(address, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process and process.poll() is not None:
            raise SystemExit("the server ended with status %d" % process.returncode)
        with contextlib.suppress(OSError, http.client.HTTPException):
            if b"serfHealth" in request(address, "GET", "/v1/health/node/" + NODE)[1]:
                return
        time.sleep(0.2)
    raise SystemExit("the server is not ready after a minute")


@contextlib.contextmanager
def server(binary):
    """One server of a datacenter, alone, on an address nobody else uses."""
    ip = "127.%d.%d.%d" % (random.randint(64, 250), random.randint(1, 250), random.randint(2, 250))
    folder = tempfile.mkdtemp(prefix="conformance-")
    subcommand = [] if os.path.basename(binary) == "muster-server" else ["agent"]
    command = [binary, *subcommand, "-server", "-bootstrap-expect=1", "-node=" + NODE, "-bind=" + ip, "-client=" + ip,
               "-data-dir=" + folder, "-dns-port=-1", "-log-level=err",
               "-hcl", '{"disable_update_check": true, "raft_protocol": 3}']
    log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        try:
            wait_until_ready((ip, 8500), process)
        except SystemExit:
            log.seek(0)
            sys.stderr.write(log.read()[-3000:])
            raise
        yield ip, 8500
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def ask_binary(binary):
    with server(binary) as address:
        return ask_all(address)


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
    elif want != got:
        yield "", want, got


def known_differences():
    """Requests whose answers differ on purpose, each with the reason; see accepted.json."""
    with open(os.path.join(HERE, "accepted.json"), encoding="utf-8") as f:
        return json.load(f)


def compare(wanted, given):
    accepted = known_differences()
    bad, excused = 0, 0
    for want, got in zip(wanted, given):
        assert want["name"] == got["name"], (want["name"], got["name"])
        found = list(differences(want, got))
        if not found:
            continue
        if want["name"] in accepted:
            excused += 1
            continue
        bad += 1
        print(want["name"])
        for path, a, b in found:
            print("    %s\n        consul %s\n        muster %s" % (path, json.dumps(a)[:400], json.dumps(b)[:400]))
    print("%d requests, %d differ, %d differ as accepted" % (len(wanted), bad, excused))
    return 1 if bad else 0


def recorded():
    try:
        with open(RECORDED, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("record", "check"))
    parser.add_argument("--oracle", default=os.environ.get("MUSTER_CONSUL"), help="a Consul 1.8.7 binary")
    parser.add_argument("--muster", help="muster's binary, started as `muster agent -server ...`")
    parser.add_argument("--url", help="a muster that runs already, with the node name " + NODE)
    args = parser.parse_args()
    if args.mode == "record":
        if not args.oracle:
            parser.error("record needs --oracle")
        answers = ask_binary(args.oracle)
        with open(RECORDED, "w", encoding="utf-8") as f:
            f.write("[\n" + ",\n".join(json.dumps(a, ensure_ascii=True) for a in answers) + "\n]\n")
        print("%d answers recorded" % len(answers))
        return 0
    if args.oracle and os.access(args.oracle, os.X_OK):
        wanted = ask_binary(args.oracle)
    else:
        print("SKIPPED: no Consul binary, so answers are compared with the recorded ones")
        wanted = recorded()
    if wanted is None or not (args.muster or args.url):
        print("SKIPPED: nothing to compare")
        return 2
    if args.url:
        parts = urllib.parse.urlsplit(args.url)
        given = ask_all((parts.hostname, parts.port or 8500))
    else:
        given = ask_binary(args.muster)
    return compare(wanted, given)


if __name__ == "__main__":
    sys.exit(main())
