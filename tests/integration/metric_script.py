"""metric_script.py - what is asked of a small cluster so that every metric that counts something has something to count, and
what its nodes then say that they count. test_metrics.py holds muster against what Consul 1.8.7 said after the same script:

    metric_script.py        records it anew, with the real Consul
"""
import os
import re
import sys

from kit import Cluster, DNS_TYPES, Process, delete, dig, find_consul, get, put, request, wait_until

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "metrics-consul-1.8.7.txt")
TELEMETRY = {"prometheus_retention_time": "10m", "disable_hostname": True}


class RealCluster(Cluster):
    """The same nodes, of Consul."""

    def _add(self, name, address, flags):
        super()._add(name, address, flags)
        process = self.processes[name]
        self.processes[name] = Process(self, name, [find_consul(), *process.argv[1:]], process.log_path)
        return self.processes[name]


def write(host):
    put(host, "/v1/kv/a/b", "1")
    put(host, "/v1/kv/a/c", "2")
    delete(host, "/v1/kv/a/c")
    put(host, "/v1/txn", [{"KV": {"Verb": "set", "Key": "t", "Value": "MQ=="}}])
    put(host, "/v1/txn", [{"KV": {"Verb": "get", "Key": "t"}}])
    put(host, "/v1/catalog/register", {"Node": "n1", "Address": "10.0.0.1", "Service": {"Service": "far", "Tags": ["a"]}})
    put(host, "/v1/catalog/deregister", {"Node": "n1", "ServiceID": "far"})
    put(host, "/v1/agent/service/register", {"Name": "near", "Tags": ["a"], "Port": 80, "Check": {"TTL": "10m"}})
    put(host, "/v1/event/fire/hello", "x")
    put(host, "/v1/config", {"Kind": "service-defaults", "Name": "near", "Protocol": "http"})
    delete(host, "/v1/config/service-defaults/near")


def hold_sessions(host):
    session = put(host, "/v1/session/create", {"TTL": "10s", "LockDelay": "1s"}).json()["ID"]
    put(host, f"/v1/session/renew/{session}")
    put(host, f"/v1/kv/lock?acquire={session}", "x")
    put(host, f"/v1/session/destroy/{session}")
    return put(host, "/v1/session/create", {"TTL": "10s"}).json()["ID"]  # this one ends by itself


def prepare(host):
    name = "near-" + host.split(".")[-1]
    number = request(host, "POST", "/v1/query", body={"Name": name, "Service": {"Service": "near", "Tags": ["a"]}}).json()["ID"]
    get(host, f"/v1/query/{number}/execute")
    get(host, f"/v1/query/{number}/explain")
    get(host, f"/v1/query/{number}")
    get(host, "/v1/query")
    put(host, "/v1/catalog/register", {"Node": "n2", "Address": "10.0.0.2"})
    return number


def read(host):
    for path in ("kv/a/b", "kv/a/b?consistent", "kv/a/b?stale", "kv/a?keys", "kv/none", "catalog/nodes", "catalog/services",
                 "catalog/service/near", "catalog/service/near?tag=a", "catalog/service/none", "catalog/node/n2",
                 "catalog/datacenters", "health/service/near", "health/service/near?tag=a", "health/service/near?passing",
                 "health/service/none", "health/service/near?cached", "health/node/n2", "health/checks/near",
                 "health/state/any", "coordinate/nodes", "session/list", "event/list", "status/leader", "agent/self",
                 "agent/members", "agent/services", "internal/ui/services", "internal/ui/nodes", "operator/raft/configuration",
                 "operator/autopilot/health", "config/service-defaults", "nothing/here", "kv/a/b?index=1&wait=10ms", "acl/list",
                 "catalog/connect/near", "catalog/node-services/n2", "catalog/nodes?dc=nowhere", "connect/ca/roots", "discovery-chain/near"):
        get(host, "/v1/" + path)
    get(host, "/v1/kv/a?recurse&index=100000&wait=100ms")
    get(host, "/v1/snapshot")


def look_up(host):
    for name, kind in (("near.service.consul", "A"), ("near.service.consul", "SRV"), ("a.near.service.consul", "A"),
                       (f"near-{host.split('.')[-1]}.query.consul", "A"), ("server-0.node.consul", "A"), ("none.service.consul", "A"),
                       ("1.0.0.127.in-addr.arpa", "PTR")):
        dig(host, name, kind, timeout=20)


DNS_TYPES["PTR"] = 12


def metrics_of(host):
    """name -> (type, set of label names), as Prometheus reads them."""
    text = get(host, "/v1/agent/metrics?format=prometheus").body.decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    found = {}
    for name, labels in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$", text, re.M):
        base = name if name in kinds else re.sub(r"_(sum|count|bucket)$", "", name)
        keys = {k for k in re.findall(r'([a-zA-Z_]\w*)="', labels) if k not in ("quantile", "le")}
        found.setdefault(base, (kinds[base], set()))[1].update(keys)
    return found


def merge(all_found):
    merged = {}
    for found in all_found:
        for name, (kind, labels) in found.items():
            merged.setdefault(name, (kind, set()))[1].update(labels)
    return merged


def run(kind):
    """What servers say, and what a client agent says, after the script."""
    cluster = kind(servers=3, agents=1)
    for name in ("server-0", "server-1", "server-2", "agent-0", "agent-1"):
        cluster.configure(name, telemetry=TELEMETRY)
    with cluster:
        server, agent = cluster.server_address(0), cluster.agent_address(0)
        cluster.add_agent(1).start()
        cluster.wait_for_members(agent, 5)
        last, queries = None, []
        for host in (*cluster.server_addresses, agent):
            write(host)
            last = hold_sessions(host)
            queries.append(prepare(host))
        wait_until("the service is there", lambda: get(server, "/v1/health/service/near").json())
        for host in (*cluster.server_addresses, agent):
            read(host)
            look_up(host)
        delete(server, f"/v1/query/{queries[0]}")
        cluster.agent(1).kill()
        wait_until("the last session has ended", lambda: get(server, f"/v1/session/info/{last}").json() == [])
        put(server, "/v1/agent/force-leave/agent-1")
        wait_until("the dead agent is known to be away",
                   lambda: any(m["Status"] == 3 for m in get(server, "/v1/agent/members").json()))
        hosts = (*cluster.server_addresses, agent)
        for host in hosts:
            get(host, "/v1/agent/metrics")
            get(host, "/v1/status/peers")  # nobody has asked before
        wait_until("an interval has passed on all", lambda: all(
            "consul_http_GET_v1_status_peers" in metrics_of(h) for h in hosts), pause=0.5)
        return merge(metrics_of(h) for h in cluster.server_addresses), metrics_of(agent)


def lines(role, found):
    return [" ".join([role, kind, name, *sorted(labels)]) for name, (kind, labels) in sorted(found.items())]


def record():
    server, agent = run(RealCluster)
    with open(RECORDED, "w", encoding="utf-8") as f:
        f.write("\n".join([*lines("server", server), *lines("agent", agent)]) + "\n")


if __name__ == "__main__":
    sys.exit(record())
