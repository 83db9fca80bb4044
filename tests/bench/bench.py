"""bench.py - what ./dev bench prints: muster and its peers (Consul and etcd, where they can be had) in one run.

All run on loopback with their data on the same disk; the load comes from wrk with the same connections for all. The ratio
is what counts: the machine is shared with the load generator, and noisy. First one server and one agent, then three servers.
"""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BIN = os.environ["MUSTER_BIN"]
CONSUL = os.environ.get("MUSTER_CONSUL") or None
SECONDS = float(os.environ.get("MUSTER_BENCH_SECONDS", "5"))
CONNECTIONS = 64
NET = "127.9.9"

PUT_SCRIPT = """
local n = 0
local id = math.random(1000000)
request = function()
    n = n + 1
    return wrk.format("PUT", "/v1/kv/bench/" .. id .. "/" .. (n % 1000), nil, "0123456789abcdef0123456789abcdef")
end
response = function(status) if status ~= 200 then failures = (failures or 0) + 1 end end
"""


# The same keys and values through etcd's JSON gateway, whose bytes are base64.
ETCD_SCRIPT = """
local n = 0
local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
request = function()
    n = n + 1
    local i = n % 1000
    local key = "YmVuY2gv" .. digits:sub(i % 64 + 1, i % 64 + 1) .. digits:sub(math.floor(i / 64) + 1, math.floor(i / 64) + 1) .. "AA"
    return wrk.format("POST", "/v3/kv/put", nil, '{"key":"' .. key .. '","value":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}')
end
"""


def call(host, method, path, body=None, timeout=5, port=8500):
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body=body)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def wait_for(check, what, timeout=60):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except OSError:
            pass
        time.sleep(0.002)
    sys.exit(f"bench: {what}: not within {timeout} s")


def memory_kib(pid):
    """Resident memory: all, and what is the process's alone (neither shared libraries nor its own text)."""
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    return tuple(int(re.search(rf"{key}:\s+(\d+)", text).group(1)) for key in ("VmRSS", "RssAnon"))


class Subject:
    """A peer's processes; addresses of their own for each."""

    def __init__(self, name, program, last):
        self.name, self.program, self.last = name, program, last
        self.dir = tempfile.mkdtemp(prefix="muster-bench-", dir=os.environ.get("MUSTER_BENCH_DIR"))
        self.servers = []  # addresses
        self.children = []

    def address(self, i):
        return f"{NET}.{self.last + i}"

    def run(self, *argv):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            child = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.children.append(child)
        return child

    def wrk(self, path, script=None, host=None, port=8500):
        argv = ["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS:.0f}s", "--latency"]
        if script:
            lua = os.path.join(self.dir, "script.lua")
            with open(lua, "w") as f:
                f.write(script)
            argv += ["-s", lua]
        argv.append(f"http://{host or self.servers[0]}:{port}{path}")
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            print(f"bench: {self.name}: {out}", file=sys.stderr)
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
        scale = {"us": 0.001, "ms": 1, "s": 1000}
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), float(p99.group(1)) * scale[p99.group(2)]

    def stop(self):
        for child in self.children:
            child.send_signal(signal.SIGKILL)
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class ConsulLike(Subject):
    """muster and Consul: the same command line and API."""

    def agent(self, name, address, *flags):
        return self.run(self.program, "agent", "-log-level", "warn", "-node", name, "-bind", address, "-client", address,
                        "-data-dir", os.path.join(self.dir, name), *flags)

    def start_server(self):
        self.servers = [self.address(0)]
        began = time.monotonic()
        child = self.agent("s", self.servers[0], "-server", "-bootstrap-expect", "1")
        wait_for(lambda: call(self.servers[0], "GET", "/v1/agent/self")[0] == 200, f"{self.name} answers")
        answered = time.monotonic() - began
        self.wait_for_writes()
        return child, answered, time.monotonic() - began

    def start_agent(self):
        began = time.monotonic()
        address = self.address(1)
        child = self.agent("a", address, "-retry-join", self.servers[0])
        wait_for(lambda: call(address, "GET", "/v1/kv/first")[0] == 200, f"{self.name}'s agent reads")
        return child, time.monotonic() - began

    def wait_for_writes(self, host=None):
        wait_for(lambda: call(host or self.servers[0], "PUT", "/v1/kv/first", "1", timeout=1)[1].strip() == b"true",
                 f"{self.name} writes")

    def start_three(self):
        self.servers = [self.address(i) for i in range(3)]
        joins = [flag for a in self.servers for flag in ("-retry-join", a)]
        config = os.path.join(self.dir, "fast.json")
        with open(config, "w") as f:
            f.write('{"performance": {"raft_multiplier": 1}}')
        for i, a in enumerate(self.servers):
            self.agent(f"s{i}", a, "-server", "-bootstrap-expect", "3", "-retry-interval", "1s", "-config-file", config, *joins)
        self.wait_for_writes()

    def leader(self):
        text = call(self.servers[0], "GET", "/v1/status/leader")[1].decode()
        return int(re.search(r"\.(\d+):", text).group(1)) - self.last

    def three_puts(self):
        return self.wrk("/v1/kv/bench/x", PUT_SCRIPT, self.servers[self.leader()])

    def failover(self):
        leader = self.leader()
        self.children[leader].send_signal(signal.SIGKILL)
        began = time.monotonic()
        self.wait_for_writes(self.servers[(leader + 1) % 3])
        return time.monotonic() - began


