"""history.py - clients that write down what they did and saw, and the check that it could have happened one by one.

Several clients put, compare-and-set, delete and read the same few keys at the same time. A key is left for a new one after
some operations, or once too many of its writes are uncertain, so that the search for an order (linear.py) stays small. Every
value is written once, so a value tells which write it came from, and its ModifyIndex stands for it. Besides, each writer
puts keys of its own that nobody touches again: of these, all that were acknowledged must be there at the end.
"""
import base64
import http.client
import itertools
import random
import threading
import time

import linear
from kit import get, kv_path, request, wait_until
from linear import Operation

TIMEOUT = 12  # beyond the 7 s for which a server waits for a leader
SLOTS = 3  # keys in use at a time
OPERATIONS_MAX = 120  # of one key
UNCERTAIN_MAX = 6


class Key:
    def __init__(self, name):
        self.name = name
        self.ops = []
        self.uncertain = 0
        self.indexes = {}  # value -> the ModifyIndexes that it was seen with

    @property
    def is_worn(self):
        return len(self.ops) >= OPERATIONS_MAX or self.uncertain >= UNCERTAIN_MAX

    def saw(self, value, index):
        self.indexes.setdefault(value, set()).add(index)

    def problems(self):
        for value, indexes in self.indexes.items():
            if len(indexes) > 1:
                yield f"{self.name}: {value} was written twice, at {sorted(indexes)}"
        found = linear.problem(self.ops)
        if found:
            yield f"{self.name}: there is no order for what was seen: {found}"


def entry_of(reply):
    """(value or None, ModifyIndex or 0)"""
    if reply.status == 404:
        return None, 0
    if reply.status != 200:
        raise ValueError(f"{reply.status} {reply.body!r}")
    entry = reply.json()[0]
    return value_of(entry), entry["ModifyIndex"]


def value_of(entry):
    return base64.b64decode(entry["Value"] or "").decode()


class Client(threading.Thread):
    def __init__(self, history, number):
        super().__init__(daemon=True)
        self.history, self.number, self.host = history, number, number
        self.answers, self.rests = 0, False

    def run(self):
        while not self.history.stopping:
            self.rests = self.history.paused
            if self.rests:
                time.sleep(0.01)
                continue
            try:
                self.step(random.randrange(SLOTS))
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.history.errors.append(f"{time.monotonic():.3f} {self.address}: {error!r}")
                self.host += 1
                time.sleep(0.05)

    @property
    def address(self):
        return self.history.hosts[self.host % len(self.history.hosts)]

    def read(self, key, host, query):
        begun = time.monotonic()
        value, index = entry_of(get(host, kv_path(key.name) + query, timeout=TIMEOUT))
        key.ops.append(Operation("read", begun, time.monotonic(), value, where=f"{host}{query} index {index}"))
        if value is not None:
            key.saw(value, index)
        return value, index


class Writer(Client):
    """Stays with a host until it is let down."""

    def step(self, slot):
        kind = random.choices(["put", "cas", "delete", "own"], [4, 4, 1, 2])[0]
        if kind == "own":
            self.write_own()
            return
        key = self.history.key(slot)
        value = None if kind == "delete" else f"{self.number}.{next(self.history.values)}"
        op = Operation(kind, 0, None, value, where=self.address)
        method, query = "DELETE" if kind == "delete" else "PUT", ""
        if kind == "cas":
            op.expected, index = self.read(key, self.address, "")
            query = f"?cas={index}"
        op.begun = time.monotonic()
        key.ops.append(op)
        try:
            op.done = self.send(method, kv_path(key.name) + query, value, (b"true", b"false") if kind == "cas" else (b"true",))
        except ConnectionRefusedError:
            key.ops.remove(op)  # nobody heard of it
            raise
        except (OSError, ValueError, http.client.HTTPException):
            key.uncertain += 1
            raise
        op.ended = time.monotonic()

    def send(self, method, path, body, answers):
        reply = request(self.address, method, path, body=body, timeout=TIMEOUT)
        if reply.status != 200 or reply.body not in answers:
            raise ValueError(f"{reply.status} {reply.body!r}")
        self.answers += 1
        return reply.body == b"true"

    def write_own(self):
        name, value = f"h/own/{self.number}/{next(self.history.values)}", str(random.random())
        self.history.own_begun[name] = value
        self.send("PUT", kv_path(name), value, (b"true",))
        self.history.own_acknowledged[name] = value


class Reader(Client):
    """Asks all of them, also those who cannot know."""

    def step(self, slot):
        self.host = random.randrange(len(self.history.hosts))
        self.read(self.history.key(slot), self.address, random.choice(["", "?consistent"]))
        self.answers += 1


class History:
    """Clients of all hosts, from the beginning on; all their keys begin with h/."""

    def __init__(self, hosts, writers=4, readers=2):
        self.hosts, self.stopping, self.paused = list(hosts), False, False
        self.errors, self.keys = [], []
        self.own_begun, self.own_acknowledged = {}, {}
        self.values, self.names = itertools.count(1), itertools.count(1)
        self.lock = threading.Lock()
        self.slots = [self._new_key() for _ in range(SLOTS)]
        self.writers = [Writer(self, i) for i in range(writers)]
        self.clients = self.writers + [Reader(self, i) for i in range(readers)]
        for c in self.clients:
            c.start()

    def _new_key(self):
        self.keys.append(Key(f"h/{next(self.names)}"))
        return self.keys[-1]

    def key(self, slot):
        with self.lock:
            if self.slots[slot].is_worn:
                self.slots[slot] = self._new_key()
            return self.slots[slot]

    @property
    def acknowledged(self):
        return sum(w.answers for w in self.writers)

    def wait(self, what, count):
        """Waits for that many more acknowledged writes."""
        goal = self.acknowledged + count
        wait_until(what, lambda: self.acknowledged >= goal)

    def pause(self):
        """From its return to resume() nothing is asked."""
        self.paused = True
        wait_until("all clients rest", lambda: all(c.rests for c in self.clients))

    def resume(self):
        self.paused = False

    def finish(self):
        self.stopping = True
        for c in self.clients:
            c.join(60)
            assert not c.is_alive()

    def problems(self, entries):
        """What could not have happened one by one; entries are the KV entries under h/ after finish()."""
        found = {e["Key"]: e for e in entries}
        end = time.monotonic()
        for key in self.keys:
            entry = found.pop(key.name, None)
            key.ops.append(Operation("read", end, end, value_of(entry) if entry else None, where="at the end"))
            if entry:
                key.saw(value_of(entry), entry["ModifyIndex"])
        own = {name: value_of(entry) for name, entry in found.items()}
        lost = [f"{n} was acknowledged, and is {own.get(n)}" for n, v in self.own_acknowledged.items() if own.get(n) != v]
        odd = [f"{n} holds {v}, which nobody wrote" for n, v in own.items() if self.own_begun.get(n) != v]
        return lost + odd + [p for key in self.keys for p in key.problems()]

    def summary(self):
        ops = sum(len(k.ops) for k in self.keys)
        return (f"{ops} operations on {len(self.keys)} shared keys, {sum(k.uncertain for k in self.keys)} of them uncertain; "
                f"{len(self.own_acknowledged)} own keys; {len(self.errors)} errors seen by clients")
