"""Programs that find their way through Consul, unchanged: HAProxy (server-template over DNS SRV) and python-consul2. Prometheus is in
test_metrics.py. Each class skips aloud (77 if that was all) where its program is missing."""
import os
import shutil
import sys
import unittest

from kit import Cluster, Process, put, request, wait_until


class WithCluster(unittest.TestCase):
    """One server and one client agent, which is asked; its DNS too."""

    program = None

    @classmethod
    def setUpClass(cls):
        cls.path = shutil.which(cls.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if not cls.path:
            raise unittest.SkipTest(f"no {cls.program} here")
        cls.cluster = Cluster(servers=1, agents=1)
        cls.cluster.__enter__()
        cls.addClassCleanup(lambda: cls.cluster.__exit__(None, None, None))
        cls.host = cls.cluster.agent_address(0)

    def start(self, *argv):
        c = self.cluster
        c.processes[self.program] = process = Process(c, self.program, list(argv), c.path(self.program + ".log"))
        return process.start()

    def write(self, name, text):
        path = self.cluster.path(name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def register(self, name, number, address="127.0.0.1", port=80, **more):
        reply = put(self.host, "/v1/agent/service/register", {
            "Name": name, "ID": f"{name}-{number}", "Address": address, "Port": port,
            "Check": {"CheckID": f"{name}-{number}", "TTL": "600s", "Status": "passing"}, **more})
        self.assertEqual(reply.status, 200, reply.body)

    def deregister(self, name, number):
        put(self.host, f"/v1/agent/service/deregister/{name}-{number}")


class Haproxy(WithCluster):
    program = "haproxy"

    def servers(self):
        """name -> (address, port, status) of those that are in use."""
        text = request(self.host, "GET", "/;csv", port=8404).body.decode()
        rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
        head = text.splitlines()[0].lstrip("# ").split(",") if text else []
        found = {}
        for row in rows:
            row = dict(zip(head, row))
            if row.get("pxname") == "web" and row["svname"].startswith("web") and row["status"].startswith(("UP", "no check")):
                found[row["addr"]] = row["weight"]
        return found

    def test_servers_follow_dns(self):
        config = self.write("haproxy.cfg", f"""
global
    log stderr format raw local0
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
resolvers consul
    nameserver consul {self.host}:8600
    accepted_payload_size 8192
    hold valid 500ms
    hold obsolete 0s
    timeout resolve 200ms
    timeout retry 200ms
listen stats
    bind {self.host}:8404
    stats enable
    stats show-legends
    stats uri /
listen web
    bind {self.host}:8080
    balance roundrobin
    server-template web 4 _web._tcp.service.consul resolvers consul resolve-opts allow-dup-ip resolve-prefer ipv4 init-addr none
""")
        for number in (1, 2):
            self.cluster.add_web(f"web-{number}", self.host, 9000 + number).start()
            self.register("web", number, self.host, 9000 + number, Weights={"Passing": 1 if number == 1 else 30000, "Warning": 1})
        self.start(self.path, "-f", config, "-db")
        one, two = (f"{self.host}:{9000 + n}" for n in (1, 2))
        wait_until("both serve", lambda: set(self.servers()) == {one, two})
        weights = {a: int(w) for a, w in self.servers().items()}  # from 16 bits to 8
        self.assertTrue(weights[one] == 1 and weights[two] > 100, weights)
        pages = {request(self.host, "GET", "/", port=8080).body for _ in range(300)}
        self.assertEqual(pages, {b"hello from web-1\n", b"hello from web-2\n"})
        put(self.host, "/v1/agent/check/fail/web-1")
        wait_until("who is critical goes", lambda: set(self.servers()) == {two})
        self.assertEqual({request(self.host, "GET", "/", port=8080).body for _ in range(4)}, {b"hello from web-2\n"})
        put(self.host, "/v1/agent/check/pass/web-1")
        wait_until("and comes back", lambda: set(self.servers()) == {one, two})
        self.deregister("web", 2)
        wait_until("who is deregistered goes", lambda: set(self.servers()) == {one})


class Consul2(WithCluster):
    """The fork of python-consul that many have moved on to. MUSTER_CONSUL2: the folder that it is in."""

    program = "python3"

    @classmethod
    def setUpClass(cls):
        folder = os.environ.get("MUSTER_CONSUL2", "/usr/lib/python3/dist-packages")
        if not os.path.isdir(os.path.join(folder, "consul")) or not any("consul2" in n for n in os.listdir(folder)):
            raise unittest.SkipTest("no python3-consul2 here")
        sys.path.insert(0, folder)
        import consul
        cls.library = consul
        super().setUpClass()

    def test_typical_work(self):
        c = self.library.Consul(host=self.host)
        self.assertTrue(c.kv.put("c2/a", "one", flags=3))
        index, entry = c.kv.get("c2/a")
        self.assertEqual((entry["Value"], entry["Flags"]), (b"one", 3))
        self.assertEqual(c.kv.get("c2/", recurse=True)[1][0]["Key"], "c2/a")
        self.assertTrue(c.agent.service.register("c2", service_id="c2-1", address="10.0.0.1", port=80, tags=["a"], meta={"k": "v"},
                                                 check=self.library.Check.ttl("600s")))
        self.assertTrue(c.agent.check.ttl_pass("service:c2-1", "fine"))
        wait_until("it passes", lambda: c.health.service("c2", passing=True)[1])
        self.assertEqual(c.health.service("c2", tag="a")[1][0]["Service"]["Meta"], {"k": "v"})
        self.assertEqual(c.catalog.service("c2", node_meta={"none": "x"})[1], [])
        self.assertTrue(c.agent.maintenance(True, "why"))
        self.assertTrue(c.agent.maintenance(False))
        session = c.session.create("c2", ttl=60, lock_delay=0)
        self.assertTrue(c.kv.put("c2/lock", "x", acquire=session))
        self.assertTrue(c.kv.put("c2/lock", "x", release=session))
        self.assertTrue(c.session.destroy(session))
        results = c.txn.put([{"KV": {"Verb": "set", "Key": "c2/t", "Value": "eA=="}}, {"KV": {"Verb": "get", "Key": "c2/t"}}])
        self.assertEqual(len(results["Results"]), 2)
        query = c.query.create("c2", name="c2-query", onlypassing=True, tags=["a"])
        self.assertEqual(c.query.execute("c2-query")["Nodes"][0]["Service"]["ID"], "c2-1")
        self.assertTrue(c.query.list())
        self.assertTrue(c.query.delete(query["ID"]) is not None)
        self.assertEqual(c.coordinate.datacenters()[0]["Datacenter"], "dc1")
        self.assertTrue(c.operator.raft_config()["Servers"])
        self.assertTrue(c.event.fire("c2-event", "x")["ID"])
        self.assertTrue(c.agent.service.deregister("c2-1"))
        self.assertTrue(c.kv.delete("c2/", recurse=True))


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    skipped = program.result.skipped
    for _, why in skipped:
        print("SKIPPED:", why)
    if skipped and program.result.testsRun == 0 and program.result.wasSuccessful():
        sys.exit(77)
    sys.exit(not program.result.wasSuccessful())
