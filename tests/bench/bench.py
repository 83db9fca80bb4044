"""bench.py - what ./dev bench prints: muster and its peers (Consul and etcd, where they can be had) in one run.

All run on loopback with their data on the same disk; the load comes from wrk with the same connections for all. The ratio
is what counts: the machine is shared with the load generator, and noisy. So the peers take turns, several times, and the
medians are printed. First what the libraries do alone, then one server and one agent, then three servers.
"""
import concurrent.futures
import glob
import os
import shutil
import statistics
import subprocess
import tempfile
import time

from peers import CONNECTIONS, SECONDS, ConsulLike, Etcd, memory_kib, sync_again_and_again

BIN = os.environ["MUSTER_BIN"]
CONSUL = os.environ.get("MUSTER_CONSUL") or None
LIBRARIES = os.environ.get("MUSTER_BENCH_LIBS")  # where bench_* of the libraries are
ROUNDS = 3
KILLS = {"muster": 5}  # of the leader
KILLS_OF_PEERS = 3
KILLS_OF_AGENTS = 9  # whose turn it is to be probed is chance
FAST_GOSSIP = {"probe_interval": "120ms", "probe_timeout": "60ms", "gossip_interval": "40ms"}
FAST = {"muster": {**FAST_GOSSIP, "suspicion_max_mult": 100}, "Consul": FAST_GOSSIP}  # docs/gossip-proof.md
ALONE_ROUNDS, ALONE_SECONDS = 15, 0.2  # one client: others disturb the disk for moments


class Table:
    """Rows of each column: a name -> what was measured, one value a round."""

    def __init__(self, names):
        self.names, self.rows = names, {}

    def add(self, name, key, value):
        self.rows.setdefault(key, {}).setdefault(name, []).append(value)

    def add_load(self, name, what, measured):
        rate, p99 = measured
        self.add(name, f"{what}, 1/s", rate)
        self.add(name, f"{what}: 99th centile, ms", p99)

    def print(self):
        """The first column is ours, and the last ones are its ratio to each of the others."""
        names = self.names
        print(f"{'':46}" + "".join(f"{n:>12}" for n in names) + "".join(f"{'/' + n:>10}" for n in names[1:]))
        for key, values in self.rows.items():
            cells = [statistics.median(values[n]) if n in values else None for n in names]
            text = "".join(f"{'':12}" if v is None else f"{v:12.1f}" if v >= 10 else f"{v:12.3f}" for v in cells)
            print(f"{key:46}{text}" + "".join(f"{cells[0] / v:10.3f}" if v and cells[0] else f"{'':10}" for v in cells[1:]))


def size_mib(*paths):
    return sum(os.path.getsize(p) for p in paths) / 2**20


def start_pair(table, subject, binaries):
    """One server and one agent: how long that takes and what they need."""
    name = subject.name
    server, answered, wrote = subject.start_server()
    table.add(name, "server: start to first answer, ms", answered * 1000)
    table.add(name, "server: start to first write, ms", wrote * 1000)
    agent, took = subject.start_agent()
    table.add(name, "agent: start to first read through it, ms", took * 1000)
    time.sleep(3)  # idle: let start-up work end
    for what, child in (("server", server), ("agent", agent)):
        rss, anon = memory_kib(child.pid)
        table.add(name, f"idle {what}: resident, MiB", rss / 1024)
        table.add(name, f"idle {what}: of it its own, MiB", anon / 1024)
    table.add(name, "binaries, MiB", size_mib(*binaries))


def measure_one(subjects, binaries):
    table = Table([s.name for s in subjects])
    for s in subjects:
        if s.name == "etcd":
            s.start_server()
        else:
            start_pair(table, s, binaries[s.name])
    for _ in range(ALONE_ROUNDS):
        for s in subjects:
            table.add(s.name, "fdatasync of 200 bytes: median, ms", sync_again_and_again(s.dir, ALONE_SECONDS))
            table.add(s.name, "KV put, one client: median, ms", s.put_alone(ALONE_SECONDS))
    for _ in range(ROUNDS):
        for s in subjects:
            if s.name != "etcd":
                table.add_load(s.name, "KV get", s.gets())
        for s in subjects:
            table.add_load(s.name, "KV put", s.puts())
    for s in subjects:
        table.add(s.name, "loaded server: resident, MiB", memory_kib(s.children[0].pid)[0] / 1024)
    return table


def measure_three(subjects):
    table = Table([s.name for s in subjects])
    for s in subjects:
        s.start_three()
    time.sleep(2)
    for _ in range(ROUNDS):
        for s in subjects:
            table.add_load(s.name, "3 servers: KV put", s.puts())
    for s in subjects:
        for _ in range(KILLS.get(s.name, KILLS_OF_PEERS)):
            table.add(s.name, "leader killed to next write: median, ms", s.failover())
    return table


def add_detection(table, names, programs, last, what, gossip):
    """The pools stand side by side: nearly all of it is waiting."""
    def run(subjects):
        for s in subjects:
            s.start_pool(gossip.get(s.name, {}))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for _ in range(KILLS_OF_AGENTS):
                for s, seconds in zip(subjects, pool.map(lambda s: s.detection(), subjects)):
                    table.add(s.name, f"agent killed to out of DNS, {what}, s", seconds)

    measure(run, names, programs, last)


def measure_detection(names, programs, last):
    names = [n for n in names if n != "etcd"]
    table = Table(names)
    add_detection(table, names, programs, last, "defaults", {})
    add_detection(table, names, programs, last + 30, "fast", FAST)
    return table


def measure(function, names, programs, last, *args):
    subjects = [(Etcd if n == "etcd" else ConsulLike)(n, programs[n], last + 10 * i) for i, n in enumerate(names)]
    try:
        return function(subjects, *args)
    finally:
        for s in subjects:
            s.stop()


def run_libraries():
    """Benchmarks in C print their own lines."""
    for path in sorted(glob.glob(os.path.join(LIBRARIES, "bench_*"))) if LIBRARIES else []:
        name = os.path.basename(path)
        print(f"\n{name}", flush=True)
        subprocess.run([path, *([tempfile.gettempdir()] if name == "bench_raft_write" else [])], check=True)


def main():
    tempfile.tempdir = os.environ.get("MUSTER_BENCH_DIR")  # whose disk is measured
    began = time.monotonic()
    programs = {"muster": os.path.join(BIN, "muster"), "Consul": CONSUL, "etcd": shutil.which("etcd")}
    names = [n for n in programs if programs[n]]
    for n in programs:
        if not programs[n]:
            print(f"no {n} here: it is left out")
    ours = [os.path.join(BIN, name) for name in ("muster-server", "muster-agent", "muster")]
    run_libraries()
    one = measure(measure_one, names, programs, 11, {"muster": ours, "Consul": [CONSUL]})
    three = measure(measure_three, names, programs, 51)
    detection = measure_detection(names, programs, 91)
    print(f"\n{os.cpu_count()} cores, shared with the load generator; wrk with {CONNECTIONS} connections for {SECONDS:.0f} s; "
          f"medians of {ROUNDS}\n")
    one.print()
    print()
    three.print()
    print()
    detection.print()
    kills = ", ".join(f"{n} {KILLS.get(n, KILLS_OF_PEERS)}" for n in names)
    print(f"\nleaders killed: {kills}. All this took {(time.monotonic() - began) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
