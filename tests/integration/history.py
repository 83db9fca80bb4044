"""history.py - clients that write down what they did and saw, and the check that it could have happened one by one.

Every key has one writer, which writes 1, 2, 3, ... and leaves the key for a new one as soon as it does not know what became
of a write. So of each key at most the last write is uncertain, and linearizability is simple to decide: a read gives
at least what was acknowledged before it began, at most what was begun before it ended, and nothing older than what
another read gave before it began.
"""
import base64
import http.client
import random
import threading
import time

from kit import get, kv_path, put

TIMEOUT = 12  # beyond the 7 s for which a server waits for a leader


class Key:
    def __init__(self, name):
        self.name = name
        self.writes = []  # (value, begun, acknowledged or None)
        self.reads = []  # (value, begun, ended)

    def begun_before(self, when):
        return max((v for v, begun, _ in self.writes if begun < when), default=0)

    def acknowledged_before(self, when):
        return max((v for v, _, end in self.writes if end is not None and end < when), default=0)

    def problems(self):
        newest_read = []  # (ended, value), both ascending
        for value, begun, ended in sorted(self.reads, key=lambda r: r[2]):
            seen = max((v for e, v in newest_read if e < begun), default=0)
            least = max(seen, self.acknowledged_before(begun))
            if not least <= value <= self.begun_before(ended):
                yield f"{self.name}: read {value} between {begun:.6f} and {ended:.6f}, at least {least} was due"
            if not newest_read or value > newest_read[-1][1]:
                newest_read.append((ended, value))


class Client(threading.Thread):
    def __init__(self, history):
        super().__init__(daemon=True)
        self.history = history
        self.answers = 0

    def run(self):
        while not self.history.stopping:
            try:
                self.step()
                self.answers += 1
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.history.errors.append(str(error))
                self.give_up()
                time.sleep(0.05)

    def give_up(self):
        pass


class Writer(Client):
    """Stays with a host until it is let down."""

    def __init__(self, history, number):
        super().__init__(history)
        self.number, self.generation, self.host = number, 0, number
        self.begin()

    def begin(self):
        self.key = Key(f"h/{self.number}/{self.generation}")
        self.value = 0
        self.history.keys.append(self.key)

    def give_up(self):
        self.host += 1
        if self.key.writes:
            self.generation += 1
            self.begin()

    def step(self):
        self.value += 1
        self.key.writes.append((self.value, time.monotonic(), None))
        host = self.history.hosts[self.host % len(self.history.hosts)]
        reply = put(host, kv_path(self.key.name), str(self.value), timeout=TIMEOUT)
        if reply.body != b"true":
            raise ValueError(f"{reply.status} {reply.body!r}")
        self.key.writes[-1] = (*self.key.writes[-1][:2], time.monotonic())


class Reader(Client):
    """Asks all of them, also those who cannot know."""

    def step(self):
        key = random.choice(self.history.keys[-4:])
        begun = time.monotonic()
        reply = get(random.choice(self.history.hosts), kv_path(key.name) + random.choice(["", "?consistent"]), timeout=TIMEOUT)
        if reply.status not in (200, 404):
            raise ValueError(f"{reply.status} {reply.body!r}")
        value = int(base64.b64decode(reply.json()[0]["Value"])) if reply.status == 200 else 0
        key.reads.append((value, begun, time.monotonic()))


class History:
    """Clients of all hosts, from the beginning on."""

    def __init__(self, hosts, writers=3, readers=2):
        self.hosts, self.stopping = hosts, False
        self.keys, self.errors = [], []
        self.writers = [Writer(self, i) for i in range(writers)]
        self.clients = self.writers + [Reader(self) for _ in range(readers)]
        for c in self.clients:
            c.start()

    @property
    def acknowledged(self):
        return sum(w.answers for w in self.writers)

    def finish(self):
        self.stopping = True
        for c in self.clients:
            c.join(60)
            assert not c.is_alive()

    def problems(self, final):
        """What could not have happened one by one; final is what every key holds at the end (0: nothing)."""
        end = time.monotonic()
        for key in self.keys:
            key.reads.append((final(key.name), end, end + 1))
        return [p for key in self.keys for p in key.problems()]
