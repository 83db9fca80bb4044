"""What muster counts, held against what Consul 1.8.7 counts after the same script, and read by a real Prometheus."""
import unittest

from kit import Cluster
from metric_script import RECORDED, lines, run

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


if __name__ == "__main__":
    unittest.main()
