"""Servers are stopped, woken and killed while clients write. What was acknowledged is there, and nobody reads the past."""
import http.client
import random
import signal
import socket
import unittest

import agreement
from history import History
from kit import LONG, Cluster, kv_get, kv_path, put, wait_until


class Acknowledged(unittest.TestCase):
    def cluster(self, agents=0):
        """Short logs, so that servers that were away are brought up by snapshots, too; one keeps all."""
        c = Cluster(servers=3, agents=agents)
        for i in (0, 1):
            c.configure(f"server-{i}", raft_snapshot_interval="1ms", raft_snapshot_threshold=400, raft_trailing_logs=100)
        return c

    def test_killing_random_servers_again_and_again(self):
        rounds = 200 if LONG else 20
        with self.cluster(agents=1) as c:
            history = History([c.agent_address(0), *c.server_addresses])
            for n in range(rounds):
                history.wait(f"writes are acknowledged in round {n}", 6)
                victim = c.server(random.randrange(3))
                victim.kill()
                if random.random() < 0.5:
                    history.wait(f"two servers go on in round {n}", 6)
                victim.start()  # and maybe the next is killed before this one is back
            history.wait("all go on", 20)
            agreement.check(self, c, history)

    def test_killing_all_at_once_again_and_again(self):
        """Nobody is left who remembers: what was acknowledged is in the files."""
        with self.cluster() as c:
            history = History(c.server_addresses)
            for n in range(40 if LONG else 4):
                history.wait(f"writes are acknowledged in round {n}", random.randrange(1, 100))
                for i in range(3):
                    c.server(i).popen.kill()
                for i in range(3):
                    c.server(i).kill()
                for i in random.sample(range(3), 3):
                    c.server(i).start()
            history.wait("all go on", 20)
            agreement.check(self, c, history)

    def test_a_leader_that_was_stopped_does_not_serve_the_past(self):
        with self.cluster() as c:
            history = History(c.server_addresses)
            history.wait("writes are acknowledged", 10)
            for n in range(30 if LONG else 3):
                self.stop_and_wake(c, n)
            history.wait("writes go on", 20)
            agreement.check(self, c, history)

    def stop_and_wake(self, c, n):
        """While the leader is stopped, another is elected and acknowledges a newer value. Reads that wait in the stopped
        leader's sockets for its waking must not give the older one. Each round has a key of its own: a write that was
        given up may be carried out as late as in the next one."""
        key = f"past/{n}"
        old = c.find_leader()
        address = c.server_address(old)
        put(address, kv_path(key), f"old-{n}", timeout=30)
        warm = [open_connection(address) for _ in range(4)]
        c.server(old).send(signal.SIGSTOP)
        try:
            asked_before = [ask(s, kv_path(key) + "?raw") for s in warm[:2]]
            others = [c.server_address(i) for i in range(3) if i != old]
            wait_until("the others acknowledge a write", lambda: put(
                random.choice(others), kv_path(key), f"new-{n}", timeout=15).body == b"true")
            queued = [ask(open_connection(address, None), kv_path(key) + "?raw") for _ in range(8)]
            queued += [ask(s, kv_path(key) + "?raw&consistent") for s in warm[2:]]
        finally:
            c.server(old).send(signal.SIGCONT)
        queued += [ask(open_connection(address, None), kv_path(key) + "?raw") for _ in range(20)]
        for s in asked_before:
            answer_of(s)  # asked before the new value: either is right
        for s in queued:
            status, body = answer_of(s)
            self.assertIn((status, body if status == 200 else b""), [(200, f"new-{n}".encode()), (500, b"")])
        wait_until("the old leader answers again", lambda: kv_get(address, key) == f"new-{n}")


def open_connection(host, read="/v1/status/leader"):
    """A connection that the server has already answered on, if it is to read something."""
    s = socket.create_connection((host, 8500), timeout=60)
    if read:
        ask(s, read)
        answer_of(s, close=False)
    return s


def ask(s, path):
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return s


def answer_of(s, close=True):
    reply = http.client.HTTPResponse(s)
    reply.begin()
    body = reply.read()
    if close:
        s.close()
    return reply.status, body


if __name__ == "__main__":
    unittest.main(verbosity=2)
