"""connect.py - what ./dev bench --connect prints: a pair of proxies beside Consul's (issue 8's table).

Each peer has two sidecars: client -> upstream's listener -> mutual TLS -> public listener -> nginx. Both pairs are registered
with one agent, a Consul in dev mode, so that agents make no difference: only the proxies differ. The pairs take turns, several
times, and the medians are printed: on a busy machine only the ratios of one run mean anything. Beside each rate stands the CPU
time that both proxies spent on a request, a connection or a MiB, which others hardly disturb.

    MUSTER_BENCH_SECONDS, MUSTER_BENCH_ROUNDS    how long each load, how often
    MUSTER_BENCH_NICE=-15                        for all alike, on a machine that others use
"""
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

from api import Nginx, Progress, cpu_seconds
from peers import SECONDS, ConsulLike, Subject, call, memory_kib, wait_for

BIN = os.environ["MUSTER_BIN"]
CONSUL = os.environ.get("MUSTER_CONSUL") or None
LIBRARIES = os.environ.get("MUSTER_BENCH_LIBS")
ROUNDS = int(os.environ.get("MUSTER_BENCH_ROUNDS", "5"))
NICE = ["nice", "-n", os.environ["MUSTER_BENCH_NICE"]] if os.environ.get("MUSTER_BENCH_NICE") else []
BULK_MIB = 512
PUBLIC, UPSTREAM = 21000, 22000
CLOSE_SCRIPT = 'wrk.headers["Connection"] = "close"\n'

# Row: at least so many times Consul's figure, or at most so much.
TARGETS = [
    ("kept connections, 32 clients, 1/s", "times", 1.5),
    ("new connections, 8 clients, 1/s", "times", 1.5),
    ("outbound proxy: resident at most, MiB", "at most", 6),
    ("inbound proxy: resident at most, MiB", "at most", 6),
]


class Web(Nginx):
    """The service behind the proxies: a few bytes, and a large file."""

    def run(self, *argv):
        return super().run(*NICE, *argv)

    def open(self):
        self.start_server("hello")
        with open(os.path.join(self.dir, "bulk"), "wb") as f:
            f.truncate(BULK_MIB << 20)
        config = os.path.join(self.dir, "nginx.conf")
        with open(config) as f:
            text = f.read()
        with open(config, "w") as f:
            f.write(text.replace("location / {", f"location = /bulk {{ root {self.dir}; sendfile on; }}\n    location / {{"))
        self.children[0].send_signal(signal.SIGHUP)  # nginx reads it again
        wait_for(lambda: call(self.servers[0], "GET", "/bulk", port=self.port)[1].__len__() == BULK_MIB << 20, "nginx gives the file")


class Agent(ConsulLike):
    """To which both pairs belong."""

    def open(self):
        self.servers = [self.address(0)]
        self.run(*NICE, self.program, "agent", "-dev", "-log-level", "warn", "-bind", self.servers[0], "-client", self.servers[0])
        wait_for(lambda: call(self.servers[0], "GET", "/v1/agent/connect/ca/roots")[0] == 200, "the agent has roots")

    def register(self, name, port, sidecar):
        sidecar["Checks"] = [{"Name": "alias", "AliasService": name}]  # the default one is due after 10 s
        body = json.dumps({"Name": name, "Address": self.servers[0], "Port": port, "Connect": {"SidecarService": sidecar}})
        if call(self.servers[0], "PUT", "/v1/agent/service/register", body)[0] != 200:
            sys.exit(f"bench: cannot register {name}")


class Pair(Subject):
    """Two sidecars; children: the outbound one, the inbound one."""

    def open(self, agent, web, number):
        host = agent.servers[0]
        server, client = f"server-{self.name.lower()}", f"client-{self.name.lower()}"
        self.servers, self.port = [host], UPSTREAM + number
        # Consul's proxy tells its service's address apart from the port; nginx has another address than the agent.
        agent.register(server, web.port, {"Port": PUBLIC + number, "Proxy": {
            "LocalServiceAddress": web.servers[0], "LocalServicePort": web.port, "Config": {"bind_address": host}}})
        agent.register(client, 1, {"Port": PUBLIC + 100 + number, "Proxy": {"Config": {"bind_address": host}, "Upstreams": [
            {"DestinationName": server, "LocalBindAddress": host, "LocalBindPort": self.port}]}})
        for service in (client, server):
            self.run(*NICE, self.program, "connect", "proxy", "-sidecar-for", service, "-http-addr", f"{host}:8500",
                     "-log-level", "err")
        wait_for(lambda: call(host, "GET", "/x", port=self.port)[0] == 200, f"{self.name}'s pair answers")

    def wrk_command(self, *args, **named):
        return [*NICE, *super().wrk_command(*args, **named)]

    def cpu(self):
        return [cpu_seconds(child) for child in self.children]

    def spent(self, before, work):
        """Microseconds of both."""
        return (sum(self.cpu()) - sum(before)) / work * 1e6


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


