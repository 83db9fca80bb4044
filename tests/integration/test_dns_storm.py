"""Questions from all sides, over UDP and pipelined TCP, while what they are about changes: an instance's agent is killed, a
check flips, servers are killed and come back. What a process's HTTP API no longer has, its DNS does not tell either; what was
there all the time is in every answer.

Clients note what they saw and when; the claims are checked afterwards. An answer counts for a state of the catalog if its
question was sent after this state was known, and if it came before that was changed again."""
import random
import socket
import struct
import threading
import time
import unittest

from kit import DNS_TYPES, Cluster, DnsAnswer, dig, get, put, wait_until

GRACE = 1.0  # of an agent, to which a change travels from the servers, and on this machine from process to process
PAUSE = 0.004
NAMES = (("steady.service.consul", "A"), ("_steady._tcp.service.consul", "SRV"), ("flip.service.consul", "A"),
         ("victim.service.consul", "A"))
ADDRESS = {"steady": ("10.7.0.1", "10.7.0.2"), "flip": ("10.7.1.1", "10.7.1.2"), "victim": ("10.7.2.1", "10.7.2.2")}


class Note:
    """One question and what became of it."""

    def __init__(self, host, tcp, name, sent, answer=None, error=None):
        self.host, self.tcp, self.name, self.sent, self.got = host, tcp, name, sent, time.monotonic()
        self.service = name.split(".")[0].split("._")[0].lstrip("_")
        self.rcode, self.error, self.found = None, error, set()
        if answer:
            self.rcode = answer.rcode
            glue = {owner: value for owner, kind, _, value in answer.additional if kind == 1}
            self.found = set(answer.values("A")) | {glue.get(target, target) for *_, target in answer.values("SRV")}

    def __repr__(self):
        return (f"<{'TCP' if self.tcp else 'UDP'} {self.host} {self.name}: rcode {self.rcode} {sorted(self.found)} {self.error or ''} "
                f"after {(self.got - self.sent) * 1000:.0f} ms>")


