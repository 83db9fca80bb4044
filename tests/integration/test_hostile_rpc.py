"""Clients of a server's port 8300 that speak the protocol well enough to do harm: what they make the server keep is bounded, and
nobody else notices."""
import socket
import struct
import threading
import time
import unittest

from kit import Cluster, get, kv_get, put, wait_until

MEBIBYTE = 1 << 20
DATA, WINDOW, PING, SYN, ACK = 0, 1, 2, 1, 2


def frame(kind, flags, stream, length):
    return struct.pack(">BBHII", 0, kind, flags, stream, length)


def text(s):
    b = s.encode()
    return (bytes([0xA0 + len(b)]) if len(b) < 32 else b"\xda" + struct.pack(">H", len(b))) + b


def number(n):
    return b"\xcf" + struct.pack(">Q", n)


def call(seq, method, **arguments):
    body = bytes([0x80 + len(arguments)])
    for key, value in arguments.items():
        body += text(key) + (text(value) if isinstance(value, str) else number(value))
    return b"\x82" + text("Seq") + number(seq) + text("ServiceMethod") + text(method) + body


class Session:
    """A yamux session that answers pings and takes whatever comes, but gives streams no window."""

    def __init__(self, host, answers_pings=True):
        self.socket = socket.create_connection((host, 8300), timeout=30)
        self.socket.sendall(b"\4")
        self.received, self.closed, self.answers_pings = 0, False, answers_pings
        self.thread = threading.Thread(target=self._drain, daemon=True)
        self.thread.start()

    def _drain(self):
        buffer = b""
        skip = 0
        try:
            while True:
                data = self.socket.recv(1 << 20)
                if not data:
                    break
                self.received += len(data)
                buffer += data
                while True:
                    if skip:
                        n = min(skip, len(buffer))
                        buffer, skip = buffer[n:], skip - n
                    if skip or len(buffer) < 12:
                        break
                    _, kind, flags, _, length = struct.unpack(">BBHII", buffer[:12])
                    buffer = buffer[12:]
                    if kind == DATA:
                        skip = length
                    elif kind == PING and flags & SYN and self.answers_pings:
                        self.socket.sendall(frame(PING, ACK, 0, length))
        except OSError:
            pass
        self.closed = True

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True

    def open(self, stream, request=b""):
        self.send(frame(WINDOW, SYN, stream, 0) + (frame(DATA, 0, stream, len(request)) + request if request else b""))

    def close(self):
        self.socket.close()


class HostileRpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(servers=1, agents=1)
        cls.cluster.configure("server-0", limits={"http_max_conns_per_client": 1000})
        cls.cluster.__enter__()
        cls.s, cls.a, cls.server = cls.cluster.server_address(0), cls.cluster.agent_address(0), cls.cluster.server(0)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def tearDown(self):
        """Whatever happened: all are well, and work."""
        self.assertTrue(self.server.is_running())
        self.assertEqual(put(self.a, "/v1/kv/alive", "yes").body, b"true")
        self.assertEqual(kv_get(self.a, "alive", "?consistent"), "yes")

    def test_answers_that_nobody_takes_are_bounded(self):
        """5 MB, asked for on 400 streams of which none gets a window: 2 GB, if it were kept."""
        for i in range(13):
            put(self.a, f"/v1/kv/large/{i}", b"x" * 400_000)
        before = self.server.resident_bytes()
        session = Session(self.s)
        for i in range(400):
            session.open(2 * i + 1, call(i, "KVS.List", Datacenter="dc1", Key="large/"))
        wait_until("the session is ended", lambda: session.closed)
        grown = max(self.server.resident_bytes() - before for _ in range(3))
        print(f"{grown / MEBIBYTE:+.0f} MiB")
        self.assertLess(grown, 1600 * MEBIBYTE)
        self.assertEqual(get(self.a, "/v1/kv/large/?keys").status, 200)
        session.close()

    def test_streams_of_a_session_are_bounded(self):
        """100,000 streams, most of them silent."""
        before = self.server.resident_bytes()
        session = Session(self.s)
        for i in range(0, 100_000, 100):
            session.send(b"".join(frame(WINDOW, SYN, 2 * k + 1, 0) for k in range(i, i + 100)))
        self.assertEqual(kv_get(self.a, "absent"), None)
        self.assertLess(self.server.resident_bytes() - before, 200 * MEBIBYTE)
        session.close()

    def test_broken_windows_end_the_session_alone(self):
        index = get(self.a, "/v1/kv/alive").index if kv_get(self.a, "alive") else 1
        blocking = call(1, "KVS.Get", Datacenter="dc1", Key="alive", MinQueryIndex=index)
        for bad in (frame(WINDOW, 0, 1, 0xFFFFFFFF) * 3, frame(DATA, 0, 1, 0xFFFFFFFF) + b"x" * 300_000, frame(WINDOW, SYN, 1, 0),
                    frame(7, 0, 1, 0), b"\1" * 12, frame(DATA, 0, 1, 262145) + b"x" * 262145, frame(3, 0, 0, 1)):
            session = Session(self.s)
            session.open(1, blocking)
            session.send(bad)
            time.sleep(0.05)
            self.assertEqual(kv_get(self.a, "absent"), None)
            session.close()
        wait_until("nothing of them is left", lambda: self.server.open_files() < 80)

    def test_a_window_of_any_size_is_no_more_than_the_answer(self):
        put(self.a, "/v1/kv/one", "1")
        session = Session(self.s)
        session.open(1, call(1, "KVS.Get", Datacenter="dc1", Key="one"))
        session.send(frame(WINDOW, 0, 1, 0x7FFFFFFF))
        wait_until("it is answered", lambda: session.received > 100)
        session.close()

    def test_connections_of_one_client_are_limited(self):
        """rpc_max_conns_per_client, 100 by default; others of the same machine come from addresses of their own."""
        held = [socket.create_connection((self.s, 8300), timeout=30) for _ in range(130)]

        def refused():
            count = 0
            for s in held:
                s.setblocking(False)
                try:
                    count += not s.recv(1)
                except BlockingIOError:
                    pass
                except ConnectionError:
                    count += 1
            return count

        wait_until("the rest are refused", lambda: 25 <= refused() <= 40)
        self.assertEqual(put(self.a, "/v1/kv/others", "1").body, b"true")
        # Who says nothing is out after rpc_handshake_timeout, 5 s.
        wait_until("those who say nothing, too", lambda: refused() == len(held))
        for s in held:
            s.close()
        again = Session(self.s)
        again.open(1, call(1, "Status.Ping"))
        wait_until("there is room again", lambda: again.received > 20)
        again.close()

    def test_lying_lengths_inside_of_streams_reserve_nothing(self):
        before = self.server.resident_bytes()
        sessions = []
        head = b"\x82" + text("Seq") + number(1) + text("ServiceMethod")
        lies = (head + b"\xdb\xff\xff\xff\xff", head + text("KVS.Get") + b"\xdf\xff\xff\xff\xff", head + text("KVS.Apply") + b"\x81"
                + text("DirEnt") + b"\x81" + text("Value") + b"\xc6\xff\xff\xff\xff", head + text("Txn.Apply") + b"\x81" + text("Ops")
                + b"\xdd\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff" * 1000, b"\x91" * 60000, head + text("Catalog.Register") + b"\x81"
                + text("Unknown") + b"\x91" * 60000)
        for i, lie in enumerate(lies * 10):
            session = Session(self.s)
            session.open(1, lie)
            sessions.append(session)
        self.assertEqual(kv_get(self.a, "absent"), None)
        self.assertLess(self.server.resident_bytes() - before, 150 * MEBIBYTE)
        for session in sessions:
            session.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
