"""Sessions and locks: one holder at a time whatever happens to the servers, no session ends before its time, and the real
`consul lock` works against muster."""
import http.client
import os
import random
import signal
import subprocess
import threading
import time
import unittest

from kit import BIN, PATIENCE, Cluster, Process, find_consul, get, kv_path, put, wait_until

CONSUL = find_consul()
MUSTER = os.path.join(BIN, "muster")
FAILURES = (OSError, http.client.HTTPException, ValueError)


def create(host, **body):
    reply = put(host, "/v1/session/create", body)
    if reply.status != 200:
        raise ValueError(f"create: {reply.status} {reply.body!r}")
    return reply.json()["ID"]


def renew(host, session):
    """True: renewed; False: there is no such session."""
    reply = put(host, f"/v1/session/renew/{session}", timeout=15)
    if reply.status not in (200, 404):
        raise ValueError(f"renew: {reply.status} {reply.body!r}")
    return reply.status == 200


def exists(host, session, query=""):
    return bool(get(host, f"/v1/session/info/{session}{query}").json())


def change(host, key, how, session, value=""):
    reply = put(host, f"{kv_path(key)}?{how}={session}", value, timeout=15)
    if reply.status != 200:
        raise ValueError(f"{how}: {reply.status} {reply.body!r}")
    return reply.body.strip() == b"true"


def entry(host, key):
    reply = get(host, kv_path(key) + "?consistent", timeout=15)
    return reply.json()[0] if reply.status == 200 else None


class ShortTtls(Cluster):
    def add_server(self, i, *flags):
        process = super().add_server(i, *flags)
        self.configure(f"server-{i}", session_ttl_min="1s")
        return process


class Expiry(unittest.TestCase):
    TTL = 4

    def test_no_session_ends_before_its_time_and_none_lives_much_longer(self):
        with ShortTtls(3) as c:
            host = c.server_address(0)
            alone = create(host, TTL=f"{self.TTL}s", LockDelay="1ms", NodeChecks=[])
            born = time.monotonic()
            wait_until("the session ends", lambda: not exists(host, alone), pause=0.1)
            age = time.monotonic() - born
            self.assertGreaterEqual(age, self.TTL)
            self.assertLess(age, 1.5 * self.TTL + 5)  # and what a busy machine takes

            kept = create(host, TTL=f"{self.TTL}s", NodeChecks=[])
            last, kills = time.monotonic(), 0
            end = last + 4 * self.TTL
            while time.monotonic() < end:
                leader = c.find_leader()
                if kills < 2:
                    c.server(leader).kill()
                    kills += 1
                ask = next(a for i, a in enumerate(c.server_addresses) if c.server(i).is_running())

                def renewed():
                    return (renew(ask, kept),)

                self.assertEqual(wait_until("an answer to the renewal", renewed), (True,),
                                 f"ended {time.monotonic() - last:.1f} s after it was renewed")
                last = time.monotonic()
                for i in range(3):
                    if not c.server(i).is_running():
                        c.server(i).start()
                time.sleep(0.5)
            put(host, f"/v1/session/destroy/{kept}")
            wait_until("the session is gone", lambda: not renew(host, kept))


