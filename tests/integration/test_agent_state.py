"""What an agent knows survives its restarts, the loss of all servers, and others who write to its part of the catalog."""
import glob
import http.client
import os
import pathlib
import signal
import subprocess
import time
import unittest

from kit import Cluster, PATIENCE, dig, get, put, wait_until

WEB = {"ID": "web-1", "Name": "web", "Port": 80, "Tags": ["a", "b"], "Meta": {"k": "v"},
       "Check": {"CheckID": "beat", "TTL": "600s", "Notes": "beats"}}


def services(host):
    return sorted(get(host, "/v1/agent/services").json())


def checks(host):
    return {k: c["Status"] for k, c in get(host, "/v1/agent/checks").json().items()}


def catalog_services(host, node):
    entry = get(host, f"/v1/catalog/node/{node}").json()
    return sorted(entry["Services"]) if entry else []


def catalog_checks(host, node):
    return {c["CheckID"]: c["Status"] for c in get(host, f"/v1/health/node/{node}").json()}


def is_gone(pid):
    """Ended; whoever should, may not have reaped it yet."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Restarts(unittest.TestCase):
    def register(self, c, host):
        for method, body in (("service", WEB), ("service", {"Name": "bare"}),
                             ("check", {"ID": "node-beat", "Name": "n", "TTL": "600s"})):
            reply = put(host, f"/v1/agent/{method}/register", body)
            self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(put(host, "/v1/agent/check/pass/beat?note=lives").status, 200)
        states = c.path("agent-0", "checks", "state", "*")  # written a moment later, for all reports since
        wait_until("the report is on disk", lambda: any("lives" in pathlib.Path(p).read_text() for p in glob.glob(states)))

    def check_all_is_back(self, c, host):
        wait_until("the agent answers", lambda: get(host, "/v1/agent/self").status == 200)
        self.assertEqual(services(host), ["bare", "web-1"])
        web = get(host, "/v1/agent/services").json()["web-1"]
        self.assertEqual((web["Service"], web["Port"], web["Tags"], web["Meta"]), ("web", 80, ["a", "b"], {"k": "v"}))
        # A TTL check goes on with the status that it had.
        self.assertEqual(checks(host), {"beat": "passing", "node-beat": "critical"})
        server = c.server_address(0)
        wait_until("it is in the catalog", lambda: catalog_services(server, "agent-0") == ["bare", "web-1"])
        wait_until("with its checks", lambda: catalog_checks(server, "agent-0") == {
            "beat": "passing", "node-beat": "critical", "serfHealth": "passing"})

    def test_registrations_survive_each_way_to_end(self):
        with Cluster(servers=1, agents=1) as c:
            host, agent = c.agent_address(0), c.agent(0)
            self.register(c, host)
            self.check_all_is_back(c, host)
            agent.kill()
            agent.start()
            self.check_all_is_back(c, host)
            self.assertEqual(agent.stop(signal.SIGTERM), 0)  # leaves
            wait_until("it is out of the catalog", lambda: catalog_services(c.server_address(0), "agent-0") == [])
            agent.start()
            self.check_all_is_back(c, host)
            self.assertEqual(put(host, "/v1/agent/service/deregister/bare").status, 200)
            agent.kill()
            agent.start()
            wait_until("the agent answers", lambda: get(host, "/v1/agent/self").status == 200)
            self.assertEqual(services(host), ["web-1"])

    def test_a_damaged_file_is_named_and_set_aside(self):
        with Cluster(servers=0, agents=0) as c:
            host, agent = c.agent_address(0), c.add_agent(0).start()
            wait_until("the agent answers", lambda: get(host, "/v1/agent/self").status == 200)
            self.register(c, host)
            agent.kill()
            folder = c.path("agent-0", "services", "")
            damaged = [p for p in glob.glob(folder + "*") if '"bare"' in pathlib.Path(p).read_text()]
            self.assertEqual(len(damaged), 1)
            with open(damaged[0], "r+b") as f:
                f.truncate(20)
            agent.start()
            wait_until("the agent answers", lambda: get(host, "/v1/agent/self").status == 200)
            self.assertEqual(services(host), ["web-1"])
            self.assertEqual(checks(host), {"beat": "passing", "node-beat": "critical"})
            self.assertIn(damaged[0], agent.log())
            self.assertTrue(os.path.exists(damaged[0] + ".damaged"))
            self.assertFalse(os.path.exists(damaged[0]))


class Synchronisation(unittest.TestCase):
    def test_the_agent_decides_what_is_on_its_node(self):
        with Cluster(servers=1, agents=1) as c:
            host, server = c.agent_address(0), c.server_address(0)
            put(host, "/v1/agent/service/register", WEB)
            wait_until("it is registered", lambda: catalog_services(server, "agent-0") == ["web-1"])
            self.assertEqual(put(server, "/v1/catalog/deregister", {"Node": "agent-0", "ServiceID": "web-1"}).body, b"true")
            foreign = {"Node": "agent-0", "Address": host, "Service": {"ID": "foreign", "Service": "foreign", "Port": 1},
                       "Check": {"CheckID": "foreign-check", "Name": "x", "Status": "passing"}}
            self.assertEqual(put(server, "/v1/catalog/register", foreign).body, b"true")
            self.assertEqual(catalog_services(server, "agent-0"), ["foreign"])
            # A server that comes makes agents compare at once, not only once a minute.
            c.server(0).kill()
            wait_until("the agent misses the server", lambda: {m["Name"]: m["Status"] for m in get(
                host, "/v1/agent/members").json()}["server-0"] == 4)
            c.server(0).start()
            wait_until("all is as the agent says", lambda: catalog_services(server, "agent-0") == ["web-1"])
            wait_until("checks, too", lambda: catalog_checks(server, "agent-0") == {"beat": "critical", "serfHealth": "passing"})

    def test_who_leaves_does_not_register_itself_again(self):
        """Checks change while the agent leaves, as they do when a machine is shut down."""
        with Cluster(servers=1, agents=1) as c:
            host, server = c.agent_address(0), c.server_address(0)
            put(host, "/v1/agent/service/register", WEB)
            wait_until("it is registered", lambda: catalog_services(server, "agent-0") == ["web-1"])
            c.agent(0).send(signal.SIGTERM)
            changes = 0
            try:
                while c.agent(0).is_running():
                    put(host, f"/v1/agent/check/{('pass', 'warn')[changes % 2]}/beat?note={changes}", timeout=5)
                    changes += 1
                    time.sleep(0.02)  # each is written to disk, too
            except (OSError, http.client.HTTPException):  # it has closed
                pass
            self.assertEqual(c.agent(0).popen.wait(PATIENCE), 0)
            self.assertGreater(changes, 0)
            # The leader would clean up after a minute, too; here it is the leaving that must do.
            wait_until("it is out of the catalog", lambda: get(server, "/v1/catalog/node/agent-0").json() is None, timeout=25)

    def test_an_agent_lives_without_servers(self):
        with Cluster(servers=3, agents=1) as c:
            host, server = c.agent_address(0), c.server_address(0)
            put(host, "/v1/agent/service/register", WEB)
            put(host, "/v1/agent/check/pass/beat")
            wait_until("web is found", lambda: dig(host, "web.service.consul").values("A") == [host])
            for i in range(3):
                c.server(i).kill()
            self.assertEqual(get(host, "/v1/agent/self").status, 200)
            self.assertEqual(services(host), ["web-1"])
            self.assertEqual(dig(host, "web.service.consul", timeout=60).values("A"), [host]) # what was known last
            answer = dig(host, "db.service.consul", timeout=60) # of which nothing is known
            self.assertEqual((answer.rcode, answer.answers), (2, []))
            self.assertEqual(get(host, "/v1/catalog/nodes", timeout=60).status, 500)
            self.assertEqual(put(host, "/v1/agent/check/warn/beat?note=alone").status, 200)
            self.assertEqual(put(host, "/v1/agent/service/register", {"Name": "late", "Port": 7}).status, 200)
            self.assertEqual(put(host, "/v1/agent/service/register", {"Name": "brief", "Port": 7}).status, 200)
            self.assertEqual(put(host, "/v1/agent/service/deregister/brief").status, 200)
            self.assertEqual(checks(host), {"beat": "warning"})
            self.assertEqual(get(host, "/v1/agent/members").status, 200)
            for i in range(3):
                c.server(i).start()
            wait_until("what happened meanwhile is known", lambda: catalog_services(server, "agent-0") == ["late", "web-1"])
            wait_until("and the check's status", lambda: catalog_checks(server, "agent-0")["beat"] == "warning")
            wait_until("DNS is back", lambda: dig(host, "late.service.consul").values("A") == [host])


class Scripts(unittest.TestCase):
    def test_scripts_run_and_end_in_time(self):
        with Cluster(servers=1) as c:
            c.nagents = 1
            pids = c.path("scripts", "pids")
            agent = c.add_agent(0)
            c.configure("agent-0", enable_local_script_checks=True, checks=[
                {"id": "good", "name": "good", "args": ["sh", "-c", "echo all is well"], "interval": "1s"},
                {"id": "warns", "name": "warns", "args": ["sh", "-c", "echo careful >&2; exit 1"], "interval": "1s"},
                {"id": "bad", "name": "bad", "args": ["sh", "-c", "exit 7"], "interval": "1s"},
                {"id": "absent", "name": "absent", "args": ["/no/such/program"], "interval": "1s"},
                {"id": "flood", "name": "flood", "args": ["sh", "-c", "yes | head -c 3000000"], "interval": "1s"},
                {"id": "hangs", "name": "hangs", "interval": "1s", "timeout": "1s",
                 "args": ["sh", "-c", f"trap '' TERM; sleep 1000 & echo $! $$ >> {pids}; wait"]}])
            agent.start()
            host = c.agent_address(0)
            want = {"good": "passing", "warns": "warning", "bad": "critical", "absent": "critical", "flood": "passing",
                    "hangs": "critical"}
            wait_until("all have run", lambda: "Timed out" in get(host, "/v1/agent/checks").json()["hangs"]["Output"])
            wait_until("each as its exit says", lambda: checks(host) == want)
            found = get(host, "/v1/agent/checks").json()
            self.assertEqual((found["good"]["Output"], found["warns"]["Output"]), ("all is well\n", "careful\n"))
            self.assertIn("no such file or directory", found["absent"]["Output"])
            self.assertLess(len(found["flood"]["Output"]), 4200)
            self.assertIn("Captured 4096 of 3000000 bytes", found["flood"]["Output"])
            with open(pids) as f:
                first = f.readline().split()
            self.assertEqual(len(first), 2)
            wait_until("its whole group has ended", lambda: all(is_gone(p) for p in first))
            wait_until("it is in the catalog", lambda: catalog_checks(c.server_address(0), "agent-0")["hangs"] == "critical")
            # What comes over the network may run nothing.
            reply = put(host, "/v1/agent/check/register", {"Name": "evil", "Args": ["true"], "Interval": "1s"})
            self.assertEqual(reply.status, 500)
            self.assertIn(b"enable_script_checks", reply.body)
            # Whatever runs when the agent ends goes with it.
            self.assertEqual(agent.stop(), 0)
            with open(pids) as f:
                everything = f.read().split()
            wait_until("nothing of it runs any more", lambda: all(is_gone(p) for p in everything))

    def test_scripts_are_refused_by_default(self):
        with Cluster(servers=0) as c:
            agent = c.add_agent(0)
            c.configure("agent-0", check={"id": "s", "name": "s", "args": ["true"], "interval": "1s"})
            out = subprocess.run(agent.argv, capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(out.returncode, 1)
            self.assertIn("enable_script_checks", out.stderr)
            self.assertIn("enable_local_script_checks", out.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
