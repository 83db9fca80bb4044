"""Servers whose network is cut, in both directions or in one. What was acknowledged stays, and nobody reads the past.

Each server has a network namespace and a cable of its own into one bridge; the clients stand at the bridge and reach all
of them all the time. A cut is a permanent neighbour entry with an address that nobody has: frames vanish without a word, in
one direction, between two servers.
"""
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

import own_mounts
from history import TIMEOUT, History, Key
from kit import Cluster, get, kv_get, put, wait_until


def ip(*args, ns=None):
    subprocess.run(["ip", *(["-n", ns] if ns else []), *args], check=True, capture_output=True, text=True)


class Network(Cluster):
    NET = "10.77.0"
    NOBODY = "02:00:00:00:00:01"

    @staticmethod
    def _free_net():
        return Network.NET  # the test's own

    def __enter__(self):
        ip("link", "add", "name", "hub", "type", "bridge")
        ip("addr", "add", f"{self.NET}.1/24", "dev", "hub")
        ip("link", "set", "hub", "up")
        return super().__enter__()

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        for i in range(self.nservers):
            self.quietly("link", "del", f"port{i}")
            self.quietly("netns", "del", f"s{i}")
        self.quietly("link", "del", "hub")

    @staticmethod
    def quietly(*args):
        subprocess.run(["ip", *args], check=False, capture_output=True)

    def add_server(self, i, *flags):
        ns = f"s{i}"
        ip("netns", "add", ns)
        ip("link", "add", "name", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", ns)
        ip("link", "set", f"port{i}", "master", "hub", "up")
        ip("addr", "add", f"{self.server_address(i)}/24", "dev", "eth0", ns=ns)
        ip("link", "set", "lo", "up", ns=ns)
        ip("link", "set", "eth0", "up", ns=ns)
        process = super().add_server(i, *flags)
        process.argv = ["ip", "netns", "exec", ns, *process.argv]
        return process

    def cut(self, source, target):
        """What source sends to target is lost from now on."""
        ip("neigh", "replace", self.server_address(target), "lladdr", self.NOBODY, "nud", "permanent", "dev", "eth0",
           ns=f"s{source}")

    def heal(self):
        for source in range(self.nservers):
            for target in range(self.nservers):
                if source != target:
                    self.quietly("-n", f"s{source}", "neigh", "del", self.server_address(target), "dev", "eth0")


class Cut(unittest.TestCase):
    def setUp(self):
        self.c = self.enterContext(Network(servers=3))
        self.history = History(self.c.server_addresses)
        self.progress(20)

    def progress(self, count):
        goal = self.history.acknowledged + count
        wait_until("writes are acknowledged", lambda: self.history.acknowledged >= goal)

    def leader_apart_from(self, old):
        """What one of the others says."""
        asked = self.c.server_address((old + 1) % 3)
        leader = wait_until("the others have a leader", lambda: (self.c.leader(asked) not in (None, old)) and (self.c.leader(asked),))
        return leader[0]

    def heal_and_check(self, old):
        c = self.c
        c.heal()
        wait_until("the old leader follows", lambda: c.leader(c.server_address(old)) == c.leader(c.server_address((old + 1) % 3)))
        self.progress(20)
        self.history.finish()
        c.wait_for_leader()
        truth = get(c.server_address(c.leader()), "/v1/kv/h?recurse&consistent").json()
        for host in c.server_addresses:
            wait_until(f"{host} holds what the leader holds", lambda: get(host, "/v1/kv/h?recurse&stale").json() == truth)
        self.assertEqual(self.history.problems(lambda key: int(kv_get(c.server_address(0), key) or 0)), [])

    def test_leader_is_cut_off(self):
        c, old = self.c, self.c.leader()
        others = [i for i in range(3) if i != old]
        for i in others:
            c.cut(old, i)
            c.cut(i, old)
        self.assertIn(self.leader_apart_from(old), others)
        with ThreadPoolExecutor() as pool:  # a server waits for a leader before it says that there is none
            asked = [pool.submit(put, c.server_address(old), "/v1/kv/lost", "1", timeout=TIMEOUT),
                     pool.submit(get, c.server_address(old), "/v1/kv/lost", timeout=TIMEOUT)]
            self.progress(30)
            self.assertEqual([a.result().status for a in asked], [500, 500])
        self.heal_and_check(old)
        self.assertIsNone(kv_get(c.server_address(old), "lost"))

    def test_leader_hears_and_is_not_heard(self):
        c, old = self.c, self.c.leader()
        for i in range(3):
            if i != old:
                c.cut(old, i)
        self.leader_apart_from(old)
        self.progress(30)
        self.heal_and_check(old)

    def test_leader_is_heard_and_does_not_hear(self):
        """Its heartbeats must not keep the others from electing somebody who can do the work (CheckQuorum)."""
        c, old = self.c, self.c.leader()
        for i in range(3):
            if i != old:
                c.cut(i, old)
        self.leader_apart_from(old)
        self.progress(30)
        self.heal_and_check(old)


class Checker(unittest.TestCase):
    """What the histories are held against."""

    def problems(self, writes, reads):
        key = Key("k")
        key.writes, key.reads = writes, reads
        return len(list(key.problems()))

    def test_finds_what_cannot_have_happened(self):
        two = [(1, 1, 2), (2, 3, 4)]
        self.assertEqual(self.problems(two, [(0, 0, 0.5), (0, 1.1, 1.9), (1, 1.1, 1.9), (1, 2.5, 3.5), (2, 3.5, 5)]), 0)
        self.assertEqual(self.problems(two, [(1, 5, 6)]), 1)  # the past
        self.assertEqual(self.problems(two, [(2, 1, 2)]), 1)  # the future
        self.assertEqual(self.problems(two, [(0, 5, 6)]), 1)  # lost
        self.assertEqual(self.problems(two, [(2, 3.1, 3.2), (1, 3.3, 3.4)]), 1)  # back in time
        self.assertEqual(self.problems(two, [(2, 3.1, 3.3), (1, 3.2, 3.4)]), 0)  # at the same time
        uncertain = [(1, 1, 2), (2, 3, None)]
        self.assertEqual(self.problems(uncertain, [(1, 5, 6), (2, 7, 8)]), 0)
        self.assertEqual(self.problems(uncertain, [(2, 5, 6), (1, 7, 8)]), 1)


if __name__ == "__main__":
    own_mounts.inside()
    unittest.main(verbosity=2)
