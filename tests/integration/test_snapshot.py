"""Archives of the state: saved while writes go on, through agents and followers, restored into another cluster, refused when
anything about them is not right."""
import gzip
import io
import os
import subprocess
import tarfile
import tempfile
import threading
import unittest

from agreement import raft_stats, same_stores
from kit import Cluster, find_consul, get, put, request, wait_until


def save(host, query=""):
    reply = get(host, "/v1/snapshot" + query, timeout=120)
    assert reply.status == 200, reply.body
    return reply


def restore(host, archive):
    return put(host, "/v1/snapshot", archive, timeout=240)


def files(archive):
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}


def keys(host, query="?recurse&stale"):
    found = get(host, "/v1/kv/" + query, timeout=60)
    return [] if found.status == 404 else found.json()


def everything(host):
    """What a snapshot holds and no live member changes by itself."""
    return {
        "kv": keys(host),
        "fixed": get(host, "/v1/health/service/fixed?stale").json(),
        "node": get(host, "/v1/catalog/node/elsewhere?stale").json(),
    }


class Writer(threading.Thread):
    """Puts n/0, n/1, ... one after the other until it is told to stop."""

    def __init__(self, host, name):
        super().__init__(daemon=True)
        self.host, self.prefix, self.done, self.count = host, name, threading.Event(), 0

    def run(self):
        while not self.done.is_set():
            reply = put(self.host, f"/v1/kv/{self.prefix}/{self.count}", "v" * 100, timeout=60)
            assert reply.status == 200, reply.body
            self.count += 1

    def stop(self):
        self.done.set()
        self.join()


