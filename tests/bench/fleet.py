"""fleet.py [AGENTS [MINUTES [A_SECOND]]] - many real agents in one gossip pool on this machine (default: 1000 10 10).

One server and AGENTS agents, each a process with an address of its own; A_SECOND of them start in a second, since each
that comes is work for all who are there. When all know all, they idle for MINUTES. Then a tenth is killed at once, and
the time is taken until all the others know.

A member that is said to have failed and lives is a false alarm; the logs of all are asked, so that each who was told
counts. Prints that, memory and processor shares as tables; ends with 1 if there was a false alarm, or if not all knew in the
end. --seconds: MINUTES are seconds.
"""
import argparse
import collections
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from kit import BIN, get, wait_until  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
KILLED_SHARE = 10
GIVE_UP = 600  # seconds until all must know; nothing that is measured


class Agent:
    def __init__(self, folder, name, address, server, *flags):
        self.name, self.address = name, address
        self.log_path = os.path.join(folder, name + ".log")
        self.log_at = 0
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "muster"), "agent", "-node", name, "-bind", address, "-client", address, "-data-dir",
                 os.path.join(folder, name), "-retry-interval", "1s", "-retry-join", server, *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def pool(self):
        """(members, failed) as it sees them."""
        stats = get(self.address, "/v1/agent/self", timeout=10).json()["Stats"]["serf_lan"]
        return int(stats["members"]), int(stats["failed"])

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_kib(self):
        """Resident; its share of what is resident, where pages that several have count by parts; what is its alone."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            sizes = dict(re.findall(r"^(\w+):\s+(\d+)", f.read(), re.M))
        return int(sizes["Rss"]), int(sizes["Pss"]), int(sizes["Private_Clean"]) + int(sizes["Private_Dirty"])

    def newly_failed(self):
        """Names of members that it was told have failed, since it was asked last."""
        with open(self.log_path, "rb") as f:
            f.seek(self.log_at)
            text = f.read()
        whole = text.rfind(b"\n") + 1
        self.log_at += whole
        return [name.decode() for name in re.findall(rb"member failed: (\S+)", text[:whole])]


def median(values):
    return sorted(values)[len(values) // 2]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "|".join("---" if i == 0 else "--:" for i in range(len(head))) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


class Fleet:
    def __init__(self, folder, a_second):
        self.folder, self.a_second = folder, a_second
        self.net = self._free_net()
        self.dead = set()
        self.agents = []
        self.phases = []  # rows of the table
        self.wrong = collections.Counter()
        self.server = Agent(folder, "server", f"{self.net}.0.1", f"{self.net}.0.1", "-server", "-bootstrap-expect", "1")

    @staticmethod
    def _free_net():
        """Of the nets that no cluster of kit.py takes."""
        while True:
            net = f"127.{random.randint(2, 19)}"
            try:
                with socket.socket() as s:
                    s.bind((f"{net}.0.1", 8500))
                return net
            except OSError:
                continue

    @property
    def living(self):
        return [a for a in [self.server, *self.agents] if a.name not in self.dead]

    def start(self, count):
        wait_until("the server answers", lambda: self.server.pool()[0] == 1)
        began = time.monotonic()
        for i in range(count):
            time.sleep(max(0.0, began + i / self.a_second - time.monotonic()))
            address = f"{self.net}.{1 + i // 250}.{1 + i % 250}"
            self.agents.append(Agent(self.folder, f"agent-{i}", address, self.server.address))

    def wait_for_all(self, want, what):
        left = self.living

        def all_know():
            left[:] = [a for a in left if a.pool() != want]
            return not left

        wait_until(f"{what} ({want} members, failed)", all_know, timeout=GIVE_UP, pause=0.5)

    def phase(self, what, act):
        """Runs act; adds its seconds, false alarms and processor shares to the table."""
        before = {a.name: a.cpu_seconds() for a in self.living}
        began = time.monotonic()
        act()
        seconds = time.monotonic() - began
        shares = {a.name: (a.cpu_seconds() - before.get(a.name, 0)) / seconds * 100 for a in self.living}
        alarms = collections.Counter(name for a in self.living for name in a.newly_failed() if name not in self.dead)
        self.wrong.update(alarms)
        agents = [share for name, share in shares.items() if name != "server"]
        load = os.getloadavg()[0]
        self.phases.append((what, f"{seconds:.1f}", sum(alarms.values()), len(alarms), f"{median(agents):.3f}", f"{max(agents):.3f}",
                            f"{sum(agents):.1f}", f"{shares['server']:.2f}", f"{load:.1f}"))
        print(f"{what}: {seconds:.1f} s, {sum(alarms.values())} false alarms", flush=True)

    def print_phases(self):
        print()
        table(("", "seconds", "false alarms", "about members", "agent: median, % of a core", "most", "all agents", "server",
               "load of the machine"), self.phases)
        for name, n in self.wrong.most_common(10):
            print(f"{name} was falsely called failed {n} times")

    def print_memory(self):
        rss, pss, own = zip(*[a.memory_kib() for a in self.agents if a.name not in self.dead])
        mib = [f"{x / 1024:.1f}" for x in self.server.memory_kib()]
        table(("MiB", "resident", "shared pages by parts (PSS)", "its alone"),
              [("agent, median", *(f"{median(x) / 1024:.2f}" for x in (rss, pss, own))),
               ("agent, most", *(f"{max(x) / 1024:.2f}" for x in (rss, pss, own))),
               ("all agents", "", f"{sum(pss) / 1024:.0f}", f"{sum(own) / 1024:.0f}"),
               ("server", *mib)])

    def kill_some(self):
        victims = self.agents[::KILLED_SHARE]
        self.dead = {v.name for v in victims}
        for v in victims:
            v.process.kill()

    def end(self):
        for a in [self.server, *self.agents]:
            a.process.kill()
        for a in [self.server, *self.agents]:
            a.process.wait()

    def run(self, count, idle_seconds):
        everybody = count + 1

        def start():
            self.start(count)

        def kill():
            self.kill_some()
            self.wait_for_all((everybody, len(self.dead)), "all know who was killed")

        self.phase(f"{count} agents start, {self.a_second:g} a second", start)
        self.phase("until all know all", lambda: self.wait_for_all((everybody, 0), "all know all"))
        self.phase("idle", lambda: time.sleep(idle_seconds))
        self.print_memory()
        self.phase(f"{len(self.agents[::KILLED_SHARE])} killed at once, until all the others know", kill)
        self.print_phases()
        return 1 if self.wrong else 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("agents", nargs="?", type=int, default=1000)
    p.add_argument("minutes", nargs="?", type=float, default=10)
    p.add_argument("a_second", nargs="?", type=float, default=10)
    p.add_argument("--seconds", action="store_true")
    args = p.parse_args()
    folder = tempfile.mkdtemp(prefix="muster-fleet-")
    fleet = Fleet(folder, args.a_second)
    try:
        return fleet.run(args.agents, args.minutes * (1 if args.seconds else 60))
    finally:
        fleet.end()
        if not os.environ.get("MUSTER_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
