"""Everything that people do with an agent, where agent and servers are of different makes: a Consul 1.8.7 agent under three muster
servers, a muster agent under three Consul servers. Consul's own command line asks. Skipped, aloud, where there is no Consul.

tests/conformance asks each endpoint in detail (run.py --mixed); here is what takes several programs, time, or a fault."""
import base64
import subprocess
import sys
import threading
import unittest

from kit import Cluster, PATIENCE, Process, delete, dig, find_consul, get, kv_get, put, request, wait_until
from test_consul import add_consul

CONSUL = find_consul()
NAMES = {"muster": "agent-0", "consul": "consul-agent"}


class Pair(Cluster):
    """One agent, the one that is asked, under servers of the other make. config: of the agent, for each make."""

    def __init__(self, agent, server, count=3, config=None):
        super().__init__(servers=0)
        self.kinds, self.count = (agent, server), count
        self.host, self.name = self.agent_address(0), NAMES[agent]
        self.config = config or {}

    def __enter__(self):
        try:
            self.nservers = self.count
            for i in range(self.count):
                if self.kinds[1] == "muster":
                    self.add_server(i).start()
                else:
                    self.configure(f"server-{i}", connect={"enabled": True})
                    add_consul(self, f"server-{i}", self.server_address(i), "-server", "-bootstrap-expect", str(self.count),
                               join=self.server_addresses).start()
            self.wait_for_leader()
            if self.kinds[0] == "muster":
                self.asked = self.add_agent(0)
            else:
                self.asked = add_consul(self, self.name, self.host, join=self.server_addresses)
            self.configure(self.name, **self.config)
            self.asked.start()
            self.ready()
        except BaseException:
            self.__exit__(AssertionError, None, None)
            raise
        return self

    def ready(self):
        wait_until("the agent is in the catalog", lambda: "serfHealth" in get(
            self.host, f"/v1/health/node/{self.name}").body.decode() and put(self.host, "/v1/kv/ready", "1").body == b"true")

    def consul(self, *args, n=1, **kw):
        """Consul's command line, asking the agent."""
        argv = [CONSUL, *args[:n], "-http-addr", f"{self.host}:8500", *args[n:]]
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, **kw)

    def alive(self):
        return next(self.server_address(i) for i in range(self.count) if self.server(i).is_running())


