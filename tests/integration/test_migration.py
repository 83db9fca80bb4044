"""Moving a machine from a Consul 1.8.7 agent to a muster agent and back, in its place: same data folder, same name, same
configuration. What docs/migration.md promises. Skipped, aloud, where there is no Consul."""
import base64
import glob
import os
import subprocess
import sys
import unittest

from kit import Cluster, PATIENCE, dig, find_consul, get, put, wait_until
from test_consul import add_consul, wait_until_quiet

CONSUL = find_consul()
NODE = "moving"


def view(server):
    """What the cluster knows of the node, with the indexes that tell whether somebody wrote it anew."""
    return get(server, f"/v1/catalog/node/{NODE}").json(), get(server, f"/v1/health/node/{NODE}").json()


class Moves(unittest.TestCase):
    def machine(self, c, make):
        """The agent of that make on the one machine."""
        if make == "consul":
            process = add_consul(c, NODE, c.agent_address(0), join=c.server_addresses)
        else:
            process = c._add(NODE, c.agent_address(0), ["-disable-host-node-id"])
        return process.start()

    def move(self, make_of_server):
        with Cluster(servers=0) as c:
            c.nservers = 1
            host, server = c.agent_address(0), c.server_address(0)
            (c.add_server(0) if make_of_server == "muster" else add_consul(
                c, "server-0", server, "-server", "-bootstrap-expect", "1")).start()
            c.wait_for_leader()
            c.configure(NODE, leave_on_terminate=False, skip_leave_on_interrupt=True, node_meta={"rack": "r1"},
                        service={"name": "filed", "port": 1, "check": {"ttl": "3600s", "status": "passing"}})
            process = self.machine(c, "consul")
            before = self.furnish(c, process, host, server)
            for make in ("muster", "consul", "muster"):
                process.stop()  # Consul ends with 1 when it does not leave
                self.assertTrue(get(server, f"/v1/catalog/node/{NODE}").json(), "it has not left")
                process = self.machine(c, make)
                self.is_as_before(process, make, host, server, before)
            self.writes_on(c, process, host, server)

    def furnish(self, c, process, host, server):
        wait_until("it is in the catalog", lambda: get(server, f"/v1/catalog/node/{NODE}").json())
        for body in ({"ID": "web-1", "Name": "web", "Port": 80, "Tags": ["a"], "Meta": {"k": "v"}, "Weights": {"Passing": 3, "Warning": 1},
                      "Check": {"CheckID": "beat", "TTL": "3600s", "Notes": "n"}},
                     {"Name": "db", "Port": 5432, "Check": {"CheckID": "up", "TCP": f"{host}:8500", "Interval": "1s"}}):
            self.assertEqual(put(host, "/v1/agent/service/register", body).status, 200)
        self.assertEqual(put(host, "/v1/agent/check/register", {"ID": "own", "Name": "own", "TTL": "3600s"}).status, 200)
        self.assertEqual(put(host, "/v1/agent/check/pass/beat?note=lives").status, 200)
        self.assertEqual(put(host, "/v1/agent/check/warn/own?note=hm").status, 200)
        self.assertEqual(put(host, "/v1/agent/service/maintenance/db?enable=true&reason=move").status, 200)
        self.session = put(host, "/v1/session/create", {"Name": "kept"}).json()["ID"]
        self.assertEqual(put(host, f"/v1/kv/held?acquire={self.session}", "x").body, b"true")
        want = {"beat": "passing", "own": "warning", "up": "passing", "_service_maintenance:db": "critical", "serfHealth": "passing",
                "service:filed": "passing"}
        wait_until("all is told", lambda: {k["CheckID"]: k["Status"] for k in view(server)[1]} == want)
        wait_until_quiet(process)
        return want, view(server)[0], get(host, "/v1/agent/self").json()["Config"]["NodeID"]

    def is_as_before(self, process, make, host, server, before):
        want, entry, node_id = before
        wait_until(f"{make} answers", lambda: get(host, "/v1/agent/self").status == 200)
        config = get(host, "/v1/agent/self").json()["Config"]
        self.assertEqual((config["NodeName"], config["NodeID"]), (NODE, node_id))
        self.assertEqual(sorted(get(host, "/v1/agent/services").json()), ["db", "filed", "web-1"])
        wait_until("its checks are those", lambda: {k["CheckID"]: k["Status"] for k in view(server)[1]} == want, timeout=3 * PATIENCE)
        wait_until("the agent has no other", lambda: {k: v["Status"] for k, v in get(
            host, "/v1/agent/checks").json().items()} == {k: v for k, v in want.items() if k != "serfHealth"})
        wait_until_quiet(process)
        now = view(server)[0]
        for services in (now["Services"], entry["Services"]):
            for service in services.values():
                service.pop("ModifyIndex", 0)  # a Consul server moves it with a status; CreateIndex tells who was gone meanwhile
        self.assertEqual(now["Services"], entry["Services"], "nobody has been gone")
        self.assertEqual(now["Node"]["Meta"].get("rack"), "r1")
        self.assertEqual(get(host, "/v1/kv/held").json()[0]["Session"], self.session, "the session lives")
        self.assertEqual(dig(server, "web.service.consul").values("A"), [host])
        beat = get(host, "/v1/agent/checks").json()["beat"]
        self.assertEqual((beat["Output"], beat["Notes"]), ("lives", "n"))

    def writes_on(self, c, process, host, server):
        """What was taken over can be changed and removed."""
        self.assertEqual(put(host, "/v1/agent/service/maintenance/db?enable=false").status, 200)
        for name in ("web-1", "db"):
            self.assertEqual(put(host, f"/v1/agent/service/deregister/{name}").status, 200)
        self.assertEqual(put(host, "/v1/agent/check/deregister/own").status, 200)
        wait_until("all is gone", lambda: sorted(view(server)[0]["Services"]) == ["filed"])
        left = glob.glob(c.path(NODE, "services", "x")[:-1] + "*") + glob.glob(c.path(NODE, "checks", "x")[:-1] + "[0-9a-f]*")
        self.assertEqual([p for p in left if os.path.isfile(p)], [], [open(p).read() for p in left if os.path.isfile(p)])

    def test_under_consul_servers(self):
        self.move("consul")

    def test_under_muster_servers(self):
        self.move("muster")


