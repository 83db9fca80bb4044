"""A recursor that answers from a table, and remembers what it was asked: the other end of an agent's `recursors`."""

import contextlib
import socket
import struct
import threading

from dns_wire import FLAGS, RCODES, Message, opt_bytes, record_bytes


class Recursor:
    """table: "name. TYPE" or "name." to what is said there: a list of records, "silence", the name of a code, or a dict of
    records (answer), code (rcode), bits of the header that are set besides QR and RA (flags), an EDNS size (edns), and how
    many times a record is repeated (times). Names that are not in the table do not exist."""

    def __init__(self, table):
        self.table, self.heard, self.lock = table, [], threading.Lock()
        self.udp, self.tcp, self.stopped = None, None, False
        while not self.tcp:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                self.tcp = socket.create_server(("127.0.0.1", self.udp.getsockname()[1]))
        self.threads = [threading.Thread(target=self.serve_udp), threading.Thread(target=self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.udp.getsockname()[1]

    def close(self):
        self.stopped = True
        self.udp.sendto(b"", self.udp.getsockname())
        socket.create_connection(self.tcp.getsockname()).close()
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()

    def take_heard(self):
        with self.lock:
            heard, self.heard = self.heard, []
        return heard

    def reply(self, data, transport):
        try:
            query = Message(data)
            name, kind, _ = query.questions[0]
        except (ValueError, LookupError, struct.error):
            return None
        with self.lock:
            self.heard.append((transport, query))
        said = self.table.get("%s %s" % (name.lower(), kind), self.table.get(name.lower(), "NXDOMAIN"))
        if said == "silence":
            return None
        said = {"code": said} if isinstance(said, str) else {"answer": said} if isinstance(said, list) else said
        bits = sum(bit for bit, word in FLAGS if word in said.get("flags", ()))
        flags = 0x8080 | query.flags & 0x7900 | bits | RCODES.index(said.get("code", "NOERROR"))
        records = [record_bytes(r) for r in said.get("answer", ())] * said.get("times", 1)
        opt = opt_bytes(said["edns"]) if "edns" in said else b""
        question = data[12:data.index(b"\0", 12) + 5]
        return struct.pack("!6H", query.id, flags, 1, len(records), 0, 1 if opt else 0) + question + b"".join(records) + opt

    def serve_udp(self):
        while not self.stopped:
            data, who = self.udp.recvfrom(65535)
            answer = self.reply(data, "udp") if data else None
            if answer:
                self.udp.sendto(answer, who)

    def serve_tcp(self):
        while not self.stopped:
            connection, _ = self.tcp.accept()
            with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError, struct.error):
                connection.settimeout(5)
                while not self.stopped:
                    data = stream.read(struct.unpack("!H", stream.read(2))[0])
                    answer = self.reply(data, "tcp")
                    if not answer:
                        break
                    connection.sendall(struct.pack("!H", len(answer)) + answer)


@contextlib.contextmanager
def recursors(tables):
    """Running recursors by name."""
    running = {}
    try:
        for name, table in tables.items():
            running[name] = Recursor(table)
        yield running
    finally:
        for recursor in running.values():
            recursor.close()
