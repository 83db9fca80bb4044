"""Servers are stopped, woken and killed while clients write. What was acknowledged is there, and nobody reads the past."""
import base64
import http.client
import random
import signal
import socket
import threading
import time
import unittest

from kit import LONG, Cluster, get, kv_get, kv_path, put, wait_until


class Writer(threading.Thread):
    """Writes keys of its own and counts up one that all share; remembers what was acknowledged."""

    def __init__(self, hosts, number):
        super().__init__(daemon=True)
        self.hosts, self.number = hosts, number
        self.acknowledged, self.counted, self.unknown = {}, 0, 0
        self.stopping = False

    def run(self):
        n = 0
        while not self.stopping:
            n += 1
            host = self.hosts[n % len(self.hosts)]
            try:
                self.write(host, n)
                if n % 4 == 0:
                    self.count(host)
            except (OSError, ValueError):
                time.sleep(0.02)

    def write(self, host, n):
        key, value = f"w/{self.number}/{n % 200}", str(n)
        self.acknowledged.pop(key, None)  # until it is answered, both values are right
        if put(host, kv_path(key), value, timeout=20).body == b"true":
            self.acknowledged[key] = value

    def count(self, host):
        reply = get(host, "/v1/kv/counter", timeout=20)
        entry = reply.json()[0] if reply.status == 200 else {"ModifyIndex": 0, "Value": ""}
        count = int(kv_value(entry) or 0) + 1
        self.unknown += 1
        answer = put(host, f"/v1/kv/counter?cas={entry['ModifyIndex']}", str(count), timeout=20).body
        if answer in (b"true", b"false"):
            self.unknown -= 1
            self.counted += answer == b"true"

    def finish(self):
        self.stopping = True
        self.join(120)
        assert not self.is_alive()


def kv_value(entry):
    return base64.b64decode(entry["Value"] or "").decode()


class Progress:
    """Waits until the writers get another number of answers."""

    def __init__(self, writers):
        self.writers = writers

    def total(self):
        return sum(w.counted for w in self.writers)

    def wait(self, what, counts):
        goal = self.total() + counts
        wait_until(what, lambda: self.total() >= goal)


def start_writers(hosts, count):
    writers = [Writer(hosts[i % len(hosts):] + hosts[:i % len(hosts)], i) for i in range(count)]
    for w in writers:
        w.start()
    return writers


class Acknowledged(unittest.TestCase):
    def check(self, c, writers):
        """Every server's own copy is the same, and holds all that was acknowledged."""
        for w in writers:
            w.finish()
        c.wait_for_leader()
        truth = get(c.server_address(c.leader()), "/v1/kv/?recurse&consistent", timeout=60).json()
        for host in c.server_addresses:
            wait_until(f"{host} holds what the leader holds",
                       lambda: get(host, "/v1/kv/?recurse&stale", timeout=60).json() == truth)
        values = {e["Key"]: kv_value(e) for e in truth}
        for w in writers:
            wrong = {k: (v, values.get(k)) for k, v in w.acknowledged.items() if values.get(k) != v}
            self.assertEqual(wrong, {}, "acknowledged, found")
        counted = sum(w.counted for w in writers)
        # Of a write without an answer nobody knows; all others count exactly once.
        self.assertGreaterEqual(int(values.get("counter", 0)), counted)
        self.assertLessEqual(int(values.get("counter", 0)), counted + sum(w.unknown for w in writers))

    def test_killing_random_servers_again_and_again(self):
        rounds = 200 if LONG else 20
        with Cluster(servers=3, agents=1) as c:
            writers = start_writers([c.agent_address(0), *c.server_addresses], 4)
            going = Progress(writers)
            for _ in range(rounds):
                going.wait("writes are acknowledged", 3)
                victim = c.server(random.randrange(3))
                victim.kill()
                if random.random() < 0.5:
                    going.wait("two servers go on", 3)
                victim.start()  # and maybe the next is killed before this one is back
            going.wait("all go on", 5)
            self.check(c, writers)

    def test_a_leader_that_was_stopped_does_not_serve_the_past(self):
        with Cluster(servers=3) as c:
            writers = start_writers(c.server_addresses, 3)
            Progress(writers).wait("writes are acknowledged", 5)
            for n in range(10 if LONG else 3):
                self.stop_and_wake(c, n)
            Progress(writers).wait("writes go on", 5)
            self.check(c, writers)

    def stop_and_wake(self, c, n):
        """While the leader is stopped, another is elected and acknowledges a newer value. Reads that wait in the stopped
        leader's sockets for its waking must not give the older one. Each round has a key of its own: a write that was
        given up may be carried out as late as in the next one."""
        key = f"past/{n}"
        old = c.leader()
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
