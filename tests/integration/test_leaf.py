"""The certificates that a muster agent has a real Consul's servers sign: openssl verifies them, the key is theirs and nowhere on
disk, another root replaces them. Skips aloud (77) where there is no Consul."""
import json
import os
import subprocess
import sys
import threading
import unittest

from test_consul import CONSUL, add_consul

from kit import Cluster, get, put, request, wait_until

LEAF = "/v1/agent/connect/ca/leaf/"
ROOTS = "/v1/agent/connect/ca/roots"


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, text=True, capture_output=True, check=True).stdout


def signed(host):
    reply = get(host, LEAF + "web")
    return reply.json() if reply.status == 200 else None


class Leaf(unittest.TestCase):
    def setUp(self):
        self.c = Cluster(servers=0)
        self.c.__enter__()
        self.addCleanup(lambda: self.c.__exit__(None, None, None))
        server = self.c.server_address(0)
        add_consul(self.c, "consul", server, "-server", "-bootstrap-expect", "1", "-hcl", "connect { enabled = true }").start()
        self.host = self.c.agent_address(0)
        self.agent = self.c.add_agent(0, "-retry-join", server).start()
        self.server = server
        wait_until("the servers sign", lambda: signed(self.host))

    def verify(self, leaf, roots):
        paths = {n: self.c.path("pem", n) for n in ("leaf", "roots")}
        for name, text in (("leaf", leaf["CertPEM"]), ("roots", "".join(r["RootCert"] for r in roots["Roots"] if r["Active"]))):
            with open(paths[name], "w") as f:
                f.write(text)
        openssl("verify", "-x509_strict", "-CAfile", paths["roots"], "-untrusted", paths["leaf"], paths["leaf"])
        text = openssl("x509", "-in", paths["leaf"], "-noout", "-text")
        self.assertIn("URI:" + leaf["ServiceURI"], text)
        self.assertEqual(openssl("x509", "-in", paths["leaf"], "-noout", "-pubkey"),
                         openssl("pkey", "-pubout", stdin=leaf["PrivateKeyPEM"]))

    def test_openssl_verifies_it_and_another_root_replaces_it(self):
        leaf = signed(self.host)
        self.assertEqual(leaf, signed(self.host))
        self.verify(leaf, get(self.host, ROOTS).json())
        body = leaf["PrivateKeyPEM"].splitlines()[1]
        for folder, _, files in os.walk(self.c.path("agent-0", "x")[:-2]):
            for name in files:
                with open(os.path.join(folder, name), errors="replace") as f:
                    self.assertNotIn(body, f.read(), "a private key is on disk")
        self.assertNotIn(body, self.agent.log())
        got, before = {}, get(self.host, LEAF + "web").index
        thread = threading.Thread(target=lambda: got.update(new=get(
            self.host, f"{LEAF}web?index={before}&wait=90s", timeout=120).json()))
        thread.start()
        config = get(self.server, "/v1/connect/ca/configuration").json()
        config["Config"]["PrivateKey"] = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
        self.assertEqual(put(self.server, "/v1/connect/ca/configuration", json.dumps(config)).status, 200)
        wait_until("the agent knows both roots", lambda: len(get(self.host, ROOTS).json()["Roots"]) == 2)
        thread.join(60)  # half a minute is what agents spread it over
        self.assertNotEqual(got["new"]["SerialNumber"], leaf["SerialNumber"])
        self.verify(got["new"], get(self.host, ROOTS).json())

    def test_what_is_registered_is_there_while_the_servers_are_away(self):
        put(self.host, "/v1/agent/service/register", json.dumps({"Name": "api", "Connect": {"Native": True}}))
        wait_until("it was signed ahead", lambda: "certificate signed: service=api" in self.agent.log())
        wait_until("intentions are here", lambda: "intention-match.fetch_success" in get(self.host, "/v1/agent/metrics").body.decode())
        self.c.processes["consul"].kill()
        reply = get(self.host, LEAF + "api")
        self.assertEqual((reply.status, reply.headers["x-cache"]), (200, "HIT"))
        self.assertEqual(get(self.host, ROOTS).status, 200)
        uri = "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web"
        reply = request(self.host, "POST", "/v1/agent/connect/authorize", {"Target": "api", "ClientCertURI": uri})
        self.assertEqual((reply.status, reply.headers["x-cache"]), (200, "HIT"))


if __name__ == "__main__":
    if not CONSUL:
        print("SKIPPED: no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")
        sys.exit(77)
    unittest.main(verbosity=2)
