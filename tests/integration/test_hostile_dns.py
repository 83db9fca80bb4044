"""DNS clients that are silent, slow, deaf, too many or liars, and floods of names: others get their answers meanwhile."""
import os
import random
import socket
import struct
import threading
import time
import unittest

from kit import LONG, Cluster, DnsAnswer, dig, put, wait_until

MEBIBYTE = 1 << 20
MANY = 300
HOT = "hot.service.consul"


def message(number, name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def framed(number, name, kind=1):
    m = message(number, name, kind)
    return struct.pack(">H", len(m)) + m


def answers(s, count):
    """That many of a connection's messages, or fewer if it ends."""
    data, found = b"", []
    while len(found) < count:
        try:
            piece = s.recv(65536)
        except ConnectionError:
            break
        if not piece:
            break
        data += piece
        while len(data) >= 2 and len(data) >= 2 + (end := struct.unpack(">H", data[:2])[0]):
            found.append(DnsAnswer(data[2:2 + end]))
            data = data[2 + end:]
    return found


def is_closed(s):
    s.setblocking(False)
    try:
        while s.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


class HostileDns(unittest.TestCase):
    """One server and one agent for all of it: what one test does must not hurt the next."""

    @classmethod
    def setUpClass(cls):
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        cls.cluster = c = Cluster(servers=1, agents=1)
        c.__enter__()
        cls.addClassCleanup(lambda: c.__exit__(None, None, None))
        cls.s, cls.a = c.server_address(0), c.agent_address(0)
        cls.processes = {cls.s: c.server(0), cls.a: c.agent(0)}
        cls.pids = {host: process.pid for host, process in cls.processes.items()}
        put(cls.s, "/v1/catalog/register", {"Node": "hot", "Address": "10.6.0.1", "Service": {"Service": "hot", "Port": 80}})
        for i in range(MANY):
            put(cls.s, "/v1/catalog/register", {"Node": f"many-{i}", "Address": f"10.6.{1 + i // 200}.{i % 200}",
                                                "Service": {"ID": f"many-{i}", "Service": "many", "Port": 80}})
        for host in (cls.s, cls.a):
            wait_until(f"{host} answers", lambda h=host: dig(h, HOT).values("A") == ["10.6.0.1"])

    def tearDown(self):
        self.others_are_served()
        for host, process in self.processes.items():
            self.assertEqual((process.is_running(), process.pid), (True, self.pids[host]))

    def others_are_served(self, tcp=True):
        for host in (self.s, self.a):
            self.assertEqual(dig(host, HOT).values("A"), ["10.6.0.1"])
            if tcp:
                wait_until(f"{host} serves over TCP", lambda h=host: dig(h, HOT, tcp=True).values("A") == ["10.6.0.1"])

    def connect(self, host):
        s = socket.create_connection((host, 8600), timeout=30)
        self.addCleanup(s.close)
        return s

    def resident(self):
        return {host: process.resident_bytes() for host, process in self.processes.items()}

    def assert_grown_less(self, before, mebibytes):
        for host, process in self.processes.items():
            self.assertLess(process.resident_bytes() - before[host], mebibytes * MEBIBYTE, process.name)

    def test_silent_and_slow_connections_are_closed(self):
        """Nothing, a length only, half a question, one byte at a time: none of them holds its connection for good."""
        question = framed(1, HOT)
        long_question = b"\x0f\xff" + message(1, HOT) + bytes(4096)  # of 4095 bytes
        hosts = (self.s, self.a)
        held = [self.connect(host) for host in hosts for _ in range(20)]
        for i, s in enumerate(held):
            s.sendall((b"", question[:1], question[:2], question[:20])[i % 4])
        sent = {self.connect(host): 0 for host in hosts for _ in range(5)}
        self.others_are_served()

        def all_closed():
            for s in sent:
                try:
                    s.setblocking(True)
                    s.sendall(long_question[sent[s]:sent[s] + 1])
                    sent[s] += 1
                except OSError:
                    pass
            return all(is_closed(s) for s in held + list(sent))

        wait_until("all are closed", all_closed, pause=0.5)

    def test_a_question_may_come_byte_by_byte(self):
        for host in (self.s, self.a):
            s = self.connect(host)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in framed(7, HOT):
                s.sendall(bytes([byte]))
                time.sleep(0.002)
            self.assertEqual([(a.id, a.values("A")) for a in answers(s, 1)], [(7, ["10.6.0.1"])])

    def test_who_never_reads_is_not_served_further(self):
        before = self.resident()
        deaf = []
        for host in (self.s, self.a):
            for _ in range(15):
                s = self.connect(host)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.setblocking(False)
                questions = b"".join(framed(n, "many.service.consul", 33) for n in range(100))
                try:
                    for _ in range(200):
                        s.send(questions)
                except (BlockingIOError, ConnectionError):
                    pass
                deaf.append(s)
            self.others_are_served()
        self.assert_grown_less(before, 120)  # 30 clients; all of their answers would be 14 GB
        for s in deaf:
            s.close()

    def test_more_connections_than_there_is_room_for(self):
        for host in (self.s, self.a):
            held = []
            for _ in range(300):
                try:
                    held.append(self.connect(host))
                except OSError:
                    pass
            self.others_are_served(tcp=False)
            for s in held[::2]:
                try:
                    s.sendall(framed(1, HOT))
                except OSError:
                    pass
            for s in held:
                s.close()
            self.others_are_served()

    def test_pipelined_questions_are_all_answered(self):
        """More than wait at a time; a thread sends while answers come."""
        count = 2000
        for host in (self.s, self.a):
            s = self.connect(host)
            names = [(HOT, f"no-{n}.service.consul", "server-0.node.consul", "many.service.consul")[n % 4] for n in range(count)]
            data = b"".join(framed(n, name) for n, name in enumerate(names))
            sender = threading.Thread(target=s.sendall, args=(data,))
            sender.start()
            found = answers(s, count)
            sender.join()
            self.assertEqual(sorted(a.id for a in found), list(range(count)))
            for a in found:
                expected = (1, 0, 1, MANY)[a.id % 4]
                self.assertEqual((a.rcode, len(a.values("A"))), (0 if expected else 3, expected), names[a.id])

    def test_lengths_that_lie(self):
        before = self.resident()
        good = message(1, HOT)
        lies = (b"\xff\xff" + good, b"\0\0", b"\0\1\0", b"\0\x0b" + good[:11], b"\0\x0c" + good[:12],
                struct.pack(">H", len(good) - 1) + good, struct.pack(">H", len(good) + 1) + good, b"\x10\0" + good,
                b"\0\0" * 1000, b"\x0f\xff" + bytes(4095), framed(1, HOT)[:-1] + b"\xff" * 100)
        for host in (self.s, self.a):
            held = []
            for lie in lies * 5:
                s = self.connect(host)
                try:
                    s.sendall(lie + framed(2, HOT))
                except OSError:
                    pass
                held.append(s)
            self.others_are_served()
            for s in held:
                s.close()
        self.assert_grown_less(before, 40)

    def test_datagrams_of_all_kinds(self):
        random_bytes = random.Random(8)
        good = message(1, HOT)
        for host in (self.s, self.a):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                for i in range(3000 if LONG else 600):
                    cut = bytearray(good[:random_bytes.randrange(len(good) + 1)] if i % 2 else good)
                    if cut:
                        cut[random_bytes.randrange(len(cut))] = random_bytes.randrange(256)
                    u.sendto(bytes(cut), (host, 8600))
                    u.sendto(random_bytes.randbytes(i % 1400), (host, 8600))
                u.sendto(b"\0" * 60000, (host, 8600))
            self.others_are_served()

    def test_a_flood_of_names_beside_a_hot_one(self):
        """From many sockets that read nothing: the hot name is answered all the time, and nothing grows."""
        forms = ("{}.service.consul", "{}.node.consul", "tag.{}.service.consul", "_{}._tcp.service.consul", "{}.query.consul",
                 "{}.service.dc9.consul", "{}.connect.consul")
        for host in (self.s, self.a):
            over, sent = threading.Event(), []

            def flood(seed, host=host, over=over, sent=sent):
                names, n = random.Random(seed), 0
                sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
                while not over.is_set():
                    name = forms[n % len(forms)].format(f"x{names.getrandbits(64):x}")
                    sockets[n % 20].sendto(message(n & 0xffff, name, (1, 28, 33, 255)[n % 4]), (host, 8600))
                    n += 1
                    if n % 50 == 0:
                        time.sleep(0.01)
                sent.append(n)
                for s in sockets:
                    s.close()

            threads = [threading.Thread(target=flood, args=(seed,)) for seed in range(2)]
            for t in threads:
                t.start()
            try:
                time.sleep(1)
                before, asked, lost = self.resident(), 0, 0
                end = time.monotonic() + (20 if LONG else 4)
                while time.monotonic() < end:
                    asked += 1
                    try:
                        self.assertEqual(dig(host, HOT, timeout=1).values("A"), ["10.6.0.1"])
                    except TimeoutError:
                        lost += 1  # a datagram may be; the next one is asked
                    time.sleep(0.01)
            finally:
                over.set()
                for t in threads:
                    t.join()
            self.assertGreater(sum(sent), 2000)
            self.assertLess(lost, max(3, asked // 20), f"of {asked} at {host}")
            self.assert_grown_less(before, 24)


if __name__ == "__main__":
    unittest.main(verbosity=2)
