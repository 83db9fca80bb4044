"""churn.py [MINUTES [SEED]] - Consul and muster agents come and go in one gossip pool (default: 60 minutes, seed 1).

A server and three clients of a real Consul 1.8.7 and eight muster agents, each at an address of its own. After a seeded
plan, members of both kinds are killed, leave, are forced to leave, and come back, also as another node of the same name.
Whoever has not been touched must never be called failed by anybody; that is read from all logs. When the plan pauses,
all must agree on who is there, with which tags, and on how those went who are not. Ends with 1 if not.
"""
import os
import random
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from kit import Cluster, find_consul, get, put, wait_until  # noqa: E402
from test_consul import add_consul  # noqa: E402

CONSULS, MUSTERS = 4, 8  # the first Consul is the server
DOWN_MAX = 4
ACTIONS_A_ROUND = 5
PAUSES = 1, 6  # seconds between two actions
PATIENT = 15  # seconds until we say what all wait for
CALM = 10  # seconds in which nothing happens once all agree
CALLED_FAILED = re.compile(r"(?:member failed|EventMemberFailed): (\S+)")
ALIVE, LEAVING, LEFT, FAILED = 1, 2, 3, 4


def tell(member, path):
    """As soon as it listens: it may have been started a moment ago, on a busy machine. True if it did as told."""
    def told():
        try:
            return [put(member.address, path, timeout=60).status == 200]
        except ConnectionRefusedError:
            return None

    return wait_until(f"{member.name} can be told {path}", told)[0]


class Member:
    def __init__(self, process, address):
        self.process, self.name, self.address = process, process.name, address
        self.gone = None  # or LEFT or FAILED: what all others must hold it for
        self.read_to = 0

    @property
    def is_server(self):
        return self.name == "consul-0"

    def start(self):
        self.process.start()
        self.gone = None

    def wipe(self):
        """It comes back as another node of the same name."""
        shutil.rmtree(self.process.cluster.path(self.name), ignore_errors=True)

    def kill(self):
        self.process.kill()
        self.gone = FAILED

    def leave(self):
        tell(self, "/v1/agent/leave")
        self.process.popen.wait(60)
        self.gone = LEFT

    def terminate(self):
        """As its service manager would; a client leaves then."""
        self.process.stop()
        self.gone = LEFT

    def view(self):
        """name -> (status, tags), of the whole pool."""
        return {m["Name"]: (m["Status"], m["Tags"]) for m in get(self.address, "/v1/agent/members", timeout=10).json()}

    def new_lines(self):
        with open(self.process.log_path, "rb") as f:
            f.seek(self.read_to)
            data = f.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.read_to += len(whole)
        return whole.decode(errors="replace").splitlines()


