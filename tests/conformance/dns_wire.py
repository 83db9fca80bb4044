"""DNS messages as bytes, both ways (RFC 1035 4, RFC 6891 6). Own code, not a library's, because what is compared is what a
library hides: sizes, pointers, options, and messages that no library would send."""

import ipaddress
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35,
         "OPT": 41, "DS": 43, "DNSKEY": 48, "AXFR": 252, "ANY": 255, "CAA": 257}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
FLAGS = ((0x8000, "qr"), (0x400, "aa"), (0x200, "tc"), (0x100, "rd"), (0x80, "ra"), (0x40, "z"), (0x20, "ad"), (0x10, "cd"))
OPTION_SUBNET = 8


def type_name(number):
    return TYPE_NAMES.get(number, "TYPE%d" % number)


def labels_of(name):
    """Text as labels; a backslash takes the next character, or three digits, as it is."""
    labels, label, i = [], b"", 0
    name = name.rstrip(".") if not name.endswith("\\.") else name
    while i < len(name):
        if name[i] == "\\":
            digits = name[i + 1:i + 4]
            step = 4 if len(digits) == 3 and digits.isdigit() else 2
            label += bytes([int(digits)]) if step == 4 else name[i + 1].encode()
            i += step
        elif name[i] == ".":
            labels.append(label)
            label, i = b"", i + 1
        else:
            label, i = label + name[i].encode(), i + 1
    return labels + [label] if name else labels


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label for label in labels_of(name)) + b"\0"


def rdata_bytes(kind, text):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(text).packed
    if kind in ("CNAME", "NS", "PTR"):
        return name_bytes(text)
    if kind == "MX":
        preference, host = text.split()
        return struct.pack("!H", int(preference)) + name_bytes(host)
    if kind == "TXT":
        return bytes([len(text)]) + text.encode()
    raise ValueError("no %s can be written" % kind)


def record_bytes(line):
    """"owner ttl TYPE rdata" without compression."""
    owner, ttl, kind, text = line.split(" ", 3)
    body = rdata_bytes(kind, text)
    return name_bytes(owner) + struct.pack("!HHIH", TYPES[kind], 1, int(ttl), len(body)) + body


def subnet_option(prefix):
    """RFC 7871 6: family, source and scope prefix lengths, as many bytes of the address as the prefix needs."""
    net = ipaddress.ip_network(prefix)
    body = net.network_address.packed[:(net.prefixlen + 7) // 8]
    return OPTION_SUBNET, struct.pack("!HBB", 1 if net.version == 4 else 2, net.prefixlen, 0) + body


def opt_bytes(size, version=0, z=0, extended=0, options=()):
    body = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)
    return b"\0" + struct.pack("!HHBBHH", TYPES["OPT"], size, extended, version, z, len(body)) + body


def query_bytes(ident, flags, name, kind, qclass=1, opt=b""):
    number = TYPES.get(kind) or int(kind[4:])
    return struct.pack("!6H", ident, flags, 1, 0, 0, 1 if opt else 0) + name_bytes(name) + struct.pack("!HH", number, qclass) + opt


class Message:
    """A message read down to its records. ValueError or struct.error when it is not one."""

    def __init__(self, data):
        self.data, self.pointers = data, 0
        self.id, self.flags, *counts = struct.unpack_from("!6H", data)
        self.rcode, self.opcode = self.flags & 15, self.flags >> 11 & 15
        self.opt, at = None, 12
        self.questions = []
        for _ in range(counts[0]):
            name, at = self.name(at)
            kind, qclass = struct.unpack_from("!HH", data, at)
            self.questions.append((name, type_name(kind), qclass))
            at += 4
        self.sections = []
        for count in counts[1:]:
            records = []
            for _ in range(count):
                at = self.record(at, records)
            self.sections.append(records)
        self.trailing = len(data) - at

    def name(self, at):
        labels, end = [], None
        while self.data[at]:
            length = self.data[at]
            if length >= 0xc0:
                end = end or at + 2
                self.pointers += 1
                target = (length & 0x3f) << 8 | self.data[at + 1]
                if target >= at:
                    raise ValueError("a pointer does not point back")
                at = target
                continue
            labels.append("".join(chr(c) if 32 < c < 127 and chr(c) not in ".\\" else "\\%03d" % c if chr(c) not in ".\\" else "\\" + chr(c)
                                  for c in self.data[at + 1:at + 1 + length]))
            at += 1 + length
        return "".join(label + "." for label in labels) or ".", end or at + 1

    def record(self, at, records):
        owner, at = self.name(at)
        kind, rclass, ttl, length = struct.unpack_from("!HHIH", self.data, at)
        at += 10
        if at + length > len(self.data):
            raise ValueError("a record is cut off")
        if kind == TYPES["OPT"]:
            self.opt = {"owner": owner, "size": rclass, "version": ttl >> 16 & 255, "extended": ttl >> 24, "z": ttl & 0xffff,
                        "options": self.options(self.data[at:at + length])}
        else:
            where = "" if rclass == 1 else "CLASS%d " % rclass
            records.append((owner, "%d %s%s" % (ttl, where, type_name(kind)), self.rdata(type_name(kind), at, length)))
        return at + length

    @staticmethod
    def options(data):
        found = []
        while data:
            code, length = struct.unpack_from("!HH", data)
            found.append("%d:%s" % (code, data[4:4 + length].hex()))
            data = data[4 + length:]
        return found

    def rdata(self, kind, at, length):
        body = self.data[at:at + length]
        if kind in ("A", "AAAA"):
            return str(ipaddress.ip_address(body))
        if kind in ("CNAME", "NS", "PTR"):
            return self.name(at)[0]
        if kind == "SRV":
            before = self.pointers
            target = self.name(at + 6)[0]
            return "%d %d %d %s" % (*struct.unpack_from("!HHH", body), target) + ("" if before == self.pointers else " (compressed)")
        if kind == "MX":
            return "%d %s" % (*struct.unpack_from("!H", body), self.name(at + 2)[0])
        if kind == "SOA":
            mname, next_ = self.name(at)
            rname, next_ = self.name(next_)
            return "%s %s <serial> %d %d %d %d" % (mname, rname, *struct.unpack_from("!4I", self.data, next_ + 4))
        if kind == "TXT":
            strings = []
            while body:
                strings.append(body[1:1 + body[0]].decode("utf-8", "backslashreplace"))
                body = body[1 + body[0]:]
            return " ".join('"%s"' % s for s in strings)
        return body.hex()