class Fully:
    """What every mixed pair must do."""

    agent, server = None, None

    def test_it_works_fully(self):
        with Pair(self.agent, self.server) as c:
            for step in (self.services, self.checks, self.cached_and_consistent, self.keys_and_locks, self.sessions, self.queries,
                         self.events, self.entries, self.places, self.operators, self.user_interface, self.watches, self.jobs,
                         self.saves, self.reload, self.failover, self.restart, self.comes_and_goes):
                with self.subTest(step.__name__):
                    step(c)
            for process in c.processes.values():
                self.assertNotIn("panic:", process.log())

    def services(self, c):
        host, server = c.host, c.server_address(0)
        put(host, "/v1/agent/service/register", {
            "ID": "web-1", "Name": "web", "Port": 80, "Tags": ["v1", "blue"], "Meta": {"a": "b"}, "Weights": {"Passing": 7, "Warning": 2},
            "TaggedAddresses": {"lan": {"Address": "10.0.0.1", "Port": 81}}, "Checks": [{"CheckID": "one", "TTL": "3600s"}, {
                "CheckID": "two", "Name": "second", "TTL": "3600s", "Status": "warning"}]})
        put(host, "/v1/agent/service/register", {"Name": "db", "Address": "10.0.0.9", "Port": 5432})
        wait_until("both are in the catalog", lambda: sorted(get(server, f"/v1/catalog/node/{c.name}").json()["Services"]) == ["db", "web-1"])
        at_agent = get(host, "/v1/health/service/web").json()
        self.assertEqual(at_agent, get(server, "/v1/health/service/web").json())
        service = at_agent[0]["Service"]
        self.assertEqual((service["Weights"], service["Meta"], service["TaggedAddresses"]["lan"]),
                         ({"Passing": 7, "Warning": 2}, {"a": "b"}, {"Address": "10.0.0.1", "Port": 81}))
        self.assertEqual(sorted(k["CheckID"] for k in at_agent[0]["Checks"]), ["one", "serfHealth", "two"])
        self.assertEqual(get(host, "/v1/agent/service/web-1").json()["Port"], 80)
        listed = get(host, '/v1/agent/services?filter=Service==%22web%22').json()
        self.assertEqual(list(listed), ["web-1"])
        self.assertEqual(get(host, "/v1/health/service/web?filter=Service.Meta.a==b&near=_agent").json(), at_agent)
        self.assertEqual(get(host, "/v1/health/service/web?filter=Service.Meta.a==c").body, b"[]")
        self.assertEqual(get(host, "/v1/agent/health/service/name/web").status, 503)

    def checks(self, c):
        host, server = c.host, c.server_address(0)

        def status(check):
            return {k["CheckID"]: (k["Status"], k["Output"]) for k in get(server, f"/v1/health/node/{c.name}").json()}.get(check)

        for verb, expected in (("pass", "passing"), ("warn", "warning"), ("fail", "critical"), ("pass", "passing")):
            self.assertEqual(put(host, f"/v1/agent/check/{verb}/one?note=n-{verb}").status, 200)
            wait_until(f"{verb} arrives", lambda: status("one") == (expected, f"n-{verb}"))
        self.assertEqual(put(host, "/v1/agent/check/update/two", {"Status": "passing", "Output": "x\u20ac"}).status, 200)
        wait_until("update arrives", lambda: status("two") == ("passing", "x\u20ac"))
        self.assertEqual(put(host, "/v1/agent/check/register", {"Name": "up", "TCP": f"{host}:8500", "Interval": "1s"}).status, 200)
        wait_until("a check of its own", lambda: (status("up") or [""])[0] == "passing")
        for how, prefix in (("service/maintenance/web-1", "_service_maintenance"), ("maintenance", "_node_maintenance")):
            self.assertEqual(put(host, f"/v1/agent/{how}?enable=true&reason=work").status, 200)
            wait_until(f"{how} shows", lambda: any(k["CheckID"].startswith(prefix) and k["Notes"] == "work" for k in get(
                server, f"/v1/health/node/{c.name}").json()))
            wait_until("and takes it out", lambda: dig(host, "web.service.consul").rcode == 3)
            self.assertEqual(put(host, f"/v1/agent/{how}?enable=false").status, 200)
            wait_until("and back", lambda: dig(host, "web.service.consul").values("A") == ["10.0.0.1"] or dig(
                host, "web.service.consul").values("A") == [host])
        srv = dig(host, "blue.web.service.consul", "SRV")
        self.assertEqual([(w, p) for _, w, p, _ in srv.values("SRV")], [(7, 80)])
        self.assertEqual(dig(host, f"{c.name}.node.consul").values("A"), [host])
        self.assertEqual(dig(host, "db.service.dc1.consul").values("A"), ["10.0.0.9"])
        self.assertEqual(dig(host, "nothing.service.consul").rcode, 3)

    def cached_and_consistent(self, c):
        for query in ("?stale", "?consistent", "?cached", "?stale&max_stale=10s", ""):
            reply = get(c.host, f"/v1/health/service/web{query}")
            self.assertEqual((reply.status, len(reply.json())), (200, 1), query)
        self.assertIn("x-cache", get(c.host, "/v1/health/service/web?cached").headers)
        # A change is seen by who waits with ?cached, as by who waits without.
        for query, verb in (("cached", "warn"), ("stale", "pass"), ("consistent", "warn"), ("default", "pass")):
            found = get(c.host, f"/v1/health/service/web?{query}")
            late = threading.Timer(0.3, put, (c.host, f"/v1/agent/check/{verb}/one?note={query}"))
            late.start()
            reply = get(c.host, f"/v1/health/service/web?{query}&index={found.index}&wait=30s", timeout=60)
            late.join()
            self.assertGreater(reply.index, found.index, query)
            self.assertIn(query, [k["Output"] for k in reply.json()[0]["Checks"]])

    def keys_and_locks(self, c):
        host = c.host
        big = "x" * 400_000
        self.assertEqual(put(host, "/v1/kv/big", big).body, b"true")
        self.assertEqual(kv_get(host, "big"), big)
        self.assertEqual(put(host, "/v1/kv/f?flags=18446744073709551615", b"\x00\xff".decode("latin1").encode("latin1")).body, b"true")
        entry = get(host, "/v1/kv/f").json()[0]
        self.assertEqual((base64.b64decode(entry["Value"]), entry["Flags"]), (b"\x00\xff", 18446744073709551615))
        for i in range(50):
            put(host, f"/v1/kv/t/{i:02d}", str(i))
        self.assertEqual(len(get(host, "/v1/kv/t?recurse").json()), 50)
        self.assertEqual(get(host, "/v1/kv/?keys&separator=/").json().count("t/"), 1)
        self.assertEqual(put(host, f"/v1/kv/f?cas={entry['ModifyIndex'] - 1}", "n").body, b"false")
        txn = [{"KV": {"Verb": "cas", "Key": "f", "Value": "eA==", "Index": entry["ModifyIndex"]}}, {"KV": {"Verb": "get", "Key": "t/01"}}]
        done = put(host, "/v1/txn", txn)
        self.assertEqual([r["KV"]["Key"] for r in done.json()["Results"]], ["f", "t/01"])
        self.assertEqual(put(host, "/v1/txn", txn).status, 409)
        self.assertEqual(delete(host, "/v1/kv/t?recurse").body, b"true")
        ran = c.consul("lock", "locks/a", "echo got it; sleep 0.2")
        self.assertEqual((ran.returncode, ran.stdout.strip()), (0, "got it"), ran.stderr)
        self.assertEqual(c.consul("lock", "-n=2", "locks/s", "echo in").stdout, "in\n")
        got = []
        first = threading.Thread(target=lambda: got.append(c.consul("lock", "locks/b", "sleep 1; date +%s.%N").stdout))
        first.start()
        wait_until("it is held", lambda: get(host, "/v1/kv/locks/b/.lock").json()[0].get("Session"))
        second = c.consul("lock", "locks/b", "date +%s.%N")
        first.join(PATIENCE)
        self.assertLess(float(got[0]), float(second.stdout), "one after the other")

    def sessions(self, c):
        host = c.host
        session = put(host, "/v1/session/create", {"Name": "s", "TTL": "10s", "Behavior": "delete"}).json()["ID"]
        self.assertEqual(get(host, f"/v1/session/info/{session}").json()[0]["Node"], c.name)
        self.assertEqual(put(host, f"/v1/session/renew/{session}").json()[0]["ID"], session)
        self.assertEqual(put(host, f"/v1/kv/held?acquire={session}", "x").body, b"true")
        self.assertEqual([s["ID"] for s in get(host, f"/v1/session/node/{c.name}").json()], [session])
        self.assertEqual(put(host, f"/v1/session/destroy/{session}").body, b"true")
        self.assertEqual(get(host, "/v1/kv/held").status, 404)

    def queries(self, c):
        host = c.host
        made = request(host, "POST", "/v1/query", {"Name": "q", "Service": {"Service": "web", "Tags": ["blue"]}, "DNS": {"TTL": "3s"}})
        self.assertEqual(made.status, 200, made.body)
        self.assertEqual([n["Service"]["ID"] for n in get(host, "/v1/query/q/execute?near=_agent").json()["Nodes"]], ["web-1"])
        wait_until("by DNS", lambda: dig(host, "q.query.consul").rcode in (0, 3))
        self.assertEqual(delete(host, f"/v1/query/{made.json()['ID']}").status, 200)

    def events(self, c):
        fired = c.consul("event", "-name", "deploy", "now")
        self.assertEqual(fired.returncode, 0, fired.stderr)
        for at in (c.host, c.server_address(0), c.server_address(1)):
            wait_until("the event is everywhere", lambda: any(
                e["Name"] == "deploy" and base64.b64decode(e["Payload"]) == b"now" for e in get(at, "/v1/event/list").json()))

    def entries(self, c):
        written = c.consul("config", "write", "-", n=2, input='{"Kind":"service-defaults","Name":"web","Protocol":"http"}')
        self.assertEqual(written.returncode, 0, written.stderr)
        split = {"Kind": "service-splitter", "Name": "web", "Splits": [{"Weight": 99.99}, {"Weight": 0.01, "Service": "web2"}]}
        put(c.host, "/v1/config", {"Kind": "service-defaults", "Name": "web2", "Protocol": "http"})
        self.assertEqual(put(c.host, "/v1/config", split).body, b"true")
        self.assertEqual([s["Weight"] for s in get(c.host, "/v1/config/service-splitter/web").json()["Splits"]], [99.99, 0.01])
        self.assertEqual(get(c.host, "/v1/discovery-chain/web").json()["Chain"]["Protocol"], "http")
        for kind, name in (("service-splitter", "web"), ("service-defaults", "web2"), ("service-defaults", "web")):
            self.assertEqual(c.consul("config", "delete", "-kind", kind, "-name", name, n=2).returncode, 0)

    def places(self, c):
        wait_until("all have told where they are", lambda: len(get(c.host, "/v1/coordinate/nodes").json()) == c.count + 1)
        rtt = c.consul("rtt", "server-0")
        self.assertRegex(rtt.stdout, r"^Estimated server-0 <-> \S+ rtt: [0-9.]+ ms", rtt.stderr)
        # Who is next to itself by these coordinates is not certain on one busy machine, but the order is the servers'.
        order = lambda host, near: [n["Node"] for n in get(host, f"/v1/catalog/nodes?near={near}").json()]
        wait_until("_agent is the agent", lambda: order(c.host, "_agent") == order(c.server_address(0), c.name))

    def operators(self, c):
        peers = c.consul("operator", "raft", "list-peers", n=3)
        self.assertEqual(peers.stdout.count("server-"), c.count, peers.stderr)
        health = c.consul("operator", "autopilot", "get-config", n=3)
        self.assertIn("CleanupDeadServers", health.stdout, health.stderr)
        wait_until("the servers are healthy", lambda: get(c.host, "/v1/operator/autopilot/health").json()["Healthy"])
        self.assertEqual(len(get(c.host, "/v1/status/peers").json()), c.count)
        self.assertIn("known_servers = %d" % c.count, c.consul("info").stdout)
        # Keys are the servers' business.
        self.assertEqual(get(c.host, "/v1/operator/keyring").body, b"keyring operations must run against a server node")

    def user_interface(self, c):
        nodes = get(c.host, "/v1/internal/ui/nodes").json()
        self.assertIn(c.name, [n["Node"] for n in nodes])
        self.assertEqual(get(c.host, f"/v1/internal/ui/node/{c.name}").json()["Node"], c.name)
        self.assertIn("web", [s["Name"] for s in get(c.host, "/v1/internal/ui/services").json()])
        self.assertEqual(get(c.host, "/v1/internal/ui/services?filter=Service.Service==nope").json() or [], [])

    def watches(self, c):
        out = c.path("watched")
        kinds = {"key": ["-key", "w"], "keyprefix": ["-prefix", "w"], "services": [], "nodes": [], "service": ["-service", "web"],
                 "checks": ["-service", "web"], "event": ["-name", "seen"]}
        for kind, flags in kinds.items():
            argv = [CONSUL, "watch", "-http-addr", f"{c.host}:8500", "-type", kind, *flags, "sh", "-c", f"cat >> {out}.{kind}"]
            c.processes[f"watch-{kind}"] = Process(c, f"watch-{kind}", argv, c.path(f"watch-{kind}.log")).start()

        def seen(kind, text):
            try:
                with open(f"{out}.{kind}") as f:
                    return text in f.read()
            except FileNotFoundError:
                return False

        wait_until("all have begun", lambda: seen("nodes", c.name) and seen("services", "web") and seen("checks", "one"))
        put(c.host, "/v1/kv/w", "1")
        put(c.host, "/v1/agent/check/warn/one?note=watched")
        put(c.host, "/v1/event/fire/seen", "payload")
        wait_until("keys", lambda: seen("key", "MQ==") and seen("keyprefix", "MQ=="))
        wait_until("checks", lambda: seen("checks", "watched") and seen("service", "watched"))
        wait_until("events", lambda: seen("event", base64.b64encode(b"payload").decode()))
        put(c.host, "/v1/agent/check/pass/one")
        for kind in kinds:
            c.processes[f"watch-{kind}"].kill()

    def jobs(self, c):
        """consul exec; agents run such jobs only if they are told to, so here none does, and the tool ends by itself."""
        ran = c.consul("exec", "-wait=1s", "-wait-repl=100ms", "echo", "hello")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("0 / 0 node(s) completed / acknowledged", ran.stdout + ran.stderr)

    def saves(self, c):
        path = c.path("saved.snap")
        saved = c.consul("snapshot", "save", path, n=2)
        self.assertEqual(saved.returncode, 0, saved.stderr)
        with open(path, "rb") as f:
            self.assertEqual(f.read(2), b"\x1f\x8b")
        put(c.host, "/v1/kv/after-save", "1")
        restored = c.consul("snapshot", "restore", path, n=2)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        wait_until("the state is the saved one", lambda: kv_get(c.host, "after-save", "?consistent") is None)
        wait_until("the agent still is there", lambda: len(get(c.host, "/v1/health/service/web").json()) == 1)

    def reload(self, c):
        c.configure(c.name, **{**c.config, "service": {"name": "filed", "port": 9}})
        self.assertEqual(c.consul("reload").returncode, 0)
        wait_until("it is registered", lambda: len(get(c.alive(), "/v1/health/service/filed").json()) == 1)
        c.configure(c.name, **c.config)
        self.assertEqual(c.consul("reload").returncode, 0)
        wait_until("and gone", lambda: get(c.alive(), "/v1/health/service/filed").json() == [])

    def failover(self, c):
        old = c.find_leader()
        c.server(old).kill()
        wait_until("writes go on", lambda: put(c.host, "/v1/kv/failover", "1", timeout=30).body == b"true")
        self.assertEqual(get(c.host, "/v1/health/service/web?consistent").status, 200)
        put(c.host, "/v1/agent/service/register", {"Name": "meanwhile"})
        wait_until("registrations, too", lambda: len(get(c.alive(), "/v1/health/service/meanwhile").json()) == 1)
        c.server(old).start()
        wait_until("it is back", lambda: get(c.server_address(old), "/v1/health/service/meanwhile?stale").status == 200)
        put(c.host, "/v1/agent/service/deregister/meanwhile")
        wait_until("and knows", lambda: get(c.server_address(old), "/v1/health/service/meanwhile").json() == [])

    def restart(self, c):
        c.asked.kill()
        c.asked.start()
        c.ready()
        wait_until("its services are there", lambda: sorted(get(c.host, "/v1/agent/services").json()) == ["db", "web-1"])
        wait_until("in the catalog, too", lambda: {k["CheckID"]: k["Status"] for k in get(
            c.alive(), f"/v1/health/node/{c.name}").json()}.get("one") == "passing")

    def comes_and_goes(self, c):
        """Killed and told to leave by a server, back, and gone by itself."""
        c.asked.kill()
        wait_until("it is seen failed", lambda: self.member(c) == 4)
        self.assertEqual(put(c.alive(), f"/v1/agent/force-leave/{c.name}").status, 200)
        wait_until("it has left", lambda: self.member(c) == 3)
        wait_until("it is out of the catalog", lambda: get(c.alive(), f"/v1/catalog/node/{c.name}").json() is None)
        c.asked.start()
        c.ready()
        wait_until("with its services", lambda: len(get(c.alive(), "/v1/health/service/web").json()) == 1)
        self.assertEqual(c.consul("leave").returncode, 0)
        c.asked.popen.wait(PATIENCE)
        wait_until("it has left", lambda: self.member(c) == 3)

    @staticmethod
    def member(c):
        return {m["Name"]: m["Status"] for m in get(c.alive(), "/v1/agent/members").json()}.get(c.name)


