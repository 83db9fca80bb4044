"""muster and a real Consul 1.8.7 in one cluster. Skipped, aloud, where there is no Consul (see kit.find_consul)."""
import json
import os
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

from kit import Cluster, PATIENCE, Process, dig, find_consul, get, kv_get, put, wait_until

CONSUL = find_consul()


def add_consul(c, name, address, *flags, join=()):
    os.makedirs(c.path(f"{name}.d", "x")[:-2], exist_ok=True)
    argv = [CONSUL, "agent", "-node", name, "-bind", address, "-client", address, "-data-dir", c.path(name), "-config-dir",
            c.path(f"{name}.d"), "-retry-interval", "1s", "-disable-host-node-id", "-log-level", "debug"]
    for a in join:
        argv += ["-retry-join", a]
    c.processes[name] = Process(c, name, [*argv, *flags], c.path(f"{name}.log"))
    return c.processes[name]


def serf_health(host, node):
    return [c["Status"] for c in get(host, f"/v1/health/node/{node}").json() if c["CheckID"] == "serfHealth"]


def checks(host, service):
    return [c["Status"] for c in get(host, f"/v1/health/checks/{service}").json()]


def in_catalog(host, node):
    return node in [n["Node"] for n in get(host, "/v1/catalog/nodes").json()]


def block(host, path):
    """A blocking query from now on; gives a function that waits for its reply."""
    before, got = get(host, path), {}
    joint = "&" if "?" in path else "?"
    thread = threading.Thread(target=lambda: got.update(reply=get(
        host, f"{path}{joint}index={before.index}&wait=120s", timeout=150)), daemon=True)
    thread.start()

    def wait(test):
        thread.join(PATIENCE)
        test.assertFalse(thread.is_alive(), f"{path} does not return")
        test.assertGreater(got["reply"].index, before.index)
        return got["reply"]

    return wait


def wait_until_quiet(agent):
    """Consul's agent synchronises up to 3 s after it has found a server, also while it leaves, and then registers itself
    anew. That would be cleaned up after a minute; who wants to see it leave waits until it has nothing left to do."""
    seen = [0, time.monotonic()]

    def is_quiet():
        count = agent.log().count("in sync")
        if count != seen[0]:
            seen[:] = [count, time.monotonic()]
        return count and time.monotonic() - seen[1] > 4

    wait_until("it has synchronised", is_quiet)


