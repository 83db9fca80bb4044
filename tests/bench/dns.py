"""dns.py - what ./dev bench --dns prints: DNS answers a second beside Consul's, NSD's and Knot's (issue 7's table).

Everybody who is asked has one core, and who asks (dnsperf, one thread) another one. NSD and Knot have a static zone with the
records that muster and Consul have in their catalogs: ten instances of one service, each on a node of its own. The peers take
turns, several times, and the medians are printed: on a busy machine only the ratios of one run mean anything. Beside each
rate stands the CPU time that the process itself spent on a query, which others hardly disturb.

    ./dev bench --dns           the table of rates, floods and freshness
    ./dev bench --dns rates     only the rates; likewise more (TCP, many names, a catalog that moves), flood, fresh
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

from api import Progress
from peers import ConsulLike, Subject, call, dig, memory_kib, wait_for

BIN = os.environ["MUSTER_BIN"]
CONSUL = os.environ.get("MUSTER_CONSUL") or None
SECONDS = float(os.environ.get("MUSTER_BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("MUSTER_BENCH_ROUNDS", "5"))
NAMES = int(os.environ.get("MUSTER_BENCH_NAMES", "1000000"))
CHANGES = 40  # of which each is timed
INSTANCES = 10
SERVICES = 1000  # besides, of one instance each
WRITES = 200  # a second, where the catalog moves
WEB = "web.service.consul"
# On a machine that others use: MUSTER_BENCH_NICE=-15, for all alike.
NICE = ["nice", "-n", os.environ["MUSTER_BENCH_NICE"]] if os.environ.get("MUSTER_BENCH_NICE") else []
CORES = sorted(os.sched_getaffinity(0))
ANSWERING, ASKING = CORES[0], CORES[-1]

# What is to be reached: row, compared with whom (None: nobody), at least or at most how much (of the other's figure).
TARGETS = [
    ("server, A, 1/s", "Knot", "at least", 0.8),
    ("server, SRV, 1/s", "Knot", "at least", 0.8),
    ("server, A, 1/s", "Consul", "at least", 5),
    ("server, SRV, 1/s", "Consul", "at least", 10),
    ("agent, A, 1/s", "Consul", "at least", 25),
    ("agent, SRV, 1/s", "Consul", "at least", 25),
    ("A: agent / server", None, "at least", 0.9),  # within what runs differ
    ("SRV: agent / server", None, "at least", 0.9),
    ("server, unknown names: grown by, MiB", None, "at most", 4),
    ("agent, unknown names: grown by, MiB", None, "at most", 4),
    ("registered on A until B's DNS has it: median, ms", None, "at most", 10),
    ("critical on A until B's DNS has it not: median, ms", None, "at most", 10),
]


class Pinned:
    """On the core of those who are asked, unless another one is named."""

    core = ANSWERING
    port = 8600

    def run(self, *argv):
        return super().run(*NICE, "taskset", "-c", str(self.core), *argv)


class Catalog(Pinned, ConsulLike):
    """A server, and agents if wanted. With agents the server works beside dnsperf, to leave the core to the agent asked."""

    def open(self, agents=0):
        self.servers = [self.address(i) for i in range(1 + agents)]
        self.core = ASKING if agents else ANSWERING
        self.agent("s", self.servers[0], "-server", "-bootstrap-expect", "1")
        self.wait_for_writes()
        self.core = ANSWERING
        for i in range(agents):
            self.agent(f"a{i}", self.servers[1 + i], "-retry-join", self.servers[0], "-retry-interval", "1s")
        connection = http.client.HTTPConnection(self.servers[0], 8500, timeout=30)
        for i in range(INSTANCES):
            self.register(connection, i, f"web-{i}", "web", 8080)
        for i in range(SERVICES):
            self.register(connection, i % INSTANCES, f"one-{i}", f"one-{i}", 8080)
        connection.close()
        for host in self.servers:
            wait_for(lambda h=host: whole(h, self.port), f"{self.name} answers")

    def register(self, connection, node, number, service, port):
        body = json.dumps({"Node": f"node-{node}", "Address": f"10.1.2.{node}",
                           "Service": {"ID": number, "Service": service, "Port": port},
                           "Check": {"Node": f"node-{node}", "CheckID": f"service:{number}", "Name": "alive", "Status": "passing",
                                     "ServiceID": number}})
        connection.request("PUT", "/v1/catalog/register", body)
        reply = connection.getresponse()
        reply.read()
        if reply.status != 200:
            sys.exit(f"bench: {self.name}: cannot register")

    @contextlib.contextmanager
    def moving(self):
        """An instance of another service changes, again and again, while the block runs."""
        over = threading.Event()

        def write():
            connection, n = http.client.HTTPConnection(self.servers[0], 8500, timeout=30), 0
            while not over.wait(1 / WRITES):
                n += 1
                self.register(connection, 0, "moving", "moving", 1000 + n % 60000)
            connection.close()

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def zone():
    lines = ["$ORIGIN consul.", "$TTL 0", "@ IN SOA ns hostmaster 1 3600 600 86400 0", "@ IN NS ns", "ns IN A 10.1.2.200"]
    for i in range(INSTANCES):
        lines += [f"web.service IN A 10.1.2.{i}", f"web.service IN SRV 1 1 8080 node-{i}.node.dc1",
                  f"node-{i}.node.dc1 IN A 10.1.2.{i}"]
    lines += [f"one-{i}.service IN A 10.1.2.{i % INSTANCES}" for i in range(SERVICES)]
    return "\n".join(lines) + "\n"


class Static(Pinned, Subject):
    """An authoritative server with a zone file."""

    def open(self, agents=0):
        self.servers = [self.address(0)]
        with open(os.path.join(self.dir, "consul.zone"), "w") as f:
            f.write(zone())
        path = os.path.join(self.dir, "config")
        with open(path, "w") as f:
            f.write(self.config())
        self.run(self.program, *self.flags, path)
        wait_for(lambda: whole(self.servers[0], self.port), f"{self.name} answers")


class Nsd(Static):
    flags = "-d", "-c"

    def config(self):
        return f"""server:
  server-count: 1
  ip-address: {self.servers[0]}@{self.port}
  rrl-ratelimit: 0
  username: ""
  chroot: ""
  zonesdir: "{self.dir}"
  database: ""
  pidfile: "{self.dir}/pid"
  zonelistfile: "{self.dir}/zone.list"
  xfrdfile: "{self.dir}/xfrd.state"
  xfrdir: "{self.dir}"
