"""fleet.py [AGENTS [MINUTES]] - many real agents in one gossip pool on this machine (default: 1000 for 10 minutes).

One server and AGENTS agents, each a process with an address of its own. When all know all, they idle; a member that is
called failed meanwhile is a false alarm. Then a tenth is killed at once, and the time is taken until all the others know.
Prints memory and processor share of the agents; ends with 1 if there was a false alarm or somebody was not told.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from kit import BIN, get, wait_until  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
KILLED_SHARE = 10


class Agent:
    def __init__(self, folder, name, address, server, *flags):
        self.name, self.address = name, address
        self.log_path = os.path.join(folder, name + ".log")
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
        """Resident; of it its own; and its share of what all have in common."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            text = f.read()
        return tuple(int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1)) for key in ("Rss", "Private_Dirty", "Pss"))

    def called_failed(self):
        """The names of all members that it ever called failed."""
        with open(self.log_path, errors="replace") as f:
            return re.findall(r"member failed: (\S+)", f.read())


def median(values):
    return sorted(values)[len(values) // 2]


def wait_for_all(agents, want, what):
    began = time.monotonic()
    left = list(agents)

    def all_know():
        left[:] = [a for a in left if a.pool() != want]
        return not left

    wait_until(f"{what} ({want} members, failed)", all_know, timeout=600, pause=0.5)
    return time.monotonic() - began


def idle(agents, minutes):
    before, began = [a.cpu_seconds() for a in agents], time.monotonic()
    time.sleep(minutes * 60)
    seconds = time.monotonic() - began
    shares = [(a.cpu_seconds() - b) / seconds * 100 for a, b in zip(agents, before)]
    memory = list(zip(*[a.memory_kib() for a in agents]))
    print(f"idle for {minutes:g} minutes: {median(shares):.3f} % of a core each (median; most {max(shares):.3f} %, all {sum(shares):.1f} %)")
    print(f"memory each, KiB (median): {median(memory[0])} resident, {median(memory[1])} of it written by the process alone;"
          f" all together {sum(memory[2]) / 1024:.0f} MiB")


def false_alarms(agents, victims=()):
    names = {v.name for v in victims}
    wrong = [(a.name, name) for a in agents for name in a.called_failed() if name not in names]
    for accuser, accused in wrong[:20]:
        print(f"  {accuser} called {accused} failed")
    return len(wrong)


def run(folder, count, minutes):
    server = Agent(folder, "server", "127.8.0.1", "127.8.0.1", "-server", "-bootstrap-expect", "1")
    agents = []
    try:
        wait_until("the server answers", lambda: server.pool()[0] == 1)
        began = time.monotonic()
        for i in range(count):
            agents.append(Agent(folder, f"agent-{i}", f"127.8.{1 + i // 250}.{1 + i % 250}", server.address))
        started = time.monotonic() - began
        wait_for_all([server, *agents], (count + 1, 0), "all know all")
        print(f"{count} agents started in {started:.1f} s; all knew all after {time.monotonic() - began:.1f} s")
        idle(agents, minutes)
        print(f"before the kill: {false_alarms([server, *agents])} false alarms")
        victims, others = agents[:: KILLED_SHARE], [a for i, a in enumerate(agents) if i % KILLED_SHARE]
        for a in victims:
            a.process.kill()
        took = wait_for_all([server, *others], (count + 1, len(victims)), "all know who was killed")
        print(f"{len(victims)} killed at once: all {len(others) + 1} others knew all of them after {took:.1f} s")
        called = sum(len(set(a.called_failed()) & {v.name for v in victims}) for a in others)
        wrong = false_alarms([server, *others], victims)
        print(f"in all: {wrong} false alarms; each victim was called failed by {called / len(victims):.1f} of {len(others)} agents")
        return 1 if wrong else 0
    finally:
        for a in [server, *agents]:
            a.process.kill()
            a.process.wait()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    folder = tempfile.mkdtemp(prefix="muster-fleet-")
    try:
        return run(folder, count, minutes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
