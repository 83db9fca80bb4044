"""agent.py - what ./dev bench --agent prints: what an agent costs and gives, beside Consul's (issue 6's table).

The peers take turns within one run, and the medians are printed: on a busy machine only ratios mean anything. Where there is
a target, the table tells it and whether it is reached; the exit status is 1 when one of muster's is not.
"""
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from api import cpu_seconds
from bench import ROUNDS, Table
from peers import CONNECTIONS, SECONDS, ConsulLike, call, memory_kib, wait_for

BIN = os.environ["MUSTER_BIN"]
CONSUL = os.environ.get("MUSTER_CONSUL") or None
WATCHERS = int(os.environ.get("MUSTER_BENCH_WATCHERS", "1000"))
IDLE_SECONDS = float(os.environ.get("MUSTER_BENCH_IDLE", "60"))
STARTS = 5
PATH = "/v1/health/service/web?passing"

# Row: what muster may have at most (or, for "least", must have at least), absolute or against Consul.
TARGETS = {
    "idle agent: resident, MiB": ("at most", 5),
    "agent's binary, stripped, MiB": ("at most", 2),
    "idle agent in a pool of 3: % of a core": ("at most", 0.1),
    "agent: start to first answer, ms": ("at most", 50),
    "server: start to first write, ms": ("at most", 150),
    "health through an agent, 1/s": ("times", 10),
    "health, 200 names in turn, 1/s": ("times", None),
    "authorize, one connection, 1/s": ("times", 2),
    "authorize, 32 connections, 1/s": ("times", 2.5),
    f"{WATCHERS} local watchers: queries at the server": ("at most", 1),
}

NAMES_SCRIPT = """
local n = math.random(200)
request = function()
    n = n % 200 + 1
    return wrk.format("GET", "/v1/health/service/web-" .. n .. "?passing")
end
response = function(status) if status ~= 200 then failures = (failures or 0) + 1 end end
"""


AUTHORIZE = "/v1/agent/connect/authorize"
AUTHORIZE_SCRIPT = """
wrk.method = "POST"
wrk.body = '{"Target":"db","ClientCertURI":"spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web-5","ClientCertSerial":"01"}'
"""


class Pair(ConsulLike):
    """A server and an agent, with services in the catalog."""

    def limits(self):
        path = os.path.join(self.dir, "limits.json")
        with open(path, "w") as f:
            json.dump({"limits": {"http_max_conns_per_client": WATCHERS + 1000},
                       "telemetry": {"prometheus_retention_time": "1h", "disable_hostname": True}}, f)
        return "-config-file", path

    def open(self):
        self.servers = [self.address(0), self.address(1)]
        self.agent("s", self.servers[0], "-server", "-bootstrap-expect", "1", *self.limits())
        self.wait_for_writes()
        self.agent("a", self.servers[1], "-retry-join", self.servers[0], *self.limits())
        wait_for(lambda: call(self.servers[1], "GET", "/v1/kv/first")[0] == 200, f"{self.name}'s agent reads")
        for n in range(3):
            self.register(f"node-{n}", "web", n)
        for n in range(1, 201):
            self.register("node-0", f"web-{n}", n)

        for n in range(10):
            body = json.dumps({"SourceName": f"web-{n}", "DestinationName": "db", "Action": "allow"})
            if call(self.servers[0], "POST", "/v1/connect/intentions", body, timeout=30)[0] != 200:
                sys.exit(f"bench: {self.name}: no intention")

    def register(self, node, service, number):
        body = json.dumps({
            "Node": node, "Address": "10.1.2.3", "Service": {"ID": f"{service}-{number}", "Service": service, "Port": 8080},
            "Check": {"Node": node, "CheckID": f"service:{service}-{number}", "Name": "alive", "Status": "passing",
                      "ServiceID": f"{service}-{number}"}})
        if call(self.servers[0], "PUT", "/v1/catalog/register", body, timeout=30)[0] != 200:
            sys.exit(f"bench: {self.name}: cannot register")

    def queries_waiting(self):
        """At the server: connections and calls are told by metrics after at most ten seconds."""
        text = call(self.servers[0], "GET", "/v1/agent/metrics?format=prometheus")[1].decode()
        for line in text.splitlines():
            if line.startswith("consul_rpc_queries_blocking "):
                return float(line.split()[1])
        return 0.0


def load(table, subject, what, path, script=None, connections=CONNECTIONS):
    before = [cpu_seconds(child) for child in subject.children]
    rate, p99 = subject.wrk(path, script, subject.servers[1], connections=connections)
    spent = [cpu_seconds(child) - b for child, b in zip(subject.children, before)]
    table.add(subject.name, f"{what}, 1/s", rate)
    table.add(subject.name, f"{what}: 99th centile, ms", p99)
    for process, seconds in zip(("server", "agent"), spent):
        table.add(subject.name, f"{what}: {process}'s CPU, us", seconds / (rate * SECONDS) * 1e6)


