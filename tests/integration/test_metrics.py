"""What muster counts, held against what Consul 1.8.7 counts after the same script, and read by a real Prometheus."""
import json
import os
import shutil
import sys
import unittest
import urllib.parse

from kit import PATIENCE, Cluster, Process, get, put, wait_until
from metric_script import RECORDED, TELEMETRY, lines, run

# What Consul counts and muster does not, by the beginnings of names; docs/differences.md says why.
ABSENT = (
    "go_",
    "consul_fsm_federation_state_",
    "consul_leader_barrier",
    "consul_memberlist_gossip",
    "consul_memberlist_pushPullNode",
    "consul_raft_barrier",
    "consul_raft_candidate_electSelf",
    "consul_raft_compactLogs",
    "consul_raft_fsm_enqueue",
    "consul_raft_leader_dispatchLog",
    "consul_raft_leader_dispatchNumLogs",
    "consul_raft_replication_",
    "consul_raft_rpc_",
    "consul_raft_snapshot_create",
    "consul_runtime_free_count",
    "consul_runtime_gc_pause_ns",
    "consul_runtime_heap_objects",
    "consul_runtime_malloc_count",
    "consul_runtime_total_gc_",
    "consul_serf_coordinate_adjustment_ms",
    "consul_serf_msgs_",
    "consul_serf_snapshot_appendLine",
)
# Config entries of all kinds are counted together.
RENAMED = {"consul_fsm_config_entry_service_defaults": "consul_fsm_config_entry"}


class Names(unittest.TestCase):
    maxDiff = None

    def test_what_consul_counts_muster_counts(self):
        with open(RECORDED, encoding="utf-8") as f:
            wanted = f.read().splitlines()
        server, agent = run(Cluster)
        have = set(lines("server", server)) | set(lines("agent", agent))
        missing = []
        for line in wanted:
            role, kind, name, *labels = line.split()
            line = " ".join([role, kind, RENAMED.get(name, name), *labels])
            if line not in have and not name.startswith(ABSENT):
                missing.append(line)
        self.assertEqual(missing, [])
        gone = [name for name in ABSENT if any(line.split()[2].startswith(name) for line in have)]
        self.assertEqual(gone, [], "these are there")


PROMETHEUS = os.environ.get("MUSTER_PROMETHEUS") or shutil.which("prometheus")


class Prometheus(unittest.TestCase):
    """One muster server, and a Prometheus beside it on an address of its own."""

    def setUp(self):
        self.cluster = Cluster(servers=1)
        self.cluster.configure("server-0", telemetry=TELEMETRY)
        self.cluster.__enter__()
        self.server = self.cluster.server_address(0)
        self.prometheus = f"{self.cluster.net}.31"

    def tearDown(self):
        self.cluster.__exit__(None, None, None)

    def start(self, job):
        """Writes the configuration and starts it; what it says against the configuration, or None."""
        config = self.cluster.path("prometheus", "prometheus.yml")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}, f)  # JSON is YAML
        argv = [PROMETHEUS, "--config.file", config, "--storage.tsdb.path", self.cluster.path("prometheus", "data"),
                "--web.listen-address", f"{self.prometheus}:9090", "--log.level", "warn"]
        process = Process(self.cluster, "prometheus", argv, self.cluster.path("prometheus.log"))
        self.cluster.processes["prometheus"] = process
        process.start()

        def is_up():
            return not process.is_running() or get(self.prometheus, "/-/ready", port=9090).status == 200

        wait_until("Prometheus is ready", is_up)
        return None if process.is_running() else process.log()

    def ask(self, query):
        """Label sets and values of an instant query."""
        reply = get(self.prometheus, "/api/v1/query?query=" + urllib.parse.quote(query), port=9090).json()
        self.assertEqual(reply["status"], "success")
        return [(r["metric"], float(r["value"][1])) for r in reply["data"]["result"]]

    def test_scrapes_and_answers_with_it(self):
        refused = self.start({
            "job_name": "muster", "metrics_path": "/v1/agent/metrics", "params": {"format": ["prometheus"]},
            "static_configs": [{"targets": [f"{self.server}:8500"]}]})
        self.assertIsNone(refused)
        for _ in range(5):
            put(self.server, "/v1/kv/counted", "1")
        get(self.server, '/v1/health/service/od"d%5C%20name')
        value = wait_until("the writes are counted", lambda: self.ask("consul_kvs_apply_count > 4"), timeout=PATIENCE)[0][1]
        self.assertGreaterEqual(value, 5)
        self.assertEqual([v for _, v in self.ask('up{job="muster"}')], [1.0])
        self.assertEqual(self.ask('consul_health_service_query{service="od\\"d\\\\ name"}')[0][1], 1.0)
        self.assertGreater(self.ask("process_resident_memory_bytes")[0][1], 1 << 20)
        self.assertEqual(self.ask("histogram_quantile(0.5, consul_watch_delivery_bucket) == 0"), [])  # parses as one
        targets = get(self.prometheus, "/api/v1/targets", port=9090).json()["data"]["activeTargets"]
        self.assertEqual([t["lastError"] for t in targets], [""])

    def test_discovers_services(self):
        put(self.server, "/v1/agent/service/register", {
            "Name": "metrics", "Address": self.server, "Port": 8500, "Tags": ["scraped"]})
        refused = self.start({
            "job_name": "found", "metrics_path": "/v1/agent/metrics", "params": {"format": ["prometheus"]},
            "consul_sd_configs": [{"server": f"{self.server}:8500", "services": ["metrics"], "tags": ["scraped"]}]})
        if refused and "consul_sd_configs not found" in refused:
            self.skipTest("this Prometheus was built without consul_sd")
        self.assertIsNone(refused)
        found = wait_until("the service was found and scraped", lambda: self.ask('up{job="found"} == 1'))
        self.assertEqual(found[0][0]["instance"], f"{self.server}:8500")


if __name__ == "__main__":
    if not PROMETHEUS and "Prometheus" in sys.argv:
        print("skipped: there is no prometheus here")
        sys.exit(77)
    unittest.main()