class Etcd(Subject):
    def start_three(self):
        self.servers = [self.address(i) for i in range(3)]
        peers = ",".join(f"e{i}=http://{a}:2380" for i, a in enumerate(self.servers))
        for i, a in enumerate(self.servers):
            self.run(self.program, "--name", f"e{i}", "--data-dir", os.path.join(self.dir, f"e{i}"), "--listen-client-urls",
                     f"http://{a}:2379", "--advertise-client-urls", f"http://{a}:2379", "--listen-peer-urls", f"http://{a}:2380",
                     "--initial-advertise-peer-urls", f"http://{a}:2380", "--initial-cluster", peers)
        wait_for(lambda: call(self.servers[0], "POST", "/v3/kv/put", '{"key":"YQ==","value":"YQ=="}', port=2379)[0] == 200,
                 "etcd writes")

    def leader(self):
        for i, a in enumerate(self.servers):
            status = json.loads(call(a, "POST", "/v3/maintenance/status", "{}", port=2379)[1])
            if status["leader"] == status["header"]["member_id"]:
                return i
        return 0

    def three_puts(self):
        return self.wrk("/v3/kv/put", ETCD_SCRIPT, self.servers[self.leader()], 2379)

    def failover(self):
        return None


def size_mib(*paths):
    return sum(os.path.getsize(p) for p in paths) / 2**20


def measure(subject, binaries):
    rows = {}
    try:
        server, rows["server: start to first answer, ms"], rows["server: start to first write, ms"] = subject.start_server()
        agent, rows["agent: start to first read through it, ms"] = subject.start_agent()
        for key in list(rows):
            rows[key] *= 1000
        time.sleep(3)  # idle: let start-up work end
        for what, child in (("server", server), ("agent", agent)):
            rss, anon = memory_kib(child.pid)
            rows[f"idle {what}: resident, MiB"] = rss / 1024
            rows[f"idle {what}: of it its own, MiB"] = anon / 1024
        rows["binaries, MiB"] = size_mib(*binaries)
        call(subject.servers[0], "PUT", "/v1/kv/bench/one", "0123456789abcdef0123456789abcdef")
        rows["KV get, 1/s"], rows["KV get: 99th centile, ms"] = subject.wrk("/v1/kv/bench/one")
        rows["KV put, 1/s"], rows["KV put: 99th centile, ms"] = subject.wrk("/v1/kv/bench/x", PUT_SCRIPT)
        rows["loaded server: resident, MiB"] = memory_kib(server.pid)[0] / 1024
    finally:
        subject.stop()
    return rows


def measure_three(subject):
    rows = {}
    try:
        subject.start_three()
        time.sleep(2)
        rows["3 servers: KV put, 1/s"], rows["3 servers: KV put: 99th centile, ms"] = subject.three_puts()
        failover = subject.failover()
        if failover is not None:
            rows["3 servers: leader killed to next write, ms"] = failover * 1000
    finally:
        subject.stop()
    return rows


def print_table(columns):
    """columns: name -> rows; the first is ours, and the last columns are its ratio to each of the others."""
    names = [n for n in columns if columns[n]]
    print(f"{'':46}" + "".join(f"{n:>12}" for n in names) + "".join(f"{'/' + n:>10}" for n in names[1:]))
    for key, value in columns[names[0]].items():
        values = [columns[n].get(key) for n in names]
        cells = "".join(f"{v:12.1f}" if v is not None else f"{'':12}" for v in values)
        print(f"{key:46}{cells}" + "".join(f"{value / v:10.3f}" if v else f"{'':10}" for v in values[1:]))


def main():
    muster = os.path.join(BIN, "muster")
    etcd = shutil.which("etcd")
    binaries = [os.path.join(BIN, name) for name in ("muster-server", "muster-agent", "muster")]
    if not CONSUL:
        print("no Consul binary here: it is left out")
    one = {"muster": measure(ConsulLike("muster", muster, 11), binaries),
           "Consul": measure(ConsulLike("Consul", CONSUL, 21), [CONSUL]) if CONSUL else {}}
    three = {"muster": measure_three(ConsulLike("muster", muster, 31)),
             "Consul": measure_three(ConsulLike("Consul", CONSUL, 41)) if CONSUL else {},
             "etcd": measure_three(Etcd("etcd", etcd, 51)) if etcd else {}}
    print(f"\n{os.cpu_count()} cores, shared with the load generator; wrk with {CONNECTIONS} connections for {SECONDS:.0f} s\n")
    print_table(one)
    print()
    print_table(three)


main()
