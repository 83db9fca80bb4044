"""Servers join, leave, lose their folder and come back: the Raft peers and the catalog follow."""
import shutil
import unittest

from kit import Cluster, get, kv_get, put, wait_until


def peers(host):
    return sorted(get(host, "/v1/status/peers").json())


def nodes(host):
    return {n["Node"]: n["ID"] for n in get(host, "/v1/catalog/nodes").json()}


def health(host, node):
    return [c["Status"] for c in get(host, f"/v1/health/node/{node}").json() if c["CheckID"] == "serfHealth"]


def voters(host):
    return sorted(s["Node"] for s in get(host, "/v1/operator/raft/configuration").json()["Servers"] if s["Voter"])


class Membership(unittest.TestCase):
    def wait_for_peers(self, c, numbers):
        want = sorted(f"{c.server_address(i)}:8300" for i in numbers)
        for i in numbers:
            host = c.server_address(i)
            wait_until(f"peers of {host} are {want}", lambda: peers(host) == want)

    def test_a_fourth_server_becomes_a_voter_and_leaves(self):
        with Cluster(servers=3, agents=1) as c:
            put(c.server_address(0), "/v1/kv/before", "it joined")
            fourth = c.add_server(3).start()
            self.wait_for_peers(c, range(4))
            wait_until("it has the past", lambda: kv_get(c.server_address(3), "before", "?stale") == "it joined")
            wait_until("it is in the catalog", lambda: health(c.agent_address(0), "server-3") == ["passing"])
            # With one of four dead, three are a majority only together with it, once it votes.
            wait_until("it votes", lambda: "server-3" in voters(c.server_address(0)))
            c.server(0).kill()
            c.wait_for_leader(c.server_address(3))
            c.server(0).start()
            c.wait_for_leader(c.server_address(0))
            left = c.cli(c.server_address(3), "leave")
            self.assertEqual((left.returncode, left.stdout), (0, "Graceful leave complete\n"), left.stderr)
            self.assertEqual(fourth.popen.wait(60), 0)
            self.wait_for_peers(c, range(3))
            wait_until("it is out of the catalog", lambda: "server-3" not in nodes(c.agent_address(0)))
            wait_until("it has left", lambda: {m["Name"]: m["Status"] for m in get(
                c.agent_address(0), "/v1/agent/members").json()}["server-3"] == 3)
            # Two of three are a majority again.
            c.server(1).kill()
            c.wait_for_leader(c.server_address(0))

    def test_the_leader_leaves_and_comes_back(self):
        with Cluster(servers=3, agents=1) as c:
            put(c.agent_address(0), "/v1/kv/x", "1", timeout=60)
            old = c.leader()
            rest = [i for i in range(3) if i != old]
            self.assertEqual(c.cli(c.server_address(old), "leave").returncode, 0)
            self.assertEqual(c.server(old).popen.wait(60), 0)
            self.wait_for_peers(c, rest)
            c.wait_for_leader(c.server_address(rest[0]))
            self.assertEqual(put(c.agent_address(0), "/v1/kv/x", "2", timeout=60).body, b"true")
            c.server(old).start()
            self.wait_for_peers(c, range(3))
            wait_until("it has caught up", lambda: kv_get(c.server_address(old), "x", "?stale") == "2")
            wait_until("it is in the catalog", lambda: health(c.agent_address(0), f"server-{old}") == ["passing"])

    def test_a_server_that_lost_its_folder_comes_back(self):
        with Cluster(servers=3, agents=1) as c:
            host = c.agent_address(0)
            for i in range(50):
                put(host, f"/v1/kv/k/{i}", str(i), timeout=60)
            before = nodes(host)["server-2"]
            c.server(2).kill()
            wait_until("it is seen failed", lambda: health(host, "server-2") == ["critical"])
            shutil.rmtree(c.path("server-2"))
            c.server(2).start()
            wait_until("it has another ID in the catalog", lambda: nodes(host)["server-2"] != before)
            self.wait_for_peers(c, range(3))
            wait_until("it has the past", lambda: kv_get(c.server_address(2), "k/49", "?stale") == "49")
            wait_until("it is healthy", lambda: health(host, "server-2") == ["passing"])
            services = get(host, "/v1/catalog/service/consul").json()
            self.assertEqual(sorted(s["Node"] for s in services), ["server-0", "server-1", "server-2"])
            # Once it votes, it and one of the others are enough.
            wait_until("it votes", lambda: "server-2" in voters(host))
            c.server(0).kill()
            c.wait_for_leader(c.server_address(2))

    def test_a_server_that_loses_its_folder_at_once_comes_back(self):
        """Wiped and started before gossip has noticed anything."""
        with Cluster(servers=3) as c:
            put(c.server_address(0), "/v1/kv/x", "1")
            before = nodes(c.server_address(0))["server-2"]
            c.server(2).kill()
            shutil.rmtree(c.path("server-2"))
            c.server(2).start()
            wait_until("it has another ID in the catalog", lambda: nodes(c.server_address(0))["server-2"] != before)
            self.wait_for_peers(c, range(3))
            wait_until("it has the past", lambda: kv_get(c.server_address(2), "x", "?stale") == "1")
            wait_until("it is healthy", lambda: health(c.server_address(2), "server-2") == ["passing"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
