"""DNS of an agent: its copies, and what becomes of them when names are strange, servers gone and settings changed.

Questions to servers are counted by the agent's own metric, not timed."""
import os
import random
import signal
import socket
import struct
import threading
import time
import unittest

from kit import Cluster, dig, find_consul, get, put, wait_until

NXDOMAIN, SERVFAIL = 3, 2


def register(host, node, address, service=None, port=80):
    body = {"Node": node, "Address": address}
    if service:
        body["Service"] = {"Service": service, "Port": port}
    reply = put(host, "/v1/catalog/register", body)
    assert reply.status == 200, reply.body


def deregister(host, node):
    assert put(host, "/v1/catalog/deregister", {"Node": node}).status == 200


def counters(host):
    metrics = get(host, "/v1/agent/metrics?format=prometheus").body.decode()
    return {line.split()[0]: float(line.split()[1]) for line in metrics.splitlines() if line and not line.startswith("#")}


def counted(host, name):
    """A counter with all that has happened by now: they are told every ten seconds."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    wait_until("the interval is over", lambda: get(host, "/v1/agent/metrics").json()["Timestamp"] >= now, pause=0.5)
    return counters(host).get(name, 0)


def rpcs(host):
    """Questions that the agent has sent to servers in its life."""
    return counted(host, "consul_client_rpc")


def addresses(host, name="web.service.consul"):
    return dig(host, name).values("A")


class UnderConsul(Cluster):
    """A muster agent whose servers are Consul's."""

    def _add(self, name, address, flags):
        process = super()._add(name, address, flags)
        if name.startswith("server"):
            process.argv[0] = find_consul()
        return process


class Copies(unittest.TestCase):
    """What an agent under either kind of server holds of names that were asked for."""

    def check_changes(self, c):
        server, agent = c.server_address(0), c.agent_address(0)
        register(server, "n1", "10.9.0.1", "web")
        wait_until("the name is known", lambda: addresses(agent) == ["10.9.0.1"])
        self.assertEqual(dig(agent, "n1.node.consul").values("A"), ["10.9.0.1"])
        for _ in range(300):
            self.assertEqual(addresses(agent), ["10.9.0.1"])
            self.assertEqual(dig(agent, "n1.node.consul").values("A"), ["10.9.0.1"])
        # What is registered and changed elsewhere is seen, and so is what goes.
        for i in range(2, 6):
            register(server, f"n{i}", f"10.9.0.{i}", "web")
            wait_until("it is there", lambda: f"10.9.0.{i}" in dig(agent, "web.service.consul", edns=4096).values("A"), pause=0.005)
        register(server, "n1", "10.9.1.1", "web")
        wait_until("the node has moved", lambda: dig(agent, "n1.node.consul").values("A") == ["10.9.1.1"], pause=0.005)
        wait_until("its instance, too", lambda: "10.9.1.1" in dig(agent, "web.service.consul", edns=4096).values("A"), pause=0.005)
        for i in range(1, 6):
            deregister(server, f"n{i}")
        wait_until("nobody is left", lambda: dig(agent, "web.service.consul").rcode == NXDOMAIN, pause=0.005)
        wait_until("nor its node", lambda: dig(agent, "n1.node.consul").rcode == NXDOMAIN, pause=0.005)
        register(server, "n1", "10.9.0.1", "web")
        wait_until("it is back", lambda: addresses(agent) == ["10.9.0.1"], pause=0.005)
        # A name of the first hour, asked for before it is there
        self.assertEqual(dig(agent, "later.service.consul").rcode, NXDOMAIN)
        register(server, "n2", "10.9.0.2", "later")
        wait_until("the first to come", lambda: addresses(agent, "later.service.consul") == ["10.9.0.2"], pause=0.005)
        # Six hundred questions and more, of which servers have heard a few; the agent has others for them, too.
        self.assertLess(rpcs(agent), 150)

    def test_under_muster_servers(self):
        with Cluster(servers=1, agents=1, extra_flags=["-hcl", 'telemetry { prometheus_retention_time = "1m" }']) as c:
            self.check_changes(c)

    @unittest.skipUnless(find_consul(), "no Consul")
    def test_under_consul_servers(self):
        with UnderConsul(servers=1, agents=1, extra_flags=["-hcl", 'telemetry { prometheus_retention_time = "1m" }']) as c:
            self.check_changes(c)


