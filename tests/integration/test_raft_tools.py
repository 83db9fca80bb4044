"""`muster raft verify` and `dump` on the folders of real servers: running, stopped, torn and damaged."""
import glob
import os
import pathlib
import subprocess
import unittest

from kit import BIN, Cluster, kv_get, put, wait_until


def raft(*args):
    return subprocess.run([os.path.join(BIN, "muster"), "raft", *args], capture_output=True, text=True, timeout=60)


def fingerprint(folder):
    return {path: pathlib.Path(path).read_bytes() for path in glob.glob(f"{folder}/raft/*")}


class Tools(unittest.TestCase):
    def test_life_of_a_folder(self):
        c = Cluster(servers=3)
        for i in range(3):
            c.configure(f"server-{i}", raft_snapshot_interval="1ms", raft_snapshot_threshold=16, raft_trailing_logs=4)
        with c:
            for i in range(40):
                put(c.server_address(0), f"/v1/kv/k{i}", f"value {i}")
            folder = c.path("server-1")
            self.of_a_running_server(c, folder)
            c.server(1).kill()
            before = fingerprint(folder)
            self.of_a_stopped_server(folder)
            self.torn(folder)
            self.assertEqual(fingerprint(folder), before)
            self.damaged(c, folder)

    def of_a_running_server(self, c, folder):
        wait_until("it has them all", lambda: kv_get(c.server_address(1), "k39", "?stale"))
        found = raft("dump", folder)
        self.assertEqual((found.returncode, found.stdout.splitlines()[-1]), (0, "ok"), found.stderr)
        self.assertIn("A server uses", found.stderr)
        self.assertIn('"Key":"k39"', found.stdout)
        self.assertTrue(c.server(1).is_running())

    def of_a_stopped_server(self, folder):
        lines = raft("dump", folder).stdout.splitlines()
        entry = next(line for line in lines if '"Key":"k7"' in line)
        self.assertRegex(entry, r'^log-[0-9a-f]{16}\.seg:\d+ entry index=\d+ term=\d+ type=kvs length=\d+ \{"Datacenter":"dc1"')
        indexes = [int(line.split("index=")[1].split()[0]) for line in lines if " entry index=" in line]
        self.assertEqual(indexes, list(range(1, len(indexes) + 1)))
        self.assertTrue(any(" type=configuration " in line and '"Voter":true' in line for line in lines))
        found = raft("verify", os.path.join(folder, "raft"))
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        self.assertRegex(found.stdout, r"^snapshot-[0-9a-f]{16}\.snap snapshot index=\d+ term=\d+ bytes=\d+ configuration-index=1 \[\{")
        found = raft("dump", "-hex", folder)
        self.assertEqual(found.returncode, 0)
        self.assertIn(b"value 7".hex(), found.stdout)
        self.assertNotIn("Datacenter", found.stdout)
        for wrong in ([], ["verify"], ["frob", folder], ["verify", folder, "x"], ["verify", folder + "/none"],
                      ["verify", os.path.dirname(folder) + "/server-1.d"], ["dump", "-frob", folder]):
            self.assertEqual(raft(*wrong).returncode, 2, wrong)

    def log_of(self, folder):
        """The only log file, and where each entry stands in it."""
        [path] = glob.glob(f"{folder}/raft/log-*.seg")
        lines = [line.split()[0] for line in raft("dump", folder).stdout.splitlines() if " entry index=" in line]
        return path, [int(line.split(":")[1]) for line in lines]

    def overwrite(self, path, offset, data):
        with open(path, "r+b") as f:
            f.seek(offset)
            old = f.read(len(data))
            f.seek(offset)
            f.write(data)
        return old

    def torn(self, folder):
        path, offsets = self.log_of(folder)
        old = self.overwrite(path, offsets[-1] + 20, b"\xff" * 8)
        found = raft("verify", folder)
        self.assertEqual(found.returncode, 0, found)
        self.assertIn(f"{os.path.basename(path)}:{offsets[-1]} torn: ", found.stdout)
        self.overwrite(path, offsets[-1] + 20, old)

    def damaged(self, c, folder):
        """What verify says is what the server says when it refuses to start."""
        path, offsets = self.log_of(folder)
        self.overwrite(path, offsets[10] + 50, b"\xff")
        found = raft("verify", folder)
        self.assertEqual((found.returncode, found.stdout.splitlines()[-1]), (1, "DAMAGED"))
        self.assertIn(f"{path} is damaged at offset {offsets[10]} ", found.stderr)
        newest = max(glob.glob(f"{folder}/raft/snapshot-*"))
        self.overwrite(newest, 200, b"\xff\xff")
        self.assertIn(f"{newest} is damaged at offset ", raft("verify", folder).stderr)
        c.server(1).start()
        self.assertNotEqual(c.server(1).popen.wait(60), 0)
        self.assertIn(f"{path} is damaged at offset {offsets[10]} ", c.server(1).log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