class Snapshot(unittest.TestCase):
    def fill(self, host):
        for i in range(200):
            put(host, f"/v1/kv/quiet/{i}", "x" * (i * 7))
        put(host, "/v1/catalog/register", '{"Node":"elsewhere","Address":"10.1.2.3","NodeMeta":{"external-node":"true"},"Service":'
            '{"ID":"f1","Service":"fixed","Port":80,"Tags":["a"]},"Check":{"CheckID":"c","Name":"c","ServiceID":"f1","Status":'
            '"passing"}}')

    def refuse(self, host, archive, words):
        before = everything(host)
        reply = restore(host, archive)
        self.assertEqual(reply.status, 500, words)
        self.assertIn(words, reply.body.decode())
        self.assertEqual(everything(host), before)

    def test_save_under_load_and_restore_into_a_fresh_cluster(self):
        with Cluster(servers=3, agents=1) as old:
            agent = old.agent_address(0)
            self.fill(agent)
            writers = [Writer(old.server_address(i), f"busy-{i}") for i in range(3)]
            for w in writers:
                w.start()
            wait_until("there is load", lambda: all(w.count > 20 for w in writers))
            saved = save(agent)
            counts = [w.count for w in writers]
            wait_until("writes go on", lambda: all(w.count > n + 5 for w, n in zip(writers, counts)))
            followers = [old.server_address(i) for i in range(3) if i != old.leader()]
            save(followers[0])
            save(followers[1], "?stale")
            for w in writers:
                w.stop()
            index = saved.index
            archive, state = saved.body, everything(agent)
        parts = files(archive)
        self.assertEqual(list(parts), ["meta.json", "state.bin", "SHA256SUMS"])
        with Cluster(servers=3, agents=1) as new:
            agent = new.agent_address(0)
            put(agent, "/v1/kv/mine", "goes", timeout=60)
            waiting = threading.Thread(target=self.wait_for_news, args=(agent,))
            watched = get(agent, "/v1/kv/mine")
            self.watched_index = watched.index
            waiting.start()
            self.refuse_damaged(agent, archive)
            reply = restore(agent, archive)
            self.assertEqual((reply.status, reply.body), (200, b""))
            waiting.join(60)
            self.assertFalse(waiting.is_alive(), "a watcher sleeps on")
            self.compare(new, archive, state, index)

    def wait_for_news(self, agent):
        reply = get(agent, f"/v1/kv/mine?index={self.watched_index}&wait=120s", timeout=180)
        self.assertEqual(reply.status, 404)
        self.assertGreater(reply.index, self.watched_index)

    def compare(self, new, archive, state, index):
        hosts = [new.server_address(i) for i in range(3)]
        same_stores(new, hosts)
        after = everything(hosts[0])
        self.assertEqual(after["fixed"], state["fixed"])
        self.assertEqual(after["node"], state["node"])
        quiet = [e for e in state["kv"] if e["Key"].startswith("quiet/")]
        self.assertEqual([e for e in after["kv"] if e["Key"].startswith("quiet/")], quiet)
        # Of each writer the first so many, without a gap: one moment of time.
        for i in range(3):
            numbers = sorted(int(e["Key"].split("/")[1]) for e in after["kv"] if e["Key"].startswith(f"busy-{i}/"))
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertGreater(len(numbers), 20)
        self.assertTrue(all(e["ModifyIndex"] <= index for e in after["kv"]))
        # New writes come behind all that was restored, on every server, and survive a restart.
        put(hosts[0], "/v1/kv/next", "1")
        entry = get(hosts[0], "/v1/kv/next").json()[0]
        self.assertGreater(entry["ModifyIndex"], index)
        i = next(i for i in range(3) if i != new.leader())
        new.server(i).kill()
        new.server(i).start()
        new.wait_for_leader(hosts[i])
        wait_until("it has it all again", lambda: everything(hosts[i])["kv"] == everything(hosts[(i + 1) % 3])["kv"])
        again = save(hosts[i]).body
        self.assertGreater(len(files(again)["state.bin"]), len(files(archive)["state.bin"]) // 2)

    def refuse_damaged(self, host, archive):
        """At every boundary: of gzip, of each file of the tar, and of each of their blocks near them."""
        cuts = {0, 1, 9, 10, 11, len(archive) // 2, len(archive) - 9, len(archive) - 8, len(archive) - 4, len(archive) - 1}
        for cut in sorted(cuts):
            self.refuse(host, archive[:cut], "EOF")
        for at in (0, 1, 2, 20, len(archive) // 3, len(archive) // 2, len(archive) - 6, len(archive) - 1):
            damaged = bytearray(archive)
            damaged[at] ^= 0x40
            self.refuse(host, bytes(damaged), "failed to ")
        self.refuse(host, archive + b"x", "bytes follow the end")
        self.refuse(host, b"rubbish, and enough of it to be no gzip", "gzip: invalid header")
        tar = gzip.decompress(archive)
        for at in (0, 156, 512, 1024, 1536, len(tar) // 2, len(tar) - 1600):
            damaged = bytearray(tar)
            damaged[at] ^= 0x01
            self.refuse(host, gzip.compress(bytes(damaged)), "failed to read snapshot file")
        for cut in (512, 1000, 1024, 1536, len(tar) // 2 & ~511, len(tar) - 2048):
            self.refuse(host, gzip.compress(tar[:cut]), "failed to read snapshot file")

    def test_the_real_cli_saves_inspects_and_restores(self):
        consul = find_consul()
        if not consul:
            self.skipTest("there is no Consul here")
        with Cluster(servers=1) as c, tempfile.NamedTemporaryFile() as f:
            host = c.server_address(0)
            put(host, "/v1/kv/a", "1", timeout=60)

            def run(*args):
                return subprocess.run([consul, "snapshot", *args], capture_output=True, text=True, timeout=120,
                                      env={"CONSUL_HTTP_ADDR": f"{host}:8500"})

            found = run("save", f.name)
            self.assertIn("Saved and verified snapshot to index", found.stdout, found.stderr)
            found = run("inspect", f.name)
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertIn("Version      1", found.stdout)
            put(host, "/v1/kv/a", "2")
            self.assertEqual(run("restore", f.name).stdout, "Restored snapshot\n")
            self.assertEqual(get(host, "/v1/kv/a?raw").body, b"1")

    def test_a_leader_that_dies_while_it_restores_changes_nothing(self):
        with Cluster(servers=3) as c:
            hosts = [c.server_address(i) for i in range(3)]
            for i in range(40):  # some 16 MiB that do not pack: more than thirty pieces
                put(hosts[0], f"/v1/kv/big/{i}", os.urandom(400 * 1024), timeout=60)
            archive = save(hosts[0]).body
            request(hosts[0], "DELETE", "/v1/kv/big/?recurse", timeout=60)
            put(hosts[0], "/v1/kv/mine", "stays")
            old = c.leader()
            other = hosts[(old + 1) % 3]
            answers = []
            client = threading.Thread(target=lambda: answers.append(restore(other, archive)))
            before = int(raft_stats(other)["last_log_index"])
            client.start()
            wait_until("pieces go through the log", lambda: int(raft_stats(other)["last_log_index"]) > before + 3, pause=0.005)
            c.server(old).kill()
            client.join(120)
            c.wait_for_leader(other)
            if answers and answers[0].status == 200:
                self.skipTest("it was faster than the blow")
            wait_until("it is given up", lambda: get(other, "/v1/kv/mine?raw").body == b"stays")
            self.assertEqual([e for e in keys(other) if e["Key"].startswith("big/")], [])
            self.assertEqual(restore(other, archive).status, 200)
            c.server(old).start()
            c.wait_for_leader(hosts[old])
            same_stores(c, hosts)
            self.assertEqual(len([e for e in keys(hosts[old]) if e["Key"].startswith("big/")]), 40)

    def test_without_a_leader_only_stale_saves(self):
        with Cluster(servers=3) as c:
            put(c.server_address(0), "/v1/kv/a", "1", timeout=60)
            wait_until("all have it", lambda: all(get(c.server_address(i), "/v1/kv/a?stale").status == 200
                                                for i in range(3)))
            c.server(1).kill()
            c.server(2).kill()
            wait_until("nobody leads", lambda: get(c.server_address(0), "/v1/status/leader").json() == "")
            reply = get(c.server_address(0), "/v1/snapshot", timeout=60)
            self.assertEqual((reply.status, reply.body), (500, b"No cluster leader"))
            self.assertIn("state.bin", files(save(c.server_address(0), "?stale").body))


if __name__ == "__main__":
    unittest.main()
