"""An agent in trouble: servers that are away for long, kill -9 while it writes, a full disk, files that others have damaged, a
wall clock that jumps, a pause, and a reload that nobody may notice. With MUSTER_LONG=1 the pauses are as long as operators
know them."""
import glob
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import own_mounts
from kit import LONG, PATIENCE, Cluster, dig, get, put, wait_until


def service(name, **more):
    return {"ID": name, "Name": name.split("-")[0], "Port": 80, "Check": {"CheckID": f"{name}-beat", "TTL": "3600s"}, **more}


def register(host, name, timeout=30.0, **more):
    reply = put(host, "/v1/agent/service/register", service(name, **more), timeout=timeout)
    if reply.status != 200:
        raise AssertionError(f"{name}: {reply.status} {reply.body!r}")


def held(host):
    return set(get(host, "/v1/agent/services").json())


def catalogued(server, node="agent-0"):
    entry = get(server, f"/v1/catalog/node/{node}").json()
    return set(entry["Services"]) if entry else set()


def catalogued_checks(server, node="agent-0"):
    return {c["CheckID"]: c["Status"] for c in get(server, f"/v1/health/node/{node}").json()}


def answers(host):
    return get(host, "/v1/agent/self", timeout=5).status == 200


def processor_seconds(process):
    with open(f"/proc/{process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def holds(path, name):
    with open(path, "rb") as f:
        return b'"%s"' % name.encode() in f.read()


class Watcher:
    """Blocking queries, one after the other, as a client does who wants to see each state."""

    def __init__(self, host, path, see):
        self.host, self.path, self.see = host, path, see
        self.seen, self.errors, self.ended = [], [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        index = 0
        joint = "&" if "?" in self.path else "?"
        while not self.ended:
            try:
                reply = get(self.host, f"{self.path}{joint}index={index}&wait=5s", timeout=60)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                time.sleep(0.5)
                continue
            if reply.status != 200:
                self.errors.append(reply.body)
                time.sleep(0.5)
                continue
            state = self.see(reply.json())
            if not self.seen or self.seen[-1] != state:
                self.seen.append(state)
            index = reply.index

    def end(self):
        self.ended = True
        self.thread.join(PATIENCE)


class Away(unittest.TestCase):
    """All servers are away: ten minutes with MUSTER_LONG=1, some seconds otherwise."""

    def test_all_servers_are_away_and_come_back(self):
        pause = 600 if LONG else 5
        with Cluster(servers=3, agents=1) as c:
            host, server = c.agent_address(0), c.server_address(0)
            for name in ("stays-1", "goes-1", "changes-1"):
                register(host, name)
                put(host, f"/v1/agent/check/pass/{name}-beat")
            wait_until("all is registered", lambda: catalogued(server) == {"stays-1", "goes-1", "changes-1"})
            watcher = Watcher(host, "/v1/health/service/stays", lambda found: [i["Service"]["ID"] for i in found])
            wait_until("the watcher has seen it", lambda: watcher.seen == [["stays-1"]])
            for i in range(3):
                c.server(i).kill()
            self.assertEqual(put(host, "/v1/agent/service/deregister/goes-1").status, 200)
            self.assertEqual(put(host, "/v1/agent/check/warn/changes-1-beat?note=alone").status, 200)
            register(host, "new-1")
            self.assertEqual(put(host, "/v1/kv/x", "1", timeout=60).status, 500)
            self.alone(c, host, pause)
            self.assertTrue(watcher.errors)
            for i in range(3):
                c.server(i).start()
            want = {"stays-1", "changes-1", "new-1"}
            wait_until("the catalog is as the agent is", lambda: catalogued(server) == want)
            wait_until("checks, too", lambda: catalogued_checks(server) == {
                "serfHealth": "passing", "stays-1-beat": "passing", "changes-1-beat": "warning", "new-1-beat": "critical"})
            wait_until("calls go through", lambda: put(host, "/v1/kv/x", "2").body == b"true")
            self.assertEqual(dig(host, "stays.service.consul").values("A"), [host])
            register(host, "stays-2")
            wait_until("the watcher sees again", lambda: watcher.seen[-1] == ["stays-1", "stays-2"])
            watcher.end()

    def alone(self, c, host, pause):
        """Nobody to talk to costs next to nothing, and what asks meanwhile gets an error in time."""
        agent = c.agent(0)
        time.sleep(2)
        memory, cpu, began = agent.resident_bytes(), processor_seconds(agent), time.monotonic()
        while time.monotonic() - began < pause:
            self.assertTrue(answers(host))
            self.assertEqual(held(host), {"stays-1", "changes-1", "new-1"})
            self.assertEqual(get(host, "/v1/catalog/nodes", timeout=30).status, 500)
            self.assertEqual(dig(host, "stays.service.consul", timeout=30).rcode, 2)
            time.sleep(min(10, pause / 5))
        used = (processor_seconds(agent) - cpu) / (time.monotonic() - began)
        self.assertLess(used, 0.2, "it turns in a circle")
        self.assertLess(agent.resident_bytes(), memory + (16 << 20))
        print(f"alone for {pause} s: {used * 100:.1f} % of a core, {agent.resident_bytes() - memory:+d} bytes")
        self.assertLess(agent.open_files(), 100)


class Killed(unittest.TestCase):
    """kill -9 in the middle of writing: what was acknowledged is there afterwards, and nothing half-written is in the way."""

    def test_nothing_acknowledged_is_lost(self):
        rounds = 60 if LONG else 6
        with Cluster(servers=0) as c:
            host, agent = c.agent_address(0), c.add_agent(0)
            have, maybe = set(), set()
            rng = random.Random(7)
            for turn in range(rounds):
                agent.start()
                wait_until("the agent answers", lambda: answers(host))
                now = held(host)
                self.assertTrue(have <= now <= have | maybe, (have - now, now - have - maybe))
                have, maybe = now, set()
                beats = {k for k in get(host, "/v1/agent/checks").json()}
                self.assertEqual(beats, {f"{name}-beat" for name in have}, "each with its check")
                self.write_until_killed(agent, host, rng, turn, have, maybe)
            log = agent.log()
            self.assertNotIn("damaged", log)
            self.assertNotIn("cannot read", log)
            files = os.listdir(c.path("agent-0", "services", "x")[:-2])
            self.assertLess(len(files), len(have) + len(maybe) + 20, "what kills left behind is cleaned up")

    def write_until_killed(self, agent, host, rng, turn, have, maybe):
        """Clients register and deregister; what they have no answer for may or may not have happened."""
        lock, ended = threading.Lock(), threading.Event()

        def client(k):
            mine = random.Random(turn * 100 + k)
            for i in range(100000):
                with lock:
                    own = sorted(n for n in have if n.endswith(f"-{k}"))
                    name = mine.choice(own) if own and mine.random() < 0.4 else f"s{turn}x{i}-{k}"
                    known = name in have
                    have.discard(name)
                    maybe.add(name)
                try:
                    if known:
                        reply = put(host, f"/v1/agent/service/deregister/{name}")
                    else:
                        reply = put(host, "/v1/agent/service/register", service(name))
                except (OSError, http.client.HTTPException):
                    return
                with lock:
                    assert reply.status == 200, reply.body
                    maybe.discard(name)
                    if not known:
                        have.add(name)
                if ended.is_set():
                    return

        clients = [threading.Thread(target=client, args=(k,)) for k in range(4)]
        for t in clients:
            t.start()
        time.sleep(rng.uniform(0.05, 0.8))
        agent.kill()
        ended.set()
        for t in clients:
            t.join(PATIENCE)


class Full(unittest.TestCase):
    """The disk is full: who registers is told so, the agent lives on, and goes on once there is room."""

    def test_full_disk(self):
        with Cluster(servers=1) as c:
            c.nagents = 1
            host, server, data = c.agent_address(0), c.server_address(0), c.path("agent-0", "x")[:-2]
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", data], check=True)
            try:
                self.fill_and_empty(c, host, server, data)
            finally:
                subprocess.run(["umount", "--lazy", data], check=False)

    def fill_and_empty(self, c, host, server, data):
        agent = c.add_agent(0).start()
        wait_until("the agent answers", lambda: answers(host))
        register(host, "before-1")
        put(host, "/v1/agent/check/pass/before-1-beat")
        filler = os.path.join(data, "filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"\0" * 4096)
            except OSError:
                pass
        refused = put(host, "/v1/agent/service/register", service("full-1"))
        self.assertEqual(refused.status, 500, refused.body)
        self.assertIn(b"No space left on device", refused.body)
        # It lives on, and what needs no disk goes on.
        self.assertIn("before-1", held(host))
        self.assertEqual(put(host, "/v1/agent/check/warn/before-1-beat").status, 200)
        wait_until("reports go to the catalog", lambda: catalogued_checks(server).get("before-1-beat") == "warning")
        self.assertEqual(put(host, "/v1/agent/service/deregister/before-1").status, 200)
        self.assertIn("No space left on device", agent.log())
        os.unlink(filler)
        register(host, "after-1")
        register(host, "full-1")
        agent.kill()
        agent.start()
        wait_until("the agent answers", lambda: answers(host))
        self.assertEqual(held(host), {"after-1", "full-1"})
        wait_until("the catalog agrees", lambda: catalogued(server) == {"after-1", "full-1"})


class Damaged(unittest.TestCase):
    """Files that are not what the agent wrote are named in its log and set aside, and it starts with all others."""

    def test_each_kind_of_damage(self):
        with Cluster(servers=1, agents=1) as c:
            host, server, agent = c.agent_address(0), c.server_address(0), c.agent(0)
            names = [f"s{i}-x" for i in range(9)]
            for name in names:
                register(host, name)
                self.assertEqual(put(host, f"/v1/agent/check/pass/{name}-beat").status, 200)
            states = c.path("agent-0", "checks", "state", "*")  # written a moment later, for all reports since
            wait_until("the reports are on disk", lambda: len(glob.glob(states)) == len(names))
            agent.kill()
            folder = c.path("agent-0", "services", "x")[:-2]
            of = {n: p for n in names for p in glob.glob(folder + "/*") if holds(p, n)}
            self.assertEqual(set(of), set(names))
            damage = {
                "s1-x": lambda p: os.truncate(p, 0),
                "s2-x": lambda p: os.truncate(p, 30),
                "s3-x": lambda p: self.write(p, os.urandom(4000)),
                "s4-x": lambda p: self.write(p, b"[" * 100000),
                "s5-x": lambda p: self.write(p, b'{"Service":{"ID":5,"Service":"x"}}'),
                "s6-x": lambda p: (os.unlink(p), os.mkdir(p)),
                "s7-x": lambda p: (os.unlink(p), os.symlink(p, p)),
                "s8-x": lambda p: (os.unlink(p), os.mkfifo(p)),
            }
            for name, spoil in damage.items():
                spoil(of[name])
            self.write(glob.glob(states)[0], b"\0" * 100)
            self.write(c.path("agent-0", "serf", "local.snapshot"), os.urandom(5000))
            c.path("agent-0", "checks", "not-ours", "x")  # a folder
            self.write(c.path("agent-0", "services", ".new-abcdef"), b"{")
            agent.start()
            wait_until("the agent answers", lambda: answers(host))
            self.assertEqual(held(host), {"s0-x"})
            log = agent.log()
            for name in damage:
                self.assertIn(of[name], log, name)
                self.assertTrue(os.path.lexists(of[name] + ".damaged"), name)
            self.assertIn(states[0], log)
            self.assertFalse(os.path.exists(c.path("agent-0", "services", ".new-abcdef")))
            wait_until("the catalog follows", lambda: catalogued(server) == {"s0-x"})
            for name in names:
                register(host, name)
            agent.kill()
            agent.start()
            wait_until("the agent answers", lambda: answers(host))
            self.assertEqual(held(host), set(names))

    @staticmethod
    def write(path, data):
        with open(path, "wb") as f:
            f.write(data)

    @unittest.skipIf(os.getuid() != 0, "only root can give files away")
    def test_files_of_somebody_else(self):
        """The agent runs as nobody, and root has left files that it may not read."""
        with Cluster(servers=0) as c:
            host, agent = c.agent_address(0), c.add_agent(0).start()
            wait_until("the agent answers", lambda: answers(host))
            register(host, "own-1")
            register(host, "other-1")
            agent.kill()
            files = glob.glob(c.path("agent-0", "services", "x")[:-1] + "*")
            other = [p for p in files if holds(p, "other-1")][0]
            os.chmod(c.dir, 0o755)
            subprocess.run(["chown", "-R", "nobody", c.path("agent-0", "x")[:-2]], check=True)
            os.chown(other, 0, 0)
            os.chmod(other, 0o600)
            agent.argv = ["setpriv", "--reuid=nobody", "--clear-groups", "--", *agent.argv]
            agent.start()
            wait_until("the agent answers", lambda: answers(host))
            self.assertEqual(held(host), {"own-1"})
            self.assertIn(f"{other}: Permission denied", agent.log())


class Paused(unittest.TestCase):
    """SIGSTOP: a minute with MUSTER_LONG=1, else until the others have noticed."""

    def test_the_agent_is_stopped_and_goes_on(self):
        with Cluster(servers=1, agents=1) as c:
            host, server, agent = c.agent_address(0), c.server_address(0), c.agent(0)
            register(host, "web-1")
            put(host, "/v1/agent/check/pass/web-1-beat")
            wait_until("registered", lambda: catalogued_checks(server).get("web-1-beat") == "passing")
            agent.send(signal.SIGSTOP)
            wait_until("it is seen failed", lambda: catalogued_checks(server)["serfHealth"] == "critical")
            self.assertEqual(dig(server, "web.service.consul").rcode, 3)
            put(server, "/v1/catalog/deregister", {"Node": "agent-0", "ServiceID": "web-1"})
            if LONG:
                time.sleep(60)
            agent.send(signal.SIGCONT)
            wait_until("it is back", lambda: catalogued_checks(server).get("serfHealth") == "passing")
            self.assertEqual(held(host), {"web-1"})
            # It compares now and then; here somebody asks it to.
            self.assertEqual(put(host, "/v1/agent/reload").status, 200)
            wait_until("with what it holds", lambda: catalogued_checks(server).get("web-1-beat") == "passing")
            self.assertEqual(put(host, "/v1/kv/a", "1").body, b"true")
            wait_until("and found", lambda: dig(server, "web.service.consul").values("A") == [host])
            self.assertIn("Service is gone from the catalog; registering it again", agent.log())


class Crowd(unittest.TestCase):
    """10,000 services with a check each on one agent (MUSTER_LONG=1; else 400)."""

    def test_many_registrations(self):
        count = 10_000 if LONG else 400
        names = [f"web-{i}" for i in range(count)]
        with Cluster(servers=1, agents=1) as c:
            host, server, agent = c.agent_address(0), c.server_address(0), c.agent(0)
            self.timed("registered", lambda: self.each(host, names, lambda n: ("service/register", service(n))))
            wait_until("all are in the catalog", lambda: catalogued(server) == set(names), timeout=4 * PATIENCE, pause=0.2)
            self.timed("told", lambda: self.each(host, names, lambda n: (f"check/pass/{n}-beat", None)))
            want = {"serfHealth": "passing", **{f"{n}-beat": "passing" for n in names}}
            wait_until("all pass", lambda: catalogued_checks(server) == want, timeout=4 * PATIENCE, pause=0.2)
            states = c.path("agent-0", "checks", "state", "x")[:-2]
            wait_until("that is on disk", lambda: len(os.listdir(states)) == count, timeout=4 * PATIENCE, pause=0.2)
            print(f"{agent.resident_bytes() / (1 << 20):.1f} MiB, {processor_seconds(agent):.1f} s of a core")
            index = get(server, "/v1/catalog/node/agent-0").index
            agent.kill()
            agent.start()
            self.timed("answers again", lambda: wait_until("it answers", lambda: answers(host), pause=0.01))
            self.assertEqual(held(host), set(names))
            wait_until("it has compared", lambda: agent.log().count("services and checks are in sync") >= 2)
            self.assertEqual(catalogued_checks(server), want)
            self.assertEqual(get(server, "/v1/catalog/node/agent-0").index, index, "nothing had to be written")
            self.timed("deregistered", lambda: self.each(host, names, lambda n: (f"service/deregister/{n}", None)))
            wait_until("all are gone", lambda: catalogued(server) == set(), timeout=4 * PATIENCE, pause=0.2)
            self.assertEqual(os.listdir(c.path("agent-0", "services", "x")[:-2]), [])

    @staticmethod
    def timed(what, do):
        began = time.monotonic()
        do()
        print(f"{what} in {time.monotonic() - began:.2f} s")

    def each(self, host, names, request_of):
        failures = []

        def client(mine):
            connection = http.client.HTTPConnection(host, 8500, timeout=60)
            for name in mine:
                path, body = request_of(name)
                connection.request("PUT", f"/v1/agent/{path}", json.dumps(body) if body else None)
                reply = connection.getresponse()
                text = reply.read()
                if reply.status != 200:
                    failures.append((name, text))
            connection.close()

        clients = [threading.Thread(target=client, args=(names[k::8],)) for k in range(8)]
        for t in clients:
            t.start()
        for t in clients:
            t.join()
        self.assertEqual(failures, [])


@unittest.skipUnless(os.environ.get("MUSTER_WALL_CLOCK_SO"), "wall_clock.c is built by the build, which names it")
class Clock(unittest.TestCase):
    """The wall clock is stepped under a server and an agent: nothing ends early, nothing hangs, nobody is called failed."""

    DAY = 86400

    def test_the_wall_clock_jumps(self):
        with Cluster(servers=0) as c:
            c.nservers = c.nagents = 1
            self.clock = c.path("clock")
            self.step(0)
            for process in (c.add_server(0), c.add_agent(0)):
                process.environment = {"LD_PRELOAD": os.environ["MUSTER_WALL_CLOCK_SO"], "MUSTER_WALL_CLOCK": self.clock,
                                       "ASAN_OPTIONS": "verify_asan_link_order=0"}
                process.start()
            c.wait_for_leader()
            host, server = c.agent_address(0), c.server_address(0)
            c.wait_for_members(host)
            register(host, "web-1")
            put(host, "/v1/agent/check/pass/web-1-beat")
            tcp = {"ID": "tcp", "Name": "tcp", "TCP": f"{host}:8500", "Interval": "1s"}
            self.assertEqual(put(host, "/v1/agent/check/register", tcp).status, 200)
            expected = {"serfHealth": "passing", "web-1-beat": "passing", "tcp": "passing"}
            wait_until("all pass", lambda: catalogued_checks(server) == expected)
            session = put(host, "/v1/session/create", {"TTL": "600s"}).json()["ID"]
            self.assertEqual(put(host, f"/v1/kv/lock?acquire={session}", "x").body, b"true")
            for offset in (self.DAY, -self.DAY, 0):
                self.step(offset)
                self.all_goes_on(host, server, session, expected)
            self.assertNotIn("member failed", c.server(0).log())
            self.assertNotIn("leadership lost", c.server(0).log())
            days = {line[:10] for line in c.agent(0).log().splitlines() if line[:2] == "20"}
            self.assertGreater(len(days), 1, "the clock has jumped")

    def step(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(int(seconds).to_bytes(8, sys.byteorder, signed=True))

    def all_goes_on(self, host, server, session, expected):
        began = time.monotonic()
        index = get(host, "/v1/kv/lock").index
        waited = get(host, f"/v1/kv/lock?index={index}&wait=2s", timeout=60)
        self.assertEqual(waited.status, 200)
        self.assertGreater(time.monotonic() - began, 1.9, "a wait is measured by the monotonic clock")
        self.assertEqual(catalogued_checks(server), expected)
        self.assertEqual(get(host, "/v1/kv/lock").json()[0]["Session"], session)
        self.assertEqual(get(host, f"/v1/session/info/{session}").json()[0]["ID"], session)
        # Checks go on to run: what they find is seen as soon as ever.
        dead = {"ID": "gone", "Name": "gone", "TCP": f"{host}:1", "Interval": "1s", "Status": "passing"}
        self.assertEqual(put(host, "/v1/agent/check/register", dead).status, 200)
        wait_until("a check runs", lambda: catalogued_checks(server).get("gone") == "critical")
        self.assertEqual(put(host, "/v1/agent/check/deregister/gone").status, 200)
        wait_until("and is gone", lambda: "gone" not in catalogued_checks(server))


class Reloaded(unittest.TestCase):
    """consul#1173: a reload with the same definitions is no change, and a changed one never shows as a gap."""

    def test_nobody_sees_a_gap(self):
        definitions = [{"id": f"web-{i}", "name": "web", "port": i, "check": {"ttl": "3600s", "status": "passing"}} for i in (1, 2, 3)]
        with Cluster(servers=1) as c:
            c.nagents = 1
            host, server, agent = c.agent_address(0), c.server_address(0), c.add_agent(0)
            c.configure("agent-0", services=definitions)
            agent.start()
            ids = lambda found: [(i["Service"]["ID"], i["Service"]["Port"], [k["Status"] for k in i["Checks"]]) for i in found]
            all_three = [(f"web-{i}", i, ["passing", "passing"]) for i in (1, 2, 3)]
            wait_until("all are found", lambda: ids(get(server, "/v1/health/service/web").json()) == all_three)
            before = get(server, "/v1/health/service/web").index
            watcher = Watcher(server, "/v1/health/service/web", ids)
            local = Watcher(host, "/v1/health/service/web?passing", ids)
            for _ in range(3):
                self.assertEqual(put(host, "/v1/agent/reload").status, 200)
                agent.send(signal.SIGHUP)
            put(server, "/v1/kv/mark", "1")
            time.sleep(1)
            self.assertEqual(get(server, "/v1/health/service/web").index, before, "nothing was written")
            definitions[1]["port"] = 22
            c.configure("agent-0", services=definitions)
            self.assertEqual(put(host, "/v1/agent/reload").status, 200)
            changed = [all_three[0], ("web-2", 22, ["passing", "passing"]), all_three[2]]
            wait_until("the change is seen", lambda: watcher.seen[-1] == changed and local.seen[-1] == changed)
            self.assertEqual(watcher.seen, [all_three, changed])
            self.assertEqual(local.seen, [all_three, changed])
            c.configure("agent-0", services=definitions[:2])
            self.assertEqual(put(host, "/v1/agent/reload").status, 200)
            wait_until("one is gone", lambda: watcher.seen[-1] == changed[:2])
            self.assertEqual(watcher.seen, [all_three, changed, changed[:2]])
            watcher.end()
            local.end()


if __name__ == "__main__":
    own_mounts.inside()
    unittest.main(verbosity=2)
