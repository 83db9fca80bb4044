"""Names of others: asked of a real unbound, in any order of recursors, and in circles of resolvers, which must end. Skips
aloud (77) where unbound or dnsmasq is missing."""
import os
import shutil
import signal
import socket
import threading
import unittest

from kit import Cluster, Process, dig, put, wait_until

LARGE = 40  # TXT records: too much for a datagram of 1232 bytes
NAMES = 30
ZONE = """$ORIGIN example.org.
@ 60 IN SOA ns hostmaster 1 3600 600 86400 0
@ 60 IN NS ns
ns 60 IN A 192.0.2.53
www 60 IN A 192.0.2.1
www 60 IN AAAA 2001:db8::1
alias 60 IN CNAME www
back 60 IN CNAME inside.service.consul.
""" + "".join(f'large 60 IN TXT "{i:02} {"x" * 60}"\n' for i in range(LARGE))


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Tap:
    """Passes questions on to a resolver, answers back, and counts."""

    def __init__(self, address, to):
        self.to, self.questions = to, []
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.bind(address)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                question, peer = self.inside.recvfrom(65536)
            except OSError:
                return
            self.questions.append(question)
            threading.Thread(target=self.pass_on, args=(question, peer), daemon=True).start()

    def pass_on(self, question, peer):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(20)
            s.connect(self.to)
            s.send(question)
            try:
                self.inside.sendto(s.recv(65536), peer)
            except OSError:
                pass

    def close(self):
        self.inside.close()