remote-control:
  control-enable: no
zone:
  name: consul.
  zonefile: consul.zone
"""

    def stop(self):
        for child in self.children:
            child.terminate()  # it has children of its own
            child.wait()
        super().stop()


class Knot(Static):
    flags = ("-c",)

    def config(self):
        return f"""server:
  rundir: {self.dir}
  listen: {self.servers[0]}@{self.port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {self.dir}
log:
  - target: stderr
    any: warning
zone:
  - domain: consul.
    storage: {self.dir}
    file: consul.zone
"""


def whole(host, port):
    """Are all instances in both answers, and all targets' addresses in the additional section?"""
    a = dig(host, WEB, "A", edns=4096, port=port, timeout=1)
    srv = dig(host, WEB, "SRV", edns=4096, port=port, timeout=1)
    targets = {name for _, _, _, name in srv.values("SRV")}
    glue = {owner for owner, kind, _, _ in srv.additional if kind == 1}
    return len(a.values("A")) == INSTANCES and len(targets) == INSTANCES and targets <= glue


# ---- Load ----


def family(child):
    """A process and, for NSD, its children: CPU seconds."""
    total, todo = 0, [child.pid]
    while todo:
        pid = todo.pop()
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            todo += [int(p) for p in f.read().split()]
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def dnsperf(subject, host, questions, *flags):
    """What it says, as numbers."""
    path = os.path.join(subject.dir, "questions")
    if isinstance(questions, str):
        with open(path, "w") as f:
            f.write(questions + "\n")
    else:
        path = questions[0]
    argv = [*NICE, "taskset", "-c", str(ASKING), "dnsperf", "-s", host, "-p", str(subject.port), "-d", path, "-e", "-b", "1024",
            *flags]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = {k: float(re.search(rf"{k}:\s+([\d.]+)", out).group(1))
             for k in ("Queries per second", "Queries completed", "Queries lost", "Run time \\(s\\)")}
    if found["Queries lost"] > 10:
        print(f"bench: {subject.name}: {found['Queries lost']:.0f} queries lost", file=sys.stderr)
    return found


def load(table, subject, what, question, asked=0, *more):
    flags = ("-c", "16", "-q", "200", "-l", f"{SECONDS:g}", *more)
    before = [family(c) for c in subject.children]
    told = dnsperf(subject, subject.servers[asked], question, *flags)
    spent = [family(c) - b for c, b in zip(subject.children, before)]
    table.add(subject.name, f"{what}, 1/s", told["Queries per second"])
    table.add(subject.name, f"{what}: CPU, us", sum(spent) / told["Queries completed"] * 1e6)


def rates(table, peers):
    """Everybody's server, and ours and Consul's agents, each under a server of its own."""
    with Opened(peers, 11) as servers, Opened(catalogs(peers), 51, agents=1) as pairs:
        for _ in range(ROUNDS):
            for kind in ("A", "SRV"):
                for asked, (who, subjects) in enumerate((("server", servers), ("agent", pairs))):
                    for s in subjects:
                        load(table, s, f"{who}, {kind}", f"{WEB} {kind}", asked)
    for name in (p.name for p in pairs):
        for kind in ("A", "SRV"):
            agent, server = (statistics.median(table.rows[f"{who}, {kind}, 1/s"][name]) for who in ("agent", "server"))
            table.add(name, f"{kind}: agent / server", agent / server)


def more(table, peers):
    """The same over TCP, for names in turn, and while something else changes."""
    def turns(subjects, who, asked):
        for s in subjects:
            with open(os.path.join(s.dir, "names"), "w") as f:
                f.writelines(f"one-{i}.service.consul A\n" for i in range(SERVICES))
        for _ in range(ROUNDS):
            for s in subjects:
                load(table, s, f"{who}, A over TCP", f"{WEB} A", asked, "-m", "tcp")
            for s in subjects:
                load(table, s, f"{who}, A of {SERVICES} names", (os.path.join(s.dir, "names"),), asked)
            for s in subjects:
                if isinstance(s, Catalog):
                    with s.moving():
                        load(table, s, f"{who}, A, {WRITES} other changes a second", f"{WEB} A", asked)

    with Opened(peers, 171) as subjects:
        turns(subjects, "server", 0)
    with Opened(catalogs(peers), 211, agents=1) as subjects:
        turns(subjects, "agent", 1)


# ---- Floods ----


def hot_times(host, port, stop):
    """One client that asks for a known name, again and again: ms each; None for a lost one."""
    query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0)
    query += b"".join(bytes([len(label)]) + label.encode() for label in WEB.split(".")) + b"\0\0\1\0\1"
    times = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((host, port))
        while not stop.is_set():
            began = time.perf_counter()
            s.send(query)
            try:
                answer = s.recv(65536)
                if answer[7] == 0:
                    sys.exit("bench: the hot name is gone")
                times.append((time.perf_counter() - began) * 1000)
            except TimeoutError:
                times.append(None)
            time.sleep(0.001)
    return times


