"""peers.py - muster and what it is measured against (Consul and etcd), as processes on loopback addresses of their own, and
the load on them."""
import base64
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from kit import dig, wait_until  # noqa: E402

CONNECTIONS = 64
SECONDS = float(os.environ.get("MUSTER_BENCH_SECONDS", "4"))
NET = f"127.{random.randint(20, 250)}.{random.randint(1, 250)}"
VALUE = "0123456789abcdef0123456789abcdef"

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
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            pass
        time.sleep(0.002)
    sys.exit(f"bench: {what}: not within {timeout} s")


def memory_kib(pid):
    """Resident memory: all, and what is the process's alone (neither shared libraries nor its own text)."""
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    return tuple(int(re.search(rf"{key}:\s+(\d+)", text).group(1)) for key in ("VmRSS", "RssAnon"))


def ask_again_and_again(host, port, message, seconds):
    """One client on one connection, one request after the other: the median, in ms."""
    times = []
    with socket.create_connection((host, port), timeout=10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            s.sendall(message)
            data = s.recv(65536)
            while not is_whole(data):
                data += s.recv(65536)
            times.append(time.perf_counter() - began)
            if b" 200 " not in data[:16]:
                sys.exit(f"bench: {host}: {data!r}")
    return statistics.median(times) * 1000


def is_whole(reply):
    head, mark, body = reply.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(mark) and (len(body) >= int(length.group(1)) if length else body.endswith(b"0\r\n\r\n"))


def sync_again_and_again(folder, seconds):
    """fdatasync of a few hundred bytes appended to a file whose blocks are there already: the median, in ms."""
    times, path, size = [], os.path.join(folder, "sync"), 4 << 20
    with open(path, "wb", buffering=0) as f:
        f.write(bytes(size))
        os.fsync(f.fileno())
        end, at = time.perf_counter() + seconds, 0
        while (began := time.perf_counter()) < end:
            os.pwrite(f.fileno(), b"x" * 200, at % (size - 200))
            os.fdatasync(f.fileno())
            times.append(time.perf_counter() - began)
            at += 200
    os.unlink(path)
    return statistics.median(times) * 1000


class Subject:
    """A peer's processes; addresses of their own for each."""

    def __init__(self, name, program, last):
        self.name, self.program, self.last = name, program, last
        self.dir = tempfile.mkdtemp(prefix="muster-bench-")
        self.servers = []  # addresses
        self.commands, self.children = [], []
        self.values = 0

    def address(self, i):
        return f"{NET}.{self.last + i}"

    def log_path(self, i):
        return os.path.join(self.dir, f"log-{i}")

    def run(self, *argv):
        self.commands.append(argv)
        self.children.append(None)
        return self.start(len(self.commands) - 1)

    def start(self, i):
        with open(self.log_path(i), "ab") as log:
            self.children[i] = subprocess.Popen(self.commands[i], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                start_new_session=True)
        return self.children[i]

    def wrk_command(self, path, script, host, port, seconds, connections=CONNECTIONS):
        argv = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", f"{seconds:.0f}s", "--latency"]
        if script:
            lua = os.path.join(self.dir, "script.lua")
            with open(lua, "w") as f:
                f.write(script)
            argv += ["-s", lua]
        return [*argv, f"http://{host}:{port}{path}"]

    def wrk(self, path, script=None, host=None, port=8500, connections=CONNECTIONS):
        argv = self.wrk_command(path, script, host or self.servers[0], port, SECONDS, connections)
        return self.read_wrk(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)

    def read_wrk(self, out):
        """Requests a second and the 99th centile in ms."""
        if "Non-2xx" in out or "Socket errors" in out:
            print(f"bench: {self.name}: {out}", file=sys.stderr)
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", out)
        scale = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), float(p99.group(1)) * scale[p99.group(2)]

    def stop(self):
        for child in self.children:
            child.kill()
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def is_running(self, i):
        return self.children[i].poll() is None

    def wait_for_writes(self, host=None):
        wait_for(lambda: self.write(host or self.servers[0], "x"), f"{self.name} writes")

    def leader(self):
        """Once there is one that runs."""
        found = []

        def check():
            for i, a in enumerate(self.servers):
                leader = self.leader_of(a) if self.is_running(i) else None
                if leader is not None and self.is_running(leader):
                    found.append(leader)
                    return True
            return False

        wait_for(check, f"{self.name} has a leader")
        return found[0]

    def failover(self):
        """Kills the leader and asks another server until it acknowledges a write: ms. Then all three are well again."""
        leader = self.leader()
        survivor = self.servers[(leader + 1) % 3]
        self.children[leader].send_signal(signal.SIGKILL)
        began = time.monotonic()
        self.wait_for_writes(survivor)
        took = time.monotonic() - began
        self.children[leader].wait()
        self.start(leader)
        self.values += 1
        value = f"after {self.values}"
        wait_for(lambda: self.write(survivor, value) and self.read_stale(self.servers[leader]) == value,
                 f"{self.name}'s killed server is back")
        time.sleep(2)  # gossip and peers' connections settle
        return took * 1000


