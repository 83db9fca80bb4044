"""soak.py MINUTES - three servers at raft_multiplier 1 under full load, and no election may come of it.

A leader that does its work is never voted out: whoever ends with another leader or term has called a false election, and
the log lines around it are printed. Besides, memory and folders must not grow with what has gone through them.
"""
import json
import os
import re
import subprocess
import sys
import time

from peers import CONNECTIONS, PUT_SCRIPT, ConsulLike, call, memory_kib

BIN = os.environ["MUSTER_BIN"]
EVERY = 10  # seconds between two looks
WARM_UP = 0.2  # of the time: pools and tables are as large as the load needs them
MEMORY_GROWTH_MAX = 1.15, 24 * 1024  # factor, and KiB besides
FOLDER_GROWTH_MAX = 1.5, 64  # factor, and MiB besides
ELECTION = re.compile(r"elect|candidate|campaign|vote|steps? down|stepped|new leader|leadership|lease|stall|hung|\bterm\b", re.I)


class Look:
    """What one server says of itself now."""

    def __init__(self, subject, i):
        stats = json.loads(call(subject.servers[i], "GET", "/v1/agent/self", timeout=30)[1])["Stats"]["raft"]
        self.term, self.state, self.index = int(stats["term"]), stats["state"], int(stats["commit_index"])
        self.kib = memory_kib(subject.children[i].pid)[1]
        self.mib = folder_mib(os.path.join(subject.dir, f"s{i}"))


def folder_mib(path):
    """What its files take on disk."""
    total = 0
    for where, _, files in os.walk(path):
        for name in files:
            try:
                total += os.stat(os.path.join(where, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # compacted meanwhile
    return total / 2**20


def now_and_here(looks):
    return ", ".join(f"s{i} {look.state.lower()} term {look.term} {look.kib / 1024:.0f} MiB folder {look.mib:.0f} MiB"
                     for i, look in enumerate(looks))


def elections(subject, sizes):
    """The lines about elections that came into the logs since they had these sizes, with those around."""
    found = []
    for i in range(3):
        with open(subject.log_path(i), errors="replace") as f:
            f.seek(sizes[i])
            lines = f.read().splitlines()
        near = {j for n, line in enumerate(lines) if ELECTION.search(line) for j in range(n - 3, n + 4)}
        found += [f"s{i}: {lines[j]}" for j in sorted(near) if 0 <= j < len(lines)]
    return found


def grown(what, early, late, factor, besides):
    if late <= early * factor + besides:
        return []
    return [f"{what} has grown from {early:.0f} to {late:.0f}"]


def judge(subject, sizes, started, history):
    """What is wrong, in sentences."""
    wrong, last = [], history[-1]
    middle = history[int(len(history) * WARM_UP):] or history
    for i in range(3):
        wrong += grown(f"s{i}: memory, KiB", middle[0][i].kib, last[i].kib, *MEMORY_GROWTH_MAX)
        half = len(middle) // 2 or 1
        wrong += grown(f"s{i}: folder, MiB", max(m[i].mib for m in middle[:half]), max(m[i].mib for m in middle[half:] or middle),
                       *FOLDER_GROWTH_MAX)
        if not subject.is_running(i):
            wrong.append(f"s{i} has ended")
    before, after = (([look.term for look in looks], [look.state for look in looks]) for looks in (started, last))
    if before != after:
        wrong.append(f"a false election: terms and states were {before} and are {after}")
        wrong += elections(subject, sizes)
    return wrong


def soak(subject, minutes):
    subject.start_three("-log-level", "info")
    time.sleep(15)  # a server that is new votes only after a while
    leader = subject.leader()
    started = [Look(subject, i) for i in range(3)]
    sizes = [os.path.getsize(subject.log_path(i)) for i in range(3)]
    print(f"{minutes:g} minutes of puts over {CONNECTIONS} connections to s{leader}; {now_and_here(started)}", flush=True)
    command = subject.wrk_command("/v1/kv/bench/x", PUT_SCRIPT, subject.servers[leader], 8500, minutes * 60)
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    history, said = [], time.monotonic()
    while load.poll() is None:
        time.sleep(EVERY)
        try:
            history.append([Look(subject, i) for i in range(3)])
        except OSError as error:
            print(f"{time.strftime('%H:%M:%S')} somebody did not answer: {error}", flush=True)
            continue
        if time.monotonic() - said >= 60 or len(history) == 1:
            said = time.monotonic()
            print(f"{time.strftime('%H:%M:%S')} index {history[-1][leader].index}: {now_and_here(history[-1])}", flush=True)
    rate, p99 = subject.read_wrk(load.stdout.read())
    history.append([Look(subject, i) for i in range(3)])
    print(f"{rate:.0f} puts/s, 99th centile {p99:.1f} ms, {history[-1][0].index - started[0].index} entries; "
          f"{now_and_here(history[-1])}", flush=True)
    return judge(subject, sizes, started, history)


def main():
    minutes = float(sys.argv[1])
    subject = ConsulLike("muster", os.path.join(BIN, "muster"), 91)
    try:
        wrong = soak(subject, minutes)
    finally:
        subject.stop()
    print("\n".join(wrong) if wrong else "same leader, same term, no growth: ok")
    sys.exit(1 if wrong else 0)


main()