class Gossip(unittest.TestCase):
    """Who was in the pool, and its keys, are in files that either make reads."""

    def test_peers_and_keys_are_taken_over(self):
        key = base64.b64encode(b"k" * 32).decode()
        with Cluster(servers=0) as c:
            host, server = c.agent_address(0), c.server_address(0)
            add_consul(c, "server-0", server, "-server", "-bootstrap-expect", "1", "-encrypt", key).start()
            wait_until("Consul leads", lambda: put(server, "/v1/kv/ready", "1").body == b"true")
            c.configure(NODE, leave_on_terminate=False)
            process = add_consul(c, NODE, host, "-encrypt", key, join=[server]).start()
            for make in ("muster", "consul"):
                wait_until("the pool is whole", lambda: len([m for m in get(host, "/v1/agent/members").json() if m["Status"] == 1]) == 2)
                wait_until("the agent is of use", lambda: put(host, "/v1/kv/a", "1").body == b"true")
                process.stop()
                self.assertIn(b"server-0", snapshot_of(c))
                # Neither a key nor an address of anybody is given.
                process = (c._add(NODE, host, ["-disable-host-node-id"]) if make == "muster" else add_consul(c, NODE, host)).start()
            wait_until("the pool is whole", lambda: len([m for m in get(host, "/v1/agent/members").json() if m["Status"] == 1]) == 2)
            self.assertEqual(put(host, "/v1/kv/a", "1").body, b"true")


def snapshot_of(c):
    with open(c.path(NODE, "serf", "local.snapshot"), "rb") as f:
        return f.read()


class Servers(unittest.TestCase):
    """All servers are swapped for those of the other make, under the agents of either: these go on, and bring what is theirs; keys
    are carried over by `kv export` and `kv import`."""

    def swap(self, before, after):
        with Cluster(servers=0) as c:
            c.nservers, c.nagents = 1, 1
            server, hosts = c.server_address(0), [c.agent_address(0), c.agent_address(1)]

            def start(make):
                joins = [flag for host in hosts for flag in ("-retry-join", host)]
                (c.add_server(0, *joins) if make == "muster" else add_consul(
                    c, "server-0", server, "-server", "-bootstrap-expect", "1", *joins)).start()
                c.wait_for_leader()

            start(before)
            c.add_agent(0).start()
            add_consul(c, "consul-agent", hosts[1], join=[server]).start()
            for host in hosts:
                wait_until("the agent answers", lambda: put(host, "/v1/agent/service/register", {
                    "Name": "web", "Port": 80, "Check": {"TTL": "3600s", "Status": "passing"}}).status == 200)
            found = lambda: sorted(i["Node"]["Node"] for i in get(server, "/v1/health/service/web?passing").json())
            wait_until("both are found", lambda: found() == ["agent-0", "consul-agent"])
            put(hosts[0], "/v1/kv/a/b?flags=7", "value")
            exported = self.consul(hosts[1], "kv", "export", "a/")
            c.server(0).stop()
            os.rename(c.path("server-0", "x")[:-2], c.path("old", "x")[:-2] + ".gone")
            start(after)
            wait_until("both are found again", lambda: found() == ["agent-0", "consul-agent"], timeout=3 * PATIENCE)
            self.consul(hosts[1], "kv", "import", "-", stdin=exported)
            for host in hosts:
                entry = get(host, "/v1/kv/a/b").json()[0]
                self.assertEqual((entry["Value"], entry["Flags"]), (base64.b64encode(b"value").decode(), 7))
                self.assertEqual(put(host, "/v1/agent/check/warn/service:web").status, 200)
            wait_until("reports arrive", lambda: found() == [] and len(get(server, "/v1/health/service/web").json()) == 2)

    def consul(self, host, *args, stdin=None):
        done = subprocess.run([CONSUL, *args[:2], "-http-addr", f"{host}:8500", *args[2:]], input=stdin, capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_from_consul_to_muster(self):
        self.swap("consul", "muster")

    def test_from_muster_to_consul(self):
        self.swap("muster", "consul")


if __name__ == "__main__":
    if not CONSUL:
        print("SKIPPED: no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")
        sys.exit(77)
    unittest.main(verbosity=2)