class Roles(unittest.TestCase):
    """What every pair of a client agent and its servers must do, whoever is who."""

    def work_together(self, c, agent, host, servers):
        server = servers[0]
        name = agent.name
        wait_until("the agent sees a leader", lambda: get(host, "/v1/status/leader").json())
        wait_until("the node is healthy", lambda: serf_health(server, name) == ["passing"])
        self.check_catalog(host, server, name)
        self.check_nothing(host, server)
        self.check_kv(host, server)
        self.check_kill(agent, host, server, name)
        self.check_leave(agent, host, server, name)

    def check_catalog(self, host, server, name):
        wait_until("the service of the file is found", lambda: dig(server, "filed.service.consul").values("A") == [host])
        reply = put(host, "/v1/agent/service/register", {"ID": "web-1", "Name": "web", "Port": 80, "Tags": ["v1"], "Meta": {"a": "b"},
                                                         "Check": {"TTL": "600s"}})
        self.assertEqual(reply.status, 200, reply.body)
        wait_until("critical at first", lambda: checks(server, "web") == ["critical"])
        self.assertEqual(dig(server, "web.service.consul").rcode, 3)
        watch = block(server, "/v1/health/service/web?passing")
        self.assertEqual(put(host, "/v1/agent/check/pass/service:web-1?note=fine").status, 200)
        self.assertEqual([i["Service"]["ID"] for i in watch(self).json()], ["web-1"])
        wait_until("found by DNS at the server", lambda: dig(server, "v1.web.service.consul", "SRV").values("SRV") == [
            (1, 1, 80, f"{name}.node.dc1.consul.")])
        self.assertEqual(dig(host, "web.service.consul").values("A"), [host])
        self.assertEqual(dig(host, f"{name}.node.consul").values("A"), [host])
        instance = get(host, "/v1/health/service/web").json()[0]
        self.assertEqual((instance["Service"]["Meta"], instance["Checks"][-1]["Output"]), ({"a": "b"}, "fine"))
        put(host, "/v1/agent/check/fail/service:web-1")
        wait_until("gone from DNS", lambda: dig(server, "web.service.consul").rcode == 3)
        put(host, "/v1/agent/check/pass/service:web-1")
        wait_until("and back", lambda: dig(server, "web.service.consul").values("A") == [host])

    def check_nothing(self, host, server):
        """What is empty is a list, but where Consul itself prints null."""
        put(server, "/v1/catalog/register", {"Node": "bare", "Address": "10.9.9.9"})
        none = urllib.parse.quote('Node == "nobody"')
        for path in (f"catalog/nodes?filter={none}", f"catalog/service/web?filter={none}", "catalog/service/nothing",
                     f"health/node/bare?filter={none}", "health/node/bare", f"health/checks/web?filter={none}",
                     f"health/state/any?filter={none}", "health/state/warning", "health/service/nothing",
                     "health/service/web?filter=" + urllib.parse.quote('Node.Node == "nobody"')):
            self.assertEqual(get(host, f"/v1/{path}").body, b"[]", path)
        none = urllib.parse.quote('Service == "nothing"')
        for path, expected in (("node/bare", {}), (f"node/bare?filter={none}", {}), ("node-services/bare", None),
                               (f"node-services/bare?filter={none}", []), (f"node-services/unknown?filter={none}", None)):
            self.assertEqual(get(host, f"/v1/catalog/{path}").json()["Services"], expected, path)
        put(server, "/v1/catalog/register", {"Node": "bare", "Address": "10.9.9.9", "Service": {"Service": "plain"}})
        self.assertEqual(get(host, "/v1/catalog/service/plain").json()[0]["ServiceMeta"], {})

    def check_kv(self, host, server):
        self.assertEqual(put(host, "/v1/kv/mixed/a", "one").body, b"true")
        self.assertEqual(kv_get(server, "mixed/a"), "one")
        self.assertEqual(kv_get(host, "mixed/a", "?consistent"), "one")
        watch = block(host, "/v1/kv/mixed/a")
        self.assertEqual(put(server, "/v1/kv/mixed/a?flags=18446744073709551615", "two").body, b"true")
        entry = watch(self).json()[0]
        self.assertEqual((entry["Value"], entry["Flags"]), ("dHdv", 18446744073709551615))
        self.assertEqual(put(host, f"/v1/kv/mixed/a?cas={entry['ModifyIndex'] - 1}", "x").body, b"false")
        self.assertEqual(put(host, f"/v1/kv/mixed/a?cas={entry['ModifyIndex']}", "three").body, b"true")
        self.assertEqual(get(host, "/v1/kv/mixed?keys").json(), ["mixed/a"])

    def check_kill(self, agent, host, server, name):
        time.sleep(1.5)  # a report of a TTL check is on muster's disk a second after it was given
        agent.kill()
        wait_until("it is seen failed", lambda: serf_health(server, name) == ["critical"])
        self.assertEqual(dig(server, "web.service.consul").rcode, 3)
        agent.start()
        wait_until("it is back with its service", lambda: dig(server, "web.service.consul").values("A") == [host])
        wait_until_quiet(agent)

    def check_leave(self, agent, host, server, name):
        self.assertEqual(put(host, "/v1/agent/leave").status, 200)
        agent.popen.wait(PATIENCE)
        wait_until("it is out of the catalog", lambda: not in_catalog(server, name))
        wait_until("it has left", lambda: {m["Name"]: m["Status"] for m in get(
            server, "/v1/agent/members").json()}[name] == 3)

    def test_consul_agent_under_muster_servers(self):
        with Cluster(servers=3) as c:
            agent = add_consul(c, "consul-agent", c.agent_address(0), join=c.server_addresses)
            c.configure("consul-agent", service={"name": "filed", "port": 1})
            agent.start()
            # Twice: it comes back after having left, and does not mind that the leader changes.
            self.work_together(c, agent, c.agent_address(0), c.server_addresses)
            agent.start()
            host = c.agent_address(0)
            wait_until("it is back", lambda: in_catalog(c.server_address(0), "consul-agent"))
            put(host, "/v1/kv/before", "x", timeout=60)
            old = c.leader()
            c.server(old).kill()
            survivor = c.server_address((old + 1) % 3)
            c.wait_for_leader(survivor)
            wait_until("writes go on through it", lambda: put(host, "/v1/kv/after", "x", timeout=30).body == b"true")
            self.assertEqual(kv_get(survivor, "after"), "x")
            self.assertEqual(agent.stop(), 0)

    def test_muster_agent_under_a_consul_server(self):
        with Cluster(servers=0) as c:
            server = c.server_address(0)
            add_consul(c, "consul-server", server, "-server", "-bootstrap-expect", "1").start()
            wait_until("Consul leads", lambda: put(server, "/v1/kv/ready", "x").body == b"true")
            agent = c.add_agent(0, "-retry-join", server)
            c.configure("agent-0", service={"name": "filed", "port": 1})
            agent.start()
            self.work_together(c, agent, c.agent_address(0), [server])
            self.assertNotIn("panic", c.processes["consul-server"].log())