class ConsulUnderMuster(Fully, unittest.TestCase):
    agent, server = "consul", "muster"


class MusterUnderConsul(Fully, unittest.TestCase):
    agent, server = "muster", "consul"


class OddAgents(unittest.TestCase):
    """Consul agents that are configured for what muster servers do not have: they hear so, and are of use for all else."""

    def check_use(self, c, refused):
        self.assertEqual(put(c.host, "/v1/agent/service/register", {"Name": "web", "Port": 80, "Connect": {"SidecarService": {}}}).status, 200)
        self.assertEqual(put(c.host, "/v1/agent/service/register", {"Name": "db", "Check": {"TTL": "60s"}}).status, 200)
        wait_until("all is registered", lambda: {"web", "web-sidecar-proxy", "db"} <= set(get(
            c.server_address(0), "/v1/catalog/services").json()))
        for path, text in refused.items():
            reply = get(c.host, path, timeout=60)
            self.assertEqual((reply.status, reply.body), (500, b"rpc error making call: " + text), path)
        put(c.host, "/v1/agent/check/pass/service:db")
        wait_until("checks are told", lambda: len(get(c.host, "/v1/health/service/db?passing").json()) == 1)
        self.assertEqual(put(c.host, "/v1/kv/odd", "1").body, b"true")
        self.assertEqual(dig(c.host, "db.service.consul").values("A"), [c.host])
        self.assertNotIn("panic:", c.asked.log())
        self.assertLess(c.asked.log().count("RPC failed to server"), 100, "it does not turn in a circle")

    def test_connect_and_central_configuration(self):
        off = b"Connect must be enabled in order to use this endpoint"
        with Pair("consul", "muster", count=1, config={"connect": {"enabled": True}, "enable_central_service_config": True}) as c:
            self.check_use(c, {"/v1/agent/connect/ca/roots": off, "/v1/agent/connect/ca/leaf/web": off})

    def test_acls(self):
        acl = {"primary_datacenter": "dc1", "acl": {"enabled": True, "default_policy": "allow", "down_policy": "allow"}}
        with Pair("consul", "muster", count=1, config=acl) as c:
            self.check_use(c, {"/v1/acl/token/self": b"ACL support disabled", "/v1/acl/tokens": b"ACL support disabled"})

    def test_who_wants_tls_is_named_in_the_log(self):
        """Such an agent waits for its certificate before it does anything else; it cannot be told."""
        with Cluster(servers=1) as c:
            c.configure("tls", auto_encrypt={"tls": True})
            add_consul(c, "tls", c.agent_address(0), join=c.server_addresses).start()
            wait_until("the server says so", lambda: "An agent wants TLS" in c.server(0).log())
            self.assertEqual(put(c.server_address(0), "/v1/kv/x", "1").body, b"true")


if __name__ == "__main__":
    if not CONSUL:
        print("SKIPPED: no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")
        sys.exit(77)
    unittest.main(verbosity=2)
