"""linear.py - could these operations on one key have happened one by one?

The search of Wing and Gong, with Lowe's memory of configurations that led nowhere: of all operations that nothing left
precedes, one takes effect next. An operation without an answer (ended is None) may take effect at any time after its
beginning, or never. Reads, and writes that were refused, are taken as soon as they fit, which never spoils a solution and
leaves the search with the writes alone. Keys are small (history.py begins new ones), so the search is, too.
"""
import math

CONFIGURATIONS_MAX = 500_000


class Operation:
    """read: value is what it gave. put, delete. cas: sets value if the key holds expected; done is its answer.

    Absent is None. Times are of one clock.
    """

    __slots__ = ("kind", "value", "expected", "done", "begun", "ended", "where")

    def __init__(self, kind, begun, ended, value=None, expected=None, done=None, where=""):
        self.kind, self.begun, self.ended = kind, begun, ended
        self.value, self.expected, self.done, self.where = value, expected, done, where

    @property
    def never_writes(self):
        return self.kind == "read" or (self.kind == "cas" and self.done is False)

    def __repr__(self):
        text = {"read": f"read -> {self.value}", "put": f"put {self.value}", "delete": "delete",
                "cas": f"cas {self.expected} => {self.value} -> {self.done}"}[self.kind]
        ended = "no answer" if self.ended is None else f"{self.ended:.6f}"
        return f"[{self.begun:.6f} .. {ended}] {text} {self.where}".rstrip()


WRONG = object()


def step(state, op):
    """The state after the operation, or WRONG if it cannot have given its answer in this one."""
    if op.kind == "read":
        return state if op.value == state else WRONG
    if op.kind == "put":
        return op.value
    if op.kind == "delete":
        return None
    if op.done is None:  # nobody heard the answer
        return op.value if state == op.expected else state
    if op.done:
        return op.value if state == op.expected else WRONG
    return state if state != op.expected else WRONG


class Undecided(Exception):
    pass


class Search:
    def __init__(self, ops):
        self.ops = sorted(ops, key=lambda op: op.begun)
        self.certain = sum(1 << i for i, op in enumerate(self.ops) if op.ended is not None)
        self.seen = set()
        self.furthest = (0, None)  # taken, state

    def candidates(self, taken):
        """What may be next: whatever began before the end of all that is left and was answered."""
        first_end, found = math.inf, []
        for i in range(((~taken & (taken + 1)).bit_length() - 1), len(self.ops)):
            op = self.ops[i]
            if op.begun > first_end:
                break
            if not taken >> i & 1:
                found.append(i)
                first_end = min(first_end, math.inf if op.ended is None else op.ended)
        return [i for i in found if self.ops[i].begun <= first_end]

    def absorb(self, taken, state):
        """Takes all that fits and would change nothing, whenever it happened."""
        while True:
            found = self.candidates(taken)
            idle = [i for i in found if self.ops[i].never_writes and step(state, self.ops[i]) is not WRONG]
            if not idle:
                return taken, found
            for i in idle:
                taken |= 1 << i

    def run(self):
        """True if there is an order."""
        stack = [(0, None)]
        while stack:
            taken, state = stack.pop()
            taken, found = self.absorb(taken, state)
            if taken & self.certain == self.certain:
                return True
            if (taken, state) in self.seen:
                continue
            self.seen.add((taken, state))
            if len(self.seen) > CONFIGURATIONS_MAX:
                raise Undecided(f"not decided after {CONFIGURATIONS_MAX} configurations")
            if taken.bit_count() > self.furthest[0].bit_count():
                self.furthest = (taken, state)
            for i in reversed(found):
                after = step(state, self.ops[i])
                if after is not WRONG and (after != state or self.certain >> i & 1):
                    stack.append((taken | 1 << i, after))
        return False

    def story(self, count=12):
        """Where the search got furthest: the state and what could not follow."""
        taken, state = self.furthest
        left = [op for i, op in enumerate(self.ops) if not taken >> i & 1]
        return f"after {taken.bit_count()} of {len(self.ops)} the key holds {state}, and then:\n" + "\n".join(
            f"    {op}" for op in left[:count])


def problem(ops):
    """None if there is an order in which each operation, at once and between its beginning and its end, gives what it
    gave; otherwise where the search ended."""
    search = Search(ops)
    try:
        return None if search.run() else search.story()
    except Undecided as error:
        return str(error)