class Tools(unittest.TestCase):
    """Consul's own command line and its watches, against muster."""

    def consul(self, host, *args, n=1, **kw):
        argv = [CONSUL, *args[:n], "-http-addr", f"{host}:8500", *args[n:]]
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, **kw)

    def test_consul_command_line(self):
        with Cluster(servers=1, agents=1) as c:
            host = c.agent_address(0)
            put(host, "/v1/agent/service/register", {"Name": "web", "Port": 80, "Tags": ["a"]})
            wait_until("registered", lambda: in_catalog(host, "agent-0") and "web" in get(host, "/v1/catalog/services").json())
            members = self.consul(host, "members")
            self.assertEqual(members.returncode, 0, members.stderr)
            rows = [line.split() for line in members.stdout.splitlines()]
            self.assertEqual([(r[0], r[2], r[3]) for r in rows[1:]], [("server-0", "alive", "server"), ("agent-0", "alive", "client")])
            self.assertEqual(self.consul(host, "kv", "put", "a/b", "one", n=2).stdout, "Success! Data written to: a/b\n")
            self.assertEqual(self.consul(host, "kv", "get", "a/b", n=2).stdout, "one\n")
            self.assertIn("Flags            0", self.consul(host, "kv", "get", "-detailed", "a/b", n=2).stdout)
            self.assertEqual(json.loads(self.consul(host, "kv", "export", "a", n=2).stdout)[0]["key"], "a/b")
            imported = self.consul(host, "kv", "import", "-", n=2, input=json.dumps([{"key": "c", "flags": 7, "value": "dHdv"}]))
            self.assertEqual((imported.returncode, imported.stdout), (0, "Imported: c\n"), imported.stderr)
            self.assertEqual(self.consul(host, "kv", "delete", "-recurse", "a", n=2).returncode, 0)
            self.assertEqual(self.consul(host, "kv", "get", "a/b", n=2).returncode, 1)
            nodes = self.consul(host, "catalog", "nodes", n=2).stdout.splitlines()
            self.assertEqual([line.split()[0] for line in nodes], ["Node", "agent-0", "server-0"])
            self.assertEqual(self.consul(host, "catalog", "services", "-tags", n=2).stdout.split(), ["consul", "web", "a"])
            self.assertIn("known_servers = 1", self.consul(host, "info").stdout)
            self.assertIn("leader = true", self.consul(c.server_address(0), "info").stdout)
            definition = c.path("late.json")
            with open(definition, "w") as f:
                json.dump({"service": {"name": "late", "port": 1}}, f)
            self.assertEqual(self.consul(host, "services", "register", definition, n=2).returncode, 0)
            wait_until("late is found", lambda: dig(host, "late.service.consul").values("A") == [host])
            self.assertEqual(self.consul(host, "services", "deregister", "-id", "late", n=2).returncode, 0)
            wait_until("late is gone", lambda: dig(host, "late.service.consul").rcode == 3)
            self.assertEqual(self.consul(host, "maint", "-enable", "-reason", "work").returncode, 0)
            wait_until("in maintenance", lambda: dig(host, "web.service.consul").rcode == 3)
            self.assertEqual(self.consul(host, "maint", "-disable").returncode, 0)
            wait_until("back", lambda: dig(host, "web.service.consul").values("A") == [host])
            self.assertEqual(self.consul(host, "reload").returncode, 0)
            self.assertEqual(self.consul(host, "leave").returncode, 0)
            self.assertEqual(c.agent(0).popen.wait(PATIENCE), 0)

    def test_consul_rtt_by_the_coordinates_that_agents_tell(self):
        with Cluster(servers=1, agents=1) as c:
            host = c.agent_address(0)

            def known():
                return [x["Node"] for x in get(host, "/v1/coordinate/nodes").json()]

            wait_until("both have told where they are", lambda: known() == ["agent-0", "server-0"])
            rtt = self.consul(host, "rtt", "server-0")
            self.assertRegex(rtt.stdout, r"^Estimated server-0 <-> agent-0 rtt: [0-9.]+ ms \(using LAN coordinates\)\n?$", rtt.stderr)
            self.assertRegex(self.consul(host, "rtt", "-wan", "server-0.dc1", "server-0.dc1").stdout, r"using WAN coordinates")
            self.assertEqual(self.consul(host, "rtt", "nope").returncode, 1)
            for near, nodes in ("_agent", ["agent-0", "server-0"]), ("server-0", ["server-0", "agent-0"]):
                self.assertEqual([n["Node"] for n in get(host, f"/v1/catalog/nodes?near={near}").json()], nodes)

    def test_consul_config(self):
        with Cluster(servers=1, agents=1) as c:
            host = c.agent_address(0)
            entry = {"Kind": "service-defaults", "Name": "web", "Protocol": "http"}
            written = self.consul(host, "config", "write", "-", n=2, input=json.dumps(entry))
            self.assertEqual(written.stdout.strip(), "Config entry written: service-defaults/web", written.stderr)
            hcl = 'kind = "service-splitter"\nname = "web"\nsplits = [ { weight = 90 }, { weight = 10, service = "db" } ]\n'
            refused = self.consul(host, "config", "write", "-", n=2, input=hcl)
            self.assertIn('discovery chain "web" uses inconsistent protocols; service "db" has "tcp" which is not "http"', refused.stderr)
            self.assertEqual(self.consul(host, "config", "list", "-kind", "service-defaults", n=2).stdout, "web\n")
            read = json.loads(self.consul(host, "config", "read", "-kind", "service-defaults", "-name", "web", n=2).stdout)
            self.assertEqual(read["Protocol"], "http")
            waiting = block(host, "/v1/config/service-defaults/web")
            self.assertEqual(self.consul(host, "config", "delete", "-kind", "service-defaults", "-name", "web", n=2).returncode, 0)
            self.assertEqual(waiting(self).status, 404)

    def test_consul_watch(self):
        with Cluster(servers=1, agents=1) as c:
            host = c.agent_address(0)
            out = c.path("watched")
            watches = [["-type", "key", "-key", "w"], ["-type", "service", "-service", "web"], ["-type", "keyprefix", "-prefix", "w"],
                       ["-type", "services"], ["-type", "nodes"], ["-type", "checks", "-state", "critical"]]
            for i, kind in enumerate(watches):
                argv = [CONSUL, "watch", "-http-addr", f"{host}:8500", *kind, "sh", "-c", f"cat >> {out}.{i}; echo >> {out}.{i}"]
                c.processes[f"watch-{i}"] = Process(c, f"watch-{i}", argv, c.path(f"watch-{i}.log")).start()

            def seen(i):
                try:
                    with open(f"{out}.{i}") as f:
                        return f.read()
                except FileNotFoundError:
                    return ""

            wait_until("the services are there", lambda: '"consul"' in seen(3) and '"agent-0"' in seen(4))
            put(host, "/v1/kv/w", "one")
            wait_until("the key is seen", lambda: '"b25l"' in seen(0) and '"b25l"' in seen(2))
            put(host, "/v1/kv/w", "two")
            wait_until("its next value is seen", lambda: '"dHdv"' in seen(0) and '"dHdv"' in seen(2))
            put(host, "/v1/agent/service/register", {"Name": "web", "Port": 80, "Check": {"TTL": "600s"}})
            wait_until("the service is seen", lambda: '"web"' in seen(1) and '"web"' in seen(3) and "service:web" in seen(5))


if __name__ == "__main__":
    if not CONSUL:
        print("SKIPPED: no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")
        sys.exit(77)
    unittest.main(verbosity=2)