class ConsulLike(Subject):
    """muster and Consul: the same command line and API."""

    def agent(self, name, address, *flags):
        return self.run(self.program, "agent", "-log-level", "warn", "-node", name, "-bind", address, "-client", address,
                        "-data-dir", os.path.join(self.dir, name), *flags)

    def write(self, host, value):
        return call(host, "PUT", "/v1/kv/first", value, timeout=1)[1].strip() == b"true"

    def read_stale(self, host):
        return call(host, "GET", "/v1/kv/first?stale&raw", timeout=1)[1].decode()

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

    def start_three(self, *flags):
        self.servers = [self.address(i) for i in range(3)]
        joins = [flag for a in self.servers for flag in ("-retry-join", a)]
        config = os.path.join(self.dir, "fast.json")
        with open(config, "w") as f:
            f.write('{"performance": {"raft_multiplier": 1}}')
        for i, a in enumerate(self.servers):
            self.agent(f"s{i}", a, "-server", "-bootstrap-expect", "3", "-retry-interval", "1s", "-config-file", config, *joins,
                       *flags)
        self.wait_for_writes()

    def start_pool(self, gossip):
        """A server and two agents with these keys of gossip_lan; the first agent has a service."""
        self.servers = [self.address(i) for i in range(3)]
        config = os.path.join(self.dir, "gossip.json")
        with open(config, "w") as f:
            json.dump({"gossip_lan": gossip}, f)
        join = ["-retry-join", self.servers[0], "-retry-interval", "1s", "-config-file", config]
        self.agent("s", self.servers[0], "-server", "-bootstrap-expect", "1", *join)
        self.wait_for_writes()
        for i in (1, 2):
            self.agent(f"a{i}", self.servers[i], *join)
        body = json.dumps({"Name": "bench", "Port": 80})
        wait_for(lambda: call(self.servers[1], "PUT", "/v1/agent/service/register", body)[0] == 200, f"{self.name} registers")

    def detection(self):
        """Kills the agent with the service, and asks the DNS of the other until its answer is gone: seconds."""
        def answers():
            return dig(self.servers[2], "bench.service.consul", "SRV", timeout=1).values("SRV")

        wait_for(answers, f"{self.name}: the service is in DNS")
        time.sleep(3 + random.random())  # nobody is new to anybody, and no interval is hit on purpose
        self.children[1].kill()
        began = time.monotonic()
        wait_until(f"{self.name}: the dead service leaves DNS", lambda: not answers(), pause=0.02)
        took = time.monotonic() - began
        self.children[1].wait()
        self.start(1)
        return took

    def leader_of(self, host):
        found = re.search(r"\.(\d+):", call(host, "GET", "/v1/status/leader", timeout=1)[1].decode())
        return int(found.group(1)) - self.last if found else None

    def gets(self):
        return self.wrk("/v1/kv/first")

    def puts(self):
        return self.wrk("/v1/kv/bench/x", PUT_SCRIPT, self.servers[self.leader()])

    def put_alone(self, seconds):
        message = f"PUT /v1/kv/bench/alone HTTP/1.1\r\nHost: x\r\nContent-Length: {len(VALUE)}\r\n\r\n{VALUE}"
        return ask_again_and_again(self.servers[0], 8500, message.encode(), seconds)


class Etcd(Subject):
    def start_servers(self, count):
        self.servers = [self.address(i) for i in range(count)]
        peers = ",".join(f"e{i}=http://{a}:2380" for i, a in enumerate(self.servers))
        for i, a in enumerate(self.servers):
            self.run(self.program, "--name", f"e{i}", "--data-dir", os.path.join(self.dir, f"e{i}"), "--listen-client-urls",
                     f"http://{a}:2379", "--advertise-client-urls", f"http://{a}:2379", "--listen-peer-urls", f"http://{a}:2380",
                     "--initial-advertise-peer-urls", f"http://{a}:2380", "--initial-cluster", peers)
        self.wait_for_writes()

    def start_server(self):
        self.start_servers(1)

    def start_three(self):
        self.start_servers(3)

    def write(self, host, value):
        body = json.dumps({"key": "YQ==", "value": base64.b64encode(value.encode()).decode()})
        return call(host, "POST", "/v3/kv/put", body, timeout=1, port=2379)[0] == 200

    def read_stale(self, host):
        reply = call(host, "POST", "/v3/kv/range", '{"key":"YQ==","serializable":true}', timeout=1, port=2379)
        return base64.b64decode(json.loads(reply[1])["kvs"][0]["value"]).decode()

    def leader_of(self, host):
        """Only itself is known by its address here."""
        status = json.loads(call(host, "POST", "/v3/maintenance/status", "{}", port=2379)[1])
        return self.servers.index(host) if status["leader"] == status["header"]["member_id"] else None

    def puts(self):
        return self.wrk("/v3/kv/put", ETCD_SCRIPT, self.servers[self.leader()], 2379)

    def put_alone(self, seconds):
        body = json.dumps({"key": "YmVuY2gvYWxvbmU=", "value": base64.b64encode(VALUE.encode()).decode()})
        message = f"POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        return ask_again_and_again(self.servers[0], 2379, message.encode(), seconds)
