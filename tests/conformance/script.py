"""The words that suites are written in. A suite is a file in suites/; its calls of these are the steps, taken in order:
later steps see what earlier ones did.

ask(...)    one request whose answer is compared; get, put, delete: the same with their method
raw(...)    the same in bytes on a connection of its own
settle(...) polls until an answer has a text in it, because anti-entropy takes its time; nothing is compared
dns(...)    one question to the DNS port; dns_bytes: a message as it stands; dns_settle: polls like settle
asked(...)  which kind of agent the suite is asked of, and how it is configured
recursor(...) a recursor that the agent's configuration names
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
    settings.update({"kind": "server", "config": {}, "server": {}, "included": [], "recursors": {}})


def include(name):
    """Takes the steps of another suite here: often the same requests to another kind of agent. What is accepted there is here."""
    settings["included"].append(name)
    spec = importlib.util.spec_from_file_location("suite_" + name, os.path.join(SUITES, name + ".py"))
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def asked(kind="server", config=None, server=None):
    """kind "client": a client agent of a datacenter with one server is asked. config: more keys for what is asked and for
    its server, as in a configuration file; server: for the server alone."""
    settings.update({"kind": kind, "config": config or {}, "server": server or {}})


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


def dns(name, qtype="A", edns=None, version=0, z=0, options=(), subnet=None, flags=("rd",), opcode=0, qclass=1, tcp=False,
        pick=None, ordered=False, size=True, when="", message=None, silent=False):
    """edns: the UDP size; without it no EDNS, and no version, z (16 bits), options (pairs of code and bytes) or subnet
    ("10.1.0.0/16"). flags: of the header, "rd", "ad", "cd", "z", "aa", "tc", "ra". name: text, where a backslash takes the next
    character as it is, or three digits as a byte; {name} is a kept value.
    Compared are code, flags, question, the records of each section with their times to live, EDNS, and the size of the message.
    pick: a pattern; what it matches in records is random, so those that then look alike are counted. ordered: records come in
    one order. size: False where the size is random too; then only that the message is no larger than asked for.
    when: tells this question from the same one asked before, in the name of the step. silent: somebody may not answer it."""
    assert edns is not None or not (version or z or options or subnet)
    steps.append({"do": "dns", "name": name, "type": qtype, "edns": edns, "version": version, "z": z, "options": list(options),
                  "subnet": subnet, "flags": tuple(flags), "opcode": opcode, "class": qclass, "tcp": tcp, "pick": pick,
                  "ordered": ordered, "size": size, "when": when, "bytes": message, "silent": silent or message is not None})


def dns_bytes(message, tcp=False, **more):
    """A whole message, whatever it is; it may be one that nobody answers."""
    dns("", tcp=tcp, message=message, **more)


def dns_settle(name, text, qtype="A", gone=False):
    """Until an answer over TCP has the text in its code or records, or has it no longer."""
    dns(name, qtype, tcp=True)
    steps[-1].update({"do": "dns_settle", "text": text, "gone": gone})


def recursor(name, table):
    """Something that answers as dns_recursor.py says. {recursor:NAME} in a configuration is its address; what it is asked
    because of a question is part of the answer to it."""
    settings["recursors"][name] = table


def settle(path, text):
    steps.append({"do": "settle", "path": path, "text": text})


def get(path, **more):
    ask("GET", path, **more)


def put(path, body=None, **more):
    ask("PUT", path, body, **more)


def delete(path, **more):
    ask("DELETE", path, **more)
