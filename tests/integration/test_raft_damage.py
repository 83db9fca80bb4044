"""Bytes that flip in a server's files, and files that are lost. It refuses to start with a sentence that names the file, the
offset and what to do, the others go on, and who does what the sentence says has three healthy servers again."""
import glob
import json
import os
import random
import re
import shutil
import unittest

import agreement
from history import TIMEOUT, History
from kit import LONG, Cluster, put, wait_until

DAMAGED = re.compile(r"(\S+) is damaged at offset (\d+) \([^)]*\): check the disk, then ([^.\n]*)(?:\. (.*))?")
ANEW = "empty the folder and let the server join anew, under a new id"
HOW = re.compile(r"To join anew, under a new ID: remove (\S+) and (\S+), or empty (\S+) altogether; the leader then lets it")
FLIPPED = bytes(range(1, 9))


def flip(path, offset, count):
    with open(path, "r+b") as f:
        f.seek(offset)
        old = f.read(count)
        f.seek(offset)
        f.write(bytes(a ^ b for a, b in zip(old, FLIPPED)))


class Folder:
    """A server's data."""

    def __init__(self, c, i):
        self.path = c.path(f"server-{i}")

    def offsets(self):
        """(file, offset) of each entry that is on disk, in order, and of the end of the log."""
        lines = agreement.raft_tool("dump", "-hex", self.path).stdout.splitlines()
        found = [line.split()[0].split(":") for line in lines if " entry index=" in line]
        end = next(re.search(r" end=(\S+):(\d+)", line).groups() for line in lines if line.startswith("log "))
        return [(os.path.join(self.path, "raft", f), int(o)) for f, o in [*found, end]]

    def ends_with_an_entry(self):
        """Not with a vote or a torn one: what stands before them was durable, and its damage is no torn tail."""
        lines = agreement.raft_tool("dump", "-hex", self.path).stdout.splitlines()
        records = [line for line in lines if re.match(r"log-[0-9a-f]+\.seg:\d+ ", line)]
        return " entry index=" in records[-1]

    def snapshots(self):
        """Newest first."""
        return sorted(glob.glob(f"{self.path}/raft/snapshot-*.snap"), reverse=True)

    def voters(self):
        """id -> is a voter, of the last configuration in the files."""
        lines = agreement.raft_tool("dump", self.path).stdout.splitlines()
        configurations = [line for line in lines if " type=configuration " in line or "configuration-index=" in line]

        def index(line):
            return int(re.search(r"(?:entry |configuration-)index=(\d+)", line).group(1))

        last = max(configurations, key=index)
        return {s["ID"]: s["Voter"] for s in json.loads(last[last.index("[{"):])}

    def empty(self):
        for name in os.listdir(self.path):
            path = os.path.join(self.path, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def node_id(self):
        with open(os.path.join(self.path, "node-id")) as f:
            return f.read().strip()


class Damage(unittest.TestCase):
    def setUp(self):
        self.c = Cluster(servers=3)
        for i in range(3):
            self.c.configure(f"server-{i}", raft_snapshot_interval="1ms", raft_snapshot_threshold=200, raft_trailing_logs=150)
        self.enterContext(self.c)
        self.history = History(self.c.server_addresses)
        wait_until("all have two snapshots", lambda: all(len(Folder(self.c, i).snapshots()) >= 2 for i in range(3)))

    def kill(self):
        """A server that is down, and its folder."""
        victim = random.randrange(3)
        self.c.server(victim).kill()
        self.history.wait("two servers go on", 20)
        return victim, Folder(self.c, victim)

    def kill_after_an_entry(self):
        """Such a server whose last record is one."""
        while True:
            victim, folder = self.kill()
            if folder.ends_with_an_entry():
                return victim, folder
            self.assertIsNone(self.start(victim))

    def start(self, i):
        """What it logs before it ends, or None if it answers."""
        c, process = self.c, self.c.server(i)
        before = len(process.log())
        process.start()

        def decided():
            if not process.is_running():
                return True
            with_leader = c.leader(c.server_address(i)) is not None
            stats = agreement.raft_stats(c.server_address(i))
            return with_leader and int(stats["commit_index"]) > 0 and stats["applied_index"] == stats["commit_index"]

        wait_until("it serves or ends", decided)
        if process.is_running():
            return None
        self.assertGreater(process.popen.returncode, 0, "it crashed")
        return process.log()[before:]

    def refused(self, said, path, low, high):
        """It named the file and the record in which the damage is; what it said to do."""
        self.assertIsNotNone(said, f"{path} is damaged between {low} and {high}, and nobody noticed")
        named, offset, advice, _ = DAMAGED.search(said).groups()
        self.assertEqual(named, path)
        self.assertTrue(low <= int(offset) <= high, f"offset {offset}, damaged between {low} and {high}")
        return advice

    def come_back_anew(self, i, folder, said):
        """Follows the advice, in one of its two ways, and waits until three servers vote, two of them the old ones."""
        log, node_id, everything = HOW.search(said).groups()
        self.assertEqual((log, node_id, everything), (f"{folder.path}/raft", f"{folder.path}/node-id", folder.path))
        others = {Folder(self.c, j).node_id() for j in range(3) if j != i}
        lost = folder.node_id()
        if random.random() < 0.5:
            folder.empty()
        else:
            shutil.rmtree(log, ignore_errors=True)
            os.unlink(node_id)
        self.assertIsNone(self.start(i), "the advice did not help")
        self.assertNotEqual(folder.node_id(), lost)
        self.wait_for_voters(others | {folder.node_id()})

    def wait_for_voters(self, ids):
        expected = {i: True for i in ids}
        for j in range(3):
            wait_until(f"server {j} knows three voters", lambda: Folder(self.c, j).voters() == expected, pause=0.5)

    def finish(self):
        """Each of them is needed, and all hold the same."""
        c = self.c
        for i in range(3):
            c.server(i).kill()
            self.history.wait("two servers go on", 20)
            self.assertIsNone(self.start(i))
        self.history.wait("all go on", 20)
        agreement.check(self, c, self.history)

    def test_middle_of_the_log(self):
        for _ in range(6 if LONG else 1):
            i, folder = self.kill()
            offsets = folder.offsets()
            n = random.randrange(len(offsets) - 3)
            (path, low), (next_path, high) = offsets[n:n + 2]
            if next_path == path:
                flip(path, random.randrange(low, high - 8), random.randrange(1, 9))
                said = self.start(i)
                self.assertEqual(self.refused(said, path, low, high), ANEW)
                self.come_back_anew(i, folder, said)
            else:
                self.c.server(i).start()
        self.finish()

    def test_tail_of_the_log(self):
        """The last record alone cannot be told from a write that the crash cut short: it is dropped, and the log says so."""
        for _ in range(6 if LONG else 2):
            i, folder = self.kill_after_an_entry()
            (path, low), (_, high) = folder.offsets()[-2:]
            flip(path, random.randrange(low, high - 8), random.randrange(1, 9))
            before = len(self.c.server(i).log())
            self.assertIsNone(self.start(i))
            self.assertRegex(self.c.server(i).log()[before:], rf"{os.path.basename(path)}.*{low}")
        self.finish()

    def test_tail_that_was_acknowledged(self):
        """The leader counts on what its disk has lost, and must send it again, without an election."""
        c = self.c
        self.history.pause()
        agreement.same_stores(c, c.server_addresses)
        i = (c.find_leader() + 1) % 3
        c.server(i).kill()
        folder = Folder(c, i)
        (path, low), (_, high) = folder.offsets()[-2:]
        flip(path, random.randrange(low, high - 8), 8)
        self.assertIsNone(self.start(i))
        committed = agreement.raft_stats(c.server_address((i + 1) % 3))["commit_index"]
        wait_until("it has what it had lost", lambda: int(agreement.raft_stats(c.server_address(i))["commit_index"]) >= int(committed))
        self.history.resume()
        self.finish()

    def test_newest_snapshot(self):
        """Another copy is left where the log still reaches back to it."""
        for _ in range(4 if LONG else 1):
            i, folder = self.kill()
            path = folder.snapshots()[0]
            size = os.path.getsize(path)
            flip(path, random.randrange(size - 8), random.randrange(1, 9))
            before = len(self.c.server(i).log())
            said = self.start(i)
            log = self.c.server(i).log()[before:]
            self.assertEqual(self.refused(log, path, 0, size).strip(), "delete this file")
            if said:
                self.back_without(i, folder, path)
        self.finish()

    def back_without(self, i, folder, path):
        os.unlink(path)
        said = self.start(i)
        if said:
            self.assertIn(f"put the missing snapshot back, or {ANEW}", said)
            self.come_back_anew(i, folder, said)

    def drop_the_oldest_logs(self):
        """Until the log alone no longer has it all."""
        def write():
            for n in range(4):
                put(self.c.server_address(n % 3), f"/v1/kv/big/{n}", "x" * 500_000, timeout=TIMEOUT)
            return all(min(agreement.log_of(Folder(self.c, i).path), default=1) > 1 for i in range(3))

        wait_until("all have dropped a file of the log", write)

    def test_all_snapshots(self):
        self.drop_the_oldest_logs()
        i, folder = self.kill()
        for path in folder.snapshots():
            flip(path, random.randrange(os.path.getsize(path) - 8), 4)
        said = self.start(i)
        self.assertIsNotNone(said)
        self.assertEqual({m.group(1) for m in DAMAGED.finditer(said)}, set(folder.snapshots()))
        self.assertIn(ANEW, said)
        self.come_back_anew(i, folder, said)
        self.finish()

    def test_log_alone_is_lost(self):
        """Its ID would come back without the memory of how it voted."""
        for lose in (shutil.rmtree, self.empty_folder, self.lose_segments)[:3 if LONG else 2]:
            i, folder = self.kill()
            lose(f"{folder.path}/raft")
            for _ in range(2):  # refusing leaves nothing behind that would let it in
                said = self.start(i)
                self.assertIsNotNone(said, "it has forgotten how it voted, and takes part")
                self.assertIn(f"this server has taken part in Raft as {folder.node_id()}, but its log is not in {folder.path}/raft", said)
            self.come_back_anew(i, folder, said)
        self.finish()

    @staticmethod
    def empty_folder(path):
        shutil.rmtree(path)
        os.mkdir(path)

    @staticmethod
    def lose_segments(path):
        for name in glob.glob(f"{path}/log-*"):
            os.unlink(name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
