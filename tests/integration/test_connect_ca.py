"""The built-in certificate authority in whole clusters: leafs for real Consul agents, rotation, the death of a leader, backups.
openssl verifies; skipped, aloud, where there is no Consul or no openssl."""
import json
import os
import shutil
import subprocess
import sys
import unittest

from kit import BIN, Cluster, find_consul, get, put, request, wait_until
from test_consul import add_consul

CONSUL, OPENSSL = find_consul(), shutil.which("openssl")
KEY = """-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIKByccoyGHKmmM2Q4blikR2uU5iEqWNqwGbORDDL4FV4oAoGCCqGSM49
AwEHoUQDQgAEzGl1F4/kxL8qPxkrVb4MTyQN+q4LA8FcdzzYQw2EcmZH2gaPnjnE
BdDdHnekNlAfpl0Ka/TIa5ExvyJfZweG3Q==
-----END EC PRIVATE KEY-----
"""
ROOTS, CONFIG = "/v1/connect/ca/roots", "/v1/connect/ca/configuration"


class Authority(unittest.TestCase):
    def cluster(self, servers):
        c = Cluster(servers=0)
        c.nservers = servers
        for i in range(servers):
            c.configure(f"server-{i}", connect={"enabled": True})
        return c

    def start(self, c):
        for host in c.server_addresses:
            wait_until("there is a root", lambda host=host: get(host, ROOTS).status == 200 and get(host, ROOTS).json()["ActiveRootID"])

    def verify(self, c, root, leaf):
        """Does a peer that trusts this root alone accept the leaf, with what comes with it?"""
        for name, text in (("root.pem", root), ("leaf.pem", leaf)):
            with open(c.path(name), "w") as f:
                f.write(text)
        return subprocess.run([OPENSSL, "verify", "-purpose", "sslserver", "-CAfile", c.path("root.pem"), "-untrusted", c.path("leaf.pem"),
                               c.path("leaf.pem")], capture_output=True).returncode == 0

    def roots(self, host):
        found = get(host, ROOTS).json()
        return found["ActiveRootID"], {r["ID"]: r["RootCert"] for r in found["Roots"]}

    def leaf(self, host, service):
        reply = get(host, f"/v1/agent/connect/ca/leaf/{service}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()["CertPEM"]

    def test_consul_agents_get_leafs_through_rotation_and_the_death_of_the_leader(self):
        with self.cluster(3) as c:
            self.start(c)
            agent = c.agent_address(0)
            c.configure("consul-agent", connect={"enabled": True})
            add_consul(c, "consul-agent", agent, join=c.server_addresses).start()
            wait_until("the agent has found servers", lambda: get(agent, ROOTS).status == 200)
            first, all_roots = self.roots(agent)
            self.assertEqual(list(all_roots), [first])
            old = self.leaf(agent, "web")
            self.assertTrue(self.verify(c, all_roots[first], old))

            self.assertEqual(put(c.server_address(0), CONFIG, json.dumps(
                {"Provider": "consul", "Config": {"PrivateKeyBits": 384}})).status, 200)
            leader = get(c.server_address(0), "/v1/status/leader").json().split(":")[0]
            c.server(c.server_addresses.index(leader)).kill()
            alive = next(a for a in c.server_addresses if a != leader)
            wait_until("another one leads", lambda: get(alive, "/v1/status/leader").json() not in ("", f"{leader}:8300"))
            wait_until("it is answered for", lambda: get(alive, ROOTS).status == 200)
            second, all_roots = self.roots(alive)
            self.assertNotEqual(first, second)
            self.assertEqual(sorted(all_roots), sorted([first, second]))
            wait_until("the agent knows", lambda: self.roots(agent)[0] == second)
            new = self.leaf(agent, "db")
            self.assertTrue(self.verify(c, all_roots[second], new), "by the new root")
            self.assertTrue(self.verify(c, all_roots[first], new), "by who knows only the old one")
            self.assertFalse(self.verify(c, all_roots[second], old))

    def test_a_backup_keeps_the_authority_and_no_answer_its_key(self):
        with self.cluster(1) as c:
            self.start(c)
            host = c.server_address(0)
            before = self.roots(host)
            backup = get(host, "/v1/snapshot").body
            put(host, CONFIG, json.dumps({"Provider": "consul", "Config": {"PrivateKeyType": "rsa", "PrivateKeyBits": 2048}}))
            self.assertNotEqual(self.roots(host)[0], before[0])
            self.assertEqual(request(host, "PUT", "/v1/snapshot", backup).status, 200)
            wait_until("it is the one of the backup", lambda: self.roots(host) == before)
            for path in (ROOTS, CONFIG):
                self.assertNotIn(b"PRIVATE", get(host, path).body)
            c.server(0).kill()
            c.server(0).start()
            c.wait_for_leader()
            wait_until("it is there again", lambda: get(host, ROOTS).status == 200)
            self.assertEqual(self.roots(host), before)
            self.assertNotIn("PRIVATE", c.server(0).log())

    def test_an_operators_key_is_nowhere_to_be_read(self):
        """Not in answers, in what is said of a backup, or in the log; the backup itself must have it (CVE-2020-28053)."""
        key, line = KEY, KEY.split("\n")[1]
        c = Cluster(servers=0)
        c.nservers = 1
        c.configure("server-0", connect={"enabled": True, "ca_config": {"private_key": key}}, log_level="trace", enable_debug=True)
        with c:
            self.start(c)
            host = c.server_address(0)
            self.assertEqual(put(host, CONFIG, json.dumps({"Provider": "consul", "Config": {"PrivateKey": key + "x"}})).status, 200)
            self.leaf(host, "web")  # whose key is its own
            for path in (ROOTS, ROOTS + "?pem=true", CONFIG, "/v1/agent/connect/ca/roots", "/v1/agent/self", "/v1/agent/metrics",
                         "/v1/operator/raft/configuration", "/v1/connect/ca/configuration?pretty", "/v1/agent/host", "/v1/kv/?recurse"):
                body = get(host, path).body
                self.assertNotIn(b"PRIVATE KEY", body, path)
                self.assertNotIn(line.encode(), body, path)
            backup = c.path("backup.tgz")
            with open(backup, "wb") as f:
                f.write(get(host, "/v1/snapshot").body)
            said = subprocess.run([os.path.join(BIN, "muster"), "snapshot", "inspect", backup], capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, said.stderr)
            for text in (said.stdout + said.stderr, c.server(0).log()):
                self.assertNotIn("PRIVATE KEY", text)
                self.assertNotIn(line, text)


if __name__ == "__main__":
    if not CONSUL or not OPENSSL or not os.access(OPENSSL, os.X_OK):
        print("SKIPPED: no Consul binary or no openssl here")
        sys.exit(77)
    unittest.main(verbosity=2)