def flood_one(table, subject, what, asked, path):
    host, child = subject.servers[asked], subject.children[asked]
    stop, times = threading.Event(), []
    thread = threading.Thread(target=lambda: times.extend(hot_times(host, subject.port, stop)))
    before = memory_kib(child.pid)[0]
    thread.start()
    try:
        told = dnsperf(subject, host, (path,), "-c", "16", "-q", "200", "-n", "1")
    finally:
        stop.set()
        thread.join()
    name, row = subject.name, f"{what}, unknown names"
    answered = sorted(t for t in times if t is not None)
    table.add(name, f"{row}, 1/s", told["Queries per second"])
    table.add(name, f"{row}: grown by, MiB", (memory_kib(child.pid)[0] - before) / 1024)
    table.add(name, f"{row}: hot name meanwhile, median, ms", statistics.median(answered))
    table.add(name, f"{row}: 99th centile, ms", answered[len(answered) * 99 // 100])
    table.add(name, f"{row}: hot answers lost", len(times) - len(answered))


def flood(table, peers):
    """Names that nobody has heard of, each once."""
    with Opened(catalogs(peers), 91, agents=1) as subjects:
        for s in subjects:
            path = os.path.join(s.dir, "unknown")
            count = NAMES if s.name == "muster" else NAMES // 20  # Consul's agent would need a quarter of an hour for all
            with open(path, "w") as f:
                f.writelines(f"u{n:07}.service.consul A\n" for n in range(count))
            for asked, what in enumerate(("server", "agent")):
                for _ in range(3):  # pools and caches have their size
                    dnsperf(s, s.servers[asked], f"{WEB} A", "-c", "16", "-q", "200", "-l", "1")
                flood_one(table, s, what, asked, path)


# ---- Freshness ----


def until(what, check):
    """Asks without a pause; gives when it was true, in seconds since now."""
    began = time.perf_counter()
    while not check():
        if time.perf_counter() - began > 30:
            sys.exit(f"bench: {what}: not within 30 s")
    return time.perf_counter() - began


def changes(table, s):
    _, writer, reader = s.servers

    def ports():
        return {port for _, _, port, _ in dig(reader, "moving.service.consul", "SRV", port=s.port).values("SRV")}

    def change(row, path, body, check):
        time.sleep(0.2)
        told = {}

        def tell():
            told["status"] = call(writer, "PUT", path, body, timeout=30)[0]
        thread = threading.Thread(target=tell)
        began = time.perf_counter()
        thread.start()
        until(row, check)
        table.add(s.name, f"{row}: median, ms", (time.perf_counter() - began) * 1000)
        thread.join()
        if told.get("status") != 200:
            sys.exit(f"bench: {s.name}: {path}: {told}")

    for n in range(CHANGES):
        definition = {"Name": "moving", "Port": 1000 + n, "Check": {"CheckID": "moving", "TTL": "600s", "Status": "passing"}}
        change("registered on A until B's DNS has it", "/v1/agent/service/register", json.dumps(definition),
               lambda n=n: ports() == {1000 + n})
        change("critical on A until B's DNS has it not", "/v1/agent/check/fail/moving", None, lambda: not ports())
        change("passing on A until B's DNS has it", "/v1/agent/check/pass/moving", None, lambda n=n: ports() == {1000 + n})


def fresh(table, peers):
    with Opened(catalogs(peers), 131, agents=2) as subjects:
        time.sleep(3)
        for s in subjects:
            changes(table, s)


# ---- All of it ----


class Opened:
    """The peers' processes, while the block runs."""

    def __init__(self, peers, last, agents=0):
        self.peers, self.last, self.agents = peers, last, agents

    def __enter__(self):
        self.subjects = [make(name, program, self.last + 10 * i) for i, (name, (make, program)) in enumerate(self.peers.items())]
        try:
            for s in self.subjects:
                s.open(agents=self.agents)
        except BaseException:
            self.__exit__()
            raise
        return self.subjects

    def __exit__(self, *_):
        for s in self.subjects:
            s.stop()


def catalogs(peers):
    return {name: peer for name, peer in peers.items() if peer[0] is Catalog}


def judge(table):
    """Prints each target that this run has measured. How many are missed?"""
    missed, lines = 0, []
    for row, other, kind, bound in TARGETS:
        ours, theirs = (table.rows.get(row, {}).get(n) for n in ("muster", other))
        if not ours or (other and not theirs):
            continue
        got = statistics.median(ours) / (statistics.median(theirs) if other else 1)
        reached = got >= bound if kind == "at least" else got <= bound
        missed += not reached
        lines.append(f"{row:52}{got:10.2f}  {kind} {bound:g}{' x ' + other if other else ''}{'' if reached else '   MISSED'}")
    print("\nto reach", *lines, sep="\n")
    return missed


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    peers = {"muster": (Catalog, os.path.join(BIN, "muster")), "Consul": (Catalog, CONSUL),
             "NSD": (Nsd, shutil.which("nsd", path=search)), "Knot": (Knot, shutil.which("knotd", path=search))}
    for name in [n for n, (_, program) in peers.items() if not program]:
        print(f"no {name} here: it is left out")
        del peers[name]
    table, began = Progress(list(peers)), time.monotonic()
    for what in sys.argv[1:] or ("rates", "more", "flood", "fresh"):
        {"rates": rates, "more": more, "flood": flood, "fresh": fresh}[what](table, peers)
    print(f"\nDNS over UDP with EDNS, {INSTANCES} instances; one core for who is asked, another for dnsperf; "
          f"{SECONDS:g} s a run, medians of {ROUNDS}; {NAMES} unknown names, Consul {NAMES // 20}\n")
    table.print()
    missed = judge(table)
    print(f"\n{missed or 'Nothing'} missed. All this took {(time.monotonic() - began) / 60:.1f} minutes.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
