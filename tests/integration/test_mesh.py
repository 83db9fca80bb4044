"""The whole mesh, all of it muster's: servers that sign, an agent for each of two services, their proxies, and traffic while
intentions flip, roots change and go, agents and leaders die, and strangers knock."""
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

from kit import BIN, Cluster, Process, delete, get, put, request, wait_until
from test_identity import HOST
from test_proxy import Echo, receive

OPENSSL = shutil.which("openssl")
ROOTS, CONFIG, INTENTIONS = "/v1/connect/ca/roots", "/v1/connect/ca/configuration", "/v1/connect/intentions"
PUBLIC, UPSTREAM, LIAR = 21000, 9191, 21001
HOUR = 3600


def openssl(*args, stdin=None):
    return subprocess.run([OPENSSL, *args], input=stdin, text=True, capture_output=True, check=True).stdout


class Load:
    """Connections one after the other, until it is stopped; counts those whose service spoke and those that failed."""

    def __init__(self, mesh):
        self.mesh, self.good, self.failed, self.stopped = mesh, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped.is_set():
            s = self.mesh.greeted()
            if s:
                self.good += 1
                s.close()
            else:
                self.failed.append(time.monotonic())

    def goes_on(self, more=50):
        seen = self.good
        wait_until("connections are made", lambda: self.good > seen + more, timeout=40)

    def stop(self):
        self.stopped.set()
        self.thread.join(30)
        return self.failed


class Mesh(Cluster):
    """Service web at agent 0, db at agent 1, and the proxy of each; db is an echo that says `<one>` first."""

    def __init__(self, servers=1, clock=False):
        super().__init__(servers=servers, agents=2)
        self.clock = self.path("clock") if clock else None
        for name in [f"server-{i}" for i in range(servers)] + ["agent-0", "agent-1"]:
            self.configure(name, connect={"enabled": True, "ca_config": {"leaf_cert_ttl": "1h"}})
        self.web, self.db = self.agent_address(0), self.agent_address(1)
        self.connections = []

    def add_server(self, i, *flags):
        process = super().add_server(i, *flags)
        if self.clock:
            self.step(0)
            process.environment = {"LD_PRELOAD": os.environ["MUSTER_WALL_CLOCK_SO"], "MUSTER_WALL_CLOCK": self.clock,
                                   "ASAN_OPTIONS": "verify_asan_link_order=0"}
        return process

    def step(self, seconds):
        """The servers' wall clock."""
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(int(seconds).to_bytes(8, sys.byteorder, signed=True))

    def __enter__(self):
        super().__enter__()
        self.echo, self.other = Echo(b"<one>"), Echo(b"<bad>")
        self.register(self.db, "db", self.echo.port, {"Port": PUBLIC, "Proxy": {"LocalServiceAddress": HOST}})
        self.register(self.web, "web", 1, {"Port": PUBLIC, "Proxy": {"Upstreams": [
            {"DestinationName": "db", "LocalBindAddress": self.web, "LocalBindPort": UPSTREAM}]}})
        self.proxy("proxy-db", self.db, "-sidecar-for", "db")
        self.proxy("proxy-web", self.web, "-sidecar-for", "web")
        return self

    def __exit__(self, *error):
        for s in self.connections:
            s.close()
        super().__exit__(*error)
        for echo in (self.echo, self.other):
            echo.stop()

    def register(self, host, name, port, sidecar, id=None):
        sidecar["Checks"] = [{"Name": "alias", "AliasService": id or name}]  # the default one is due after 10 s
        sidecar.setdefault("Proxy", {})["Config"] = {"bind_address": host}
        reply = put(host, "/v1/agent/service/register", {
            "Name": name, "ID": id or name, "Address": host, "Port": port, "Connect": {"SidecarService": sidecar}})
        assert reply.status == 200, reply.body

    def proxy(self, name, host, *args):
        argv = [os.path.join(BIN, "muster"), "connect", "proxy", *args, "-http-addr", f"{host}:8500", "-log-level", "debug"]
        self.processes[name] = Process(self, name, argv, self.path(f"{name}.log")).start()

    def greeted(self):
        """A connection to db by web's proxy whose service has said its name; None if there is none."""
        try:
            s = socket.create_connection((self.web, UPSTREAM), timeout=20)
        except OSError:
            return None
        try:
            if receive(s, 5) == b"<one>":
                return s
        except OSError:
            pass
        s.close()
        return None

    def connected(self):
        s = wait_until("the service answers", self.greeted, timeout=40)
        self.connections.append(s)
        return s

    def intend(self, action):
        reply = request(self.db, "POST", INTENTIONS, {"SourceName": "web", "DestinationName": "db", "Action": action})
        assert reply.status == 200, reply.body
        return reply.json()["ID"]

    def allow_again(self, intention):
        delete(self.db, f"{INTENTIONS}/{intention}")

    def roots(self, host):
        return get(host, "/v1/agent/connect/ca/roots").json()

    def rotate(self, **config):
        """Another root; the identities that know it by then are at work."""
        key = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
        config = {"LeafCertTTL": "1h", "PrivateKey": key, "RotationPeriod": "2160h", **config}
        reply = put(self.server_address(0), CONFIG, {"Provider": "consul", "Config": config})
        assert reply.status == 200, reply.body
        for host in self.web, self.db:
            wait_until("the agent knows the new root", lambda host=host: len(self.roots(host)["Roots"]) > 1)