def load(table, pair, what, each, script, connections):
    before = pair.cpu()
    rate, p99 = pair.wrk("/x", script, port=pair.port, connections=connections)
    table.add(pair.name, f"{what}, 1/s", rate)
    table.add(pair.name, f"{what}: 99th centile, ms", p99)
    table.add(pair.name, f"{what}: both proxies' CPU {each}, us", pair.spent(before, rate * SECONDS))


def bulk(table, pair):
    before = pair.cpu()
    told = subprocess.run([*NICE, "curl", "-sS", "-o", os.devnull, "-w", "%{speed_download} %{size_download}",
                           f"http://{pair.servers[0]}:{pair.port}/bulk"], capture_output=True, text=True, check=True).stdout
    speed, size = (float(v) for v in told.split())
    if size != BULK_MIB << 20:
        sys.exit(f"bench: {pair.name}: {size:.0f} bytes of bulk")
    table.add(pair.name, "bulk on one connection, MB/s", speed / 1e6)
    table.add(pair.name, "bulk: both proxies' CPU a MiB, us", pair.spent(before, BULK_MIB))


def memory(table, pair):
    for what, child in zip(("outbound", "inbound"), pair.children):
        table.add(pair.name, f"{what} proxy: resident at most, MiB", peak_kib(child.pid) / 1024)
        table.add(pair.name, f"{what} proxy: resident after it all, MiB", memory_kib(child.pid)[0] / 1024)


def measure(table, pairs):
    for _ in range(ROUNDS):
        for p in pairs:
            load(table, p, "kept connections, 32 clients", "a request", None, 32)
        for p in pairs:
            load(table, p, "new connections, 8 clients", "a connection", CLOSE_SCRIPT, 8)
        for p in pairs:
            bulk(table, p)
    time.sleep(1)
    for p in pairs:
        memory(table, p)


def judge(table):
    """Prints each target that this run has measured. How many are missed?"""
    missed = 0
    print("\nto reach")
    for row, kind, bound in TARGETS:
        values = {n: statistics.median(v) for n, v in table.rows.get(row, {}).items()}
        if "muster" not in values or (kind == "times" and "Consul" not in values):
            continue
        got = values["muster"] / values["Consul"] if kind == "times" else values["muster"]
        reached = got >= bound if kind == "times" else got <= bound
        missed += not reached
        print(f"{row:52}{got:10.2f}  {kind} {bound:g}{'' if reached else '   MISSED'}")
    return missed


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    if LIBRARIES and os.path.exists(os.path.join(LIBRARIES, "bench_ca")):
        subprocess.run([os.path.join(LIBRARIES, "bench_ca")], check=True)  # leafs beside mbedTLS alone; authorize in-process
    if not CONSUL:
        print("no Consul here: its agent is what both pairs belong to")
        return 0
    table = Progress(["muster", "Consul"])
    web, agent = Web("nginx", "nginx", 5), Agent("agent", CONSUL, 6)
    pairs = [Pair("muster", os.path.join(BIN, "muster"), 7), Pair("Consul", CONSUL, 8)]
    try:
        web.open()
        agent.open()
        for number, p in enumerate(pairs):
            p.open(agent, web, number)
        measure(table, pairs)
    finally:
        for s in (*pairs, agent, web):
            s.stop()
    print(f"\nA pair of proxies before nginx, {SECONDS:g} s a load, medians of {ROUNDS}; bulk: {BULK_MIB} MiB\n")
    table.print()
    return 1 if judge(table) else 0


if __name__ == "__main__":
    sys.exit(main())
