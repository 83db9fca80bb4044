"""Patroni, unchanged, keeps two PostgreSQLs with muster as its store: bootstrap, the leader's lock in a session, switchover,
failover after kill -9, maintenance mode, and its service with tags and checks. Skips aloud (77) where Patroni or PostgreSQL
is missing, and without MUSTER_LONG=1: PostgreSQL takes its time. MUSTER_DCS=consul asks the real Consul instead."""
import glob
import json
import os
import pwd
import shutil
import subprocess
import sys
import unittest

from kit import LONG, Cluster, ConsulCluster, Process, dig, get, request, wait_until

SCOPE = "muster_demo"
SERVICE = "muster-demo"  # how Patroni spells it for DNS
USER = "postgres"  # PostgreSQL refuses to run as root


def postgres_bin():
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    return folders[-1] if folders and os.access(folders[-1] + "/initdb", os.X_OK) else None


def as_postgres(argv):
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *argv] if os.getuid() == 0 else argv


class Patroni(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not LONG:
            raise unittest.SkipTest("takes a minute: MUSTER_LONG=1 runs it")
        cls.bin = postgres_bin()
        if not shutil.which("patroni") or not cls.bin:
            raise unittest.SkipTest("no Patroni and PostgreSQL here")
        if os.getuid() == 0:
            try:
                pwd.getpwnam(USER)
            except KeyError:
                raise unittest.SkipTest("PostgreSQL does not run as root, and there is no other user for it") from None
        kind = ConsulCluster if os.environ.get("MUSTER_DCS") == "consul" else Cluster
        cls.cluster = kind(servers=3, agents=2)
        cls.cluster.__enter__()
        cls.addClassCleanup(lambda: cls.cluster.__exit__(None, None, None))
        os.chmod(cls.cluster.dir, 0o711)
        cls.hosts = [cls.cluster.agent_address(i) for i in range(2)]
        for i in range(2):
            cls.add_node(i)
            cls.node(i).start()
        cls.addClassCleanup(cls.stop_nodes)

    @classmethod
    def stop_nodes(cls):
        """Before the agents: a PostgreSQL whose Patroni is killed lives on."""
        for i in range(2):
            if cls.node(i).is_running():
                cls.node(i).stop()
            cls.kill_postgres(i)

    @classmethod
    def node(cls, i):
        return cls.cluster.processes[f"pg{i}"]

    @classmethod
    def add_node(cls, i):
        c, host = cls.cluster, cls.hosts[i]
        home = os.path.join(c.dir, f"pg{i}.home")
        os.makedirs(home, mode=0o755)
        if os.getuid() == 0:
            shutil.chown(home, USER, USER)
        accounts = {kind: {"username": kind, "password": "secret"} for kind in ("superuser", "replication", "rewind")}
        settings = {
            "scope": SCOPE, "namespace": "/db/", "name": f"pg{i}",
            "restapi": {"listen": f"{host}:8008", "connect_address": f"{host}:8008"},
            "consul": {"host": f"{host}:8500", "register_service": True, "service_tags": ["muster"], "service_check_interval": "1s"},
            "bootstrap": {"dcs": {"ttl": 20, "loop_wait": 1, "retry_timeout": 3, "maximum_lag_on_failover": 1048576,
                                  "postgresql": {"use_pg_rewind": True, "parameters": {"max_connections": 20, "shared_buffers": "8MB"}}},
                          "initdb": [{"encoding": "UTF8"}, "no-sync"]},
            "postgresql": {"listen": f"{host}:5432", "connect_address": f"{host}:5432", "data_dir": f"{home}/data", "bin_dir": cls.bin,
                           "pgpass": f"{home}/pgpass", "authentication": accounts, "parameters": {"unix_socket_directories": home, "fsync": "off"},
                           "pg_hba": ["host all all 127.0.0.0/8 md5", "host replication all 127.0.0.0/8 md5", "local all all trust"]},
        }
        config = os.path.join(c.dir, f"pg{i}.yml")
        with open(config, "w") as f:
            json.dump(settings, f)  # JSON is YAML
        os.chmod(config, 0o644)
        c.processes[f"pg{i}"] = Process(c, f"pg{i}", as_postgres(["patroni", config]), c.path(f"pg{i}.log"))

    @classmethod
    def kill_postgres(cls, i):
        try:
            with open(os.path.join(cls.cluster.dir, f"pg{i}.home", "data", "postmaster.pid")) as f:
                os.kill(int(f.readline()), 9)
        except (OSError, ValueError):
            pass

    def ctl(self, *args, code=0, stdin=None):
        done = subprocess.run(["patronictl", "-c", os.path.join(self.cluster.dir, "pg0.yml"), *args], input=stdin, capture_output=True,
                              text=True, timeout=120)
        self.assertEqual(done.returncode, code, " ".join(args) + "\n" + done.stdout + done.stderr)
        return done.stdout

    def listed(self):
        """Member name -> (role, state)."""
        return {m["Member"]: (m["Role"], m["State"]) for m in json.loads(self.ctl("list", "-f", "json"))}

    def wait_for(self, leader, replica):
        """Both are what they should be, for patronictl and for who asks the catalog."""
        host = self.hosts[0]
        wait_until(f"{leader} leads", lambda: self.listed().get(leader) == ("Leader", "running"), timeout=120, pause=0.5)
        wait_until(f"{replica} follows", lambda: self.listed().get(replica, ("", ""))[0] == "Replica"
                   and self.listed()[replica][1] in ("running", "streaming"), timeout=120, pause=0.5)
        for tag, name in (("master", leader), ("replica", replica)):
            want = self.hosts[int(name[-1])]
            wait_until(f"{name} is the {tag} of the service", lambda: [
                s["Service"]["Address"] for s in get(host, f"/v1/health/service/{SERVICE}?passing&tag={tag}").json()] == [want], pause=0.2)
        self.assertEqual(dig(host, f"master.{SERVICE}.service.consul").values("A"), [self.hosts[int(leader[-1])]])

    def sql(self, i, text):
        done = subprocess.run([os.path.join(self.bin, "psql"), "-XAtq", "-h", self.hosts[i], "-U", "superuser", "-d", "postgres", "-c", text],
                              env={**os.environ, "PGPASSWORD": "secret"}, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise ValueError(done.stderr)
        return done.stdout.strip()

    def lock(self):
        """The leader's key and its session."""
        entry = get(self.hosts[0], f"/v1/kv/db/{SCOPE}/leader").json()[0]
        return entry, get(self.hosts[0], "/v1/session/info/" + entry["Session"]).json()[0]

    def test_story(self):
        host = self.hosts[0]
        wait_until("there is a leader", lambda: any(role == "Leader" and state == "running" for role, state in self.listed().values()),
                   timeout=180, pause=0.5)
        first = next(name for name, (role, _) in self.listed().items() if role == "Leader")
        second = "pg1" if first == "pg0" else "pg0"
        a, b = int(first[-1]), int(second[-1])
        self.wait_for(first, second)

        entry, session = self.lock()
        self.assertEqual(session["Name"], f"{SCOPE}-{first}")
        self.assertEqual((session["Behavior"], session["TTL"], session["LockDelay"]), ("delete", "10.0s", 1000000))
        self.assertEqual(session["Node"], f"agent-{a}")
        self.assertEqual(get(host, "/v1/agent/services").status, 200)
        check = get(host, f"/v1/health/checks/{SERVICE}").json()
        self.assertEqual({c["ServiceID"] for c in check}, {f"{SCOPE}/pg0", f"{SCOPE}/pg1"})

        self.sql(a, "create table t (n int); insert into t values (1)")
        wait_until("the replica has it", lambda: self.sql(b, "select n from t") == "1")

        self.ctl("switchover", SCOPE, "--master", first, "--candidate", second, "--force")
        self.wait_for(second, first)
        self.sql(b, "insert into t values (2)")
        self.assertIn("no recovery target specified", self.ctl("history", SCOPE))

        self.ctl("pause", SCOPE, "--wait")
        self.assertIn("Maintenance mode: on", self.ctl("list"))
        self.ctl("resume", SCOPE, "--wait")
        self.ctl("edit-config", SCOPE, "--force", "-s", "loop_wait=2")
        self.assertIn("loop_wait: 2", self.ctl("show-config", SCOPE))
        wait_until("both have the new configuration", lambda: all(
            json.loads(request(h, "GET", "/config", port=8008).body)["loop_wait"] == 2 for h in self.hosts))

        # The leader dies without a word; the lock is free when its session has ended.
        self.node(b).kill()
        self.kill_postgres(b)
        wait_until("the other one leads", lambda: self.listed().get(first) == ("Leader", "running"), timeout=90, pause=0.5)
        self.assertEqual(self.lock()[1]["Name"], f"{SCOPE}-{first}")
        wait_until("it takes writes", lambda: self.sql(a, "insert into t values (3)") == "")
        self.assertEqual(self.sql(a, "select count(*) from t"), "3")

        self.node(b).start()
        self.wait_for(first, second)
        wait_until("who came back has it all", lambda: self.sql(b, "select count(*) from t") == "3")

        # Its store loses its leader, and Patroni does not.
        leader = self.cluster.find_leader()
        self.cluster.server(leader).kill()
        self.cluster.wait_for_leader(ask=host)
        self.sql(a, "insert into t values (4)")
        self.assertEqual(self.listed()[first], ("Leader", "running"))

        self.node(a).stop()
        wait_until("a leader that leaves gives its lock back", lambda: self.listed().get(second) == ("Leader", "running"), timeout=60,
                   pause=0.5)


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    for _, why in program.result.skipped:
        print("SKIPPED:", why)
    if program.result.skipped and program.result.testsRun == 0 and program.result.wasSuccessful():
        sys.exit(77)
    sys.exit(not program.result.wasSuccessful())
