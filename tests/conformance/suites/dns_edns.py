"""EDNS, header flags, classes and opcodes: what DNS flag day asks, and what a server must bear (RFC 6891, RFC 1035 4.1)."""

import struct

from dns_wire import TYPES, name_bytes, opt_bytes, query_bytes
from script import dns, dns_bytes, dns_settle, put

put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","NodeMeta":{"k":"v"},"Service":{"Service":"web","Port":80}}')
dns_settle("web.service.consul", "10.0.0.1")
NAMES = (("web.service.consul", "A"), ("web.service.consul", "SRV"), ("n1.node.consul", "A"), ("none.service.consul", "A"),
         ("consul", "SOA"), ("example.com", "A"))

# ---- Sizes ----
for name, qtype in NAMES:
    for size in (0, 1, 511, 512, 1232, 4096, 65535):
        dns(name, qtype, edns=size)
        dns(name, qtype, edns=size, tcp=True)

# ---- Versions, bits, options ----
COOKIE = (10, b"\1\2\3\4\5\6\7\x08")
for name, qtype in NAMES:
    for more in ({"version": 1}, {"version": 255}, {"version": 1, "options": [COOKIE]}, {"z": 0x8000}, {"z": 0x4000}, {"z": 0x7fff},
                 {"z": 0xffff}, {"options": [COOKIE]}, {"options": [(3, b"")]}, {"options": [(100, b"x" * 50)]},
                 {"options": [(65001, b""), (65002, b"abc"), (65001, b"")]}, {"options": [(8, b"")]}, {"options": [(8, b"\0\1")]},
                 {"options": [(12, b"\0" * 100)]}, {"version": 1, "z": 0x8000}):
        dns(name, qtype, edns=1232, silent=True, **more)
for subnet in ("10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "10.128.0.0/9", "2001:db8::/32", "2001:db8::1/128", "::/0"):
    for name, qtype in NAMES:
        dns(name, qtype, edns=1232, subnet=subnet)
# subnets that are none: a prefix too long, bits beyond the prefix, too many or too few bytes, a family unknown, a scope
for body in ("00012100" + "0a010203", "00011000" + "0a01ff", "00011000" + "0a", "00031000" + "0a01", "00011008" + "0a01", "00010000", "0001",
             "00028100" + "20010db8" * 4, "00018000" + "00" * 16):
    dns("web.service.consul", edns=1232, options=[(8, bytes.fromhex(body))], silent=True)
    dns("consul", "SOA", edns=1232, options=[(8, bytes.fromhex(body))], silent=True)

# ---- Flags, opcodes, classes ----
for name, qtype in NAMES:
    for flags in ((), ("rd",), ("cd",), ("ad",), ("rd", "cd", "ad"), ("z",), ("rd", "z"), ("aa",), ("tc",), ("ra",),
                  ("aa", "tc", "rd", "ra", "z", "ad", "cd")):
        dns(name, qtype, flags=flags, silent=True)
    for opcode in range(1, 16):
        dns(name, qtype, opcode=opcode, silent=True)
    for qclass in (3, 4, 254, 255, 0, 65535):
        dns(name, qtype, qclass=qclass)

# ---- Several records, and records where they do not belong ----
QUESTION = name_bytes("web.service.consul") + struct.pack("!HH", 1, 1)
OPT = opt_bytes(1232)
RR = name_bytes("web.service.consul") + struct.pack("!HHIH", TYPES["A"], 1, 7, 4) + b"\x0a\0\0\x09"


def message(counts, *parts, ident=0x1111, flags=0x100):
    return struct.pack("!6H", ident, flags, *counts) + b"".join(parts)


for tcp in (False, True):
    for m in (message((1, 0, 0, 2), QUESTION, OPT, OPT),                            # RFC 6891 6.1.1: FORMERR
              message((1, 0, 0, 2), QUESTION, OPT, opt_bytes(4096, version=1)),
              message((1, 0, 0, 1), QUESTION, name_bytes("x") + OPT[1:]),           # the owner of OPT is the root
              message((1, 0, 0, 1), QUESTION, b"\xc0\x0c" + OPT[1:]),
              message((1, 0, 0, 2), QUESTION, RR, OPT), message((1, 0, 0, 2), QUESTION, OPT, RR),
              message((1, 1, 0, 0), QUESTION, RR), message((1, 0, 1, 0), QUESTION, RR), message((1, 1, 1, 1), QUESTION, RR, RR, OPT),
              message((1, 1, 0, 0), QUESTION, OPT), message((1, 0, 1, 0), QUESTION, OPT),
              message((1, 0, 0, 0), QUESTION, b"\0"), message((1, 0, 0, 0), QUESTION, OPT), message((1, 0, 0, 1), QUESTION, OPT, b"trailing"),
              message((1, 0, 0, 1), QUESTION), message((1, 0, 0, 1), QUESTION, OPT[:-1]), message((1, 0, 0, 1), QUESTION, OPT[:5]),
              message((1, 0, 0, 1), QUESTION, OPT[:-2] + b"\0\4"), message((1, 0, 0, 1), QUESTION, OPT[:-2] + b"\0\4\0\x0a\0\4"),
              message((1, 0, 0, 1), QUESTION, OPT[:-2] + b"\0\3\0\x0a\0"), message((1, 0, 0, 65535), QUESTION, OPT),
              message((2, 0, 0, 0), QUESTION, QUESTION), message((2, 0, 0, 0), QUESTION), message((0, 0, 0, 0)),
              message((0, 0, 0, 1), OPT), message((65535, 0, 0, 0), QUESTION),
              # names that are pointers, or too long
              message((1, 0, 0, 0), b"\xc0\x0c\0\1\0\1"), message((1, 0, 0, 0), b"\3web\xc0\x0c\0\1\0\1"),
              message((1, 0, 0, 0), b"\xc0\x00\0\1\0\1"), message((1, 0, 0, 0), b"\xff\xff\0\1\0\1"), message((1, 0, 0, 0), b"\x40a\0\0\1\0\1"),
              message((1, 0, 0, 0), b"\x80a\0\0\1\0\1"), message((1, 0, 0, 0), b"\3web"), message((1, 0, 0, 0), b"\3web\0\0\1"),
              message((1, 0, 0, 0), b"\x3f" + b"a" * 63 + b"\0\0\1\0\1"), message((1, 0, 0, 0), (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"),
              message((1, 0, 0, 0), (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0\0\1\0\1"), message((1, 0, 0, 0), b"\1a" * 127 + b"\0\0\1\0\1"),
              message((2, 0, 0, 0), QUESTION, b"\xc0\x0c\0\1\0\1"),
              # answers, and what is no message
              message((1, 0, 0, 0), QUESTION, flags=0x8100), message((1, 1, 0, 0), QUESTION, RR, flags=0x8580),
              b"", b"\x11", b"\x11\x11\1\0\0\1\0\0\0\0\0", b"\x11\x11\1\0\0\1\0\0\0\0\0\0", b"\xff" * 12, b"\0" * 12, b"\0" * 600,
              b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", query_bytes(0x1111, 0x2800, "web.service.consul", "SOA"), b"\x11\x11" + b"\xff" * 500):
        dns_bytes(m, tcp=tcp)