class Recursors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.unbound, cls.dnsmasq = find("unbound"), find("dnsmasq")
        if not cls.unbound or not cls.dnsmasq:
            raise unittest.SkipTest("no unbound or no dnsmasq here")
        cls.cluster = c = Cluster(servers=1, agents=4)
        net = c.net
        cls.resolver, cls.tap_address, cls.masq = f"{net}.60", f"{net}.61", f"{net}.62"
        nobody, unbound = f"{net}.99:5353", f"{cls.resolver}:5353"
        quick = {"recursor_timeout": "500ms"}
        c.configure("server-0", recursors=[nobody, unbound])
        c.configure("agent-0", recursors=[nobody, unbound], dns_config={"recursor_strategy": "random"})
        c.configure("agent-1", recursors=[f"{cls.tap_address}:5353"], dns_config=quick)
        c.configure("agent-2", recursors=[f"{c.agent_address(1)}:8600"], dns_config=quick)
        c.configure("agent-3", recursors=[f"{cls.masq}:5353", f"{c.agent_address(3)}:8600"], dns_config=quick)
        c.__enter__()
        cls.addClassCleanup(lambda: c.__exit__(None, None, None))
        cls.start_unbound()
        cls.server = c.server_address(0)
        for node, address in (("ext", "alias.example.org"), ("inside", "10.7.0.1"), ("round", "back.example.org")):
            put(cls.server, "/v1/catalog/register", {"Node": node, "Address": address, "Service": {"Service": node, "Port": 80}})
        for host in (cls.server, c.agent_address(0)):
            wait_until("services are known", lambda h=host: dig(h, "inside.service.consul").values("A") == ["10.7.0.1"])

    @classmethod
    def start(cls, name, *argv):
        c = cls.cluster
        c.processes[name] = process = Process(c, name, [str(a) for a in argv], c.path(name + ".log"))
        process.start()
        return process

    @classmethod
    def start_unbound(cls):
        with open(cls.cluster.path("zone"), "w") as f:
            f.write(ZONE)
        config = cls.cluster.path("unbound.conf")
        with open(config, "w") as f:
            f.write(f"""
server:
  directory: "{cls.cluster.dir}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  interface: {cls.resolver}@5353
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "iterator"
  root-hints: ""
  local-zone: "refused.test." refuse
  local-data-ptr: "192.0.2.1 60 www.example.org"
remote-control:
  control-enable: no
auth-zone:
  name: "example.org."
  zonefile: "{cls.cluster.path("zone")}"
""")
        cls.start("unbound", cls.unbound, "-d", "-c", config)
        wait_until("unbound answers", lambda: dig(cls.resolver, "www.example.org", port=5353).rcode == 0)

    @property
    def askers(self):
        return self.server, self.cluster.agent_address(0)

    def test_what_the_recursor_says_is_passed_on(self):
        for host in self.askers:
            for tcp in (False, True):
                with self.subTest(host=host, tcp=tcp):
                    self.assertEqual(dig(host, "WWW.example.org", tcp=tcp).values("A"), ["192.0.2.1"])
                    answer = dig(host, "www.example.org", "AAAA", tcp=tcp, edns=1232)
                    self.assertEqual(answer.values("AAAA"), ["2001:db8::1"])
                    self.assertTrue(answer.flags & 0x80, "recursion is available")
                    answer = dig(host, "alias.example.org", tcp=tcp)
                    self.assertEqual((answer.values("CNAME"), answer.values("A")), (["www.example.org."], ["192.0.2.1"]))
                    self.assertEqual(dig(host, "none.example.org", tcp=tcp).rcode, 3)
                    self.assertEqual(dig(host, "1.2.0.192.in-addr.arpa", "PTR", tcp=tcp).values("PTR"), ["www.example.org."])
                    self.assertEqual(dig(host, "x.refused.test", tcp=tcp).rcode, 2)  # by all of them

    def test_what_is_too_large_comes_whole_over_tcp(self):
        for host in self.askers:
            for edns in (None, 1232):
                self.assertTrue(dig(host, "large.example.org", "TXT", edns=edns).truncated)
            self.assertEqual(len(dig(host, "large.example.org", "TXT", tcp=True).values("TXT")), LARGE)
            self.assertEqual(len(dig(host, "large.example.org", "TXT", edns=4096).values("TXT")), LARGE)

    def test_addresses_of_instances_with_host_names_are_resolved(self):
        for host in self.askers:
            answer = dig(host, "ext.service.consul")
            self.assertEqual(answer.values("CNAME"), ["alias.example.org.", "www.example.org."])
            self.assertEqual(answer.values("A"), ["192.0.2.1"])
            self.assertEqual(dig(host, "ext.service.consul", "AAAA").values("AAAA"), ["2001:db8::1"])
            answer = dig(host, "ext.service.consul", "SRV", edns=1232)
            self.assertEqual([target for *_, target in answer.values("SRV")], ["alias.example.org."])
            self.assertIn("192.0.2.1", [value for _, kind, _, value in answer.additional if kind == 1])
            self.assertEqual(dig(host, "round.service.consul").values("CNAME"), ["back.example.org.", "inside.service.consul."])

    def test_recursors_change_at_a_reload(self):
        c, host = self.cluster, self.cluster.agent_address(0)
        for recursors, rcode in (([], 5), ([f"{self.resolver}:5353"], 0), ([f"{c.net}.99:5353"], 2), ([f"{self.resolver}:5353"], 0)):
            c.configure("agent-0", recursors=recursors)
            c.agent(0).send(signal.SIGHUP)
            wait_until(f"code {rcode} with {recursors}", lambda code=rcode: dig(host, "www.example.org").rcode == code)
            self.assertEqual(bool(dig(host, "inside.service.consul").flags & 0x80), bool(recursors), "recursion is offered")

    def test_two_agents_that_ask_each_other_ask_once(self):
        """agent-1 asks agent-2 (through the tap), agent-2 asks agent-1."""
        tap = Tap((self.tap_address, 5353), (self.cluster.agent_address(2), 8600))
        self.addCleanup(tap.close)
        first = self.cluster.agent_address(1)
        answers = []
        threads = [threading.Thread(target=lambda i=i: answers.append(dig(first, f"n{i}.example.net", timeout=20).rcode))
                   for i in range(NAMES)]
        for t in threads:
            t.start()
        self.assertEqual(dig(first, "inside.service.consul").values("A"), ["10.7.0.1"], "others are served meanwhile")
        for t in threads:
            t.join()
        self.assertEqual(answers, [2] * NAMES)
        self.assertEqual(len(tap.questions), NAMES, "no question went round twice")
        self.assertGreater(len({q[:2] for q in tap.questions}), NAMES - 4, "numbers are drawn")

    def test_host_resolver_and_agent_that_ask_each_other_come_to_an_end(self):
        """dnsmasq sends all that it does not know to agent-3, whose recursors are dnsmasq and itself."""
        agent = self.cluster.agent_address(3)
        masq = self.start("dnsmasq", self.dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                          "--user=root", "--pid-file=", "--log-facility=-", "--log-queries", "--port=5353",
                          f"--listen-address={self.masq}", "--bind-interfaces", f"--server={agent}#8600", "--cache-size=0")
        wait_until("names of ours come through", lambda: dig(self.masq, "inside.service.consul", port=5353).values("A") == ["10.7.0.1"])
        for i in range(5):
            self.assertEqual(dig(agent, f"n{i}.example.net", timeout=20).rcode, 2)
            self.assertEqual(dig(self.masq, "inside.service.consul", port=5353).values("A"), ["10.7.0.1"])
        sent = [line for line in masq.log().splitlines() if "forwarded" in line and "example.net" in line]
        self.assertLessEqual(len(sent), 5 * 2, "\n".join(sent))
        self.assertIn("are this very DNS server", self.cluster.agent(3).log())


if __name__ == "__main__":
    unittest.main()