class Churn:
    def __init__(self, cluster, seed):
        self.cluster, self.random = cluster, random.Random(seed)
        self.members, self.touched = [], set()
        self.done, self.deaths, self.false_alarms, self.disagreements = {}, 0, 0, 0
        self.slowest_agreement = 0
        self.leaving_for_ever = set()
        targets = [cluster.agent_address(i) for i in (0, 1, CONSULS, CONSULS + 1)]
        joins = [flag for a in targets for flag in ("-retry-join", a)]
        for i in range(CONSULS):
            flags = ["-server", "-bootstrap-expect", "1"] if i == 0 else []
            address = cluster.agent_address(i)
            self.members.append(Member(add_consul(cluster, f"consul-{i}", address, *flags, join=targets), address))
        for i in range(CONSULS, CONSULS + MUSTERS):
            self.members.append(Member(cluster.add_agent(i, *joins), cluster.agent_address(i)))

    def up(self):
        return [m for m in self.members if m.gone is None]

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    # ---- what is checked ----

    def read_logs(self):
        """Everything that was said since the last time."""
        for accuser in self.members:
            if not os.path.exists(accuser.process.log_path):
                continue
            for line in accuser.new_lines():
                found = CALLED_FAILED.search(line)
                if not found:
                    continue
                accused = re.sub(r"\.dc1$", "", found.group(1))  # the server is in Consul's pool of servers, too
                self.deaths += 1
                if accused not in self.touched:
                    self.accuse(accuser.name, accused, line)

    def accuse(self, accuser, accused, line):
        self.false_alarms += 1
        self.say(f"FALSE: {accuser} called {accused} failed, which nobody had touched: {line}")
        for m in self.members:
            about = [x for x in m.process.log().splitlines() if re.search(rf"\b{accused}\b", x) and "GET" not in x]
            print("\n".join(f"    {m.name}: {x}" for x in about[-6:]), flush=True)

    def sleep(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(1, max(end - time.monotonic(), 0)))
            self.read_logs()

    def differences(self):
        """How the views of those who are up differ from what is so, and from each other."""
        found, up = [], self.up()
        views = {m.name: m.view() for m in up}
        for m in self.members:
            own = views[m.name].get(m.name, (None, None))[1] if m.gone is None else None
            for name, view in views.items():
                status, tags = view.get(m.name, (None, None))
                if m.gone is None and status == LEAVING and {name[:6], m.name[:6]} == {"consul"}:
                    self.leaving_for_ever.add((name, m.name))  # between Consul and Consul; see libswim/src/serf.c
                # Who started after somebody had gone need not have heard of it.
                elif m.gone is None and (status, tags) != (ALIVE, own):
                    found.append(f"{name} sees {m.name} with status {status} and tags {tags}, not alive with {own}")
                elif m.gone is not None and status not in (None, m.gone):
                    found.append(f"{name} sees {m.name} with status {status}, not {m.gone}")
        return found

    def agree(self):
        began, last = time.monotonic(), []

        def check():
            self.read_logs()
            self.leaving_for_ever.clear()
            now = self.differences()
            if now != last and time.monotonic() - began > PATIENT:
                self.say("still: " + "; ".join(now or ["nothing"]))
            last[:] = now
            return not last

        try:
            wait_until("all agree", check, timeout=120, pause=1)
            self.say(f"all {len(self.up())} agree")
        except AssertionError as error:
            self.disagreements += 1
            self.say(f"DISAGREE: {error}: " + "; ".join(last))
        self.slowest_agreement = max(self.slowest_agreement, time.monotonic() - began)
        if self.leaving_for_ever:
            self.say("held for leaving by Consul: " + ", ".join(f"{who} by {by}" for by, who in sorted(self.leaving_for_ever)))
        self.leaving_for_ever.clear()
        self.sleep(1)
        self.touched.clear()

    # ---- what happens ----

    def plan(self):
        """What, and to whom."""
        gone = [m for m in self.members if m.gone is not None]
        if gone and (len(gone) >= DOWN_MAX or self.random.random() < 0.5):
            m = self.random.choice(gone)
            return self.random.choice(["start", "start", "start anew"] + ["force-leave"] * (m.gone == FAILED)), m
        m = self.random.choice(self.up())
        if m.is_server:
            return "bounce", m  # the others need one to join
        return self.random.choice(["kill", "kill", "leave", "bounce", "bounce anew", "kill and force-leave", "leave and return",
                                   "terminate", "live and force-leave"]), m

    def force_leave(self, member):
        by = self.random.choice(self.up())
        if not tell(by, f"/v1/agent/force-leave/{member.name}"):
            return f" by {by.name}, which does not know it"  # it started after the death
        if member.gone is not None:  # who lives says so
            member.gone = LEFT
        return f" by {by.name}"

    def act(self):
        what, m = self.plan()
        self.touched.add(m.name)
        detail = ""
        if what in ("kill", "bounce", "bounce anew", "kill and force-leave"):
            m.kill()
        if what in ("leave", "leave and return"):
            m.leave()
        if what == "terminate":
            m.terminate()
        if what.startswith("bounce") or what == "leave and return":
            time.sleep(self.random.uniform(0, 3))
        if what.endswith("anew"):
            m.wipe()
        if what.endswith("force-leave"):
            detail = self.force_leave(m)
        if what.startswith(("start", "bounce")) or what == "leave and return":
            m.start()
        kind = "Consul" if m.name.startswith("consul") else "muster"
        self.done[f"{kind} {what}"] = self.done.get(f"{kind} {what}", 0) + 1
        self.say(f"{what} {m.name}{detail}")

    def run(self, seconds):
        for m in self.members:
            self.touched.add(m.name)
            m.start()
        self.agree()
        end, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            for _ in range(ACTIONS_A_ROUND):
                self.act()
                self.sleep(self.random.uniform(*PAUSES))
            self.agree()
            self.sleep(CALM)
            rounds += 1
        self.read_logs()
        print(", ".join(f"{n} {what}" for what, n in sorted(self.done.items())))
        print(f"{rounds} rounds, {sum(self.done.values())} actions, {self.deaths} words of a failure; slowest agreement "
              f"{self.slowest_agreement:.0f} s; {self.false_alarms} false failures, {self.disagreements} disagreements", flush=True)
        return self.false_alarms + self.disagreements


def main():
    if not find_consul():
        sys.exit("churn: there is no Consul here; see tests/integration/kit.py")
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(f"{minutes:g} minutes, seed {seed}", flush=True)
    with Cluster(servers=0) as cluster:
        wrong = Churn(cluster, seed).run(minutes * 60)
        if wrong:
            os.environ["MUSTER_KEEP"] = "1"
            print(f"logs are in {cluster.dir}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
