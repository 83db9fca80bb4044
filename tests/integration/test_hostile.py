"""Whoever sends nonsense, too much, too slowly or not at all: the process stays up and others are served."""
import os
import random
import signal
import socket
import subprocess
import unittest

from kit import BIN, LONG, Cluster, PATIENCE, dig, get, kv_get, put, wait_until

MEBIBYTE = 1 << 20


def connect(host, port, timeout=30):
    return socket.create_connection((host, port), timeout=timeout)


def read_all(s):
    """Until the other side closes; a reset ends it, too."""
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def send_what_it_takes(s, data):
    try:
        s.sendall(data)
    except OSError:  # closed on us, or it stopped reading
        pass


class Hostile(unittest.TestCase):
    """One server and one agent for all of it: what one test does must not hurt the next."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(servers=1)
        cls.cluster.__enter__()
        cls.cluster.nagents = 1
        cls.agent = cls.cluster.add_agent(0)
        cls.agent.environment["ASAN_OPTIONS"] = "quarantine_size_mb=8"
        cls.cluster.configure("agent-0", limits={"http_max_conns_per_client": 2000})
        cls.agent.start()
        cls.a, cls.s = cls.cluster.agent_address(0), cls.cluster.server_address(0)
        cls.cluster.wait_for_members(cls.a)
        cls.pids = (cls.agent.pid, cls.cluster.server(0).pid)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def tearDown(self):
        """Still the same processes, and they serve."""
        for host in (self.a, self.s):
            self.assertEqual(put(host, "/v1/kv/alive", "yes").body, b"true")
            self.assertEqual(kv_get(host, "alive"), "yes")
            self.assertEqual(dig(host, "consul.service.consul").values("A"), [self.s])
        self.assertTrue(self.agent.is_running() and self.cluster.server(0).is_running())

    def test_http_refuses_what_is_too_large(self):
        limit = 512 * 1024
        for host in (self.a, self.s):
            self.assertEqual(put(host, "/v1/kv/large", b"x" * limit).body, b"true")
            self.assertEqual(put(host, "/v1/kv/large", b"x" * (limit + 1)).status, 413)
            self.assertEqual(len(get(host, "/v1/kv/large?raw").body), limit)
            for request_line in (b"GET /" + b"a" * (4 * MEBIBYTE), b"GET / HTTP/1.1\r\nX: " + b"a" * (4 * MEBIBYTE),
                                 b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500000):
                with connect(host, 8500) as s:
                    send_what_it_takes(s, request_line)
                    self.assertNotIn(b" 200 ", read_all(s)[:20])
            with connect(host, 8500) as s:  # says that more will come than there is memory
                send_what_it_takes(s, b"PUT /v1/kv/huge HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\nabc")
                self.assertIn(b" 413 ", read_all(s)[:20])

    def test_http_refuses_nonsense(self):
        for text in (b"\0" * 1000, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"z" * 500, b"GET\r\n\r\n",
                     b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", b"\r\n" * 100000,
                     b"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"):
            with connect(self.a, 8500) as s:
                send_what_it_takes(s, text)
                s.shutdown(socket.SHUT_WR)
                self.assertNotIn(b" 200 ", read_all(s)[:20])

    def test_slow_clients_hold_up_nobody(self):
        slow = [connect(self.a, 8500) for _ in range(100)]
        for i, s in enumerate(slow):
            s.sendall((b"GET /v1/kv/alive HTTP/1.1\r\nX: ", b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n",
                       b"G", b"PUT /v1/kv/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")[i % 4])
        for _ in range(20):
            for s in slow:
                send_what_it_takes(s, b"x")  # a byte now and then is no life
            self.assertEqual(get(self.a, "/v1/agent/self").status, 200)
            self.assertEqual(kv_get(self.a, "alive") or "yes", "yes")
        for s in slow:
            s.close()

    def test_clients_that_take_nothing_are_bounded(self):
        """They ask for a large answer many times over, and never read."""
        put(self.a, "/v1/kv/big", b"x" * 400000)
        before = self.agent.resident_bytes()
        greedy = []
        for _ in range(60):
            s = connect(self.a, 8500)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.setblocking(False)
            try:
                for _ in range(200):
                    s.send(b"GET /v1/kv/big HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
            except BlockingIOError:
                pass
            greedy.append(s)
        for _ in range(20):
            self.assertEqual(get(self.a, "/v1/kv/alive").status, 200)
        self.assertLess(self.agent.resident_bytes() - before, 300 * MEBIBYTE)  # 60 * 2000 answers would be 60 GB
        for s in greedy:
            s.close()

    def noise(self, seed):
        random_bytes = random.Random(seed)
        heads = (b"", b"\0", b"\1", b"\4", b"\0\0\0\0\4\0\0\0\1\0\0\0\0", b"\4\0\0\0\1\0\0\0\1\0\0\0\0", b"\0\x86", b"\xff" * 8,
                 b"\4\0\0\0\0\0\0\0\1\xff\xff\xff\xff", b"\6\x82", b"\t\x80\0\0\0", b"\x0c\0\0", b"\7\x01", b"\5", b"\xf4\1\2\3\4")
        return random_bytes.choice(heads) + random_bytes.randbytes(random_bytes.choice((0, 1, 10, 100, 1500, 20000)))

    def test_noise_on_every_port(self):
        rounds = 3000 if LONG else 300
        before = self.cluster.server(0).resident_bytes(), self.agent.resident_bytes()
        halves = []
        for i in range(rounds):
            for host, port in ((self.s, 8300), (self.s, 8301), (self.a, 8301), (self.s, 8600), (self.a, 8600)):
                if port == 8300 or i % 4 == 0:
                    try:
                        s = connect(host, port)
                    except OSError:
                        continue
                    send_what_it_takes(s, self.noise(i))
                    if i % 10 == 0 and len(halves) < 60:
                        halves.append(s)  # stays half open
                    else:
                        s.close()
                if port != 8300:
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                        u.sendto(self.noise(i)[:1400], (host, port))
        self.assertEqual(len(get(self.a, "/v1/agent/members").json()), 2)
        for process, bytes_before in zip((self.cluster.server(0), self.agent), before):
            self.assertLess(process.resident_bytes() - bytes_before, 200 * MEBIBYTE, process.name)
        for s in halves:
            s.close()

    def test_lying_lengths_reserve_nothing(self):
        before = self.cluster.server(0).resident_bytes()
        held = []
        for claim in (b"\0\xdf\xff\xff\xff\xff", b"\0\xdd\xff\xff\xff\xff", b"\0\xdb\xff\xff\xff\xff",  # map, list, text
                      b"\4\0\1\0\1\0\0\0\1\xff\xff\xff\xff", b"\4" + b"\0\1\0\1\0\0\0\3\x7f\xff\xff\xff" * 50):
            for _ in range(10):
                s = connect(self.s, 8300)
                send_what_it_takes(s, claim + b"x" * 1000)
                held.append(s)
        # Gossip over TCP: a user state and a compressed message of 4 GiB.
        for claim in (b"\6\x83\xa5Nodes\xce\xff\xff\xff\xff\xa8UserStateLen\xce\xff\xff\xff\xff\xa4Join\xc3",
                      b"\t\x82\xa4Algo\0\xa3Buf\xdb\xff\xff\xff\xff"):
            for host in (self.s, self.a):
                s = connect(host, 8301)
                send_what_it_takes(s, claim + b"x" * 1000)
                held.append(s)
        self.assertEqual(kv_get(self.a, "absent"), None)
        self.assertLess(self.cluster.server(0).resident_bytes() - before, 150 * MEBIBYTE)
        for s in held:
            s.close()

    def test_a_thousand_blocking_queries_leave_nothing_behind(self):
        put(self.a, "/v1/kv/watched", "1")
        index = get(self.a, "/v1/kv/watched").index
        wait_until("quiet", lambda: self.agent.open_files() < 60)
        agent_before, server_before = self.agent.open_files(), self.cluster.server(0).open_files()
        waiting = []
        for i in range(1000):
            s = connect(self.a, 8500)
            s.sendall(f"GET /v1/kv/watched?index={index}&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            waiting.append(s)
        wait_until("all are connected", lambda: self.agent.open_files() >= agent_before + 990)
        self.assertEqual(kv_get(self.a, "watched"), "1")
        for s in waiting[:500]:
            s.close()
        wait_until("half of them are gone", lambda: self.agent.open_files() <= agent_before + 520)
        put(self.a, "/v1/kv/watched", "2")
        for s in waiting[500:]:
            s.settimeout(PATIENCE)
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
            s.close()
        wait_until("no descriptor is left", lambda: self.agent.open_files() <= agent_before + 8)
        wait_until("nor at the server", lambda: self.cluster.server(0).open_files() <= server_before + 8)

    def test_connections_of_one_client_are_limited(self):
        """The server has the default of 200, which must be free again once they are closed."""
        for _ in range(2):
            held, refused = [], 0
            for _ in range(260):
                s = connect(self.s, 8500)
                s.sendall(b"GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n")
                try:
                    refused += not s.recv(10)
                except ConnectionError:
                    refused += 1
                held.append(s)
            self.assertGreaterEqual(refused, 60)
            self.assertLess(refused, 100)
            for s in held:
                s.close()
            wait_until("there is room again", lambda: get(self.s, "/v1/status/leader").status == 200)


class Dev(unittest.TestCase):
    """muster agent -dev, as on a laptop: no flags but addresses."""

    def start(self, c, program):
        host = f"{c.net}.11"
        os.makedirs(c.path("tmp", "x")[:-2], exist_ok=True)
        argv = [program, "agent", "-dev", "-bind", host, "-client", host]
        with open(c.path("dev.log"), "ab") as log:
            return host, subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "TMPDIR": c.path("tmp", "")})

    def test_dev_is_a_server_that_leaves_nothing(self):
        with Cluster(servers=0) as c:
            link = c.path("bin", "consul")
            os.symlink(os.path.abspath(os.path.join(BIN, "muster")), link)
            for program, number in ((os.path.join(BIN, "muster"), signal.SIGINT), (link, signal.SIGTERM)):
                host, process = self.start(c, program)
                try:
                    wait_until("it leads", lambda: put(host, "/v1/kv/x", "1").body == b"true\n")
                    self.assertIn(b'    "Config": {\n', get(host, "/v1/agent/self").body)
                    self.assertEqual(len(get(host, "/v1/agent/members").json()), 1)
                    put(host, "/v1/agent/service/register", {"Name": "web", "Port": 80})
                    wait_until("a service is found", lambda: dig(host, "web.service.consul").values("A") == [host])
                    out = subprocess.run([program, "kv", "get", "-http-addr", f"{host}:8500", "x"], capture_output=True, text=True)
                    self.assertEqual(out.stdout, "1\n")
                    process.send_signal(number)
                    self.assertEqual(process.wait(PATIENCE), 0)
                finally:
                    process.kill()
                    process.wait()
                self.assertEqual(os.listdir(c.path("tmp", "")), [])
            with open(c.path("dev.log"), errors="replace") as f:
                self.assertNotIn("Sanitizer", f.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
