"""A server whose disk is full: it gives up leading, says so, loses nothing, and goes on by itself once there is room."""
import os
import subprocess
import time
import unittest

import own_mounts
from history import TIMEOUT, History
from kit import BIN, Cluster, get, kv_get, put, wait_until

MIB = 1 << 20
BIG = "x" * 400_000


class SmallDisks(Cluster):
    """Every server's data is on a file system of 24 MiB: room for two files of the log, and not for three."""

    def _add(self, name, address, flags):
        data = self.path(name)
        os.makedirs(data, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", data], check=True)
        return super()._add(name, address, flags)

    def __exit__(self, kind, value, trace):
        try:
            super().__exit__(kind, value, trace)
        finally:
            for name in self.processes:
                subprocess.run(["umount", "--lazy", os.path.join(self.dir, name)], check=False)

    def fill(self, i):
        with open(self.filler(i), "wb", buffering=0) as f:
            block = b"\0" * 4096
            try:
                while True:
                    f.write(block)
            except OSError:
                pass

    def filler(self, i):
        return self.path(f"server-{i}", "filler")

    def raft(self, i):
        stats = get(self.server_address(i), "/v1/agent/self").json()["Stats"]
        return stats["raft"]

    def verify(self, i):
        return subprocess.run([os.path.join(BIN, "muster"), "raft", "verify", self.path(f"server-{i}")],
                              capture_output=True, text=True, timeout=60)


class Full(unittest.TestCase):
    def test_leader_with_a_full_disk(self):
        with SmallDisks(servers=3) as c:
            history = History(c.server_addresses)
            pids = [c.server(i).pid for i in range(3)]
            full = c.leader()
            c.fill(full)
            self.push_until_full(c, full)
            others = [i for i in range(3) if i != full]
            wait_until("another server leads", lambda: c.leader(c.server_address(others[0])) in others)
            goal = history.acknowledged + 30
            wait_until("writes go on", lambda: history.acknowledged >= goal)
            self.nobody_can_write(c, full, c.leader(c.server_address(others[0])))
            os.unlink(c.filler(full))
            wait_until("it goes on by itself", lambda: "there is room again" in c.server(full).log())
            goal = history.acknowledged + 30
            wait_until("writes go on", lambda: history.acknowledged >= goal)
            self.assertTrue(c.server(full).is_running())
            self.assertEqual(c.server(full).pid, pids[full])
            self.all_have_it(c, history)

    def test_only_server_with_a_full_disk(self):
        """It refuses writes rather than let them hang, still answers who can do with a stale answer, and comes back."""
        with SmallDisks(servers=1) as c:
            host = c.server_address(0)
            history = History([host])
            wait_until("writes are acknowledged", lambda: history.acknowledged >= 30)
            c.fill(0)
            self.push_until_full(c, 0)

            def refused():
                reply = put(host, "/v1/kv/refused", "1", timeout=TIMEOUT)
                self.assertNotEqual(reply.body, b"true")
                return reply.status == 500

            wait_until("a write is refused", refused)
            self.assertEqual(kv_get(host, "big/1", "?stale"), BIG)
            os.unlink(c.filler(0))
            goal = history.acknowledged + 30
            wait_until("writes go on", lambda: history.acknowledged >= goal)
            self.all_have_it(c, history)

    def push_until_full(self, c, full):
        """What is preallocated has to be used up."""
        n = 0

        def push():
            nonlocal n
            n += 1
            put(c.server_address(n % c.nservers), f"/v1/kv/big/{n % 8}", BIG, timeout=TIMEOUT)
            return "writes wait for room" in c.server(full).log()

        wait_until("the disk is full", push, pause=0)

    def nobody_can_write(self, c, full, stopped):
        """The leader dies. The full server could elect or be elected, and must do neither: its vote cannot be kept."""
        c.server(stopped).kill()
        left = next(i for i in range(3) if i not in (full, stopped))

        def refused():
            reply = put(c.server_address(left), "/v1/kv/refused", "1", timeout=TIMEOUT)
            self.assertNotEqual(reply.body, b"true")
            return reply.status == 500

        wait_until("a write is refused", refused)
        for _ in range(3):  # each refusal waits 7 s for a leader, many election timeouts
            self.assertEqual(self.state(c, full), "Follower")
            self.assertNotEqual(self.state(c, left), "Leader")
            time.sleep(0.3)
        c.server(stopped).start()

    @staticmethod
    def state(c, i):
        return c.raft(i)["state"]

    def all_have_it(self, c, history):
        history.finish()
        c.wait_for_leader()
        truth = get(c.server_address(c.leader()), "/v1/kv/h?recurse&consistent").json()
        for host in c.server_addresses:
            wait_until(f"{host} holds what the leader holds",
                       lambda: get(host, "/v1/kv/h?recurse&stale").json() == truth)
        self.assertEqual(history.problems(lambda key: int(kv_get(c.server_address(0), key) or 0)), [])
        for i in range(c.nservers):
            c.server(i).stop()
            found = c.verify(i)
            self.assertEqual((found.returncode, found.stdout.splitlines()[-1:]), (0, ["ok"]), found)


if __name__ == "__main__":
    own_mounts.inside()
    unittest.main(verbosity=2)