class Strangers:
    """Roots and leafs that nobody of the mesh has made, from openssl; they name the mesh's trust domain all the same."""

    def __init__(self, mesh):
        self.folder = os.path.dirname(mesh.path("strangers", "x"))
        self.domain = mesh.roots(mesh.web)["TrustDomain"]

    def at(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.at(name)) as f:
            return f.read()

    def key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.at(f"{name}.key"))
        return self.at(f"{name}.key")

    def root(self, name):
        openssl("req", "-x509", "-new", "-key", self.key(name), "-subj", f"/CN={name}", "-days", "30", "-out", self.at(f"{name}.pem"), "-set_serial", str(2**64 - 1),
                "-addext", f"subjectAltName=URI:spiffe://{self.domain}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def leaf(self, name, root, service, days=1):
        with open(self.at(f"{name}.ext"), "w") as f:
            f.write(f"subjectAltName=critical,URI:spiffe://{self.domain}/ns/default/dc/dc1/svc/{service}\n"
                    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                    "extendedKeyUsage=clientAuth,serverAuth\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
        request_pem = openssl("req", "-new", "-key", self.key(name), "-subj", f"/CN={name}")
        openssl("x509", "-req", "-CA", self.at(f"{root}.pem"), "-CAkey", self.at(f"{root}.key"), "-set_serial", "7", "-days", str(days),
                "-extfile", self.at(f"{name}.ext"), "-out", self.at(f"{name}.pem"), stdin=request_pem)

    def hears(self, name, host):
        """What a client with that leaf hears from the proxy there."""
        argv = [OPENSSL, "s_client", "-quiet", "-connect", f"{host}:{PUBLIC}"]
        if name:
            argv += ["-cert", self.at(f"{name}.pem"), "-key", self.at(f"{name}.key")]
        p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        heard = p.stdout.read(5)
        p.kill()
        p.communicate()
        return heard


class MeshTest(unittest.TestCase):
    def ends_within_a_second(self, live, since):
        live.settimeout(30)
        try:
            self.assertEqual(live.recv(1), b"")
        except ConnectionError:
            pass
        print(f"ended after {time.monotonic() - since:.3f} s")

    def still_lives(self, live):
        live.sendall(b"still")
        self.assertEqual(receive(live, 5), b"still")

    def test_a_rule_flips_while_traffic_flows(self):
        with Mesh() as m:
            live, began = m.connected(), time.monotonic()
            denied = m.intend("deny")
            self.ends_within_a_second(live, began)
            wait_until("no other is let in", lambda: m.greeted() is None)
            seen = m.echo.accepted
            self.assertIsNone(m.greeted())
            self.assertEqual(m.echo.accepted, seen)
            m.allow_again(denied)
            self.still_lives(m.connected())
            everybody = request(m.web, "POST", INTENTIONS, {"SourceName": "*", "DestinationName": "*", "Action": "deny"}).json()["ID"]
            wait_until("who is not named is denied", lambda: m.greeted() is None)
            named = m.intend("allow")
            live = m.connected()
            m.allow_again(everybody)
            m.allow_again(named)
            self.still_lives(live)

    def test_strangers_hear_nothing(self):
        with Mesh() as m:
            m.connected()
            strangers = Strangers(m)
            strangers.root("ours")
            strangers.root("foreign")
            m.rotate(PrivateKey=strangers.read("ours.key"), RootCert=strangers.read("ours.pem"))
            for name, root, service, days in (("good", "ours", "web", 1), ("expired", "ours", "web", -1), ("foreign-web", "foreign", "web", 1)):
                strangers.leaf(name, root, service, days)
            wait_until("a leaf of this root is heard", lambda: strangers.hears("good", m.db) == b"<one>", timeout=30)
            seen = m.echo.accepted
            for name in ("expired", "foreign-web", None):
                self.assertEqual(strangers.hears(name, m.db), b"", name)
            with socket.create_connection((m.db, PUBLIC), timeout=20) as s:
                s.sendall(b"GET / HTTP/1.1\r\n\r\n")
                try:
                    self.assertNotIn(b"<one>", s.recv(100))
                except ConnectionResetError:
                    pass
            self.assertEqual(m.echo.accepted, seen)
            self.wrong_service(m)

    def wrong_service(self, m):
        """An instance of db that shows the certificate of another service is not spoken to."""
        m.proxy("proxy-liar", m.db, "-service", "other", "-listen", f"{m.db}:{LIAR}", "-service-addr", f"{HOST}:{m.other.port}")
        m.register(m.db, "db", 1, {"Port": LIAR}, id="liar")
        wait_until("it listens", lambda: socket.create_connection((m.db, LIAR)).close() is None)
        wait_until("it is known", lambda: len(get(m.web, "/v1/health/connect/db?passing").json()) == 2)
        put(m.db, "/v1/agent/service/deregister/db")
        wait_until("it is all there is", lambda: m.greeted() is None)
        self.assertEqual(m.other.accepted, 0)

    def test_roots_change_under_load_and_one_that_goes_takes_its_connections_along(self):
        with Mesh(clock=True) as m:
            old = m.connected()
            load = Load(m)
            self.addCleanup(load.stop)
            load.goes_on()
            before = {name: self.leafs(m, name) for name in ("proxy-web", "proxy-db")}
            m.rotate()
            load.goes_on(200)
            self.assertEqual(load.stop(), [])
            self.renew(m, before)
            live = m.connected()
            self.still_lives(old)
            m.step(3 * HOUR)
            m.server(0).kill()
            m.server(0).start()  # who leads anew looks after the roots
            wait_until("the old root is gone", lambda: len(self.known(m)) == 1)
            self.ends_within_a_second(old, time.monotonic())
            self.still_lives(live)
            self.still_lives(m.connected())

    def leafs(self, m, name):
        return m.processes[name].log().count("a new leaf")

    def renew(self, m, before):
        """Agents spread new leafs over half a minute; those that start anew have them at once."""
        for i, name in enumerate(before):
            m.agent(i).kill()
            m.agent(i).start()
            wait_until("the proxy has another leaf", lambda name=name: self.leafs(m, name) > before[name])

    def known(self, m):
        return get(m.server_address(0), ROOTS).json()["Roots"]

    def test_agents_and_leaders_die_and_traffic_goes_on(self):
        with Mesh(servers=3) as m:
            live = m.connected()
            load = Load(m)
            self.addCleanup(load.stop)
            load.goes_on()
            leader = m.find_leader()
            m.server(leader).kill()
            load.goes_on()
            m.wait_for_leader(m.web)
            denied = m.intend("deny")
            self.ends_within_a_second(live, time.monotonic())
            wait_until("no other is let in", lambda: m.greeted() is None)
            m.allow_again(denied)
            live = m.connected()
            load.stop()
            for i in (0, 1):
                m.agent(i).kill()
            load = Load(m)
            self.addCleanup(load.stop)
            load.goes_on()
            self.assertEqual(load.stop(), [])
            self.still_lives(live)


if __name__ == "__main__":
    if not OPENSSL:
        print("SKIPPED: no openssl here")
        sys.exit(77)
    unittest.main(verbosity=2)
