"""How a node finds its pool: names and addresses of any kind, in as many rounds as it takes, and after a restart by itself."""
import signal
import socket
import subprocess
import time
import unittest

from kit import Cluster, get, put, wait_until


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def free_port(host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def alive(host):
    return sorted(m["Name"] for m in get(host, "/v1/agent/members").json() if m["Status"] == 1)


class Joining(unittest.TestCase):
    def node(self, c, name, address, *flags, **keys):
        """An agent that nobody has told where others are."""
        p = c._add(name, address, flags)
        while "-retry-join" in p.argv:
            i = p.argv.index("-retry-join")
            del p.argv[i:i + 2]
        i = p.argv.index("-retry-interval")
        del p.argv[i:i + 2]
        p.argv += ["-retry-interval", "200ms", *flags]
        if keys:
            c.configure(name, **keys)
        return p

    def expect(self, host, *names):
        wait_until(f"{host} knows {names}", lambda: alive(host) == sorted(names))

    def test_names_ports_and_rounds_until_somebody_is_there(self):
        with Cluster(servers=0) as c:
            port, a = free_port(), c.agent_address(0)
            first = self.node(c, "first", a, "-retry-join", "no.such.name.invalid", "-retry-join", "localhost:%d" % port,
                              "-retry-join", c.agent_address(7)).start()
            wait_until("several rounds have failed", lambda: first.log().count("Join cluster failed") >= 3)
            # The one that it looks for comes now: on the address of the name, at the port that was given.
            self.node(c, "second", "127.0.0.1", ports={"serf_lan": port, "http": free_port(), "dns": -1}).start()
            self.expect(a, "first", "second")
            wait_until("it says so", lambda: "Join cluster completed" in first.log())

    def test_ipv6(self):
        if not has_ipv6():
            self.skipTest("no IPv6 here")
        with Cluster(servers=0) as c:
            one, two = free_port("::1"), free_port("::1")
            http = [free_port(), free_port()]
            names = ("six-one", "six-two")
            for i, (name, port) in enumerate(zip(names, (one, two))):
                p = self.node(c, name, "::1", "-retry-join", f"[::1]:{one}", "-advertise", "::1",
                              ports={"serf_lan": port, "dns": -1, "http": http[i]}, addresses={"http": "127.0.0.1"})
                p.start()
            for port in http:
                wait_until("both know each other", lambda: len(
                    [m for m in get("127.0.0.1", "/v1/agent/members", port=port).json() if m["Status"] == 1]) == 2)

    def test_patience_ends_where_it_is_told_to(self):
        with Cluster(servers=0) as c:
            p = self.node(c, "lost", c.agent_address(0), "-retry-join", c.agent_address(5), "-retry-max", "3").start()
            self.assertEqual(1, p.popen.wait(60))
            self.assertIn("max join retry exhausted, exiting", p.log())
            self.assertEqual(2, p.log().count("Join cluster failed, will retry"))

    def pool(self, c):
        hosts = [c.agent_address(i) for i in range(3)]
        for i, host in enumerate(hosts):
            self.node(c, f"n{i}", host, "-retry-join", hosts[0], leave_on_terminate=False).start()
        for host in hosts:
            self.expect(host, "n0", "n1", "n2")
        return hosts

    def restart(self, c, i, *flags):
        p = c.processes[f"n{i}"]
        while "-retry-join" in p.argv:
            k = p.argv.index("-retry-join")
            del p.argv[k:k + 2]
        p.argv += flags
        p.start()

    def wait_for_file(self, c, name, *peers):
        """What a node learns is on its disk half a second later, and not at once."""
        def is_there():
            with open(c.path(name, "serf", "local.snapshot")) as f:
                text = f.read()
            return all(f"alive: {p} " in text for p in peers)

        wait_until(f"the peers of {name} are on its disk", is_there)

    def test_peers_on_disk_are_enough_after_a_restart(self):
        with Cluster(servers=0) as c:
            hosts = self.pool(c)
            self.wait_for_file(c, "n1", "n0", "n2")
            for how in (lambda p: p.kill(), lambda p: p.stop(signal.SIGTERM)):
                how(c.processes["n1"])
                self.restart(c, 1)
                self.expect(hosts[1], "n0", "n1", "n2")
                self.wait_for_file(c, "n1", "n0", "n2")
            # All that it was told to join are gone for good; who is left is found all the same.
            c.processes["n1"].kill()
            c.processes["n0"].kill()
            self.restart(c, 1, "-retry-join", hosts[0])
            wait_until("the rest of the pool", lambda: {"n1", "n2"} <= set(alive(hosts[1])))

    def test_who_has_left_stays_away_unless_told_otherwise(self):
        with Cluster(servers=0) as c:
            hosts = self.pool(c)
            for n in range(2):
                put(hosts[2], "/v1/agent/leave")
                c.processes["n2"].popen.wait(60)
                if n == 0:
                    self.restart(c, 2)
                    wait_until("it answers", lambda: get(hosts[2], "/v1/agent/self").status == 200)
                    time.sleep(1)
                    self.assertEqual(["n2"], alive(hosts[2]))
                    put(hosts[2], "/v1/agent/join/" + hosts[0])
                    self.expect(hosts[2], "n0", "n1", "n2")
                    put(hosts[2], "/v1/agent/leave")
                    c.processes["n2"].popen.wait(60)
                    self.restart(c, 2, "-rejoin")
                    wait_until("it answers", lambda: get(hosts[2], "/v1/agent/self").status == 200)
                    put(hosts[2], "/v1/agent/join/" + hosts[0])
                    self.expect(hosts[2], "n0", "n1", "n2")
                else:
                    self.restart(c, 2)  # with -rejoin, as before
                    self.expect(hosts[2], "n0", "n1", "n2")


if __name__ == "__main__":
    unittest.main()
