"""Servers whose disks are full, hang, or forget all that was not synced.

A full disk: the server gives up leading, says so, loses nothing, and goes on by itself once there is room. A disk that hangs:
another leads meanwhile. Power that fails: what was acknowledged is on the disks of a majority.
"""
import fcntl
import os
import random
import struct
import subprocess
import time
import unittest

import agreement
import own_mounts
from history import TIMEOUT, History
from kit import LONG, Cluster, get, kv_get, put, wait_until

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
            self.remove_files()

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


class Full(unittest.TestCase):
    def test_leader_with_a_full_disk(self):
        with SmallDisks(servers=3) as c:
            history = History(c.server_addresses)
            pids = [c.server(i).pid for i in range(3)]
            full = c.find_leader()
            c.fill(full)
            self.push_until_full(c, full)
            others = [i for i in range(3) if i != full]
            wait_until("another server leads", lambda: c.leader(c.server_address(others[0])) in others)
            history.wait("writes go on", 30)
            self.nobody_can_write(c, full, c.leader(c.server_address(others[0])))
            os.unlink(c.filler(full))
            wait_until("it goes on by itself", lambda: "there is room again" in c.server(full).log())
            history.wait("writes go on", 30)
            self.assertTrue(c.server(full).is_running())
            self.assertEqual(c.server(full).pid, pids[full])
            self.all_have_it(c, history)

    def test_only_server_with_a_full_disk(self):
        """It refuses writes rather than let them hang, still answers who can do with a stale answer, and comes back."""
        with SmallDisks(servers=1) as c:
            host = c.server_address(0)
            history = History([host])
            history.wait("writes are acknowledged", 30)
            c.fill(0)
            self.push_until_full(c, 0)

            def refused():
                reply = put(host, "/v1/kv/refused", "1", timeout=TIMEOUT)
                self.assertNotEqual(reply.body, b"true")
                return reply.status == 500

            wait_until("a write is refused", refused)
            self.assertEqual(kv_get(host, "big/1", "?stale"), BIG)
            os.unlink(c.filler(0))
            history.wait("writes go on", 30)
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
        return agreement.raft_stats(c.server_address(i))["state"]

    def all_have_it(self, c, history):
        if c.nservers > 1:
            agreement.check(self, c, history)
        else:
            history.finish()
            entries = get(c.server_address(0), "/v1/kv/h/?recurse&consistent").json()
            self.assertEqual(history.problems(entries), [])
        for i in range(c.nservers):
            c.server(i).stop()
            found = agreement.raft_tool("verify", c.path(f"server-{i}"))
            self.assertEqual((found.returncode, found.stdout.splitlines()[-1:]), (0, ["ok"]), found)


class Images(Cluster):
    """Every server's data is on an ext4 of its own, in a file."""

    SHUTDOWN, DROP_THE_JOURNAL = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
    FREEZE, THAW = 0xC0045877, 0xC0045878

    def _add(self, name, address, flags):
        image, data = self.image(name), self.path(name)
        with open(image, "wb") as f:
            f.truncate(192 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)
        os.makedirs(data, exist_ok=True)
        self.mount(name)
        return super()._add(name, address, flags)

    def __exit__(self, kind, value, trace):
        try:
            for name in self.processes:
                self.control(name, self.THAW, quietly=True)
            super().__exit__(kind, value, trace)
        finally:
            for name in self.processes:
                subprocess.run(["umount", "--lazy", os.path.join(self.dir, name)], check=False)
            self.remove_files()

    def image(self, name):
        return self.path(f"{name}.img")

    def mount(self, name):
        subprocess.run(["mount", "-o", "loop", self.image(name), self.path(name)], check=True)

    def control(self, name, request, argument=0, quietly=False):
        folder = os.open(self.path(name), os.O_RDONLY)
        try:
            fcntl.ioctl(folder, request, struct.pack("I", argument))
        except OSError:
            if not quietly:
                raise
        finally:
            os.close(folder)

    def freeze(self, i):
        self.control(f"server-{i}", self.FREEZE)

    def thaw(self, i):
        self.control(f"server-{i}", self.THAW)

    def lose_power(self):
        """What no server has synced is gone, with what the file system itself has not written to its journal."""
        unsynced = f"unsynced-{time.monotonic_ns()}"
        for name in self.processes:
            with open(self.path(name, unsynced), "w") as f:
                f.write("x")  # others' syncs may save its name, but not this
        for name in self.processes:
            self.control(name, self.SHUTDOWN, self.DROP_THE_JOURNAL)
        for name, process in self.processes.items():
            process.kill()
            subprocess.run(["umount", self.path(name)], check=True)
            self.mount(name)
            left = self.path(name, unsynced)
            assert not os.path.exists(left) or os.path.getsize(left) == 0, "the disk has lost nothing"


def has_images():
    """Loop devices, ext4 and its ioctls."""
    try:
        with Images(servers=0) as c:
            c.add_server(0)
            c.freeze(0)
            c.thaw(0)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no loop devices or no ext4 here: {error}"
    return None


class Disks(unittest.TestCase):
    def setUp(self):
        why = has_images()
        if why:
            print(f"skipped: {why}", flush=True)
            self.skipTest(why)
        self.c = self.enterContext(Images(servers=3))
        self.history = History(self.c.server_addresses)
        self.history.wait("writes are acknowledged", 30)

    def test_leader_whose_disk_hangs(self):
        """consul#3552, hashicorp/raft#503: the heartbeats go on, so nobody else notices."""
        c, history = self.c, self.history
        pids = [c.server(i).pid for i in range(3)]
        for n in range(10 if LONG else 2):
            hung = c.find_leader()
            c.freeze(hung)
            try:
                asked = c.server_address((hung + 1) % 3)
                wait_until("another leads", lambda: c.leader(asked) not in (None, hung))
                history.wait(f"writes go on in round {n}", 60)
            finally:
                c.thaw(hung)
            wait_until("it follows", lambda: c.leader(c.server_address(hung)) == c.leader(asked))
            history.wait("writes go on", 20)
        self.assertEqual([c.server(i).pid for i in range(3) if c.server(i).is_running()], pids)
        agreement.check(self, c, history)

    def test_follower_whose_disk_hangs(self):
        """Nobody waits for it, and nobody is elected."""
        c, history = self.c, self.history
        leader = c.find_leader()
        term = agreement.raft_stats(c.server_address(leader))["term"]
        hung = (leader + 1) % 3
        c.freeze(hung)
        try:
            history.wait("writes go on", 300)
            time.sleep(3)  # many election timeouts
            self.assertEqual(agreement.raft_stats(c.server_address(leader))["term"], term)
        finally:
            c.thaw(hung)
        history.wait("writes go on", 20)
        self.assertEqual(c.find_leader(), leader)
        agreement.check(self, c, history)

    def test_power_that_fails_again_and_again(self):
        c, history = self.c, self.history
        for n in range(40 if LONG else 4):
            history.wait(f"writes are acknowledged in round {n}", random.randrange(1, 150))
            c.lose_power()
            for i in random.sample(range(3), 3):
                c.server(i).start()
        history.wait("writes go on", 20)
        agreement.check(self, c, history)


if __name__ == "__main__":
    own_mounts.inside()
    unittest.main(verbosity=2)
