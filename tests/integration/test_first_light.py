"""The story of the README, with real processes: services are found by DNS and HTTP while they are healthy, and the control
plane survives whatever is killed."""
import http.client
import json
import random
import threading
import time
import unittest

from kit import Cluster, PATIENCE, delete, dig, get, kv_get, kv_path, put, wait_until


def passing(host, service="web"):
    return sorted(i["Service"]["ID"] for i in get(host, f"/v1/health/service/{service}?passing").json())


def srv(host, name="web.service.consul"):
    return sorted((port, target) for _, _, port, target in dig(host, name, "SRV").values("SRV"))


class Story(unittest.TestCase):
    """One cluster of three servers and two agents, with three web servers behind service web."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(servers=3, agents=0)
        cls.cluster.__enter__()
        cls.a, cls.b = cls.cluster.agent_address(0), cls.cluster.agent_address(1)
        c = cls.cluster
        try:
            cls.web = [c.add_web("web-1", cls.a, 8081).start(), c.add_web("web-2", cls.a, 8082).start(),
                       c.add_web("web-3", cls.b, 8083).start()]
            for name, port in (("web-1", 8081), ("web-2", 8082)):
                with open(c.path("agent-0.d", f"{name}.json"), "w") as f:
                    json.dump({"service": {"id": name, "name": "web", "port": port, "tags": ["v1"],
                                           "check": {"http": f"http://{cls.a}:{port}/", "interval": "1s"}}}, f)
            c.nagents = 2
            for i in range(2):
                c.add_agent(i).start()
            wait_until("agent-1 answers", lambda: get(cls.b, "/v1/agent/self").status == 200)
            reply = put(cls.b, "/v1/agent/service/register",
                        {"ID": "web-3", "Name": "web", "Port": 8083, "Tags": ["v2"],
                         "Check": {"HTTP": f"http://{cls.b}:8083/", "Interval": "1s"}})
            assert reply.status == 200, reply.body
            wait_until("three healthy instances", lambda: passing(cls.b) == ["web-1", "web-2", "web-3"])
        except BaseException:
            c.__exit__(AssertionError, None, None)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def test_1_dns_finds_all_three(self):
        self.assertEqual(srv(self.a), [(8081, "agent-0.node.dc1.consul."), (8082, "agent-0.node.dc1.consul."),
                                       (8083, "agent-1.node.dc1.consul.")])
        self.assertEqual(dig(self.a, "web.service.consul").values("A"), sorted([self.a, self.b]))
        self.assertEqual(dig(self.b, "v2.web.service.consul").values("A"), [self.b])
        self.assertEqual(dig(self.b, "web.service.consul", tcp=True).values("A"), sorted([self.a, self.b]))
        self.assertEqual(dig(self.a, "agent-1.node.consul").values("A"), [self.b])
        self.assertEqual(dig(self.a, "nothing.service.consul").rcode, 3)
        self.assertEqual(dig(self.a, "web.service.consul", "AAAA").rcode, 0)
        self.assertEqual(len(dig(self.a, "consul", "NS").answers), 3)
        self.assertEqual(dig(self.a, "example.com").rcode, 5)

    def test_2_blocking_query_returns_with_the_change(self):
        before = get(self.b, "/v1/health/service/web?passing")
        result = {}

        def watch():
            result["reply"] = get(self.b, f"/v1/health/service/web?passing&index={before.index}&wait=60s", timeout=90)

        watcher = threading.Thread(target=watch)
        watcher.start()
        put(self.b, "/v1/kv/unrelated", "x")
        time.sleep(0.3)  # the write must not end the query; a longer pause would prove no more
        self.assertTrue(watcher.is_alive())
        self.web[0].kill()
        watcher.join(PATIENCE)
        self.assertFalse(watcher.is_alive())
        self.assertGreater(result["reply"].index, before.index)
        self.assertEqual(result["reply"].headers["x-consul-knownleader"], "true")
        self.assertIn("x-consul-lastcontact", result["reply"].headers)
        wait_until("web-1 has left DNS", lambda: (8081, "agent-0.node.dc1.consul.") not in srv(self.a))
        wait_until("web-1 has left ?passing", lambda: passing(self.b) == ["web-2", "web-3"])
        self.web[0].start()
        wait_until("web-1 is back", lambda: len(srv(self.a)) == 3 and len(passing(self.b)) == 3)

    def test_3_killed_agent_turns_critical_and_comes_back(self):
        self.cluster.agent(1).kill()
        wait_until("serfHealth is critical", lambda: [
            c["Status"] for c in get(self.a, "/v1/health/node/agent-1").json() if c["CheckID"] == "serfHealth"] == ["critical"])
        self.assertEqual(passing(self.a), ["web-1", "web-2"])
        self.assertEqual([p for p, _ in srv(self.a)], [8081, 8082])
        self.cluster.agent(1).start()
        wait_until("agent-1 is back with its service", lambda: passing(self.a) == ["web-1", "web-2", "web-3"])
        wait_until("and in DNS", lambda: len(srv(self.a)) == 3)

    def test_4_deregistered_service_is_gone_everywhere(self):
        put(self.b, "/v1/agent/service/register", {"Name": "brief", "Port": 1})
        wait_until("registered", lambda: passing(self.a, "brief") == ["brief"])
        put(self.b, "/v1/agent/service/deregister/brief")
        wait_until("gone", lambda: passing(self.a, "brief") == [])
        self.assertEqual(dig(self.a, "brief.service.consul").rcode, 3)

    def test_5_ttl_check_follows_its_reports(self):
        put(self.b, "/v1/agent/service/register", {"Name": "beat", "Port": 1, "Check": {"TTL": "600s"}})
        wait_until("critical at first", lambda: [c["Status"] for c in get(self.a, "/v1/health/checks/beat").json()] == ["critical"])
        self.assertEqual(put(self.b, "/v1/agent/check/pass/service:beat?note=fine").status, 200)
        wait_until("passing", lambda: passing(self.a, "beat") == ["beat"])
        put(self.b, "/v1/agent/check/warn/service:beat")
        wait_until("warning", lambda: [c["Status"] for c in get(self.a, "/v1/health/checks/beat").json()] == ["warning"])
        self.assertEqual(dig(self.a, "beat.service.consul").values("A"), [self.b])
        put(self.b, "/v1/agent/service/deregister/beat")

    def test_6_command_line(self):
        c = self.cluster
        self.assertEqual(c.cli(self.a, "kv", "put", "cli/x", "one").stdout, "Success! Data written to: cli/x\n")
        self.assertEqual(c.cli(self.b, "kv", "get", "cli/x").stdout, "one\n")
        self.assertEqual(c.cli(self.b, "kv", "put", "cli/y", "-", stdin="two").returncode, 0)
        self.assertEqual(c.cli(self.b, "kv", "get", "-recurse", "cli").stdout, "cli/x:one\ncli/y:two\n")
        self.assertEqual(c.cli(self.a, "kv", "delete", "cli/x").stdout, "Success! Deleted key: cli/x\n")
        gone = c.cli(self.a, "kv", "get", "cli/x")
        self.assertEqual((gone.returncode, gone.stderr), (1, "Error! No key exists at: cli/x\n"))
        members = c.cli(self.a, "members").stdout.splitlines()
        self.assertEqual(members[0].split(), ["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Segment"])
        self.assertEqual(len(members), 6)
        self.assertIn("known_servers = 3", c.cli(self.a, "info").stdout)
        self.assertIn("state = ", c.cli(c.server_address(0), "info").stdout)

    def test_7_definitions_are_read_again(self):
        wait_until("all checks of the restarted agent have run", lambda: passing(self.a) == ["web-1", "web-2", "web-3"])
        with open(self.cluster.path("agent-1.d", "late.json"), "w") as f:
            json.dump({"service": {"name": "late", "port": 9}}, f)
        self.assertEqual(put(self.b, "/v1/agent/reload").status, 200)
        wait_until("the new service is found", lambda: passing(self.a, "late") == ["late"])
        self.assertEqual(passing(self.a), ["web-1", "web-2", "web-3"])

    def test_8_graceful_leave_takes_the_node_out(self):
        c = self.cluster
        c.nagents = 3
        agent = c.add_agent(2).start()
        wait_until("agent-2 is in the catalog", lambda: "agent-2" in [n["Node"] for n in get(self.a, "/v1/catalog/nodes").json()])
        self.assertEqual(agent.stop(), 0)  # a client leaves on SIGTERM
        wait_until("agent-2 is out of the catalog", lambda: "agent-2" not in [
            n["Node"] for n in get(self.a, "/v1/catalog/nodes").json()])
        self.assertEqual({m["Name"]: m["Status"] for m in get(self.a, "/v1/agent/members").json()}["agent-2"], 3)
        c.nagents = 2

    def test_9_snapshots_and_the_log_are_read_while_others_write(self):
        log = http.client.HTTPConnection(self.cluster.server_address(0), 8500, timeout=60)
        log.request("GET", "/v1/agent/monitor?loglevel=trace")
        followed = log.getresponse()
        writers = [Writer(a, f"busy-{i}") for i, a in enumerate(self.cluster.server_addresses)]
        for writer in writers:
            writer.start()
        archives = [get(a, "/v1/snapshot", timeout=60) for a in (self.a, *self.cluster.server_addresses)]
        for writer in writers:
            writer.stop()
        self.assertEqual([a.status for a in archives], [200] * 4)
        self.assertEqual(put(self.b, "/v1/snapshot", archives[0].body, timeout=60).status, 200)
        self.assertIn(b"agent.", followed.read1(1 << 16))
        log.close()


class Writer(threading.Thread):
    """Writes numbered keys through an agent and remembers each that was acknowledged."""

    def __init__(self, host, prefix):
        super().__init__()
        self.host, self.prefix = host, prefix
        self.acknowledged, self.stopping = [], False

    def run(self):
        n = 0
        while not self.stopping:
            key = f"{self.prefix}/{n}"
            n += 1
            try:
                if put(self.host, kv_path(key), str(n), timeout=20).body == b"true":
                    self.acknowledged.append((key, str(n)))
            except OSError:
                time.sleep(0.02)

    def stop(self):
        self.stopping = True
        self.join()
        return self.acknowledged


class Survival(unittest.TestCase):
    def check_all_there(self, host, acknowledged, query=""):
        entries = {e["Key"]: e for e in get(host, f"/v1/kv/w?recurse{query}", timeout=60).json()}
        missing = [key for key, _ in acknowledged if key not in entries]
        self.assertEqual(missing, [], f"{len(missing)} of {len(acknowledged)} acknowledged writes are missing")

    def test_acknowledged_writes_survive_the_leader(self):
        with Cluster(servers=3, agents=1) as c:
            host = c.agent_address(0)
            writer = Writer(host, "w")
            writer.start()
            wait_until("some writes", lambda: len(writer.acknowledged) >= 50)
            old = c.leader()
            c.server(old).kill()
            before = len(writer.acknowledged)
            wait_until("writes go on", lambda: len(writer.acknowledged) >= before + 50)
            new = c.leader(c.server_address((old + 1) % 3))
            self.assertNotEqual(new, old)
            c.server(old).start()
            wait_until("the old leader has joined again", lambda: get(c.server_address(old), "/v1/status/leader").json())
            before = len(writer.acknowledged)
            wait_until("and writes still go on", lambda: len(writer.acknowledged) >= before + 50)
            acknowledged = writer.stop()
            self.check_all_there(host, acknowledged)
            # The old leader has caught up: its own copy holds everything.
            last = acknowledged[-1][0]
            wait_until("the old leader has the last write", lambda: kv_get(c.server_address(old), last, "?stale"))
            self.check_all_there(c.server_address(old), acknowledged, "&stale")

    def test_everything_is_there_after_all_servers_were_killed(self):
        with Cluster(servers=3, agents=1) as c:
            host = c.agent_address(0)
            put(host, "/v1/agent/service/register", {"Name": "db", "Port": 5432})
            wait_until("db is registered", lambda: passing(c.server_address(0), "db") == ["db"])
            writer = Writer(host, "w")
            writer.start()
            wait_until("some writes", lambda: len(writer.acknowledged) >= 100)
            for i in random.sample(range(3), 3):
                c.server(i).kill()
            acknowledged = writer.stop()
            for i in range(3):
                c.server(i).start()
            c.wait_for_leader()
            self.check_all_there(c.server_address(1), acknowledged)
            wait_until("db is found again", lambda: passing(c.server_address(2), "db") == ["db"])
            wait_until("through the agent, too", lambda: dig(host, "db.service.consul").values("A") == [host])

    def test_minority_answers_stale_reads_and_refuses_writes(self):
        with Cluster(servers=3) as c:
            put(c.server_address(0), "/v1/kv/x", "1")
            wait_until("x is everywhere", lambda: all(kv_get(a, "x", "?stale") == "1" for a in c.server_addresses))
            c.server(1).kill()
            c.server(2).kill()
            reply = wait_until("the write is refused", lambda: put(c.server_address(0), "/v1/kv/x", "2", timeout=30))
            self.assertEqual(reply.status, 500)
            self.assertEqual(kv_get(c.server_address(0), "x", "?stale"), "1")
            c.server(1).start()
            c.wait_for_leader(c.server_address(0))
            self.assertEqual(put(c.server_address(0), "/v1/kv/x", "3").body, b"true")
            self.assertEqual(kv_get(c.server_address(0), "x", "?consistent"), "3")


class Refusals(unittest.TestCase):
    def run_muster(self, *args):
        import os
        import subprocess

        from kit import BIN

        return subprocess.run([os.path.join(BIN, "muster"), "agent", *args], capture_output=True, text=True, timeout=PATIENCE)

    def test_unknown_key_and_flag_are_named(self):
        with Cluster(servers=0) as c:
            with open(c.path("bad.json"), "w") as f:
                f.write('{"datacentre": "x"}')
            out = self.run_muster("-config-file", c.path("bad.json"), "-data-dir", c.path("d"))
            self.assertEqual(out.returncode, 1)
            self.assertIn("invalid config key datacentre", out.stderr)
            out = self.run_muster("-no-such-flag")
            self.assertEqual(out.returncode, 1)
            self.assertIn("no-such-flag", out.stderr)

    def test_address_in_use_is_named(self):
        with Cluster(servers=1) as c:
            out = self.run_muster("-server", "-bootstrap-expect", "1", "-node", "x", "-bind", c.server_address(0), "-client",
                                  c.server_address(0), "-data-dir", c.path("other"))
            self.assertEqual(out.returncode, 1)
            self.assertIn(f"{c.server_address(0)}:8500", out.stderr)

    def test_damaged_log_is_refused_and_named(self):
        import glob

        with Cluster(servers=1) as c:
            for i in range(200):
                put(c.server_address(0), f"/v1/kv/k{i}", "v" * 100)
            c.server(0).stop()
            def written(path):
                with open(path, "rb") as f:
                    return len(f.read().rstrip(b"\0"))

            biggest = max(glob.glob(c.path("server-0", "raft") + "/*"), key=written)
            with open(biggest, "r+b") as f:
                f.seek(3000)
                byte = f.read(1)
                f.seek(3000)
                f.write(bytes([byte[0] ^ 0xFF]))
            out = self.run_muster("-server", "-bootstrap-expect", "1", "-node", "server-0", "-bind", c.server_address(0),
                                  "-client", c.server_address(0), "-data-dir", c.path("server-0"))
            self.assertEqual(out.returncode, 1)
            self.assertIn(biggest.rsplit("/", 1)[1], out.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