def watch(table, subject):
    index = next(v for k, v in headers(subject.servers[1], PATH) if k.lower() == "x-consul-index")
    before = subject.queries_waiting()
    request = f"GET {PATH}&index={index}&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    sockets = []
    for _ in range(WATCHERS):
        s = socket.create_connection((subject.servers[1], 8500))
        s.sendall(request)
        sockets.append(s)
    time.sleep(21)  # two intervals of metrics
    table.add(subject.name, f"{WATCHERS} local watchers: queries at the server", subject.queries_waiting() - before)
    for s in sockets:
        s.close()


def headers(host, path):
    import http.client
    connection = http.client.HTTPConnection(host, 8500, timeout=10)
    connection.request("GET", path)
    reply = connection.getresponse()
    reply.read()
    return reply.getheaders()


def starts(table, names, programs, last):
    """Alone each: a server until its first write is acknowledged, an agent until it answers its first client."""
    for n in range(STARTS):
        for i, name in enumerate(names):
            s = ConsulLike(name, programs[name], last + 5 * i)
            try:
                _, _, wrote = s.start_server()
                table.add(name, "server: start to first write, ms", wrote * 1000)
                began = time.monotonic()
                address = s.address(1)
                s.agent("a", address, "-retry-join", s.servers[0])
                wait_for(lambda: call(address, "GET", "/v1/agent/self")[0] == 200, f"{name}'s agent answers")
                table.add(name, "agent: start to first answer, ms", (time.monotonic() - began) * 1000)
            finally:
                s.stop()


def idle(table, names, programs, last):
    """A server and two agents of each, for a minute: the second agent's share of a core, and its memory."""
    subjects = []
    try:
        for i, name in enumerate(names):
            s = ConsulLike(name, programs[name], last + 5 * i)
            subjects.append(s)
            s.start_server()
            for n in (1, 2):
                s.agent(f"a{n}", s.address(n), "-retry-join", s.servers[0])
            wait_for(lambda s=s: len(json.loads(call(s.servers[0], "GET", "/v1/catalog/nodes")[1])) == 3, f"{name}: a pool of 3")
        time.sleep(10)
        before = [cpu_seconds(s.children[2]) for s in subjects]
        time.sleep(IDLE_SECONDS)
        for s, b in zip(subjects, before):
            table.add(s.name, "idle agent in a pool of 3: % of a core", (cpu_seconds(s.children[2]) - b) / IDLE_SECONDS * 100)
            table.add(s.name, "idle agent: resident, MiB", memory_kib(s.children[2].pid)[0] / 1024)
    finally:
        for s in subjects:
            s.stop()


def stripped_mib(path):
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(["strip", "-o", f.name, path], check=True)
        return os.path.getsize(f.name) / 2**20


def loads(table, names, programs, last):
    subjects = [Pair(name, programs[name], last + 5 * i) for i, name in enumerate(names)]
    try:
        for s in subjects:
            s.open()
        for _ in range(ROUNDS):
            for s in subjects:
                load(table, s, "health through an agent", PATH)
            for s in subjects:
                load(table, s, "health, 200 names in turn", PATH, NAMES_SCRIPT)
            for s in subjects:
                load(table, s, "health ?cached", PATH + "&cached")
            for s in subjects:
                load(table, s, "authorize, one connection", AUTHORIZE, AUTHORIZE_SCRIPT, 1)
            for s in subjects:
                load(table, s, "authorize, 32 connections", AUTHORIZE, AUTHORIZE_SCRIPT, 32)
        for s in subjects:
            watch(table, s)
    finally:
        for s in subjects:
            s.stop()


def judge(table, names):
    """Prints what is not reached."""
    missed = 0
    for row, (kind, bound) in TARGETS.items():
        values = {n: statistics.median(v) for n, v in table.rows.get(row, {}).items()}
        if bound is None or "muster" not in values or (kind == "times" and "consul" not in values):
            continue
        got = values["muster"] / values["consul"] if kind == "times" else values["muster"]
        reached = got >= bound if kind == "times" else got <= bound
        print(f"{row:46} {got:10.3f}  to reach: {kind} {bound}{'' if reached else '   MISSED'}")
        missed += not reached
    return missed


def main():
    programs = {"muster": os.path.join(BIN, "muster"), "consul": CONSUL}
    names = [n for n, p in programs.items() if p]
    table = Table(names)
    binaries = {"muster": os.path.join(BIN, "muster-agent"), "consul": CONSUL}
    for n in names:
        table.add(n, "agent's binary, stripped, MiB", stripped_mib(binaries[n]))
    starts(table, names, programs, 10)
    idle(table, names, programs, 40)
    loads(table, names, programs, 70)
    print(f"\nThe agent, {CONNECTIONS} connections unless a row says otherwise")
    table.print()
    print()
    return 1 if judge(table, names) else 0


if __name__ == "__main__":
    sys.exit(main())