class Contender(threading.Thread):
    """Takes the lock, holds it for a moment, gives it back; notes when it surely held it, and with which token."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.cluster, self.rng = cluster, random.Random(number)
        self.held, self.error, self.halt = [], None, threading.Event()

    def host(self):
        return self.rng.choice(self.cluster.server_addresses)

    def insist(self, what):
        while not self.halt.is_set():
            try:
                return what()
            except FAILURES:
                time.sleep(0.05)
        return None

    def turn(self, session):
        """True: the session is as it was. What went unanswered may still come to pass, so that session is given up."""
        try:
            if not change(self.host(), "lock", "acquire", session, session):
                time.sleep(self.rng.random() * 0.02)
                return True
            begun = time.monotonic()
            token = entry(self.host(), "lock")
            time.sleep(self.rng.random() * 0.02)
            ended = time.monotonic()
            if token and token.get("Session") == session and ended - begun < 5:
                self.held.append((begun, ended, token["LockIndex"]))
            return change(self.host(), "lock", "release", session)
        except FAILURES:
            return False

    def run(self):
        try:
            while not self.halt.is_set():
                session = self.insist(lambda: create(self.host(), TTL="30s", LockDelay="0s", NodeChecks=[]))
                while session and not self.halt.is_set() and self.turn(session):
                    pass
                self.insist(lambda: session and put(self.host(), f"/v1/session/destroy/{session}", timeout=15).json())
        except Exception as error:  # pylint: disable=broad-except
            self.error = error


class Exclusion(unittest.TestCase):
    def test_one_holder_at_a_time_while_leaders_are_killed(self):
        with Cluster(3) as c:
            contenders = [Contender(c, i) for i in range(5)]
            for t in contenders:
                t.start()
            for _ in range(3):
                before = sum(len(t.held) for t in contenders)
                wait_until("the lock changes hands", lambda: sum(len(t.held) for t in contenders) > before + 20)
                leader = c.find_leader()
                c.server(leader).kill()
                before = sum(len(t.held) for t in contenders)
                wait_until("the lock changes hands without it", lambda: sum(len(t.held) for t in contenders) > before + 5)
                c.server(leader).start()
                c.wait_for_leader()
            for t in contenders:
                t.halt.set()
            for t in contenders:
                t.join(PATIENCE)
                self.assertIsNone(t.error)
            held = sorted(h for t in contenders for h in t.held)
            self.assertGreater(len(held), 60)
            for (b1, e1, t1), (b2, e2, t2) in zip(held, held[1:]):
                self.assertLessEqual(e1, b2, f"two hold the lock at once, tokens {t1} and {t2}")
                self.assertLess(t1, t2, "a later holder has no greater token")


class Delay(unittest.TestCase):
    def test_a_new_leader_knows_which_locks_are_delayed(self):
        with Cluster(3) as c:
            host = c.server_address(c.find_leader())
            first, second = (create(host, LockDelay="60s", NodeChecks=[]) for _ in range(2))
            self.assertTrue(change(host, "k", "acquire", first))
            put(host, f"/v1/session/destroy/{first}")
            self.assertFalse(change(host, "k", "acquire", second))
            self.assertTrue(change(host, "other", "acquire", second))
            c.server(c.find_leader()).kill()
            ask = next(a for i, a in enumerate(c.server_addresses) if c.server(i).is_running())
            c.wait_for_leader(ask)
            self.assertFalse(change(ask, "k", "acquire", second))
            self.assertNotIn("Session", entry(ask, "k"))
            self.assertTrue(change(ask, "third", "acquire", second))


class LockCommand:
    """What `lock` does, of whichever program."""

    program = None

    def run_lock(self, c, *args, **more):
        argv = [self.program, "lock", f"-http-addr={c.server_address(0)}:8500", *args]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def lines(self, path):
        try:
            with open(path) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def finish(self, p, code=0):
        out, err = p.communicate(timeout=PATIENCE)
        self.assertEqual(p.returncode, code, out + err)
        return out + err

    def test_children_run_one_after_the_other(self):
        with Cluster(1) as c:
            log = c.path("log")
            script = f"echo in >> {log}; sleep 0.2; echo out >> {log}"
            all_of_them = [self.run_lock(c, "svc/one", script) for _ in range(3)]
            for p in all_of_them:
                self.finish(p)
            self.assertEqual(self.lines(log), ["in", "out"] * 3)
            self.assertEqual(get(c.server_address(0), "/v1/kv/svc/one/.lock").status, 404)

    def test_a_semaphore_lets_as_many_in_as_it_says(self):
        with Cluster(1) as c:
            log, go = c.path("log"), c.path("go")
            script = f"echo in >> {log}; while ! test -e {go}; do sleep 0.1; done; echo out >> {log}"
            all_of_them = [self.run_lock(c, "-n=2", "svc/two", script) for _ in range(3)]
            wait_until("two are in", lambda: len(self.lines(log)) == 2)
            time.sleep(0.5)
            self.assertEqual(self.lines(log), ["in", "in"])
            with open(go, "w"):
                pass
            for p in all_of_them:
                self.finish(p)
            self.assertEqual(sorted(self.lines(log)), ["in"] * 3 + ["out"] * 3)

    def test_the_child_goes_when_the_lock_is_lost(self):
        with Cluster(1) as c:
            log, host = c.path("log"), c.server_address(0)
            p = self.run_lock(c, "-monitor-retry=0", "svc/lost", f"trap 'echo term >> {log}; exit 7' TERM; echo in >> {log};"
                                                               " while true; do sleep 0.1; done")
            wait_until("the child runs", lambda: self.lines(log) == ["in"])
            for session in get(host, "/v1/session/list").json():
                put(host, f"/v1/session/destroy/{session['ID']}")
            wait_until("the child is told", lambda: self.lines(log) == ["in", "term"])
            p.communicate(timeout=PATIENCE)

    def test_a_child_that_fails_counts_when_asked_for(self):
        with Cluster(1) as c:
            self.finish(self.run_lock(c, "-child-exit-code", "svc/code", "exit 5"), 2)
            self.finish(self.run_lock(c, "svc/code", "exit 5"))
            self.finish(self.run_lock(c, "-shell=false", "svc/env", "/bin/sh", "-c", 'test "$CONSUL_LOCK_HELD" = true'))

    def test_who_tries_gives_up_in_time(self):
        with Cluster(1) as c:
            log = c.path("log")
            holder = self.run_lock(c, "svc/try", f"echo in >> {log}; sleep 60")
            wait_until("it is held", lambda: self.lines(log) == ["in"])
            late = self.run_lock(c, "-try=1s", "svc/try", "true")
            self.finish(late, 1)
            holder.send_signal(signal.SIGINT)
            holder.communicate(timeout=PATIENCE)
            wait_until("it is free", lambda: not get(c.server_address(0), "/v1/session/list").json())


@unittest.skipUnless(CONSUL, "SKIPPED: no Consul binary")
class ConsulsLock(LockCommand, unittest.TestCase):
    program = CONSUL


class OwnLock(LockCommand, unittest.TestCase):
    program = MUSTER

    @unittest.skipUnless(CONSUL, "SKIPPED: no Consul binary")
    def test_it_keeps_consul_out_and_is_kept_out(self):
        with Cluster(1) as c:
            log = c.path("log")
            script = f"echo in >> {log}; sleep 0.2; echo out >> {log}"
            for flags in ([], ["-n=1"]):
                both = [self.run_lock(c, *flags, "svc/both", script) for _ in range(2)]
                self.program = CONSUL if self.program == MUSTER else MUSTER
                both += [self.run_lock(c, *flags, "svc/both", script) for _ in range(2)]
                for p in both:
                    self.finish(p)
            self.assertEqual(self.lines(log), ["in", "out"] * 8)


@unittest.skipUnless(CONSUL, "SKIPPED: no Consul binary")
class ThroughConsulsAgent(unittest.TestCase):
    def test_a_client_agent_of_consul_brings_sessions_and_locks_to_muster(self):
        with Cluster(1) as c:
            server, host = c.server_address(0), c.agent_address(5)
            agent = Process(c, "consul", [CONSUL, "agent", "-node", "real", "-bind", host, "-client", host, "-data-dir",
                                          c.path("real"), "-retry-join", server, "-retry-interval", "1s",
                                          "-disable-host-node-id"], c.path("consul.log"))
            c.processes["consul"] = agent
            agent.start()
            wait_until("it is in the catalog", lambda: get(server, "/v1/catalog/node/real").json())
            session = create(host, Name="by way of it", TTL="10s")
            self.assertTrue(exists(server, session))
            self.assertTrue(renew(host, session))
            self.assertTrue(change(host, "k", "acquire", session, "v"))
            self.assertEqual(entry(server, "k")["Session"], session)
            self.assertEqual(len(get(host, "/v1/session/list").json()), 1)
            self.assertEqual(len(get(host, "/v1/session/node/real").json()), 1)
            self.assertFalse(renew(host, "00000000-0000-0000-0000-000000000000"))
            argv = [CONSUL, "lock", f"-http-addr={host}:8500", "other", "true"]
            self.assertEqual(subprocess.run(argv, timeout=PATIENCE, check=False).returncode, 0)
            agent.kill()  # gossip finds out, and serfHealth ends the session
            wait_until("its session ends", lambda: not exists(server, session))
            self.assertNotIn("Session", entry(server, "k"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
