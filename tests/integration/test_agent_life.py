"""The life of an agent as its operator sees it: watches, sockets, logs, signals, reloads, and what the service manager hears."""
import glob
import json
import os
import signal
import socket
import stat
import subprocess
import time
import unittest

from kit import BIN, PATIENCE, Cluster, get, put, wait_until


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Watches(unittest.TestCase):
    def test_handlers_are_told_of_each_change_and_watches_are_read_anew(self):
        with Cluster(servers=1) as c:
            host, out = c.agent_address(0), c.path("out", "log")
            script = ["sh", "-c", f"cat >> {out}; echo index $CONSUL_INDEX >> {out}"]
            agent = c.add_agent(0)
            c.configure("agent-0", watches=[{"type": "key", "key": "k", "args": script}])
            agent.start()
            wait_until("the handler runs at the start", lambda: "null\nindex" in read(out))
            put(host, "/v1/kv/k", "one")
            wait_until("and at a change", lambda: '"Value":"b25l"' in read(out))
            self.assertNotIn("cannot", agent.log())

            # A bad file keeps the running configuration.
            c.configure("agent-0", watches=[{"type": "nonsense", "args": script}])
            agent.send(signal.SIGHUP)
            wait_until("the mistake is named", lambda: "watches[0]): Unsupported watch type: nonsense" in agent.log())
            put(host, "/v1/kv/k", "two")
            wait_until("the old watch goes on", lambda: '"Value":"dHdv"' in read(out))

            second = c.path("out", "second")
            c.configure("agent-0", watches=[{"type": "service", "service": "web", "args": ["sh", "-c", f"cat > {second}"]}])
            agent.send(signal.SIGHUP)
            wait_until("the new watch runs", lambda: read(second) == "[]\n")
            put(host, "/v1/agent/service/register", {"Name": "web", "Port": 7})
            wait_until("and hears of a service", lambda: '"Port":7' in read(second))
            told = read(out)
            put(host, "/v1/kv/k", "three")
            watch = c.cli(host, "watch", "-type", "key", "-key", "k")
            self.assertEqual((watch.returncode, json.loads(watch.stdout)["Value"]), (0, "dGhyZWU="))
            self.assertEqual(read(out), told, "a watch that is gone is not heard any more")
            self.assertEqual(agent.stop(), 0)

    def test_the_command_runs_a_child_until_that_fails(self):
        with Cluster(servers=1) as c:
            host = c.server_address(0)
            put(host, "/v1/kv/k", "1")
            out = c.path("out", "log")
            child = f"cat > {out}; echo $CONSUL_INDEX; test $(wc -c < {out}) -lt 10"
            watch = subprocess.Popen([os.path.join(BIN, "muster"), "watch", "-http-addr", f"{host}:8500", "-type", "key",
                                      "-key", "nix", child], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wait_until("it is told that there is none", lambda: read(out) == "null\n")
            put(host, "/v1/kv/nix", "1")
            text, complaint = watch.communicate(timeout=PATIENCE)
            self.assertEqual((watch.returncode, complaint), (1, "Error executing handler: exit status 1\n"))
            self.assertEqual(len(text.split()), 2)


class Doors(unittest.TestCase):
    def test_sockets_blocked_paths_and_who_may_write(self):
        with Cluster(servers=0) as c:
            c.nservers = 1
            path, host = c.path("s", "http.sock"), c.server_address(0)
            server = c.add_server(0)
            with socket.socket(socket.AF_UNIX) as old:
                old.bind(path)  # left behind by somebody who was killed
            c.configure("server-0", addresses={"http": f"{host} unix://{path}"}, unix_sockets={"mode": "0600"},
                        http_config={"block_endpoints": ["/v1/event", "/v1/agent/se"], "allow_write_http_from": ["10.0.0.0/8"],
                                     "response_headers": {"X-Mine": "yes"}})
            server.start()
            wait_until("a leader", lambda: c.leader() is not None)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            for blocked in ("/v1/event/list", "/v1/agent/services"):
                reply = get(host, blocked)
                self.assertEqual((reply.status, reply.body), (403, b"Endpoint is blocked by agent configuration"))
                self.assertEqual(reply.headers["x-mine"], "yes")
            self.assertEqual(get(host, "/v1/agent/checks").status, 200)
            reply = put(host, "/v1/kv/a", "b")
            self.assertEqual((reply.status, reply.body), (403, b"Access is restricted"))
            cli = subprocess.run([os.path.join(BIN, "muster"), "catalog", "nodes"], capture_output=True, text=True,
                                 env={**os.environ, "CONSUL_HTTP_ADDR": f"unix://{path}"}, timeout=PATIENCE)
            self.assertEqual(cli.returncode, 0, cli.stderr)
            self.assertIn("server-0", cli.stdout)
            self.assertEqual(server.stop(), 0)
            self.assertFalse(os.path.exists(path))


class Rules(unittest.TestCase):
    def test_entries_of_the_configuration_are_written_where_there_are_none(self):
        with Cluster(servers=0) as c:
            c.nservers = 1
            host, server = c.server_address(0), c.add_server(0)
            with open(c.path("server-0.d", "entries.hcl"), "w") as f:
                f.write("""config_entries {
                  bootstrap { kind = "proxy-defaults" name = "global" config { local_connect_timeout_ms = 7 } }
                  bootstrap { kind = "service-defaults" name = "web" protocol = "http" }
                  bootstrap { kind = "nonsense" name = "bad" }
                  bootstrap { kind = "service-resolver" name = "web" default_subset = "v1" subsets { v1 { filter = "x" } } }
                }
                http_config { allow_write_http_from = ["10.0.0.0/8"] block_endpoints = ["/v1/config/x"] }
                discovery_max_stale = "10s"
                """)
            server.start()
            kinds = ("proxy-defaults/global", "service-defaults/web", "service-resolver/web")
            for path in kinds:
                wait_until(path, lambda p=path: get(host, f"/v1/config/{p}").status == 200)
            self.assertEqual(get(host, "/v1/config/proxy-defaults/global").json()["Config"], {"local_connect_timeout_ms": 7})
            self.assertEqual(get(host, "/v1/config/service-resolver/web").json()["DefaultSubset"], "v1")
            self.assertIn("Failed to bootstrap a config entry", server.log())
            # Discovery may be stale, other things are the leader's to tell.
            self.assertEqual(get(host, "/v1/catalog/nodes").headers["x-consul-effective-consistency"], "stale")
            self.assertEqual(get(host, "/v1/catalog/nodes?leader").headers["x-consul-effective-consistency"], "leader")
            before = get(host, "/v1/config/service-defaults/web").json()["ModifyIndex"]
            self.assertEqual(server.stop(), 0)
            server.start()
            wait_until("it is back", lambda: server.log().count("cluster leadership acquired") == 2)
            wait_until("it leads", lambda: c.leader() == 0)
            wait_until("it has looked", lambda: server.log().count("Failed to bootstrap") == 2)
            self.assertEqual(get(host, "/v1/config/service-defaults/web").json()["ModifyIndex"], before)

    def test_members_of_other_networks_are_not_let_in(self):
        with Cluster(servers=0) as c:
            c.nservers = 1
            server, host = c.add_server(0), c.server_address(0)
            c.configure("server-0", serf_lan_allowed_cidrs=[f"{host}/32", f"{c.agent_address(1)}/32"])
            server.start()
            c.wait_for_leader()
            for i in range(2):
                c.add_agent(i).start()
            wait_until("one of them joins", lambda: len(get(host, "/v1/agent/members").json()) == 2)
            wait_until("the other is refused", lambda: "is in no network of serf_lan_allowed_cidrs" in server.log())
            self.assertEqual({m["Name"] for m in get(host, "/v1/agent/members").json()}, {"server-0", "agent-1"})


class Logs(unittest.TestCase):
    def test_json_goes_to_files_that_are_begun_anew(self):
        with Cluster(servers=0) as c:
            c.nservers = 1
            server, folder = c.add_server(0), os.path.dirname(c.path("logs", "x"))
            c.configure("server-0", log_json=True, log_file=folder + "/", log_rotate_bytes=1000, log_rotate_max_files=2)
            server.start()
            c.wait_for_leader()
            for i in range(40):  # a line each, on level debug at least
                server.send(signal.SIGHUP)
                wait_until("it reloads", lambda n=i: server.log().count("Configuration reloaded") > n)
            files = sorted(glob.glob(folder + "/muster-*.log"))
            self.assertLessEqual(len(files), 3)
            self.assertGreaterEqual(len(files), 2)
            for name in files:
                for line in read(name).splitlines():
                    self.assertLessEqual({"@level", "@message", "@module", "@timestamp"}, set(json.loads(line)))
            self.assertEqual(server.stop(), 0)


class Signals(unittest.TestCase):
    def test_exit_codes_and_the_pid_file(self):
        with Cluster(servers=0) as c:
            c.nservers = 1
            pid = c.path("run", "pid")
            with open(pid, "w") as f:
                f.write("1")  # a stale one
            server = c.add_server(0, "-pid-file", pid).start()
            c.wait_for_leader()
            self.assertEqual(read(pid), str(server.pid))
            self.assertEqual(server.stop(signal.SIGINT), 0)  # servers do not leave
            self.assertIn("Graceful shutdown disabled. Exiting", server.log())
            self.assertFalse(os.path.exists(pid))
            c.configure("server-0", leave_on_terminate=True, performance={"leave_drain_time": "60s"})
            server.start()
            c.wait_for_leader()
            server.send(signal.SIGTERM)
            wait_until("it leaves", lambda: "Gracefully shutting down agent..." in server.log())
            self.assertEqual(server.stop(signal.SIGTERM), 1)
            self.assertIn("Caught second signal", server.log())
            server.argv += ["-pid-file", "/nonexistent/pid"]
            server.start()
            self.assertEqual(server.popen.wait(PATIENCE), 1)
            self.assertIn("Could not open pid file: open /nonexistent/pid: no such file or directory", server.log())

    def test_what_is_under_way_is_finished(self):
        with Cluster(servers=1) as c:
            host, server = c.server_address(0), c.server(0)
            with socket.create_connection((host, 8500)) as slow, socket.create_connection((host, 8500)) as waiting:
                waiting.sendall(b"GET /v1/kv/none?index=100000 HTTP/1.1\r\nHost: x\r\n\r\n")
                slow.sendall(b"PUT /v1/kv/late HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
                get(host, "/v1/status/leader")  # both have been heard
                server.send(signal.SIGTERM)
                wait_until("it ends", lambda: "Graceful shutdown disabled" in server.log())
                slow.sendall(b"cd")
                slow.settimeout(PATIENCE)
                self.assertIn(b"HTTP/1.1 200 OK", slow.recv(4096))
                waiting.settimeout(PATIENCE)
                self.assertEqual(waiting.recv(4096), b"")
            self.assertEqual(server.popen.wait(PATIENCE), 0)
            server.start()
            c.wait_for_leader()
            self.assertEqual(get(host, "/v1/kv/late?raw").body, b"abcd")


class Manager(unittest.TestCase):
    def test_the_service_manager_is_told(self):
        with Cluster(servers=0) as c:
            c.nservers = 1
            server, path = c.add_server(0), c.path("run", "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(path)
                manager.settimeout(PATIENCE)
                server.environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000"}

                def hear():
                    return manager.recv(4096).decode().split("\n")[0]

                server.start()
                self.assertEqual(hear(), "READY=1")
                wait_until("it answers", lambda: get(c.server_address(0), "/v1/status/leader").status == 200)
                server.send(signal.SIGHUP)
                self.assertEqual(hear(), "RELOADING=1")
                self.assertEqual(hear(), "READY=1")
                server.send(signal.SIGTERM)
                self.assertEqual(hear(), "STOPPING=1")
                self.assertEqual(server.popen.wait(PATIENCE), 0)
                server.environment["WATCHDOG_USEC"] = "100000"
                server.start()
                self.assertEqual(hear(), "READY=1")
                self.assertEqual([hear() for _ in range(3)], ["WATCHDOG=1"] * 3)
                self.assertEqual(server.stop(), 0)


class Limits(unittest.TestCase):
    def test_few_open_files_are_complained_about(self):
        with Cluster(servers=0) as c:
            c.nservers = 1
            server = c.add_server(0)
            server.argv = ["prlimit", "--nofile=200:200", *server.argv]
            if os.geteuid() == 0:  # or the limit could be raised
                server.argv = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", *server.argv]
            server.start()
            c.wait_for_leader()
            self.assertIn("The limit of open files is 200: limits.http_max_conns_per_client = 200 needs at least 264",
                          server.log())
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
