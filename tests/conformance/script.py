"""The words that suites are written in. A suite is a file in suites/; its calls of these are the steps, taken in order:
later steps see what earlier ones did.

ask(...)    one request whose answer is compared; get, put, delete: the same with their method
raw(...)    the same in bytes on a connection of its own
settle(...) polls until an answer has a text in it, because anti-entropy takes its time; nothing is compared
asked(...)  which kind of agent the suite is asked of, and how it is configured
include(...) the steps of another suite
"""

import importlib.util
import os

SUITES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "suites")

steps = []
settings = {}


def begin():
    """Forgets the steps of the suite before."""
    steps.clear()
    settings.clear()
    settings.update({"kind": "server", "config": {}, "included": []})


def include(name):
    """Takes the steps of another suite here: often the same requests to another kind of agent. What is accepted there is here."""
    settings["included"].append(name)
    spec = importlib.util.spec_from_file_location("suite_" + name, os.path.join(SUITES, name + ".py"))
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def asked(kind="server", config=None):
    """kind "client": a client agent of a datacenter with one server is asked. config: more keys for what is asked and for
    its server, as in a configuration file."""
    settings.update({"kind": kind, "config": config or {}})


def ask(method, path, body=None, headers=None, loose=(), unordered=False, opaque=False, keep=None, at=None):
    """body: text, or bytes. headers: a dict, or a list of pairs where one is repeated.
    loose: keys whose values differ by nature; their names and types are still compared.
    unordered: lists come in any order. opaque: of the body only whether there is one is compared.
    keep, at: keeps a value of the answer under a name for later paths, bodies and headers, which say {name}; each side has
    its own. at is the way through the JSON of the answer ("ID", "0.CreateIndex") or a header ("header:X-Consul-Index").
    In later answers a kept text is compared as {name} too."""
    assert (keep is None) == (at is None)
    pairs = list((headers or {}).items()) if not isinstance(headers, list) else headers
    steps.append({"do": "ask", "method": method, "path": path, "body": body, "headers": pairs, "loose": list(loose),
                  "unordered": unordered, "opaque": opaque, "keep": keep, "at": at})


def raw(*pieces, count=1, loose=(), opaque=False):
    """pieces: text (a byte each character) or bytes, each sent when one answer to what was sent before has come. count: how
    many answers, without interim ones, are read at the end. What is compared besides them is whether the connection stays."""
    steps.append({"do": "raw", "pieces": pieces, "count": count, "loose": list(loose), "unordered": False, "opaque": opaque})


def settle(path, text):
    steps.append({"do": "settle", "path": path, "text": text})


def get(path, **more):
    ask("GET", path, **more)


def put(path, body=None, **more):
    ask("PUT", path, body, **more)


def delete(path, **more):
    ask("DELETE", path, **more)
