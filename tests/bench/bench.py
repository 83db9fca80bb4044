"""bench.py - what ./dev bench prints: muster and, where a Consul binary can be had, Consul, in one run on this machine.

Both run one server and one agent on loopback with their data on the same disk; the load comes from wrk with the same
connections for both. The ratio is what counts: the machine is shared with the load generator, and noisy.
"""
import http.client
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
CONNECTIONS = 32
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


def call(host, method, path, body=None, timeout=5):
    connection = http.client.HTTPConnection(host, 8500, timeout=timeout)
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
    """One server and one agent of either kind."""

    def __init__(self, name, program, last):
        self.name, self.program = name, program
        self.server, self.agent = f"{NET}.{last}", f"{NET}.{last + 1}"
        self.dir = tempfile.mkdtemp(prefix="muster-bench-", dir=os.environ.get("MUSTER_BENCH_DIR"))
        self.children = []

    def spawn(self, *args):
        log = open(os.path.join(self.dir, "log"), "ab")
        child = subprocess.Popen([self.program, "agent", "-log-level", "warn", *args], stdout=log, stderr=log,
                                 stdin=subprocess.DEVNULL, start_new_session=True)
        self.children.append(child)
        return child

    def start_server(self):
        began = time.monotonic()
        child = self.spawn("-server", "-bootstrap-expect", "1", "-node", "s", "-bind", self.server, "-client", self.server,
                           "-data-dir", os.path.join(self.dir, "s"))
        wait_for(lambda: call(self.server, "GET", "/v1/agent/self")[0] == 200, f"{self.name} answers")
        answered = time.monotonic() - began
        wait_for(lambda: call(self.server, "PUT", "/v1/kv/first", "1")[1].strip() == b"true", f"{self.name} writes")
        return child, answered, time.monotonic() - began

    def start_agent(self):
        began = time.monotonic()
        child = self.spawn("-node", "a", "-bind", self.agent, "-client", self.agent, "-data-dir",
                           os.path.join(self.dir, "a"), "-retry-join", self.server)
        wait_for(lambda: call(self.agent, "GET", "/v1/kv/first")[0] == 200, f"{self.name}'s agent reads")
        return child, time.monotonic() - began

    def wrk(self, path, script=None):
        argv = ["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS:.0f}s", "--latency"]
        if script:
            lua = os.path.join(self.dir, "script.lua")
            with open(lua, "w") as f:
                f.write(script)
            argv += ["-s", lua]
        out = subprocess.run(argv + [f"http://{self.server}:8500{path}"], capture_output=True, text=True, check=True).stdout
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
        call(subject.server, "PUT", "/v1/kv/bench/one", "0123456789abcdef0123456789abcdef")
        rows["KV get, 1/s"], rows["KV get: 99th centile, ms"] = subject.wrk("/v1/kv/bench/one")
        rows["KV put, 1/s"], rows["KV put: 99th centile, ms"] = subject.wrk("/v1/kv/bench/x", PUT_SCRIPT)
        rows["loaded server: resident, MiB"] = memory_kib(server.pid)[0] / 1024
    finally:
        subject.stop()
    return rows


def main():
    ours = measure(Subject("muster", os.path.join(BIN, "muster"), 11),
                   [os.path.join(BIN, "muster-server"), os.path.join(BIN, "muster-agent"), os.path.join(BIN, "muster")])
    theirs = measure(Subject("Consul", CONSUL, 21), [CONSUL]) if CONSUL else {}
    if not CONSUL:
        print("no Consul binary here: muster alone")
    print(f"\n{os.cpu_count()} cores, shared with the load generator; wrk with {CONNECTIONS} connections for {SECONDS:.0f} s\n")
    print(f"{'':44}{'muster':>12}{'Consul':>12}{'muster/Consul':>16}")
    for key, value in ours.items():
        other = theirs.get(key)
        print(f"{key:44}{value:12.1f}" + (f"{other:12.1f}{value / other:16.3f}" if other else ""))


main()
