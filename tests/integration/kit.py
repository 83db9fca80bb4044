"""kit.py - real clusters for tests: processes on loopback addresses of their own, in temporary folders.

Every cluster takes a random 127.x.y.0/24, so that tests run in parallel on the default ports. Nothing sleeps blindly:
tests wait for what must come true, with a deadline, and fail with the tails of the logs.
"""
import base64
import http.client
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.parse

BIN = os.environ.get("MUSTER_BIN") or os.path.join(os.path.dirname(__file__), "..", "..", "build", "bin")
# Sanitizers and a busy machine make everything slower; deadlines are generous, and no test asserts that something is fast.
PATIENCE = float(os.environ.get("MUSTER_PATIENCE", "60"))
LONG = os.environ.get("MUSTER_LONG", "") not in ("", "0")


def wait_until(what, check, timeout=None, pause=0.05):
    """Calls check until it gives something true, which is returned."""
    deadline = time.monotonic() + (timeout or PATIENCE)
    last = None
    while True:
        try:
            value = check()
            if value:
                return value
        except (OSError, http.client.HTTPException, ValueError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout or PATIENCE:.0f} s" + (f" ({last})" if last else ""))
        time.sleep(pause)


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    @property
    def index(self):
        return int(self.headers["x-consul-index"])


def request(host, method, path, body=None, timeout=30.0, port=8500):
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body=body)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def get(host, path, **kw):
    return request(host, "GET", path, **kw)


def put(host, path, body=None, **kw):
    return request(host, "PUT", path, body=body, **kw)


def delete(host, path, **kw):
    return request(host, "DELETE", path, **kw)


def kv_path(key):
    return "/v1/kv/" + urllib.parse.quote(key)


def kv_get(host, key, query=""):
    """The value, or None."""
    reply = get(host, kv_path(key) + query)
    if reply.status == 404:
        return None
    if reply.status != 200:
        raise ValueError(f"GET {key}: {reply.status} {reply.body!r}")
    return base64.b64decode(reply.json()[0]["Value"] or "").decode()


# ---- DNS, in the little that a test needs ----

DNS_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33, "ANY": 255}


class DnsAnswer:
    def __init__(self, message):
        self.message = message
        self.id, self.flags, nq, *counts = struct.unpack(">HHHHHH", message[:12])
        self.rcode = self.flags & 15
        self.truncated = bool(self.flags & 0x200)
        at = 12
        for _ in range(nq):
            _, at = self._name(at)
            at += 4
        self.answers, at = self._records(at, counts[0])
        self.authority, at = self._records(at, counts[1])
        self.additional, at = self._records(at, counts[2])

    def _name(self, at):
        labels, end = [], None
        while True:
            length = self.message[at]
            if length & 0xC0:
                end = end or at + 2
                at = (length & 0x3F) << 8 | self.message[at + 1]
                continue
            at += 1
            if length == 0:
                return ".".join(labels) + ".", end or at
            labels.append(self.message[at : at + length].decode())
            at += length

    def _records(self, at, count):
        records = []
        for _ in range(count):
            owner, at = self._name(at)
            kind, _, ttl, length = struct.unpack(">HHIH", self.message[at : at + 10])
            at += 10
            data = self.message[at : at + length]
            if kind == 1:
                value = socket.inet_ntop(socket.AF_INET, data)
            elif kind == 28:
                value = socket.inet_ntop(socket.AF_INET6, data)
            elif kind == 33:
                value = (*struct.unpack(">HHH", data[:6]), self._name(at + 6)[0])
            elif kind in (2, 5, 12):
                value = self._name(at)[0]
            else:
                value = data
            records.append((owner, kind, ttl, value))
            at += length
        return records, at

    def values(self, kind):
        return sorted(value for _, k, _, value in self.answers if k == DNS_TYPES[kind])


def dig(host, name, kind="A", tcp=False, edns=None, timeout=5.0, port=8600):
    query = struct.pack(">HHHHHH", random.randrange(65536), 0x100, 1, 0, 0, 1 if edns else 0)
    for label in name.rstrip(".").split("."):
        query += bytes([len(label)]) + label.encode()
    query += b"\0" + struct.pack(">HH", DNS_TYPES[kind], 1)
    if edns:
        query += b"\0" + struct.pack(">HHIH", 41, edns, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect((host, port))
        if not tcp:
            s.send(query)
            return DnsAnswer(s.recv(65536))
        s.sendall(struct.pack(">H", len(query)) + query)
        data = b""
        while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
            piece = s.recv(65536)
            if not piece:
                raise OSError("connection closed")
            data += piece
        return DnsAnswer(data[2:])


# ---- Processes ----


def find_consul():
    """The real Consul that muster must get along with, or None."""
    cached = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "muster-peers", "consul")
    for path in (os.environ.get("MUSTER_CONSUL"), cached):
        if path and os.access(path, os.X_OK):
            return path
    return None