class Kept(unittest.TestCase):
    """Random writes; after each, DNS says what HTTP says. Names are asked for twice, so that answers are kept, and all
    the time, so that they would be kept too long."""

    NODES = [f"n{i}" for i in range(4)]
    SERVICES = ["web", "db", "api"]

    def write(self, host, dice):
        node, service = dice.choice(self.NODES), dice.choice(self.SERVICES)
        entry = {"Node": node, "Address": f"10.8.{dice.randrange(3)}.{self.NODES.index(node)}"}
        what = dice.randrange(8)
        if what == 0:
            return put(host, "/v1/catalog/deregister", {"Node": node})
        if what == 1:
            return put(host, "/v1/catalog/deregister", {"Node": node, "ServiceID": service})
        if what == 2:
            return put(host, f"/v1/kv/{service}", node)
        if what < 6:
            entry["Service"] = {"ID": service, "Service": dice.choice([service, service, "db"]),
                                "Tags": dice.choice([[], ["v1"]]), "Port": dice.randrange(80, 82),
                                "Address": dice.choice(["", "10.7.7.7"])}
        if what > 3:
            entry["Check"] = {"Node": node, "CheckID": dice.choice(["c1", "c2"]), "Name": "c",
                              "Status": dice.choice(["passing", "passing", "warning", "critical"]),
                              "ServiceID": dice.choice(["", service]) if what < 6 else ""}
        return put(host, "/v1/catalog/register", entry)  # some are refused: a check of a service that is not there

    def expected(self, host):
        wanted = {}
        for service in self.SERVICES:
            instances = get(host, f"/v1/health/service/{service}").json()
            healthy = [i for i in instances if all(c["Status"] != "critical" for c in i["Checks"])]
            for tag, name in ((None, f"{service}.service.consul"), ("v1", f"v1.{service}.service.consul")):
                wanted[name] = sorted({i["Service"]["Address"] or i["Node"]["Address"] for i in healthy
                                       if tag is None or tag in i["Service"]["Tags"]})
        nodes = {n["Node"]: n["Address"] for n in get(host, "/v1/catalog/nodes").json()}
        wanted.update({f"{node}.node.consul": [nodes[node]] if node in nodes else [] for node in self.NODES})
        return wanted

    def answers(self, host, wanted):
        found = {}
        for name in wanted:
            for _ in range(2):
                answer = dig(host, name, edns=4096)
                found[name] = answer.values("A")
            assert answer.rcode == (0 if found[name] else NXDOMAIN), (name, answer.rcode)
        return found

    def test_what_is_kept_is_what_is_true(self):
        dice = random.Random(int(os.environ.get("MUSTER_SEED", "7")))
        with Cluster(servers=1, agents=1, extra_flags=["-log-level", "info"]) as c:
            server, agent = c.server_address(0), c.agent_address(0)
            for step in range(150):
                self.write(server, dice)
                wanted = self.expected(server)
                self.assertEqual(self.answers(server, wanted), wanted, f"step {step}")  # at once
                wait_until(f"the agent has step {step}", lambda: self.answers(agent, wanted) == wanted, pause=0.002, timeout=20)


class Stale(unittest.TestCase):
    def test_a_copy_serves_while_servers_are_gone_and_the_truth_when_they_are_back(self):
        with Cluster(servers=1, extra_flags=["-hcl", 'telemetry { prometheus_retention_time = "1m" }']) as c:
            server, agents = c.server_address(0), [c.agent_address(i) for i in range(2)]
            c.configure("agent-1", dns_config={"serve_stale": "0s"})
            for i in range(2):
                c.add_agent(i).start()
            for agent in agents:
                c.wait_for_members(agent, 3)
            register(server, "n1", "10.9.0.1", "web")
            for agent in agents:
                wait_until("the name is known", lambda: addresses(agent) == ["10.9.0.1"])
            c.server(0).kill()
            self.assertEqual(addresses(agents[0]), ["10.9.0.1"])
            wait_until("counted as stale", lambda: addresses(agents[0]) == ["10.9.0.1"] and
                       counters(agents[0]).get("consul_dns_stale_answers", 0) > 0)
            for agent, name in ((agents[0], "other.service.consul"), (agents[1], "web.service.consul")):
                wait_until("no copy, no answer", lambda: dig(agent, name, timeout=20).rcode == SERVFAIL)
            c.server(0).start()
            c.wait_for_leader(server)
            register(server, "n1", "10.9.0.7", "web")
            for agent in agents:
                wait_until("the truth", lambda: addresses(agent) == ["10.9.0.7"])
            wait_until("and no copy of before", lambda: dig(agents[0], "other.service.consul").rcode == NXDOMAIN)


class Strict(unittest.TestCase):
    def test_the_leader_is_asked_each_time(self):
        with Cluster(servers=1, extra_flags=["-hcl", 'telemetry { prometheus_retention_time = "1m" }']) as c:
            server, agent = c.server_address(0), c.agent_address(0)
            c.configure("agent-0", dns_config={"allow_stale": False})
            c.add_agent(0).start()
            c.wait_for_members(agent, 2)
            register(server, "n0", "10.9.1.99", "web")
            for i in range(100):
                register(server, "n1", f"10.9.0.{i}", "web")
                self.assertEqual(addresses(agent), sorted([f"10.9.0.{i}", "10.9.1.99"]))
            self.assertGreaterEqual(rpcs(agent), 100)
            c.server(0).kill()
            self.assertEqual(dig(agent, "web.service.consul", timeout=20).rcode, SERVFAIL)


