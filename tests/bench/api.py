"""api.py - what ./dev bench --api prints: the HTTP API's speed and size beside Consul's, and nginx's for a static body.

One server unless a row says otherwise, one wrk thread with 64 connections. The peers take turns, several times, and the
medians are printed: on a busy machine only the ratios of one run mean anything. Beside each rate stands the CPU time that
the server itself spent on a request, which others cannot disturb.

    ./dev bench --api           the table of rates, waiting clients, memory
    ./dev bench --api curves    the cost of a request by the number of keys, and of watchers of other keys
    ./dev bench --api million   a million keys: bytes a key, restart, puts during a snapshot
    ./dev bench --api crowd     100,000 clients wait, each for a key of its own, through seven agents
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from bench import Table
from peers import CONNECTIONS, PUT_SCRIPT, SECONDS, VALUE, ConsulLike, Subject, call, memory_kib, wait_for

BIN = os.environ["MUSTER_BIN"]
CONSUL = os.environ.get("MUSTER_CONSUL") or None
WAITERS = os.path.join(os.environ.get("MUSTER_BENCH_LIBS", ""), "load_waiters")
ROUNDS = int(os.environ.get("MUSTER_BENCH_ROUNDS", "3"))
CROWD = int(os.environ.get("MUSTER_BENCH_CROWD", "100100"))
CLIENTS = int(os.environ.get("MUSTER_BENCH_CLIENTS", "10000"))
KEYS = int(os.environ.get("MUSTER_BENCH_KEYS", "1000000"))
SNAPSHOTS = 10
TICK = os.sysconf("SC_CLK_TCK")

# What is to be reached: row, compared with whom (None: nobody), at least or at most how much (of the other's figure).
TARGETS = [
    ("KV get, 1/s", "Consul", "at least", 2.5),
    ("KV get, 1/s", "nginx", "at least", 0.6),
    ("3 servers, KV get ?consistent, 1/s", "Consul", "at least", 2.5),
    ("KV put, 1/s", "Consul", "at least", 3),
    ("10 instances, passing, 1/s", "Consul", "at least", 5),
    (f"{CLIENTS} wait, one write: last, ms", "Consul", "at most", 1 / 3),
    (f"{CLIENTS} wait, the same key: KiB each", None, "at most", 8),
    (f"{CLIENTS} wait, keys of their own: KiB each", None, "at most", 8),
    ("10000 keys, 1000 instances: resident, MiB", None, "at most", 12),
    ("registered on A until a watcher on B has it, ms", "Consul", "at most", 1 / 2),
    (f"{CROWD // 7 * 7} wait: server's KiB each", None, "at most", 8),
    ("put p99 during a snapshot / quiet", None, "at most", 2),
    ("KV get: CPU at 100000 keys / at 100", None, "at most", 2.5),  # log 100,000 / log 100
    ("KV put: CPU at 100000 keys / at 100", None, "at most", 2.5),
    (f"KV get: CPU with {CLIENTS} watchers / with none", None, "at most", 1.25),  # within what runs differ
    (f"KV put: CPU with {CLIENTS} watchers / with none", None, "at most", 1.25),
]


def cpu_seconds(child):
    """User and system time of a process and, for nginx, of its workers."""
    pids = [child.pid]
    with open(f"/proc/{child.pid}/task/{child.pid}/children") as f:
        pids += f.read().split()
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def load(table, subject, what, path, script=None, server=0):
    """One row of requests a second, one of CPU time each."""
    child = subject.children[server]
    argv = subject.wrk_command(path, script, subject.servers[server], subject.port, SECONDS)
    argv[argv.index("-t") + 1] = "1"
    before = cpu_seconds(child)
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    spent, (rate, p99) = cpu_seconds(child) - before, subject.read_wrk(out)
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    table.add(subject.name, f"{what}, 1/s", rate)
    table.add(subject.name, f"{what}: 99th centile, ms", p99)
    table.add(subject.name, f"{what}: server's CPU, us", spent / requests * 1e6)


class Progress(Table):
    """Also tells each value as it comes: all of it takes minutes."""

    def add(self, name, key, value):
        super().add(name, key, value)
        print(f"{name}: {key}: {value:.3f}", file=sys.stderr, flush=True)


class Nginx(Subject):
    """The same bytes as a KV get's, from memory."""

    port = 18500

    def start_server(self, body):
        self.servers = [self.address(0)]
        config = os.path.join(self.dir, "nginx.conf")
        with open(config, "w") as f:
            f.write(f"""daemon off; worker_processes {os.cpu_count()}; pid {self.dir}/pid; error_log {self.dir}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 300s; server_tokens off;
  client_body_temp_path {self.dir}; proxy_temp_path {self.dir}; fastcgi_temp_path {self.dir};
  uwsgi_temp_path {self.dir}; scgi_temp_path {self.dir};
  server {{ listen {self.servers[0]}:{self.port} reuseport backlog=1024; default_type application/json;
    location / {{ return 200 '{body}'; }} }} }}
""")
        self.run("nginx", "-c", config, "-p", self.dir)
        wait_for(lambda: call(self.servers[0], "GET", "/v1/kv/first", port=self.port)[0] == 200, "nginx answers")

    def stop(self):
        for child in self.children:
            child.terminate()
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Server(ConsulLike):
    port = 8500

    def open(self, *flags, clients=CLIENTS):
        config = os.path.join(self.dir, "limits.json")
        with open(config, "w") as f:
            json.dump({"limits": {"http_max_conns_per_client": clients + 1000}}, f)
        self.flags = ("-config-file", config)
        self.servers = [self.address(0)]
        self.agent("s", self.servers[0], "-server", "-bootstrap-expect", "1", *self.flags, *flags)
        self.wait_for_writes()

    def put(self, path, body):
        status, reply = call(self.servers[0], "PUT", path, body, timeout=30)
        if status != 200:
            sys.exit(f"bench: {self.name}: {path}: {status} {reply!r}")

    def register(self, node, service, number):
        self.put("/v1/catalog/register", json.dumps({
            "Node": node, "Address": "10.1.2.3", "Service": {"ID": f"{service}-{number}", "Service": service, "Port": 8080,
                                                            "Tags": ["v1"]},
            "Check": {"Node": node, "CheckID": f"service:{service}-{number}", "Name": "alive", "Status": "passing",
                      "ServiceID": f"{service}-{number}"}}))

    def load_keys(self, first, count):
        """Puts with a few connections, each with many requests under way; keys are /bulk/0000000."""
        lanes = [(first + i * count // 8, first + (i + 1) * count // 8) for i in range(8)]
        threads = [threading.Thread(target=self.fill, args=lane) for lane in lanes]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def fill(self, first, end):
        with socket.create_connection((self.servers[0], 8500), timeout=120) as s:
            for at in range(first, end, 100):
                keys = range(at, min(at + 100, end))
                s.sendall("".join(f"PUT /v1/kv/bulk/{k:07} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(VALUE)}\r\n\r\n{VALUE}"
                                  for k in keys).encode())
                data = b""
                while data.count(b"\r\n\r\ntrue") < len(keys):
                    piece = s.recv(65536)
                    if not piece:
                        sys.exit(f"bench: {self.name}: puts end after {at}")
                    data += piece


def with_waiters(subject, clients, keys, wakes, measure):
    """Runs load_waiters; measure(stage) is called before there are any and when all wait. Gives first, median, last of each
    wake."""
    p = subprocess.Popen([WAITERS, subject.servers[0], "8500", str(clients), str(keys), str(wakes)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def turn(expected=None):
        p.stdin.write("\n")
        p.stdin.flush()
        line = p.stdout.readline().strip()
        if expected and line != expected:
            sys.exit(f"bench: load_waiters says {line!r}")
        return line

    results = []
    try:
        if p.stdout.readline() != "ready\n":
            sys.exit("bench: load_waiters does not start")
        time.sleep(1)
        measure("before")
        turn("waiting")
        time.sleep(3)
        measure("waiting")
        for _ in range(wakes):
            before = cpu_seconds(subject.children[0])
            results.append([float(x) for x in turn().split()])
            results[-1].append(cpu_seconds(subject.children[0]) - before)
            time.sleep(2)
    finally:
        p.stdin.close()
        p.wait()
    return results


def measure_waiters(table, s):
    seen = {}

    def measure(stage):
        seen[stage] = memory_kib(s.children[0].pid)[0]

    for keys, what in ((1, "the same key"), (CLIENTS, "keys of their own")):
        wakes = with_waiters(s, CLIENTS, keys, 5 if keys == 1 else 0, measure)
        table.add(s.name, f"{CLIENTS} wait, {what}: KiB each", (seen["waiting"] - seen["before"]) / CLIENTS)
        for _, median, last, cpu in wakes:
            table.add(s.name, f"{CLIENTS} wait, one write: median, ms", median)
            table.add(s.name, f"{CLIENTS} wait, one write: last, ms", last)
            table.add(s.name, f"{CLIENTS} wait, one write: server's CPU, ms", cpu * 1000)
        time.sleep(2)


def measure_rates(table, subjects, nginx):
    for s in subjects:
        s.open()
        s.write(s.servers[0], VALUE)
        for i in range(10):
            s.register(f"node-{i}", "web", i)
    if nginx:
        nginx.start_server(call(subjects[0].servers[0], "GET", "/v1/kv/first")[1].decode().strip())
    for _ in range(ROUNDS):
        for s in subjects + ([nginx] if nginx else []):
            load(table, s, "KV get", "/v1/kv/first")
        for s in subjects:
            load(table, s, "KV put", "/v1/kv/bench/x", PUT_SCRIPT)
        for s in subjects:
            load(table, s, "10 instances, passing", "/v1/health/service/web?passing")


def measure_consistent(table, subjects):
    for s in subjects:
        s.start_three()
    for s in subjects:
        leader = s.leader()
        call(s.servers[leader], "PUT", "/v1/kv/first", VALUE)
        for _ in range(ROUNDS):
            load(table, s, "3 servers, KV get ?consistent", "/v1/kv/first?consistent", None, leader)


def measure_size(table, s):
    s.open()
    s.load_keys(0, 10000)
    for i in range(1000):
        s.register(f"node-{i % 100}", f"service-{i % 50}", i)
    time.sleep(5)
    table.add(s.name, "10000 keys, 1000 instances: resident, MiB", memory_kib(s.children[0].pid)[0] / 1024)


def index_of(reply):
    return reply.getheader("X-Consul-Index")


def measure_propagation(table, s, rounds=60):
    """Registered on one agent until a blocking query at another one returns with it."""
    s.open()
    hosts = [s.address(i) for i in (1, 2)]
    for i, host in enumerate(hosts):
        s.agent(f"a{i}", host, "-retry-join", s.servers[0], "-retry-interval", "1s")
    for host in hosts:
        wait_for(lambda h=host: call(h, "GET", "/v1/kv/first")[0] == 200, f"{s.name}'s agents read")
    time.sleep(3)
    writer, reader = (http.client.HTTPConnection(h, 8500, timeout=30) for h in hosts)
    index, times = "0", []
    for n in range(rounds + 1):
        if n:
            reader.request("GET", f"/v1/health/service/moving?index={index}&wait=20s")
            time.sleep(0.05)
            began = time.perf_counter()
            writer.request("PUT", "/v1/agent/service/register", json.dumps({"Name": "moving", "Port": 1000 + n}))
            reply = reader.getresponse()
            body = reply.read()
            times.append((time.perf_counter() - began) * 1000)
            if f'"Port":{1000 + n}' not in body.decode().replace(" ", ""):
                times.pop()  # woken by its check, say: not what is measured
            writer.getresponse().read()
            time.sleep(0.05)
        reader.request("GET", "/v1/health/service/moving")
        reply = reader.getresponse()
        reply.read()
        index = index_of(reply)
    table.add(s.name, "registered on A until a watcher on B has it, ms", statistics.median(times))


def judge(table):
    """Prints each target that this run has measured. How many are missed?"""
    missed, lines = 0, []
    for row, other, kind, bound in TARGETS:
        ours, theirs = (statistics.median(table.rows.get(row, {}).get(n) or [0]) for n in ("muster", other))
        if not ours or (other and not theirs):
            continue
        got = ours / theirs if other else ours
        reached = got >= bound if kind == "at least" else got <= bound
        missed += not reached
        lines.append(f"{row:50}{ours:12.2f}" + (f"{theirs:12.2f}{got:8.2f}" if other else " " * 20) +
                     f"  {kind} {bound:.2f}{' x ' + other if other else ''}{'' if reached else '   MISSED'}")
    if lines:
        print(f"\n{'to reach':50}{'muster':>12}{'other':>12}{'ratio':>8}", *lines, sep="\n")
    return missed


def add_ratio(table, name, what, row, base):
    median = [statistics.median(table.rows[key][name]) for key in (row, base)]
    table.add(name, what, median[0] / median[1])


def started(names, programs, last, function, *args):
    subjects = [Server(n, programs[n], last + 10 * i) for i, n in enumerate(names)]
    try:
        return function(subjects, *args)
    finally:
        for s in subjects:
            s.stop()


def each(table, subjects, measure):
    for s in subjects:
        measure(table, s)
        for child in s.children:
            child.kill()


def table_of_rates(names, programs):
    table = Progress(names + (["nginx"] if shutil.which("nginx") else []))
    nginx = Nginx("nginx", "nginx", 91) if shutil.which("nginx") else None
    try:
        started(names, programs, 11, lambda subjects: measure_rates(table, subjects, nginx))
    finally:
        if nginx:
            nginx.stop()
    started(names, programs, 51, lambda subjects: measure_consistent(table, subjects))

    def waiting(t, s):
        s.open()
        measure_waiters(t, s)

    for last, measure in ((101, waiting), (121, measure_size), (141, measure_propagation)):
        started(names, programs, last, lambda subjects, m=measure: each(table, subjects, m))
    return table


def curves(names, programs):
    """How a request's cost grows with what it has nothing to do with."""
    def by_keys(subjects):
        loaded = 0
        for count in (100, 10000, 100000):
            for s in subjects:
                s.load_keys(loaded, count - loaded)
            for _ in range(ROUNDS):
                for s in subjects:
                    load(table, s, f"{count} keys: KV get", "/v1/kv/bulk/0000050")
                    load(table, s, f"{count} keys: KV put", "/v1/kv/bench/x", PUT_SCRIPT)
            loaded = count

    def by_watchers(subjects):
        for count in (0, 1000, CLIENTS):
            for s in subjects:
                def measure(stage, s=s, count=count):
                    for _ in range(ROUNDS if stage == "waiting" else 0):
                        load(table, s, f"{count} watchers of other keys: KV put", "/v1/kv/bench/x", PUT_SCRIPT)
                        load(table, s, f"{count} watchers of other keys: KV get", "/v1/kv/first")
                s.write(s.servers[0], VALUE)
                with_waiters(s, count, max(count, 1), 0, measure)

    table = Progress(names)
    for last, measure in ((11, by_keys), (51, by_watchers)):
        def run(subjects, m=measure):
            for s in subjects:
                s.open()
            m(subjects)
        started(names, programs, last, run)
    cpu = "server's CPU, us"
    for name in names:
        for op in ("KV get", "KV put"):
            add_ratio(table, name, f"{op}: CPU at 100000 keys / at 100", f"100000 keys: {op}: {cpu}", f"100 keys: {op}: {cpu}")
            add_ratio(table, name, f"{op}: CPU with {CLIENTS} watchers / with none",
                      f"{CLIENTS} watchers of other keys: {op}: {cpu}", f"0 watchers of other keys: {op}: {cpu}")
    return table


class Crowd:
    """Clients at one agent, or at the server itself, as a process of load_waiters."""

    def __init__(self, host, clients, prefix):
        self.p = subprocess.Popen([WAITERS, host, "8500", str(clients), str(clients), "1000", prefix],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("ready")

    def expect(self, word):
        line = self.p.stdout.readline().strip()
        if word and line != word:
            sys.exit(f"bench: load_waiters says {line!r}")
        return line

    def turn(self, word=None):
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        return self.expect(word)

    def stop(self):
        self.p.stdin.close()
        self.p.wait()


def crowd(names, programs):
    """More than a process may have open files here wait at one server: through agents, each of which has one connection."""
    agents, each_has = 7, CROWD // 7

    def measure(t, s):
        s.open(clients=each_has)
        hosts = [s.address(i + 1) for i in range(agents)]
        for i, host in enumerate(hosts):
            s.agent(f"a{i}", host, "-retry-join", s.servers[0], "-retry-interval", "1s", *s.flags)
        for host in hosts:
            wait_for(lambda h=host: call(h, "GET", "/v1/kv/first")[0] == 200, "agents read")
        groups = []
        try:
            groups = [Crowd(host, each_has, f"crowd-{i}") for i, host in enumerate(hosts)]
            time.sleep(2)
            load(t, s, "nobody waits: KV put", "/v1/kv/bench/x", PUT_SCRIPT)
            before = [memory_kib(c.pid)[0] for c in s.children]
            for g in groups:
                g.turn("waiting")
            time.sleep(5)
            after = [memory_kib(c.pid)[0] for c in s.children]
            total = agents * each_has
            t.add(s.name, f"{total} wait: server's KiB each", (after[0] - before[0]) / total)
            t.add(s.name, f"{total} wait: agent's KiB each", (sum(after[1:]) - sum(before[1:])) / total)
            load(t, s, f"{total} wait: KV put", "/v1/kv/bench/x", PUT_SCRIPT)
            for _ in range(20):
                for g in groups:
                    t.add(s.name, f"{total} wait: one write until its one client has it, ms", float(g.turn().split()[2]))
        finally:
            for g in groups:
                g.stop()

    table = Progress(names[:1])
    started(names[:1], programs, 161, lambda subjects: each(table, subjects, measure))
    return table


def put_times(s, seconds, stop):
    """One client, one put after the other: all times in ms."""
    message = f"PUT /v1/kv/bench/timed HTTP/1.1\r\nHost: x\r\nContent-Length: {len(VALUE)}\r\n\r\n{VALUE}".encode()
    times = []
    with socket.create_connection((s.servers[0], 8500), timeout=60) as c:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end and not (stop and stop.is_set()):
            c.sendall(message)
            c.recv(4096)
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)


def measure_snapshots(table, s):
    """Puts without and with a snapshot under way, in turns: what others do to the disk meanwhile, they do to both."""
    quiet, busy = [], []
    for _ in range(SNAPSHOTS):
        done = threading.Event()

        def snapshot(done=done):
            began = time.monotonic()
            call(s.servers[0], "GET", "/v1/snapshot", timeout=300)
            table.add(s.name, "snapshot of all keys, s", time.monotonic() - began)
            done.set()

        quiet += put_times(s, 2, None)
        thread = threading.Thread(target=snapshot)
        thread.start()
        busy += put_times(s, 300, done)
        thread.join()
    for what, times in (("quiet", quiet), ("during a snapshot", busy)):
        times.sort()
        table.add(s.name, f"put, {what}: median, ms", statistics.median(times))
        table.add(s.name, f"put, {what}: 99th centile, ms", times[len(times) * 99 // 100])
    add_ratio(table, s.name, "put p99 during a snapshot / quiet", "put, during a snapshot: 99th centile, ms",
              "put, quiet: 99th centile, ms")


def million(names, programs):
    def run(subjects):
        for s in subjects:
            s.open()
            time.sleep(1)
            before = memory_kib(s.children[0].pid)[0]
            began = time.monotonic()
            s.load_keys(0, KEYS)
            table.add(s.name, f"{KEYS} keys: loaded in, s", time.monotonic() - began)
            time.sleep(3)
            table.add(s.name, f"{KEYS} keys: resident bytes a key", (memory_kib(s.children[0].pid)[0] - before) * 1024 / KEYS)
            measure_snapshots(table, s)
            s.children[0].kill()
            s.children[0].wait()
            began = time.monotonic()
            s.start(0)
            wait_for(lambda s=s: call(s.servers[0], "GET", f"/v1/kv/bulk/{KEYS - 1:07}", timeout=1)[0] == 200, "it is back", 300)
            table.add(s.name, "killed and restarted: first read, s", time.monotonic() - began)
            s.children[0].kill()

    table = Progress(names)
    started(names, programs, 11, run)
    return table


def main():
    programs = {"muster": os.path.join(BIN, "muster"), "Consul": CONSUL}
    names = [n for n in programs if programs[n]]
    what = sys.argv[1] if len(sys.argv) > 1 else "rates"
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    table = {"rates": table_of_rates, "curves": curves, "million": million, "crowd": crowd}[what](names, programs)
    print(f"\n{os.cpu_count()} cores, shared with the load generator; one wrk thread with {CONNECTIONS} connections for "
          f"{SECONDS:.0f} s; medians of {ROUNDS}\n")
    table.print()
    missed = judge(table)
    print(f"\n{missed or 'Nothing'} missed. All this took {(time.monotonic() - began) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
