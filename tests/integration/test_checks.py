"""Health checks of one agent: a thousand of them each second, programs that misbehave, a real gRPC server."""
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import unittest

from kit import LONG, Cluster, get, put, wait_until

MANY = 1000
ROUNDS = 3
FLOOD = 1 << 30 if LONG else 1 << 27


class Counter(threading.Thread):
    """Answers HTTP checks, and counts how often each path was asked for."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.listener = socket.create_server((host, 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        self.counts = {}

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                path = peer.recv(4096).split(b" ")[1]
                self.counts[path] = self.counts.get(path, 0) + 1
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def register(host, name, **check):
    reply = put(host, "/v1/agent/check/register", {"Name": name, "Interval": "1s", **check})
    assert reply.status == 200, reply.body


def shown(host, name):
    return get(host, "/v1/agent/checks").json()[name]


def lone_agent(c, **keys):
    agent = c.add_agent(0)
    c.configure("agent-0", **keys)
    agent.start()
    wait_until("the agent answers", lambda: get(c.agent_address(0), "/v1/agent/self").status == 200)
    return agent, c.agent_address(0)


class Checks(unittest.TestCase):
    def test_a_thousand_checks_keep_their_beat(self):
        """All of them run as often as each other: none is starved, none doubled, however busy the machine is."""
        with Cluster(servers=0) as c:
            server = Counter(c.agent_address(0))
            server.start()
            where = f"http://{c.agent_address(0)}:{server.port}"
            lone_agent(c, checks=[{"name": f"c{i}", "http": f"{where}/{i}", "interval": "1s"} for i in range(MANY)])
            wait_until("each has run", lambda: len(server.counts) == MANY)
            before, begin = dict(server.counts), time.monotonic()
            wait_until("each has run again", lambda: min(server.counts[p] - before[p] for p in before) >= ROUNDS)
            beats = time.monotonic() - begin
            most = max(server.counts[p] - before[p] for p in before)
            self.assertLessEqual(most, beats + 2, "a check ran more often than once a second")
            server.listener.close()

    def test_programs_that_misbehave_cost_little(self):
        with Cluster(servers=0) as c:
            agent, host = lone_agent(c, enable_script_checks=True)
            register(host, "calm", Args=["true"])
            wait_until("scripts run", lambda: shown(host, "calm")["Status"] == "passing")
            files, memory = agent.open_files(), agent.resident_bytes()
            register(host, "flood", Args=["head", "-c", str(FLOOD), "/dev/zero"], Timeout="30s")
            register(host, "hang", Args=["sleep", "1000"], Timeout="100ms")
            register(host, "fork", Args=["sh", "-c", "setsid sleep 20 & echo left"])
            register(host, "gone", Args=["/no/such/program"])
            wait_until("the flood has passed", lambda: shown(host, "flood")["Status"] == "passing")
            wait_until("the others have run", lambda: all(shown(host, n)["Output"] for n in ("hang", "fork", "gone")))
            self.assertIn(f"Captured 4096 of {FLOOD} bytes", shown(host, "flood")["Output"])
            self.assertEqual(shown(host, "hang")["Output"], "Timed out (100ms) running check")
            self.assertEqual(shown(host, "fork")["Output"], "left\n")
            self.assertIn("no such file or directory", shown(host, "gone")["Output"])
            self.assertLess(agent.resident_bytes() - memory, 64 << 20)
            for name in ("flood", "hang", "fork", "gone"):
                put(host, f"/v1/agent/check/deregister/{name}")
            wait_until("all descriptors are closed", lambda: agent.open_files() <= files + 4)
            children = pathlib.Path(f"/proc/{agent.pid}/task/{agent.pid}/children")
            wait_until("no process is left", lambda: len(children.read_text().split()) <= 1)

    def test_thousands_of_reports_survive_a_restart(self):
        with Cluster(servers=0) as c:
            agent, host = lone_agent(c, checks=[{"name": f"t{i}", "ttl": "1h"} for i in range(MANY)])
            for i in range(MANY):
                put(host, f"/v1/agent/check/pass/t{i}?note=fine")
            self.assertEqual(agent.stop(), 0)
            agent.start()
            wait_until("the agent answers", lambda: get(host, "/v1/agent/self").status == 200)
            checks = get(host, "/v1/agent/checks").json()
            self.assertEqual({(k["Status"], k["Output"]) for k in checks.values()}, {("passing", "fine")})
            self.assertEqual(len(checks), MANY)


class Grpc(unittest.TestCase):
    def setUp(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "health_peer.py")
        for python in (sys.executable, "/usr/bin/python3"):
            self.server = subprocess.Popen([python, script, "127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            port = self.server.stdout.readline()
            if port:
                self.port = int(port)
                return
            self.tearDown()
        self.skipTest("no python3-grpcio, so there is no real gRPC server to be checked")

    def tearDown(self):
        self.server.communicate()

    def test_the_health_of_a_real_server(self):
        with Cluster(servers=0) as c:
            _, host = lone_agent(c)
            for name, service in (("all", ""), ("ok", "/ok"), ("bad", "/bad"), ("none", "/none")):
                register(host, name, GRPC=f"127.0.0.1:{self.port}{service}")
            expected = {"all": f"gRPC check 127.0.0.1:{self.port}: success", "ok": f"gRPC check 127.0.0.1:{self.port}/ok: success",
                        "bad": "gRPC application didn't report service healthy",
                        "none": "rpc error: code = NotFound desc = unknown service"}
            for name, output in expected.items():
                wait_until(f"{name} has run", lambda n=name: shown(host, n)["Output"])
                self.assertEqual(shown(host, name)["Output"], output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