class Flood(unittest.TestCase):
    NAMES = 100_000

    def flood(self, host, first, count):
        """Random names, a hundred at a time; how many answers of each code."""
        codes = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((host, 8600))
            for start in range(first, first + count, 100):
                for i in range(start, start + 100):
                    label = f"x{i:07d}".encode()
                    s.send(struct.pack(">HHHHHH", i & 0xFFFF, 0x100, 1, 0, 0, 0) + bytes([len(label)]) + label +
                           b"\x07service\x06consul\0\0\x01\0\x01")
                for _ in range(100):
                    code = s.recv(4096)[3] & 15
                    codes[code] = codes.get(code, 0) + 1
        return codes

    def test_random_names_cost_no_memory_and_push_nothing_out(self):
        class Quiet(Cluster):
            def _add(self, name, address, flags):
                process = super()._add(name, address, [*flags, "-log-level", "warn"])
                process.environment = {"ASAN_OPTIONS": "quarantine_size_mb=1"}  # what is freed shall be free
                return process

        with Quiet(servers=1, agents=1) as c:
            server, agent = c.server_address(0), c.agent_address(0)
            register(server, "n1", "10.9.0.1", "web")
            wait_until("the name is known", lambda: addresses(agent) == ["10.9.0.1"])
            wrong, over = [], threading.Event()

            def ask_for_web():
                while not over.wait(0.01):
                    found = dig(agent, "web.service.consul", timeout=10)
                    if found.values("A") != ["10.9.0.1"]:
                        wrong.append(found.rcode)

            asking = threading.Thread(target=ask_for_web)
            asking.start()
            try:
                self.flood(agent, 0, 10_000)
                before = c.agent(0).resident_bytes(), c.server(0).resident_bytes()
                codes = self.flood(agent, 10_000, self.NAMES - 10_000)
                after = c.agent(0).resident_bytes(), c.server(0).resident_bytes()
            finally:
                over.set()
                asking.join()
            self.assertEqual(codes, {NXDOMAIN: self.NAMES - 10_000})
            self.assertEqual(wrong, [])
            for process in range(2):
                self.assertLess(after[process] - before[process], 8 << 20)


class Reload(unittest.TestCase):
    def test_settings_change_while_it_answers(self):
        with Cluster(servers=1) as c:
            server, agent = c.server_address(0), c.agent_address(0)
            c.configure("agent-0", dns_config={"node_ttl": "3s"})
            c.add_agent(0).start()
            c.wait_for_members(agent, 2)
            for i in range(6):
                register(server, f"n{i}", f"10.9.0.{i}", "web")
            wait_until("the name is known", lambda: len(addresses(agent)) == 3)
            ttl = lambda name: dig(agent, name).answers[0][2]
            self.assertEqual(ttl("n1.node.consul"), 3)
            large = lambda: len(dig(agent, "web.service.consul", edns=4096).answers)
            self.assertEqual(large(), 6)
            sockets = set(os.readlink(f"/proc/{c.agent(0).pid}/fd/{n}") for n in os.listdir(f"/proc/{c.agent(0).pid}/fd"))
            with socket.create_connection((agent, 8600)) as open_connection:
                c.configure("agent-0", dns_config={"node_ttl": "7s", "service_ttl": {"*": "9s"}, "udp_answer_limit": 5, "udp_size_max": 512})
                c.agent(0).send(signal.SIGHUP)
                wait_until("the new TTL", lambda: ttl("n1.node.consul") == 7)
                self.assertEqual(ttl("web.service.consul"), 9)
                self.assertEqual(len(addresses(agent)), 5)
                self.assertEqual(large(), 5)  # 512 bytes, as to clients without EDNS
                c.configure("agent-0", dns_config={"node_ttl": "8s", "only_passing": True})
                self.assertEqual(put(agent, "/v1/agent/reload").status, 200)
                wait_until("the next one", lambda: ttl("n1.node.consul") == 8)
                self.assertEqual(len(addresses(agent)), 3)
                # The connection of before is still answered.
                question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\x02n1\x04node\x06consul\0\0\x01\0\x01"
                open_connection.settimeout(10)
                open_connection.sendall(struct.pack(">H", len(question)) + question)
                self.assertEqual(open_connection.recv(4)[2:], b"\0\7")
            listening = [s for s in sockets if s.startswith("socket:")]
            now = set(os.readlink(f"/proc/{c.agent(0).pid}/fd/{n}") for n in os.listdir(f"/proc/{c.agent(0).pid}/fd"))
            self.assertGreater(len([s for s in listening if s in now]), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
