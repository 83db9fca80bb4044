"""DNS through real resolvers: unbound, dnsmasq, systemd-resolved's stub, glibc's getaddrinfo and HAProxy's resolvers over TCP
(over UDP: test_discovery.py). What the agent's own DNS says, the next answer through the resolver says too, whatever it said
before; answers that are cut come whole over TCP. Each class skips aloud (77) where its program is missing."""
import glob
import json
import os
import shutil
import subprocess
import sys
import unittest

import own_mounts
from kit import Cluster, Process, dig, put, request, wait_until

MANY = 60
OF_ITS_OWN = {"Resolved", "Glibc"}  # classes that replace files of /etc and listen on port 53


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/lib/systemd")


class WithResolver(unittest.TestCase):
    """A server and two agents: the first one's DNS is what the resolver asks, services are registered at the second one."""

    program = None
    dns_port = 8600

    @classmethod
    def setUpClass(cls):
        cls.path = find(cls.program)
        if not cls.path:
            raise unittest.SkipTest(f"no {cls.program} here")
        cls.cluster = Cluster(servers=1, agents=2)
        cls.cluster.configure("agent-0", dns_config={"enable_truncate": True}, ports={"dns": cls.dns_port})
        cls.cluster.__enter__()
        cls.addClassCleanup(lambda: cls.cluster.__exit__(None, None, None))
        cls.asked, cls.host = cls.cluster.agent_address(0), cls.cluster.agent_address(1)
        cls.register_many()

    @classmethod
    def register_many(cls):
        server = cls.cluster.server_address(0)
        for i in range(MANY):
            put(server, "/v1/catalog/register", {"Node": f"many-{i}", "Address": f"10.9.0.{i + 1}",
                                                 "Service": {"ID": f"many-{i}", "Service": "many", "Port": 9000 + i}})

    def start(self, name, *argv, **environment):
        c = self.cluster
        c.processes[name] = process = Process(c, name, [str(a) for a in argv], c.path(name + ".log"))
        process.environment = environment
        process.start()
        self.addCleanup(process.kill)
        return process

    def write(self, name, text):
        path = self.cluster.path(name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def register(self, number):
        self.assertEqual(put(self.host, "/v1/agent/service/register", {
            "Name": "web", "ID": f"web-{number}", "Address": f"10.8.0.{number}", "Port": 8000 + number,
            "Check": {"CheckID": f"web-{number}", "TTL": "600s", "Status": "passing"}}).status, 200)

    def deregister(self, number):
        self.assertEqual(put(self.host, f"/v1/agent/service/deregister/web-{number}").status, 200)

    # What a class says of its resolver.

    def addresses(self, name):
        """Those of a name, as the resolver tells them; none: the name is unknown."""
        answer = dig(self.resolver, name, port=self.port)
        self.assertIn(answer.rcode, (0, 3))
        return answer.values("A")

    def agree(self, what, *numbers):
        """The agent asked has it, and then the resolver does: what it has answered before must not stick."""
        expected = sorted(f"10.8.0.{n}" for n in numbers)
        wait_until(what, lambda: dig(self.asked, "web.service.consul", port=self.dns_port).values("A") == expected)
        self.assertEqual(self.addresses("web.service.consul"), expected, what)

    def follows(self):
        self.agree("nobody yet")
        self.register(1)
        self.agree("the first one", 1)
        self.register(2)
        self.agree("both", 1, 2)
        put(self.host, "/v1/agent/check/fail/web-1")
        self.agree("who is critical goes", 2)
        put(self.host, "/v1/agent/check/pass/web-1")
        self.agree("and comes back", 1, 2)
        self.deregister(1)
        self.agree("who is deregistered goes", 2)
        self.deregister(2)
        self.agree("all have gone")
        self.register(1)
        self.agree("and one is here again", 1)
        self.deregister(1)
        self.agree("no more")


class Messages(WithResolver):
    """A resolver that is asked in DNS messages."""

    port = 5353
    additional = True  # it passes that section on

    def setUp(self):
        self.resolver = f"{self.cluster.net}.60"
        self.launch()
        wait_until("the resolver answers", lambda: self.addresses("consul.service.consul"))

    def check_follows(self):
        self.follows()

    def check_srv(self):
        self.register(1)
        self.agree("the one", 1)
        answer = dig(self.resolver, "_web._tcp.service.consul", "SRV", edns=1232, port=self.port)
        [(priority, weight, port, target)] = answer.values("SRV")
        self.assertEqual((priority, weight, port), (1, 1, 8001))
        self.assertEqual(self.addresses(target), ["10.8.0.1"])
        if self.additional:
            self.assertIn((target, 1, "10.8.0.1"), [(o, k, v) for o, k, _, v in answer.additional if k == 1])
        self.deregister(1)
        self.agree("no more")

    def check_cut(self):
        """Too much for UDP, upstream and to the client: TC, and all of it over TCP."""
        for edns in (None, 1232):
            answer = dig(self.resolver, "many.service.consul", "SRV", edns=edns, port=self.port)
            self.assertTrue(answer.truncated, edns)
        answer = dig(self.resolver, "many.service.consul", "SRV", tcp=True, port=self.port)
        self.assertEqual({port for _, _, port, _ in answer.values("SRV")}, set(range(9000, 9000 + MANY)))
        answer = dig(self.resolver, "many.service.consul", tcp=True, port=self.port)
        self.assertEqual(len(answer.values("A")), MANY)

    def check_other_types(self):
        self.assertEqual(dig(self.resolver, "consul.service.consul", "AAAA", port=self.port).rcode, 0)
        self.assertEqual(dig(self.resolver, "CONSUL.Service.Consul", port=self.port).values("A"), [self.cluster.server_address(0)])
        self.assertEqual(dig(self.resolver, "agent-1.node.dc1.consul", port=self.port).values("A"), [self.host])
        txt = dig(self.resolver, "agent-1.node.consul", "TXT", port=self.port).values("TXT")
        self.assertIn(b"\x17consul-network-segment=", txt)

    def check_all(self):
        for check in (self.check_follows, self.check_srv, self.check_cut, self.check_other_types):
            with self.subTest(check.__name__):
                check()


class Unbound(Messages):
    program = "unbound"

    def setUp(self):
        pass

    def serve(self, zone, more=""):
        self.resolver = f"{self.cluster.net}.60"
        config = self.write("unbound.conf", f"""
server:
  directory: "{self.cluster.dir}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  interface: {self.resolver}@{self.port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "iterator"
  minimal-responses: no
  domain-insecure: "consul."
  root-hints: ""
{more}
remote-control:
  control-enable: no
{zone}
""")
        process = self.start("unbound", self.path, "-d", "-c", config)
        try:
            wait_until("unbound answers", lambda: self.addresses("consul.service.consul"))
            self.check_all()
        finally:
            process.kill()

    def test_a_forward_zone(self):
        self.serve(f"forward-zone:\n  name: consul.\n  forward-addr: {self.asked}@8600\n")

    def test_a_stub_zone_with_names_shortened_and_in_any_case(self):
        """Names minimised (RFC 9156), letters of the question's name in random case."""
        self.serve(f"stub-zone:\n  name: consul.\n  stub-addr: {self.asked}@8600\n",
                   "  qname-minimisation: yes\n  use-caps-for-id: yes\n")

    def test_over_tcp_alone(self):
        self.serve(f"forward-zone:\n  name: consul.\n  forward-addr: {self.asked}@8600\n  forward-tcp-upstream: yes\n")


class Dnsmasq(Messages):
    program = "dnsmasq"

    def launch(self):
        self.start("dnsmasq", self.path, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                   "--pid-file=", "--log-facility=-", f"--port={self.port}", f"--listen-address={self.resolver}", "--bind-interfaces",
                   f"--server=/consul/{self.asked}#8600", "--cache-size=1000")

    def test_all(self):
        self.check_all()


class Resolved(Messages):
    """Its stub, in namespaces of the test's own, without systemd and D-Bus. MUSTER_RESOLVED: where the program is."""

    program = "systemd-resolved"
    port = 53
    additional = False

    @classmethod
    def setUpClass(cls):
        given = os.environ.get("MUSTER_RESOLVED")
        if given and os.access(given, os.X_OK):
            os.environ["PATH"] += ":" + os.path.dirname(os.path.abspath(given))
        super().setUpClass()

    def add_user(self, kind, line):
        with open(f"/etc/{kind}") as f:
            text = f.read()
        if "systemd-resolve:" not in text:
            path = self.write(kind, text + line + "\n")
            subprocess.run(["mount", "--bind", path, f"/etc/{kind}"], check=True)

    def launch(self):
        self.resolver = "127.0.0.53"
        # It asks nobody while no link but the loopback is up.
        for command in ("link add d0 type veth peer name d1", "addr add 10.99.0.1/24 dev d0", "link set d0 up", "link set d1 up"):
            subprocess.run(["ip", *command.split()], check=True)
        self.add_user("passwd", "systemd-resolve:x:994:994::/:/usr/sbin/nologin")
        self.add_user("group", "systemd-resolve:x:994:")
        os.makedirs("/run/systemd/resolved.conf.d")
        with open("/run/systemd/resolved.conf.d/test.conf", "w") as f:
            f.write(f"[Resolve]\nDNS={self.asked}:8600\nDomains=~consul\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\nDNSSEC=no\n")
        libraries = glob.glob(os.path.join(os.path.dirname(self.path), "..", "..", "usr", "lib", "*", "systemd"))
        self.start("resolved", self.path, LD_LIBRARY_PATH=":".join(libraries), SYSTEMD_LOG_TARGET="console")

    def test_all(self):
        self.check_all()


ASK = """
import json, socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM)
    print(json.dumps(sorted(a[4][0] for a in found)))
except socket.gaierror as error:
    print(json.dumps(error.errno))
"""


class Glibc(WithResolver):
    """getaddrinfo: A and AAAA of one socket at once, TCP when an answer was cut."""

    program = "getent"
    dns_port = 53

    def use(self, options):
        for name, text in (("resolv.conf", f"nameserver {self.asked}\noptions timeout:5 attempts:2 {options}\n"),
                           ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")):
            path = os.path.realpath(f"/etc/{name}")
            subprocess.run(["mount", "--bind", self.write(name, text), path], check=True)
            self.addCleanup(lambda p=path: subprocess.run(["umount", p], check=True))

    def addresses(self, name):
        """Through a process of its own, since a C library may keep what it knows of its servers."""
        out = subprocess.run([sys.executable, "-c", ASK, name], capture_output=True, text=True, check=True, timeout=60).stdout
        found = json.loads(out)
        self.assertTrue(isinstance(found, list) or found in (-2, -5), found)  # EAI_NONAME, EAI_NODATA
        return found if isinstance(found, list) else []

    def test_follows(self):
        self.use("")
        self.follows()

    def test_many_come_over_tcp(self):
        for options in ("", "edns0", "use-vc", "single-request"):
            with self.subTest(options):
                self.use(options)
                self.assertEqual(len(self.addresses("many.service.consul")), MANY)

    def test_search_lists(self):
        """Names that a search list makes: what is not there says so, and the next one is tried."""
        self.use("ndots:2\nsearch node.consul service.consul")
        self.assertEqual(self.addresses("consul"), [self.cluster.server_address(0)])
        self.assertEqual(self.addresses("agent-1"), [self.host])


class HaproxyTcp(WithResolver):
    """HAProxy keeps one connection and pipelines its questions."""

    program = "haproxy"

    def servers(self):
        text = request(self.asked, "GET", "/;csv", port=8404).body.decode()
        head = text.splitlines()[0].lstrip("# ").split(",") if text else []
        rows = [dict(zip(head, line.split(","))) for line in text.splitlines()[1:] if line]
        return {r["addr"] for r in rows if r["svname"].startswith("one") and r["status"].startswith(("UP", "no check"))}

    def wait_for_servers(self, what, *addresses):
        wait_until(what, lambda: self.servers() == set(addresses))

    def test_servers_follow(self):
        config = self.write("haproxy.cfg", f"""
global
    log stderr format raw local0
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
resolvers consul
    nameserver consul tcp@{self.asked}:8600
    accepted_payload_size 8192
    hold valid 500ms
    hold nx 500ms
    hold obsolete 0s
    timeout resolve 200ms
    timeout retry 500ms
listen stats
    bind {self.asked}:8404
    stats enable
    stats show-legends
    stats uri /
backend web
    server-template one 4 _web._tcp.service.consul resolvers consul resolve-opts allow-dup-ip resolve-prefer ipv4 init-addr none
backend many
    server-template all {MANY} _many._tcp.service.consul resolvers consul resolve-opts allow-dup-ip resolve-prefer ipv4 init-addr none
""")
        self.start("haproxy", self.path, "-f", config, "-db")
        wait_until("its page is there", lambda: request(self.asked, "GET", "/;csv", port=8404).status == 200)
        self.wait_for_servers("nobody yet")
        self.register(1)
        self.register(2)
        self.wait_for_servers("both", "10.8.0.1:8001", "10.8.0.2:8002")
        put(self.host, "/v1/agent/check/fail/web-1")
        self.wait_for_servers("who is critical goes", "10.8.0.2:8002")
        put(self.host, "/v1/agent/check/pass/web-1")
        self.wait_for_servers("and comes back", "10.8.0.1:8001", "10.8.0.2:8002")
        self.deregister(1)
        self.deregister(2)
        self.wait_for_servers("all have gone")

        def all_of_many():
            text = request(self.asked, "GET", "/;csv", port=8404).body.decode()
            return sum(f":{9000 + i}," in text for i in range(MANY)) == MANY
        wait_until("all of many are there", all_of_many)


if __name__ == "__main__":
    if not OF_ITS_OWN.isdisjoint(a.split(".")[0] for a in sys.argv):
        own_mounts.inside()
    program = unittest.main(verbosity=2, exit=False)
    skipped = program.result.skipped
    for _, why in skipped:
        print("SKIPPED:", why)
    if skipped and program.result.testsRun == 0 and program.result.wasSuccessful():
        sys.exit(77)
    sys.exit(not program.result.wasSuccessful())
