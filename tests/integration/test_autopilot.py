"""Servers that join in numbers, never come up, die and come back: who votes follows, and writing never stops."""
import os
import signal
import subprocess
import threading
import time
import unittest

from kit import BIN, PATIENCE, Cluster, delete, get, kv_get, put, wait_until


def servers(host, query=""):
    return {s["Node"]: s for s in get(host, "/v1/operator/raft/configuration" + query).json()["Servers"]}


def voters(host):
    return sorted(n for n, s in servers(host).items() if s["Voter"])


def names(*numbers):
    return [f"server-{i}" for i in numbers]


def status(host, name):
    return {m["Name"]: m["Status"] for m in get(host, "/v1/agent/members").json()}.get(name)


def operator(c, host, *args):
    argv = [os.path.join(BIN, "muster"), "operator", *args[:2], "-http-addr", f"{host}:8500", *args[2:]]
    done = subprocess.run(argv, capture_output=True, timeout=PATIENCE, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{args}: {done.stderr}")
    return done.stdout


class Writer(threading.Thread):
    """Writes through one server, one write after the other, and notes what was not acknowledged and how long it took."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.written, self.failed, self.longest = host, 0, [], 0.0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                reply = put(self.host, f"/v1/kv/writer/{self.written}", str(self.written), timeout=60)
                if reply.body != b"true":
                    self.failed.append((reply.status, reply.body))
            except OSError as error:
                self.failed.append(error)
            self.longest = max(self.longest, time.monotonic() - began)
            self.written += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()


class Autopilot(unittest.TestCase):
    def settle(self, c, **settings):
        """Waits for the leader and sets how it looks after the servers; gives an address that answers."""
        host = c.server_address(0)
        flags = [f"-{key.replace('_', '-')}={value}" for key, value in settings.items()]
        # A busy machine, and sanitizers, make servers look slow.
        self.assertEqual(operator(c, host, "autopilot", "set-config", "-last-contact-threshold=1s", *flags),
                         "Configuration updated!\n")
        return host

    def test_three_empty_servers_at_once_keep_a_cluster_of_three_writable(self):
        """consul#3768: there the new servers voted before they had anything, and the quorum was lost."""
        with Cluster(servers=3) as c:
            host = self.settle(c, server_stabilization_time="3s")
            for i in range(200):
                put(host, f"/v1/kv/before/{i}", "x" * 1000)
            with Writer(c.server_address(c.leader())) as writer:
                for i in (3, 4, 5):
                    c.add_server(i).start()
                wait_until("all of them get the log", lambda: len(servers(host)) == 6)
                self.assertEqual(voters(host), names(0, 1, 2))
                wait_until("all of them vote", lambda: len(voters(host)) == 6)
                count = writer.written
                wait_until("it goes on", lambda: writer.written > count + 20)
            self.assertEqual(writer.failed, [])
            last = writer.written - 1
            for i in range(6):
                wait_until("all is everywhere",
                           lambda i=i: kv_get(c.server_address(i), f"writer/{last}", "?stale") == str(last))
            # Six voters need four: two may go.
            health = get(host, "/v1/operator/autopilot/health")
            self.assertEqual(wait_until("health", lambda: get(host, "/v1/operator/autopilot/health").status == 200), True)
            self.assertEqual(health.json()["FailureTolerance"], 2)

    def test_servers_that_fall_silent_as_they_join_never_vote(self):
        with Cluster(servers=3) as c:
            host = self.settle(c, server_stabilization_time="3s")
            with Writer(c.server_address(c.leader())) as writer:
                for i in (3, 4, 5):
                    c.add_server(i).start()
                for i in (3, 4, 5):
                    wait_until("it is there", lambda i=i: f"server-{i}" in servers(host))
                    c.server(i).send(signal.SIGSTOP)
                wait_until("they are seen failed", lambda: all(status(host, n) == 4 for n in names(3, 4, 5)) or
                           len(servers(host)) == 3)
                self.assertEqual(voters(host), names(0, 1, 2))
                wait_until("they are taken out again", lambda: sorted(servers(host)) == names(0, 1, 2))
                count = writer.written
                wait_until("it goes on", lambda: writer.written > count + 20)
            self.assertEqual(writer.failed, [])
            for i in (3, 4, 5):
                c.server(i).send(signal.SIGCONT)
            wait_until("they come back, and vote", lambda: len(voters(host)) == 6)

    def test_a_dead_server_is_taken_out_and_comes_back(self):
        with Cluster(servers=3, agents=1) as c:
            self.settle(c, server_stabilization_time="2s")
            host = c.agent_address(0)
            gone = next(i for i in range(3) if i != c.leader())
            rest = [i for i in range(3) if i != gone]
            c.server(gone).kill()
            wait_until("it is out of Raft", lambda: voters(host) == names(*rest))
            wait_until("it has left", lambda: status(host, f"server-{gone}") == 3)
            wait_until("it is out of the catalog",
                       lambda: f"server-{gone}" not in [n["Node"] for n in get(host, "/v1/catalog/nodes").json()])
            wait_until("the rest is healthy", lambda: get(host, "/v1/operator/autopilot/health").status == 200)
            self.assertEqual(get(host, "/v1/operator/autopilot/health").json()["FailureTolerance"], 0)
            c.server(gone).start()
            wait_until("it is back without a vote", lambda: f"server-{gone}" in servers(host))
            wait_until("it votes again", lambda: voters(host) == names(0, 1, 2))
            wait_until("it is in the catalog",
                       lambda: f"server-{gone}" in [n["Node"] for n in get(host, "/v1/catalog/nodes").json()])

    def test_half_of_the_voters_are_never_taken_out(self):
        with Cluster(servers=3) as c:
            host = self.settle(c, server_stabilization_time="1s", min_quorum=3)
            gone = next(i for i in (1, 2) if i != c.leader())
            c.server(gone).kill()
            wait_until("it is seen failed", lambda: status(host, f"server-{gone}") == 4)
            # min_quorum holds it: a fourth server comes first.
            c.add_server(3).start()
            wait_until("the fourth replaces it",
                       lambda: voters(host) == sorted(names(*[i for i in range(4) if i != gone])))

    def test_what_operators_set_is_replicated_and_outlives_a_restart(self):
        with Cluster(servers=3) as c:
            host = self.settle(c, max_trailing_logs=77, cleanup_dead_servers="false")
            shown = operator(c, c.server_address(2), "autopilot", "get-config", "-stale")
            self.assertIn("CleanupDeadServers = false\nLastContactThreshold = 1s\nMaxTrailingLogs = 77\n", shown)
            for i in range(3):
                c.server(i).kill()
            for i in range(3):
                c.server(i).start()
            c.wait_for_leader()
            config = get(host, "/v1/operator/autopilot/configuration").json()
            self.assertEqual((config["MaxTrailingLogs"], config["CleanupDeadServers"]), (77, False))
            # Not cleaned up, so an operator does it.
            gone = next(i for i in range(3) if i != c.leader())
            host = c.server_address(next(i for i in range(3) if i != gone))
            c.server(gone).kill()
            wait_until("it is seen failed", lambda: status(host, f"server-{gone}") == 4)
            found = servers(host)[f"server-{gone}"]
            self.assertIn(found["ID"], operator(c, host, "raft", "list-peers"))
            self.assertEqual(operator(c, host, "raft", "remove-peer", f"-address={found['Address']}"),
                             f"Removed peer with address \"{found['Address']}\"\n")
            self.assertEqual(len(servers(host)), 2)
            reply = delete(host, f"/v1/operator/raft/peer?id={found['ID']}")
            self.assertEqual(reply.status, 500)
            self.assertIn(f"id \"{found['ID']}\" was not found in the Raft configuration", reply.body.decode())

    def test_raft_servers_are_told_without_a_leader(self):
        with Cluster(servers=3) as c:
            host = self.settle(c, cleanup_dead_servers="false")
            for i in (1, 2):
                c.server(i).kill()
            wait_until("there is no leader", lambda: get(host, "/v1/status/leader").json() == "")
            self.assertEqual(sorted(servers(host, "?stale")), names(0, 1, 2))


if __name__ == "__main__":
    unittest.main(verbosity=2)
