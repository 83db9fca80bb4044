"""Asks an agent's DNS port, and makes what it says comparable."""

import collections
import random
import re
import socket
import struct
import time

import answers
import dns_wire
from dns_wire import FLAGS, RCODES

PORT = 8600
PATIENCE = 10  # seconds for an answer that must come
PROBE = dns_wire.query_bytes(0x7072, 0, "probe.nothing.consul", "A")  # answered by everybody, with NXDOMAIN


def flag_names(flags):
    return [name for bit, name in FLAGS if flags & bit]


def query_of(step, kept):
    if step["bytes"] is not None:
        return step["bytes"]
    options = [*step["options"]] + ([dns_wire.subnet_option(step["subnet"])] if step["subnet"] else [])
    opt = b"" if step["edns"] is None else dns_wire.opt_bytes(step["edns"], step["version"], step["z"], 0, options)
    flags = sum(bit for bit, name in FLAGS if name in step["flags"]) | step["opcode"] << 11
    return dns_wire.query_bytes(random.getrandbits(16) & 0x6fff, flags, answers.filled(step["name"], kept), step["type"],
                                step["class"], opt)


def over_udp(address, query, may_be_silent):
    """A probe follows what may be left unanswered; None when its answer comes alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(address)
        s.settimeout(PATIENCE)
        s.send(query)
        if not may_be_silent:
            return s.recv(65535)
        s.send(PROBE)
        first = s.recv(65535)
        if first[:2] != PROBE[:2]:
            return first
        s.settimeout(0.5)
        try:
            return s.recv(65535)
        except TimeoutError:
            return None


def read_tcp(stream):
    """None at the end of the connection, or of the patience."""
    try:
        head = stream.read(2)
        return stream.read(struct.unpack("!H", head)[0]) if len(head) == 2 else None
    except (ConnectionError, TimeoutError):
        return None


def over_tcp(address, query, may_be_silent):
    """None when the connection is closed without an answer, or when it stays and only a probe behind is answered."""
    with socket.create_connection(address, timeout=PATIENCE) as s, s.makefile("rb") as stream:
        s.sendall(struct.pack("!H", len(query)) + query)
        if not may_be_silent:
            return read_tcp(stream)
        s.sendall(struct.pack("!H", len(PROBE)) + PROBE)
        first = read_tcp(stream)
        if first is None or first[:2] != PROBE[:2]:
            return first
        s.settimeout(0.5)
        return read_tcp(stream)


def records_shown(records, step, kept):
    """Records as text; what is random by the step's own words is replaced by its kind, and what is then alike is counted."""
    texts = []
    for owner, head, rdata in records:
        text = answers.LOOPBACK.sub("<ip>", "%s %s %s" % (owner, head, rdata))
        for name, value in kept.items():
            if isinstance(value, str) and len(value) >= 8:
                text = text.replace(value, "{%s}" % name)
        texts.append(re.sub(step["pick"], "<any>", text) if step["pick"] else text)
    counted = collections.Counter(texts)
    order = counted if step["ordered"] else sorted(counted)
    return [text if counted[text] == 1 else "%d x %s" % (counted[text], text) for text in order]


def shape_of(data, query, step, kept):
    message = dns_wire.Message(data)
    out = {"rcode": RCODES[message.rcode] if message.rcode < len(RCODES) else message.rcode,
           "flags": flag_names(message.flags), "question": ["%s %s %d" % q for q in message.questions]}
    if message.opcode:
        out["opcode"] = message.opcode
    if data[:2] != query[:2]:
        out["id"] = "is another"
    for name, records in zip(("answer", "authority", "additional"), message.sections):
        out[name] = records_shown(records, step, kept)
    everything = [r for section in message.sections for r in section]
    if len(set(everything)) != len(everything):
        out["repeated"] = len(everything) - len(set(everything))
    named = {r[2].split(" ")[-1] for section in message.sections for r in section}
    if any(r[0] not in named and " A" in r[1] for r in message.sections[2]):
        out["unexplained"] = "an address in the additional section that no answer leads to"
    if message.opt:
        out["edns"] = message.opt
    if message.trailing:
        out["trailing"] = message.trailing
    if step["size"]:
        out["size"] = len(data)
        out["compressed"] = message.pointers > 0
    elif len(data) > limit_of(step):
        out["size"] = "more than was asked for"
    return out


def limit_of(step):
    return 65535 if step["tcp"] else max(512, step["edns"] or 0)


def heard_shown(recursors):
    """What the agent asked its recursors because of the question; under which number is its own affair (RFC 5452)."""
    heard = []
    for name, recursor in recursors.items():
        for transport, message in recursor.take_heard():
            shown = "%s by %s: %s, %s" % (name, transport, " ".join("%s %s" % q[:2] for q in message.questions),
                                          " ".join(flag_names(message.flags)) or "no flags")
            shown += ", no EDNS" if not message.opt else ", EDNS %d %s" % (message.opt["size"], " ".join(message.opt["options"]))
            heard.append(shown.strip())
    return heard


def name_of(step):
    if step["bytes"] is not None:
        text = "bytes " + (step["bytes"].hex() if len(step["bytes"]) < 100 else step["bytes"][:60].hex() + "...")
    else:
        text = "%s %s" % (step["name"], step["type"])
        if step["class"] != 1:
            text += " class=%d" % step["class"]
        if step["edns"] is not None:
            text += " edns=%d" % step["edns"]
        for word in ("version", "z", "opcode", "subnet"):
            text += " %s=%s" % (word, step[word]) if step[word] else ""
        for code, data in step["options"]:
            text += " option=%d:%s" % (code, data.hex())
        if step["flags"] != ("rd",):
            text += " flags=" + "+".join(step["flags"])
    return "dns " + text + (" tcp" if step["tcp"] else "") + (" (%s)" % step["when"] if step["when"] else "")


def answer(address, step, kept, recursors):
    query = query_of(step, kept)
    heard_shown(recursors)  # what came before is no matter of this question
    data = (over_tcp if step["tcp"] else over_udp)((address[0], PORT), query, step["silent"])
    out = {"answered": False} if data is None else shape_of(data, query, step, kept)
    if recursors:
        out["heard"] = heard_shown(recursors)
    return out


def settle(address, step, kept):
    """Until the answer has the text, or no longer has it: a local copy may be milliseconds behind."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        query = query_of(step, kept)
        message = dns_wire.Message(over_tcp((address[0], PORT), query, False))
        shown = RCODES[message.rcode] + "".join(" ".join(r) + "\n" for section in message.sections for r in section)
        if (step["text"] in shown) != step["gone"]:
            return
        time.sleep(0.1)
