"""Servers whose network is cut, in both directions or in one. What was acknowledged stays, and nobody reads the past.

Each server has a network namespace and a cable of its own into one bridge; the clients stand at the bridge and reach all
of them all the time. A cut is a permanent neighbour entry with an address that nobody has: frames vanish without a word, in
one direction, between two servers.
"""
import random
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import agreement
import own_mounts
from history import TIMEOUT, History
from kit import LONG, Cluster, get, kv_get, put, wait_until


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
        self.history.wait("writes are acknowledged", count)

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
        agreement.check(self, c, self.history)

    def test_leader_is_cut_off(self):
        c, old = self.c, self.c.find_leader()
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
        c, old = self.c, self.c.find_leader()
        for i in range(3):
            if i != old:
                c.cut(old, i)
        self.leader_apart_from(old)
        self.progress(30)
        self.heal_and_check(old)

    def test_leader_is_heard_and_does_not_hear(self):
        """Its heartbeats must not keep the others from electing somebody who can do the work (CheckQuorum)."""
        c, old = self.c, self.c.find_leader()
        for i in range(3):
            if i != old:
                c.cut(i, old)
        self.leader_apart_from(old)
        self.progress(30)
        self.heal_and_check(old)

    def test_cuts_at_random(self):
        """In any direction, several at a time, changed before anybody has settled; now and then a server is killed, too."""
        c, ways = self.c, [(a, b) for a in range(3) for b in range(3) if a != b]
        for _ in range(100 if LONG else 8):
            for source, target in random.sample(ways, random.randrange(1, 4)):
                c.cut(source, target)
            if random.random() < 0.3:
                victim = c.server(random.randrange(3))
                victim.kill()
                victim.start()
            time.sleep(random.random() * 3)  # how long it lasts, not how long something may take
            if random.random() < 0.6:
                c.heal()
                self.progress(10)
        c.heal()
        self.progress(20)
        agreement.check(self, c, self.history)


if __name__ == "__main__":
    own_mounts.inside()
    unittest.main(verbosity=2)
