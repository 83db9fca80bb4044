"""What the histories of the other tests are held against: it accepts what can have been, and nothing else."""
import random
import unittest

from history import Key
from linear import WRONG, Operation, problem, step


def read(begun, ended, value):
    return Operation("read", begun, ended, value)


def put(begun, ended, value):
    return Operation("put", begun, ended, value)


def delete(begun, ended):
    return Operation("delete", begun, ended)


def cas(begun, ended, expected, value, done):
    return Operation("cas", begun, ended, value, expected, done)


class Checker(unittest.TestCase):
    def accepts(self, *ops):
        self.assertIsNone(problem(ops))

    def rejects(self, *ops):
        self.assertIsNotNone(problem(ops))

    def test_one_after_the_other(self):
        self.accepts(read(0, 1, None), put(2, 3, "a"), read(4, 5, "a"), delete(6, 7), read(8, 9, None))
        self.accepts()

    def test_at_the_same_time_either_may_be_first(self):
        self.accepts(put(0, 10, "a"), read(1, 2, None), read(3, 4, "a"))
        self.accepts(put(0, 10, "a"), put(0, 10, "b"), read(11, 12, "a"))
        self.accepts(put(0, 10, "a"), put(0, 10, "b"), read(11, 12, "b"))

    def test_rejects_a_stale_read(self):
        self.rejects(put(0, 1, "a"), put(2, 3, "b"), read(4, 5, "a"))
        self.rejects(put(0, 1, "a"), read(2, 3, None))

    def test_rejects_reads_that_go_back_while_the_write_is_under_way(self):
        self.rejects(put(0, 1, "a"), put(2, 9, "b"), read(3, 4, "b"), read(5, 6, "a"))
        self.accepts(put(0, 1, "a"), put(2, 9, "b"), read(3, 5, "b"), read(4, 6, "a"))

    def test_rejects_what_was_never_written(self):
        self.rejects(put(0, 1, "a"), read(2, 3, "c"))

    def test_rejects_a_read_of_the_future(self):
        self.rejects(read(0, 1, "a"), put(2, 3, "a"))

    def test_rejects_a_lost_update(self):
        """Two set it from the same value, and both are told that they did."""
        self.rejects(put(0, 1, "a"), cas(2, 5, "a", "b", True), cas(2, 5, "a", "c", True))
        self.accepts(put(0, 1, "a"), cas(2, 5, "a", "b", True), cas(2, 5, "a", "c", False))

    def test_rejects_a_cas_that_is_applied_twice(self):
        """The second application finds the first, and its failure is what the client is told."""
        self.rejects(put(0, 1, "a"), cas(2, 3, "a", "b", False), read(4, 5, "b"))

    def test_rejects_a_cas_that_fails_for_no_reason(self):
        self.rejects(put(0, 1, "a"), cas(2, 3, "a", "b", False), read(4, 5, "a"))

    def test_rejects_a_put_that_is_applied_again_later(self):
        self.rejects(put(0, 1, "a"), put(2, 3, "b"), read(4, 5, "b"), read(6, 7, "a"))

    def test_accepts_the_creation_by_cas_once(self):
        self.accepts(cas(0, 5, None, "a", True), cas(0, 5, None, "b", False), read(6, 7, "a"))
        self.rejects(cas(0, 5, None, "a", True), cas(0, 5, None, "b", True))

    def test_a_write_without_answer_may_take_effect_late(self):
        self.accepts(put(0, 1, "a"), put(2, None, "b"), read(3, 4, "a"), read(50, 51, "a"), read(60, 61, "b"))

    def test_a_write_without_answer_may_never_take_effect(self):
        self.accepts(put(0, 1, "a"), put(2, None, "b"), cas(2, None, "a", "c", None), delete(2, None), read(60, 61, "a"))

    def test_a_write_without_answer_takes_effect_once(self):
        self.rejects(put(0, 1, "a"), put(2, None, "b"), read(3, 4, "b"), put(5, 6, "c"), read(7, 8, "c"), read(9, 10, "b"))

    def test_a_write_without_answer_does_not_take_effect_before_it_began(self):
        self.rejects(put(0, 1, "a"), read(2, 3, "b"), put(4, None, "b"))

    def test_a_cas_without_answer_needs_what_it_expects(self):
        self.accepts(put(0, 1, "a"), cas(2, None, "a", "b", None), read(3, 4, "a"), read(5, 6, "b"))
        self.rejects(put(0, 1, "a"), cas(2, None, "x", "b", None), read(5, 6, "b"))

    def test_many_without_answer(self):
        unknown = [put(0, None, f"u{i}") for i in range(8)]
        self.accepts(*unknown, *(read(i + 1, i + 1.5, f"u{i}") for i in range(8)))
        self.rejects(*unknown, *(read(i + 1, i + 1.5, f"u{i % 7}") for i in range(8)))

    def test_says_what_could_not_follow(self):
        text = problem([put(0, 1, "a"), read(2, 3, "b")])
        self.assertIn("holds a", text)
        self.assertIn("read -> b", text)


def simulate(rng, clients, count):
    """A register that is right, asked by several at once: each operation takes effect somewhere within its time."""
    free, ops, effects = [0.0] * clients, [], []
    for n in range(count):
        who = min(range(clients), key=lambda c: free[c])
        begun = free[who] + rng.random()
        ended = begun + rng.random() * 4
        free[who] = ended
        effects.append((rng.uniform(begun, ended), begun, ended, n))
    state, values = None, [None]
    for _, begun, ended, n in sorted(effects):
        op = Operation(rng.choice(["read", "read", "put", "cas", "delete"]), begun, ended, f"v{n}", rng.choice(values[-3:]))
        if op.kind == "cas":
            op.done = state == op.expected
        answered = rng.random() > 0.1
        if op.kind == "read":
            op.value = state
        elif answered or rng.random() < 0.5:  # without an answer it may also be lost
            state = step(state, op)
            assert state is not WRONG
        if not answered:
            op.ended = op.done = None
        if answered or op.kind != "read":
            ops.append(op)
        values.append(state)
    return ops


class Drawn(unittest.TestCase):
    def test_accepts_histories_of_a_right_register(self):
        for seed in range(150):
            ops = simulate(random.Random(seed), 5, 60)
            self.assertIsNone(problem(ops), f"seed {seed}")

    def test_agrees_with_trying_all_orders(self):
        """Small histories with an answer changed at random, against the definition itself."""
        wrong = 0
        for seed in range(400):
            rng = random.Random(seed)
            ops = simulate(rng, 3, 6)
            for op in ops:
                if rng.random() < 0.2:
                    op.value = f"v{rng.randrange(6)}"
                if op.done is not None and rng.random() < 0.1:
                    op.done = not op.done
            expected = by_definition(ops, None)
            wrong += not expected
            self.assertEqual(problem(ops) is None, expected, f"seed {seed}: {ops}")
        self.assertGreater(wrong, 50)
        self.assertLess(wrong, 350)


def by_definition(left, state):
    if all(op.ended is None for op in left):
        return True
    for op in left:
        if any(o.ended is not None and o.ended < op.begun for o in left if o is not op):
            continue
        after = step(state, op)
        if after is not WRONG and by_definition([o for o in left if o is not op], after):
            return True
    return False


class Indexes(unittest.TestCase):
    def test_a_value_with_two_indexes_was_written_twice(self):
        key = Key("k")
        key.ops = [put(0, 1, "a"), read(2, 3, "a")]
        key.saw("a", 7)
        self.assertEqual(list(key.problems()), [])
        key.saw("a", 9)
        self.assertIn("written twice", "".join(key.problems()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
