"""Clients that nobody here wrote, unchanged, against our agents: the real Consul 1.8.7's command line, Debian's python3-consul
and the npm package `consul`. Each class skips aloud (77 if that was all) where its client cannot be had."""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from kit import Cluster, PATIENCE, Process, find_consul, get, put, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


class WithCluster(unittest.TestCase):
    """One server and one client agent; the client is asked."""

    @classmethod
    def setUpClass(cls):
        cls.require()
        cls.cluster = Cluster(servers=1, agents=1)
        cls.cluster.__enter__()
        cls.host, cls.server = cls.cluster.agent_address(0), cls.cluster.server_address(0)
        wait_until("the agent is in the catalog", lambda: "agent-0" in [n["Node"] for n in get(cls.host, "/v1/catalog/nodes").json()])

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    @classmethod
    def require(cls):
        """Raises SkipTest where the client is not to be had."""


# ---- The command line of Consul 1.8.7 ----


class Cli(WithCluster):
    @classmethod
    def require(cls):
        cls.consul = find_consul()
        if not cls.consul:
            raise unittest.SkipTest("no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")

    def run_consul(self, *args, stdin=None, code=0, host=None):
        environment = {**os.environ, "CONSUL_HTTP_ADDR": f"{host or self.host}:8500"}
        done = subprocess.run([self.consul, *args], input=stdin, capture_output=True, text=True, timeout=PATIENCE, env=environment)
        self.assertEqual(done.returncode, code, f"consul {' '.join(args)}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def test_keys(self):
        self.assertIn("Success! Data written to: cli/a", self.run_consul("kv", "put", "cli/a", "one"))
        self.run_consul("kv", "put", "-flags=7", "cli/b", "-", stdin="two\n")
        self.assertEqual(self.run_consul("kv", "get", "cli/a"), "one\n")
        detailed = self.run_consul("kv", "get", "-detailed", "cli/b")
        self.assertRegex(detailed, r"Flags\s+7\n")
        self.assertEqual(self.run_consul("kv", "get", "-recurse", "cli/"), "cli/a:one\ncli/b:two\n\n")
        self.assertEqual(self.run_consul("kv", "get", "-keys", "cli/"), "cli/a\ncli/b\n")
        self.assertEqual(self.run_consul("kv", "get", "-base64", "cli/a"), base64.b64encode(b"one").decode() + "\n")
        index = [line.split()[1] for line in detailed.splitlines() if line.startswith("ModifyIndex")][0]
        self.run_consul("kv", "put", "-cas", "-modify-index=1", "cli/b", "x", code=1)
        self.run_consul("kv", "put", "-cas", f"-modify-index={index}", "cli/b", "three")
        self.assertIn("Error! No key exists at: cli/none", self.run_consul("kv", "get", "cli/none", code=1))
        exported = self.run_consul("kv", "export", "cli/")
        self.assertEqual([e["key"] for e in json.loads(exported)], ["cli/a", "cli/b"])
        self.assertIn("Success! Deleted keys with prefix: cli/", self.run_consul("kv", "delete", "-recurse", "cli/"))
        self.run_consul("kv", "import", "-", stdin=exported)
        self.assertEqual(self.run_consul("kv", "get", "cli/b"), "three\n")
        self.run_consul("kv", "delete", "-cas", "-modify-index=1", "cli/a", code=1)
        self.run_consul("kv", "delete", "cli/a")

    def test_services_and_catalog(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump({"service": {"name": "cli-web", "id": "cli-web-1", "port": 80, "tags": ["t"], "meta": {"m": "1"},
                                   "check": {"ttl": "600s", "status": "passing"}}}, f)
            f.flush()
            self.run_consul("services", "register", f.name)
            wait_until("it is in the catalog", lambda: "cli-web" in self.run_consul("catalog", "services"))
            self.assertIn("agent-0", self.run_consul("catalog", "nodes", "-service=cli-web"))
            self.assertRegex(self.run_consul("catalog", "services", "-tags"), r"cli-web\s+t\n")
            self.assertIn("server-0", self.run_consul("catalog", "nodes", "-detailed"))
            self.assertEqual(self.run_consul("catalog", "datacenters"), "dc1\n")
            self.run_consul("services", "deregister", f.name)
        wait_until("it is gone", lambda: "cli-web" not in self.run_consul("catalog", "services"))
        self.run_consul("services", "register", "-name=cli-flags", "-port=81", "-tag=x")
        wait_until("it is in the catalog", lambda: "cli-flags" in self.run_consul("catalog", "services"))
        self.run_consul("services", "deregister", "-id=cli-flags")

    def test_agent(self):
        members = self.run_consul("members")
        self.assertRegex(members, r"agent-0\s+\S+:8301\s+alive\s+client\s+1\.8\.7")
        self.assertRegex(self.run_consul("members", "-detailed"), r"server-0.*role=consul")
        self.assertIn("server = false", self.run_consul("info"))
        self.assertIn("raft:", self.run_consul("info", host=self.server))
        self.assertIn("Successfully joined cluster by contacting 1 nodes", self.run_consul("join", self.server))
        self.run_consul("join", "127.0.0.1:1", code=1)
        self.assertIn("Configuration reload triggered", self.run_consul("reload"))
        self.run_consul("force-leave", "nobody", code=1)
        self.assertIn("Node maintenance is now enabled", self.run_consul("maint", "-enable", "-reason", "why"))
        self.assertRegex(self.run_consul("maint"), r"Name:\s+agent-0\n\s+Reason:\s+why")
        self.assertIn("Node maintenance is now disabled", self.run_consul("maint", "-disable"))

    def test_operator(self):
        self.assertRegex(self.run_consul("operator", "raft", "list-peers"), r"server-0\s+\S+\s+\S+:8300\s+leader\s+true\s+3")
        self.assertIn("CleanupDeadServers = true", self.run_consul("operator", "autopilot", "get-config"))
        self.run_consul("operator", "autopilot", "set-config", "-cleanup-dead-servers=false")
        self.assertIn("CleanupDeadServers = false", self.run_consul("operator", "autopilot", "get-config"))
        self.run_consul("operator", "autopilot", "set-config", "-cleanup-dead-servers=true")
        self.run_consul("operator", "raft", "remove-peer", "-address=127.0.0.1:1", code=1)

    def test_events(self):
        self.assertIn("Event ID:", self.run_consul("event", "-name=cli-event", "payload"))
        wait_until("it was received", lambda: [e for e in get(self.host, "/v1/event/list?name=cli-event").json()])

    def test_monitor(self):
        c = self.cluster
        c.processes["monitor"] = monitor = Process(c, "monitor", [self.consul, "monitor", "-http-addr", f"{self.host}:8500", "-log-level",
                                                                  "debug"], c.path("monitor.log")).start()
        wait_until("it tells of requests, but not their tokens", lambda: get(self.host, "/v1/kv/none?token=secret&x=1").status == 404
                   and "method=GET url=/v1/kv/none?token=<hidden>&x=1 latency=" in monitor.log())
        self.assertNotIn("secret", monitor.log())
        put(self.host, "/v1/agent/service/register", {"Name": "cli-monitored"})
        wait_until("it tells of a service", lambda: "Synced service: service=cli-monitored" in monitor.log())
        put(self.host, "/v1/agent/service/deregister/cli-monitored")
        wait_until("and of its end", lambda: "Deregistered service: service=cli-monitored" in monitor.log())

    def watch(self, *kind):
        """A watch that writes what its handler is given; returns a function for what it has written."""
        c, name = self.cluster, "watch-" + "-".join(kind).replace("/", "_").replace("=", "_")
        out = c.path(name + ".out")
        c.processes[name] = Process(c, name, [self.consul, "watch", "-http-addr", f"{self.host}:8500", *kind, "sh", "-c",
                                              f"cat >> {out}; echo >> {out}"], c.path(name + ".log")).start()

        def seen():
            try:
                with open(out) as f:
                    return f.read()
            except FileNotFoundError:
                return ""

        return seen

    def test_watches(self):
        key, prefix = self.watch("-type=key", "-key=cli-w/k"), self.watch("-type=keyprefix", "-prefix=cli-w/")
        services, nodes = self.watch("-type=services"), self.watch("-type=nodes")
        service, checks = self.watch("-type=service", "-service=cli-w"), self.watch("-type=checks", "-state=critical")
        event = self.watch("-type=event", "-name=cli-w")
        wait_until("the nodes are seen", lambda: '"agent-0"' in nodes() and '"consul"' in services())
        self.run_consul("kv", "put", "cli-w/k", "one")
        wait_until("the key is seen", lambda: '"b25l"' in key() and '"b25l"' in prefix())
        put(self.host, "/v1/agent/service/register", {"Name": "cli-w", "Port": 80, "Check": {"TTL": "600s"}})
        wait_until("the service is seen",
                   lambda: '"cli-w"' in service() and '"cli-w"' in services() and "service:cli-w" in checks())
        self.run_consul("event", "-name=cli-w", "hello")
        wait_until("the event is seen", lambda: base64.b64encode(b"hello").decode() in event())
        put(self.host, "/v1/agent/service/deregister/cli-w")


# ---- Debian's python3-consul ----


class Python(WithCluster):
    @classmethod
    def require(cls):
        sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts it, whichever python3 this is
        try:
            import consul
        except ImportError:
            raise unittest.SkipTest("no python3-consul here") from None
        cls.library = consul

    def setUp(self):
        self.consul = self.library.Consul(host=self.host, port=8500)

    def test_keys(self):
        kv = self.consul.kv
        self.assertTrue(kv.put("py/a", "one", flags=3))
        index, entry = kv.get("py/a")
        self.assertEqual((entry["Value"], entry["Flags"]), (b"one", 3))
        self.assertGreaterEqual(int(index), entry["ModifyIndex"])
        self.assertFalse(kv.put("py/a", "two", cas=1))
        self.assertTrue(kv.put("py/a", "two", cas=entry["ModifyIndex"]))
        self.assertIsNone(kv.get("py/none")[1])
        self.assertEqual(kv.get("py/a", keys=True)[1], ["py/a"])
        self.assertEqual([e["Value"] for e in kv.get("py/a", recurse=True)[1]], [b"two"])
        self.assertTrue(kv.delete("py/", recurse=True))

    def test_blocking(self):
        index = self.consul.kv.put("py/b", "1") and self.consul.kv.get("py/b")[0]
        got = {}
        thread = threading.Thread(target=lambda: got.update(reply=self.library.Consul(host=self.host).kv.get(
            "py/b", index=index, wait="60s")), daemon=True)
        thread.start()
        self.consul.kv.put("py/b", "2")
        thread.join(PATIENCE)
        self.assertEqual(got["reply"][1]["Value"], b"2")
        self.assertGreater(int(got["reply"][0]), int(index))

    def test_services(self):
        agent, check = self.consul.agent, self.library.Check.ttl("600s")
        self.assertTrue(agent.service.register("py-web", service_id="py-1", address="10.0.0.1", port=80, tags=["a"], check=check))
        self.assertEqual(agent.services()["py-1"]["Port"], 80)
        # This library still sends GET to report on a check and to deregister, which Consul has not taken since 1.0.
        put(self.host, "/v1/agent/check/pass/service:py-1?note=fine")
        wait_until("it passes", lambda: self.consul.health.service("py-web", passing=True)[1])
        self.assertEqual(self.consul.catalog.service("py-web")[1][0]["ServiceTags"], ["a"])
        self.assertIn("py-web", self.consul.catalog.services()[1])
        self.assertEqual(self.consul.health.checks("py-web")[1][0]["Output"], "fine")
        self.assertTrue(agent.service.maintenance("py-1", True, "why"))
        self.assertTrue(agent.service.maintenance("py-1", False))
        put(self.host, "/v1/agent/service/deregister/py-1")
        self.assertNotIn("py-1", agent.services())
        self.assertTrue(agent.check.register("py-check", check))
        self.assertEqual(agent.checks()["py-check"]["Status"], "critical")
        put(self.host, "/v1/agent/check/deregister/py-check")

    def test_catalog(self):
        catalog = self.consul.catalog
        self.assertTrue(catalog.register("py-ext", "10.9.9.9", service={"Service": "py-db", "Port": 5432}))
        self.assertEqual(catalog.node("py-ext")[1]["Services"]["py-db"]["Port"], 5432)
        self.assertEqual(self.consul.health.node("py-ext")[1], [])
        self.assertTrue(catalog.deregister("py-ext"))
        self.assertEqual(catalog.datacenters(), ["dc1"])
        self.assertTrue(self.consul.status.leader().endswith(":8300"))
        self.assertEqual(len(self.consul.status.peers()), 1)
        self.assertEqual(self.consul.agent.self()["Config"]["NodeName"], "agent-0")
        self.assertEqual(len(self.consul.agent.members()), 2)
        self.assertTrue(self.consul.event.fire("py-event", "x")["ID"])
        wait_until("it was received", lambda: self.consul.event.list(name="py-event")[1])

    def test_sessions(self):
        session, kv = self.consul.session, self.consul.kv
        one, two = session.create("py", ttl=60, behavior="release", lock_delay=0), session.create()
        self.assertTrue(kv.put("py/lock", "1", acquire=one))
        self.assertFalse(kv.put("py/lock", "2", acquire=two))
        self.assertEqual(kv.get("py/lock")[1]["Session"], one)
        self.assertEqual(session.info(one)[1]["Name"], "py")
        self.assertEqual(session.renew(one)["ID"], one)
        self.assertEqual(len(session.list()[1]), 2)
        self.assertTrue(session.destroy(one))
        wait_until("the lock is free", lambda: kv.put("py/lock", "2", acquire=two))
        self.assertTrue(kv.put("py/lock", "2", release=two))
        self.assertEqual([s["ID"] for s in session.node("agent-0")[1]], [two])
        self.assertTrue(session.destroy(two))


# ---- npm's consul ----


class Node(WithCluster):
    @classmethod
    def require(cls):
        if not shutil.which("node") or not shutil.which("npm"):
            raise unittest.SkipTest("no node and npm here")
        cls.folder = tempfile.mkdtemp(prefix="muster-npm-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        for name in ("package.json", "package-lock.json", "client.js"):
            shutil.copy(os.path.join(HERE, "npm", name), cls.folder)
        try:
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=cls.folder, capture_output=True,
                                  text=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise unittest.SkipTest("the package registry does not answer") from None
        if done.returncode != 0:
            raise unittest.SkipTest("the package cannot be had: " + done.stderr.strip()[-300:])

    def client(self, package):
        done = subprocess.run(["node", "client.js", self.host, package], cwd=self.folder, capture_output=True, text=True,
                              timeout=2 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.split(), "ok keys ok services ok agent ok sessions ok transactions ok watches".split())

    def test_version_2(self):
        self.client("consul")

    def test_version_1(self):
        self.client("consul-1")

    def test_version_0(self):
        self.client("consul-0")


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    skipped = program.result.skipped
    for _, why in skipped:
        print("SKIPPED:", why)
    if skipped and program.result.testsRun == 0 and program.result.wasSuccessful():
        sys.exit(77)
    sys.exit(not program.result.wasSuccessful())