class Process:
    def __init__(self, cluster, name, argv, log):
        self.cluster, self.name, self.argv, self.log_path = cluster, name, argv, log
        self.popen = None
        self.environment = {}

    def start(self):
        log = open(self.log_path, "ab")
        self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                      env={**os.environ, **self.environment})
        log.close()
        return self

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """kill -9."""
        if self.is_running():
            self.popen.kill()
        self.popen.wait()

    def stop(self, number=signal.SIGTERM):
        """Asks it to end and returns its exit code."""
        if self.is_running():
            self.popen.send_signal(number)
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end after signal {number}")

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Cluster:
    """Servers and agents; use as a context manager."""

    def __init__(self, servers=3, agents=0, extra_flags=()):
        self.dir = tempfile.mkdtemp(prefix="muster-test-")
        self.net = self._free_net()
        self.nservers, self.nagents = servers, agents
        self.extra_flags = list(extra_flags)
        self.processes = {}
        self.used = 40

    @staticmethod
    def _free_net():
        while True:
            net = f"127.{random.randint(20, 250)}.{random.randint(1, 250)}"
            try:
                for last in (11, 21):
                    with socket.socket() as s:
                        s.bind((f"{net}.{last}", 8500))
                return net
            except OSError:
                continue

    def __enter__(self):
        try:
            for i in range(self.nservers):
                self.add_server(i).start()
            if self.nservers:
                self.wait_for_leader()
            for i in range(self.nagents):
                self.add_agent(i).start()
            for i in range(self.nagents):
                self.wait_for_members(self.agent_address(i))
        except BaseException:
            self.__exit__(AssertionError, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for process in self.processes.values():
            if process.is_running():
                process.popen.kill()
            if process.popen:
                process.popen.wait()
        sanitizer = [p.name for p in self.processes.values() if self._complains(p)]
        if kind or sanitizer:
            self.print_logs()
        self.remove_files()
        if sanitizer and not kind:
            raise AssertionError(f"a sanitizer or an assertion stopped {', '.join(sanitizer)}")

    def remove_files(self):
        if not os.environ.get("MUSTER_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _complains(process):
        if not os.path.exists(process.log_path):
            return False
        text = process.log()
        return any(word in text for word in ("Sanitizer", "runtime error:", "Assertion `", "[warn]"))

    def print_logs(self):
        for process in self.processes.values():
            print(f"---- {process.name}: {' '.join(process.argv)}")
            if os.path.exists(process.log_path):
                print("".join(process.log().splitlines(keepends=True)[-60:]))

    def server_address(self, i):
        return f"{self.net}.{11 + i}"

    def agent_address(self, i):
        return f"{self.net}.{21 + i}"

    @property
    def server_addresses(self):
        return [self.server_address(i) for i in range(self.nservers)]

    def path(self, *parts):
        path = os.path.join(self.dir, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def _add(self, name, address, flags):
        joins = [flag for a in self.server_addresses for flag in ("-retry-join", a)]
        os.makedirs(self.path(f"{name}.d", "x")[:-2], exist_ok=True)
        argv = [os.path.join(BIN, "muster"), "agent", "-node", name, "-bind", address, "-client", address, "-data-dir",
                self.path(name), "-config-dir", self.path(f"{name}.d"), "-retry-interval", "1s", "-log-level", "debug",
                *joins, *flags, *self.extra_flags]
        process = Process(self, name, argv, self.path(f"{name}.log"))
        self.processes[name] = process
        return process

    def add_server(self, i, *flags):
        return self._add(f"server-{i}", self.server_address(i), ["-server", "-bootstrap-expect", str(self.nservers), *flags])

    def add_agent(self, i, *flags):
        return self._add(f"agent-{i}", self.agent_address(i), list(flags))

    def configure(self, name, **keys):
        """A configuration file of the node of that name."""
        with open(self.path(f"{name}.d", "test.json"), "w") as f:
            json.dump(keys, f)

    def add_web(self, name, host, port):
        """A real web server; its page is its name."""
        home = self.path(name, "index.html")
        with open(home, "w") as f:
            f.write(f"hello from {name}\n")
        argv = ["busybox", "httpd", "-f", "-p", f"{host}:{port}", "-h", os.path.dirname(home)]
        self.processes[name] = Process(self, name, argv, self.path(f"{name}.log"))
        return self.processes[name]

    def server(self, i):
        return self.processes[f"server-{i}"]

    def agent(self, i):
        return self.processes[f"agent-{i}"]

    def leader(self, ask=None):
        """The number of the leading server, or None."""
        for host in [ask] if ask else self.server_addresses:
            try:
                text = get(host, "/v1/status/leader", timeout=3).json()
            except OSError:
                continue
            if text:
                return int(text.split(":")[0].split(".")[-1]) - 11
        return None

    def find_leader(self, ask=None):
        """The number of the leading server, once there is one."""
        def leader():
            number = self.leader(ask)
            return None if number is None else (number,)

        return wait_until("somebody leads", leader)[0]

    def wait_for_leader(self, ask=None):
        # A leader counts once it commits a write.
        def ready():
            if self.leader(ask) is None:
                return False
            host = ask or next(a for i, a in enumerate(self.server_addresses) if self.server(i).is_running())
            return put(host, "/v1/kv/kit/ready", "1", timeout=15).body == b"true"

        wait_until("a leader that commits", ready)

    def wait_for_members(self, host, count=None, status=1):
        count = count or self.nservers + self.nagents
        wait_until(f"{count} members alive at {host}",
                   lambda: sum(m["Status"] == status for m in get(host, "/v1/agent/members").json()) == count)

    def cli(self, host, *args, stdin=None):
        argv = [os.path.join(BIN, "muster"), *args[:2 if args[0] in ("kv", "catalog") else 1], "-http-addr", f"{host}:8500",
                *args[2 if args[0] in ("kv", "catalog") else 1:]]
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=PATIENCE, text=True)


class ConsulCluster(Cluster):
    """The same cluster of real Consul's agents, to compare with."""

    def _add(self, name, address, flags):
        process = super()._add(name, address, flags)
        process.argv[0] = find_consul()
        return process
