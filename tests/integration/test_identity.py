"""ca_identity.h against a real Consul, and against muster: two programs (libca/example) authenticate each other, an intention denies, the root
is replaced under load, the agent goes away. Says so where there is no Consul."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from kit import BIN, find_consul, wait_until

CONSUL = find_consul()
HOST = "127.0.0.62"


def free_ports(count):
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Agent:
    """One agent in -dev mode, of an address and ports of its own."""

    def __init__(self, program=CONSUL):
        self.program = program
        self.dir = tempfile.mkdtemp()
        self.http, self.server, self.lan, self.wan = free_ports(4)
        self.address = f"{HOST}:{self.http}"

    def start(self):
        self.log = open(os.path.join(self.dir, "consul.log"), "ab")
        argv = [self.program, "agent", "-dev", "-hcl", "connect { enabled = true }", "-bind", HOST, "-client", HOST, "-http-port", self.http, "-server-port", self.server,
                "-serf-lan-port", self.lan, "-serf-wan-port", self.wan, "-grpc-port", -1, "-dns-port", -1]
        self.process = subprocess.Popen([str(a) for a in argv], stdout=self.log, stderr=self.log)
        wait_until("there is a root", lambda: self.ready(), timeout=60)

    def ready(self):
        try:
            return self.call("GET", "/v1/agent/connect/ca/roots")["Roots"]
        except (OSError, TypeError):
            return None

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{self.address}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            text = reply.read()
        return json.loads(text) if text.strip() else None

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Program:
    """One of the examples; what it prints is kept."""

    def __init__(self, name, *args):
        self.lines = []
        self.process = subprocess.Popen([os.path.join(BIN, name), *map(str, args)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, begin):
        return [line for line in list(self.lines) if line.startswith(begin)]

    def wait(self):
        """Ends its input, and gives its status and last words."""
        self.process.stdin.close()
        status = self.process.wait(60)
        self.reader.join(10)
        self.process.stdout.close()
        return status, self.lines

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()
        self.process.stdin.close()


class Identity:
    program_of_agent = None

    def setUp(self):
        self.agent = Agent(self.program_of_agent)
        self.addCleanup(shutil.rmtree, self.agent.dir)
        self.agent.start()
        self.addCleanup(lambda: self.agent.stop())
        self.server = self.program("ca-echo-server", self.agent.address, "web", 0)
        self.port = wait_until("it listens", lambda: self.server.said("port "), timeout=30)[0].split()[1]

    def program(self, name, *args):
        p = Program(name, *args)
        self.addCleanup(p.end)
        return p

    def client(self, what, own="api", other="web"):
        return self.program("ca-echo-client", self.agent.address, own, other, self.port, what)

    def uri(self, name):
        domain = self.agent.call("GET", "/v1/agent/connect/ca/roots")["TrustDomain"]
        return f"spiffe://{domain}/ns/default/dc/dc1/svc/{name}"

    def test_two_programs_know_each_other_and_resume(self):
        status, lines = self.client(4).wait()
        self.assertEqual((status, lines), (0, ["good 4 failed 0 resumed 3"]))
        self.assertEqual(self.server.said("serving"), [f"serving {self.uri('api')}"] + [f"serving {self.uri('api')} resumed"] * 3)

    def test_a_server_of_another_service_is_refused(self):
        status, lines = self.client(1, other="db").wait()
        self.assertEqual((status, lines[-1]), (1, "good 0 failed 1 resumed 0"))

    def test_plain_tcp_gets_nothing(self):
        with socket.create_connection(("127.0.0.1", int(self.port)), timeout=10) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertNotIn(b"GET", s.recv(100))
        self.assertEqual(self.server.said("serving"), [])

    def test_a_denial_ends_a_live_connection_within_a_second(self):
        holder = self.client("hold")
        wait_until("it holds", lambda: holder.said("holding"), timeout=20)
        made = self.agent.call("POST", "/v1/connect/intentions", {"SourceName": "api", "DestinationName": "web", "Action": "deny"})
        denied = time.monotonic()
        wait_until("it has ended", lambda: holder.said("ended"), timeout=20, pause=0.01)
        print(f"ended {time.monotonic() - denied:.3f} s after the denial")
        self.assertEqual(self.server.said("withdrawn"), [f"withdrawn {self.uri('api')}"])
        self.assertEqual(self.client(1).wait()[0], 1)
        self.assertEqual(self.client(1, own="other").wait()[0], 0)
        self.agent.call("DELETE", f"/v1/connect/intentions/{made['ID']}")
        wait_until("it is allowed again", lambda: self.client(1).wait()[0] == 0, timeout=20)

    def test_a_new_root_under_load_fails_no_connection(self):
        stream = self.client("stream")
        wait_until("it streams", lambda: len(self.server.said("serving")) > 20, timeout=20)
        key = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], capture_output=True, text=True,
                             check=True).stdout
        self.agent.call("PUT", "/v1/connect/ca/configuration", {"Provider": "consul", "Config": {
            "LeafCertTTL": "72h", "PrivateKey": key, "RootCert": "", "RotationPeriod": "2160h"}})
        roots = self.agent.call("GET", "/v1/agent/connect/ca/roots")["Roots"]
        self.assertEqual(len(roots), 2)
        # Tickets end with the roots they were given under, so a whole handshake shows that the new ones are at work.
        whole = lambda: [s for s in self.server.said("serving") if not s.endswith("resumed")]  # noqa: E731
        wait_until("the new roots are at work", lambda: len(whole()) >= 2, timeout=30)
        seen = len(self.server.said("serving"))
        wait_until("it goes on", lambda: len(self.server.said("serving")) > seen + 50, timeout=30)
        status, lines = stream.wait()
        self.assertEqual(status, 0, lines[-3:])
        self.assertEqual(self.server.said("refused"), [])
        self.assertEqual(self.client(2).wait()[0], 0)

    def test_an_agent_that_goes_away_is_missed_but_not_needed(self):
        holder = self.client("stream")
        wait_until("it streams", lambda: len(self.server.said("serving")) > 5, timeout=20)
        self.agent.stop()
        wait_until("it says so", lambda: self.server.said("state stale"), timeout=20)
        seen = len(self.server.said("serving"))
        wait_until("it goes on", lambda: len(self.server.said("serving")) > seen + 20, timeout=20)
        self.assertEqual(holder.wait()[0], 0)
        self.agent.start()  # another world: -dev keeps nothing, and has a root of its own
        wait_until("it is fresh", lambda: self.server.lines[-1:] and self.server.said("state ")[-1].startswith("state fresh"),
                   timeout=60)
        self.assertEqual(self.client(2).wait()[0], 0)


@unittest.skipUnless(CONSUL, "no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")
class UnderConsul(Identity, unittest.TestCase):
    program_of_agent = CONSUL


class UnderMuster(Identity, unittest.TestCase):
    program_of_agent = os.path.join(BIN, "muster")


if __name__ == "__main__":
    unittest.main()