def question(number, name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", DNS_TYPES[kind], 1)


class Storm:
    """Clients that ask until the block ends."""

    def __init__(self, hosts):
        self.hosts, self.notes, self.over = hosts, [], threading.Event()
        self.threads = [threading.Thread(target=ask, args=(h,)) for h in hosts for ask in (self.over_udp, self.over_tcp)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()

    def over_udp(self, host):
        while not self.over.wait(PAUSE):
            for name, kind in NAMES:
                sent = time.monotonic()
                try:
                    self.notes.append(Note(host, False, name, sent, dig(host, name, kind, timeout=10)))
                except OSError as error:
                    self.notes.append(Note(host, False, name, sent, error=error))

    def over_tcp(self, host):
        """One connection as long as it lasts, all questions at once; answers come in any order."""
        while not self.over.wait(PAUSE):
            try:
                with socket.create_connection((host, 8600), timeout=10) as s:
                    while not self.over.wait(PAUSE):
                        self.pipeline(host, s)
            except OSError as error:
                self.notes.append(Note(host, True, NAMES[0][0], time.monotonic(), error=error))

    def pipeline(self, host, s):
        asked, sent = {}, time.monotonic()
        for number, (name, kind) in enumerate(NAMES, random.randrange(60000)):
            message = question(number, name, kind)
            asked[number] = name
            s.sendall(struct.pack(">H", len(message)) + message)
        data = b""
        while asked:
            piece = s.recv(65536)
            if not piece:
                raise OSError("connection closed")
            data += piece
            while len(data) >= 2 and len(data) >= 2 + struct.unpack(">H", data[:2])[0]:
                end = 2 + struct.unpack(">H", data[:2])[0]
                answer, data = DnsAnswer(data[2:end]), data[end:]
                self.notes.append(Note(host, True, asked.pop(answer.id), sent, answer))


class Churn:
    """Other names come and go all the time, next to those that are asked for."""

    def __init__(self, host):
        self.host, self.over, self.thread, self.count = host, threading.Event(), threading.Thread(target=self.run), 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        while not self.over.wait(PAUSE):
            n, self.count = self.count % 20, self.count + 1
            node, number = f"churn-{n % 5}", f"steady-{n}"
            put(self.host, "/v1/catalog/register", {"Node": node, "Address": f"10.5.0.{n % 5}",
                                                    "Service": {"ID": number, "Service": f"steady-{n}", "Port": 80}})
            if n % 3 == 0:
                put(self.host, "/v1/catalog/deregister", {"Node": node, "ServiceID": number})


class DnsStorm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(servers=3, agents=3)
        cls.cluster.__enter__()
        cls.addClassCleanup(lambda: cls.cluster.__exit__(None, None, None))
        cls.agents = [cls.cluster.agent_address(i) for i in (0, 1)]
        cls.doomed = cls.cluster.agent_address(2)
        cls.hosts = cls.agents + cls.cluster.server_addresses
        for service, addresses in ADDRESS.items():
            for i, address in enumerate(addresses):
                # The victim's first instance is on the agent that will be killed.
                host = cls.doomed if (service, i) == ("victim", 0) else cls.agents[i]
                put(host, "/v1/agent/service/register", {
                    "Name": service, "ID": f"{service}-{i}", "Address": address, "Port": 80,
                    "Check": {"CheckID": f"{service}-{i}", "TTL": "600s", "Status": "passing"}})
        for host in cls.hosts:
            for service, addresses in ADDRESS.items():
                wait_until(f"{service} at {host}", lambda h=host, s=service, a=addresses: cls.through_http(h, s) == set(a))
                wait_until(f"{service} in DNS at {host}", lambda h=host, s=service, a=addresses:
                           dig(h, f"{s}.service.consul").values("A") == sorted(a))

    @classmethod
    def through_http(cls, host, service):
        """Addresses of those that pass: what a server has itself, what an agent is told by the leader."""
        reply = get(host, f"/v1/health/service/{service}?passing" + ("&stale" if host not in cls.agents else ""), timeout=20)
        if reply.status != 200:
            raise ValueError(reply.body)
        return {entry["Service"]["Address"] for entry in reply.json()}

    def when_http(self, hosts, service, expected):
        """host -> when its HTTP API has said so."""
        known = {}

        def all_know():
            for host in set(hosts) - set(known):
                if self.through_http(host, service) == set(expected):
                    known[host] = time.monotonic()
            return len(known) == len(hosts)

        wait_until(f"HTTP has {service} {expected}", all_know, pause=0.005)
        return known

    def settled(self, known):
        """Lets clients ask after all have known for long enough to count."""
        time.sleep(max(0, max(known.values()) + (GRACE if set(known) & set(self.agents) else 0) + 0.3 - time.monotonic()))

    def check_state(self, notes, service, known, until, expected):
        """Between what its process knew and the next change, each answer is this."""
        counted = dict.fromkeys(known, 0)
        for n in notes:
            since = known.get(n.host)
            if n.service != service or since is None or n.error:
                continue
            if n.sent > since + (GRACE if n.host in self.agents else 0) and n.got < until:
                self.assertEqual((n.rcode, n.found), (0 if expected else 3, set(expected)), (n, n.sent - since))
                counted[n.host] += 1
        self.assertTrue(all(counted.values()), counted)

    def check_steady(self, notes, restarted=()):
        """It was there all the time: no answer is without it, and only who was killed may owe one, or say that it cannot tell."""
        asked = dict.fromkeys(self.hosts, 0)
        for n in notes:
            if n.service == "steady" and n.host not in restarted:
                self.assertIsNone(n.error, n)
                self.assertEqual((n.rcode, n.found), (0, set(ADDRESS["steady"])), n)
                asked[n.host] += 1
            elif n.service == "steady" and n.rcode is not None:
                asked[n.host] += 1
                if n.rcode != 2:
                    self.assertEqual((n.rcode, n.found), (0, set(ADDRESS["steady"])), n)
        self.assertGreater(min(asked.values()), 20, asked)

    def flip(self, up):
        put(self.agents[0], f"/v1/agent/check/{'pass' if up else 'fail'}/flip-0")

    def test_a_check_that_flips(self):
        states = []
        with Storm(self.hosts) as storm, Churn(self.cluster.server_address(0)) as churn:
            for up in (False, True, False):
                self.flip(up)
                expected = ADDRESS["flip"] if up else ADDRESS["flip"][1:]
                known = self.when_http(self.hosts, "flip", expected)
                self.settled(known)
                states.append((known, time.monotonic(), expected))
        for known, until, expected in states:
            self.check_state(storm.notes, "flip", known, until, expected)
        self.check_steady(storm.notes)
        self.assertGreater(churn.count, 50)

    def test_servers_killed_and_restarted(self):
        """Each in turn, the leader too; meanwhile a check flips, which who was not killed tells as ever."""
        states, c = [], self.cluster
        with Storm(self.hosts) as storm:
            for turn in range(2):
                leader = c.find_leader()
                number = leader if turn else (leader + 1) % 3
                c.server(number).kill()
                others = [h for h in self.hosts if h != c.server_address(number)]
                for up in (False, True):
                    wait_until("a leader", lambda h=others[-1]: c.leader(h) not in (None, number))
                    self.flip(up)
                    expected = ADDRESS["flip"] if up else ADDRESS["flip"][1:]
                    known = self.when_http(others, "flip", expected)
                    self.settled(known)
                    states.append((known, time.monotonic(), expected))
                    if not up:
                        c.server(number).start()
                wait_until("it is back", lambda h=c.server_address(number): self.through_http(h, "flip") == set(ADDRESS["flip"]))
                time.sleep(0.5)
        for known, until, expected in states:
            self.check_state(storm.notes, "flip", known, until, expected)
        self.check_steady(storm.notes, c.server_addresses)

    def test_the_killed_agents_instance_is_not_named(self):
        """Last, since it has one agent less then."""
        with Storm(self.hosts) as storm:
            time.sleep(0.5)
            killed = time.monotonic()
            self.cluster.agent(2).kill()
            known = self.when_http(self.hosts, "victim", ADDRESS["victim"][1:])
            self.settled(known)
            end = time.monotonic()
        alive = [n for n in storm.notes if n.service == "victim" and n.got < killed]
        self.assertTrue(alive)
        for n in alive:
            self.assertEqual((n.rcode, n.found), (0, set(ADDRESS["victim"])), n)
        self.check_state(storm.notes, "victim", known, end, ADDRESS["victim"][1:])
        self.check_steady(storm.notes)
        # In between it is one or the other.
        for n in storm.notes:
            if n.service == "victim":
                self.assertIn(n.found, (set(ADDRESS["victim"]), set(ADDRESS["victim"][1:])), n)


if __name__ == "__main__":
    unittest.main(verbosity=2)
