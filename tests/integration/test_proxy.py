"""`muster connect proxy` between real services: with itself and with Consul's built-in proxy on the other end, in both roles,
under an agent of Consul. Skips aloud (77) where there is no Consul."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from kit import BIN, wait_until
from test_identity import CONSUL, HOST, Agent, free_ports

MUSTER = os.path.join(BIN, "muster")


class Echo:
    """The service behind a proxy: says its name, then what it is told; its end when it is told that."""

    def __init__(self, name):
        self.name = name
        self.accepted = 0
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.echo, args=(s,), daemon=True).start()

    def echo(self, s):
        with s:
            try:
                s.sendall(self.name)
                while data := s.recv(65536):
                    s.sendall(data)
            except OSError:
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()


def receive(s, size):
    got = bytearray()
    while len(got) < size and (data := s.recv(65536)):
        got += data
    return bytes(got)


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = Agent()
        cls.agent.start()

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        shutil.rmtree(cls.agent.dir)

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.echo = Echo(b"<one>")
        self.addCleanup(self.echo.stop)
        self.public, self.upstream = free_ports(2)
        self.register("db", self.echo.port, {"Port": self.public, "Proxy": {"LocalServiceAddress": HOST}})
        self.register("web", 1, {"Port": free_ports(1)[0], "Proxy": {"Upstreams": [
            {"DestinationName": "db", "LocalBindAddress": HOST, "LocalBindPort": self.upstream}]}})

    def register(self, name, port, sidecar, id=None):
        sidecar["Checks"] = [{"Name": "alias", "AliasService": id or name}]  # the default one is due after 10 s
        self.agent.call("PUT", "/v1/agent/service/register", {
            "Name": name, "ID": id or name, "Address": HOST, "Port": port, "Connect": {"SidecarService": sidecar}})
        self.addCleanup(self.agent.call, "PUT", f"/v1/agent/service/deregister/{id or name}")

    def proxy(self, program, sidecar_for):
        with open(os.path.join(self.dir, f"{sidecar_for}.log"), "ab") as log:
            p = subprocess.Popen([program, "connect", "proxy", "-sidecar-for", sidecar_for, "-http-addr", self.agent.address,
                                  "-log-level", "debug"], stdout=log, stderr=log)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def dial(self):
        s = socket.create_connection((HOST, self.upstream), timeout=20)
        self.addCleanup(s.close)
        return s

    def greeted(self):
        """A connection whose service has said its name; None while there is none."""
        try:
            s = self.dial()
            return (s, name) if (name := receive(s, 5)) else None
        except OSError:
            return None

    def connected(self):
        return wait_until("the service answers", self.greeted, timeout=30)[0]

    def exchange(self, size):
        s, data = self.connected(), os.urandom(size)
        sender = threading.Thread(target=s.sendall, args=(data,), daemon=True)
        sender.start()
        self.assertTrue(receive(s, size) == data)
        sender.join(10)
        return s

    def works(self, inbound, outbound):
        self.proxy(inbound, "db")
        self.proxy(outbound, "web")
        for size in 1, 70000, 5000000:
            self.exchange(size).close()

    def test_with_itself_also_half_closed(self):
        self.works(MUSTER, MUSTER)
        s, data = self.connected(), os.urandom(300000)
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True)
        sender.start()
        self.assertTrue(receive(s, 1 << 30) == data)

    def test_with_consul_as_client(self):
        self.works(MUSTER, CONSUL)

    def test_with_consul_as_server(self):
        self.works(CONSUL, MUSTER)

    def test_a_denial_closes_live_connections_within_a_second(self):
        self.works(MUSTER, MUSTER)
        live, before = self.exchange(10), self.echo.accepted
        denied = time.monotonic()
        made = self.agent.call("POST", "/v1/connect/intentions", {"SourceName": "web", "DestinationName": "db", "Action": "deny"})
        self.assertRaises(ConnectionError, self.ended, live)
        print(f"closed {time.monotonic() - denied:.3f} s after the denial")
        self.assertIsNone(self.greeted())
        self.assertEqual(self.echo.accepted, before)
        self.agent.call("DELETE", f"/v1/connect/intentions/{made['ID']}")
        self.exchange(1000)

    def test_roots_change_under_load_and_no_connection_fails(self):
        self.works(MUSTER, MUSTER)
        live = self.exchange(10)
        stop, failed, made = threading.Event(), [], []

        def load():
            while not stop.is_set():
                got = self.greeted()
                (made if got else failed).append(1)
                if got:
                    got[0].close()

        loader = threading.Thread(target=load)
        loader.start()
        self.addCleanup(stop.set)
        key = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], capture_output=True, text=True,
                             check=True).stdout
        self.agent.call("PUT", "/v1/connect/ca/configuration", {"Provider": "consul", "Config": {
            "LeafCertTTL": "72h", "PrivateKey": key, "RootCert": "", "RotationPeriod": "2160h"}})
        for name in "web", "db":
            wait_until("the new roots are at work", lambda: self.said(name, " roots of ") > 1, timeout=30)
        seen = len(made)
        wait_until("it goes on", lambda: len(made) > seen + 50, timeout=30)
        stop.set()
        loader.join(20)
        self.assertEqual(failed, [])
        live.sendall(b"still")
        self.assertEqual(receive(live, 5), b"still")

    def said(self, sidecar_for, text):
        with open(os.path.join(self.dir, f"{sidecar_for}.log")) as log:
            return log.read().count(text)

    def ended(self, s):
        if s.recv(1) == b"":
            raise ConnectionError("ended in order")

    def test_who_shows_no_certificate_gets_nothing(self):
        self.works(MUSTER, MUSTER)
        before = self.echo.accepted
        with socket.create_connection((HOST, self.public), timeout=20) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            try:
                self.assertNotIn(b"<one>", s.recv(100))
            except ConnectionResetError:
                pass
        done = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"{HOST}:{self.public}"], input=b"", timeout=20,
                              capture_output=True)
        self.assertNotIn(b"<one>", done.stdout)
        self.assertEqual(self.echo.accepted, before)

    def test_an_instance_that_is_not_there_or_another_service_is_passed_over(self):
        other = Echo(b"<bad>")
        self.addCleanup(other.stop)
        port = free_ports(1)[0]
        self.register("db", 1, {"Port": free_ports(1)[0]}, id="gone")
        self.register("db", 1, {"Port": port}, id="liar")
        liar = subprocess.Popen([MUSTER, "connect", "proxy", "-service", "other", "-listen", f"{HOST}:{port}", "-service-addr",
                                 f"{HOST}:{other.port}", "-http-addr", self.agent.address], stdout=subprocess.DEVNULL)
        self.addCleanup(liar.wait)
        self.addCleanup(liar.kill)
        self.works(MUSTER, MUSTER)
        wait_until("the liar listens", lambda: socket.create_connection((HOST, port)).close() is None, timeout=20)
        for _ in range(9):
            s, name = self.greeted()
            self.assertEqual(name, b"<one>")
            s.close()
        self.assertEqual(other.accepted, 0)

    def test_a_proxy_that_ends_lets_its_connections_end(self):
        inbound = self.proxy(MUSTER, "db")
        self.proxy(MUSTER, "web")
        live = self.exchange(1000)
        inbound.send_signal(signal.SIGTERM)
        wait_until("nobody listens", lambda: self.refused(self.public), timeout=20)
        live.sendall(b"still")
        self.assertEqual(receive(live, 5), b"still")
        live.close()
        self.assertEqual(inbound.wait(8), 0)

    def refused(self, port):
        try:
            socket.create_connection((HOST, port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        return False


if __name__ == "__main__":
    if not CONSUL:
        print("SKIPPED: no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")
        sys.exit(77)
    unittest.main()
