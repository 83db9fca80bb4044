"""Every command of the real Consul 1.8.7 with muster behind it: what it says and how it ends is what it says with Consul behind
it, as kept in data/consul_cli.json (MUSTER_REWRITE=1 asks Consul's agents anew). The table below is the test."""
import json
import os
import re
import subprocess
import sys
import threading
import unittest

from kit import PATIENCE, Cluster, ConsulCluster, find_consul, get, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "data", "consul_cli.json")
KEY, OTHER_KEY = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=", "HvY8ubRZMgafUOWvrOadwOckVa1wN3QWAo46FVKbVN8="
OLD_CONFIG = {"enable_script_checks": True, "disable_remote_exec": False, "raft_protocol": 3, "disable_update_check": True}

TABLE = []
STAGES = []  # of chains: those of one stage run side by side


def stage():
    STAGES.append([])


def chain():
    """What follows is done in order."""
    STAGES[-1].append([])


class Step:
    def __init__(self, args, on="agent", stdin=None, until=None, seconds=None, only=None, drop=None, loose=False, unordered=False, ends=True,
                 why=None):
        """until: asked again until this is in what it says. seconds: stopped by an interrupt after so long. only: what of its
        output is compared, as a pattern. drop: lines that are not. loose: only how it ends. unordered: its lines are sorted.
        ends=False: how it ends is not compared. why: muster says something else on purpose."""
        self.ends, self.why = ends, why
        self.args, self.on, self.stdin, self.until, self.seconds = args, on, stdin, until, seconds
        self.only, self.drop, self.loose, self.unordered = only, drop, loose, unordered

    @property
    def name(self):
        return f"{self.on}: consul {' '.join(self.args)}"


def run(line, *more, **how):
    """A command line; {f} is the folder of its files."""
    TABLE.append(Step([*line.split(), *more], **how))
    STAGES[-1][-1].append(TABLE[-1])


stage()

# ---- kv ----
chain()
run("kv put cli/a one")
run("kv put cli/b -", stdin="two\nlines\n")
run("kv put cli/file @{f}/value")
run("kv put cli/empty")
run("kv put -base64 cli/c aGVsbG8=")
run("kv put -flags=42 cli/f flagged")
run("kv put -cas -modify-index=999999 cli/a x")
run("kv put -acquire -session=nope cli/l x")
run("kv put -release -session=00000000-0000-0000-0000-000000000000 cli/l x")
run("kv put -acquire -session=00000000-0000-0000-0000-000000000000 cli/l x")
run("kv put cli/\u00fc\u20ac\u65e5 \u00e4\U0001f600")
run("kv put", "cli/with space", "a b")
run("kv put /cli/slash x")
run("kv put cli//double x")
run("kv put cli/dots/../x y")
run("kv get cli/a")
run("kv get cli/b")
run("kv get cli/file")
run("kv get cli/empty")
run("kv get cli/c")
run("kv get", "cli/with space")
run("kv get cli/\u00fc\u20ac\u65e5")
run("kv get -base64 cli/b")
run("kv get -detailed cli/f")
run("kv get -detailed -base64 cli/f")
run("kv get -detailed -recurse cli/")
run("kv get -recurse cli/")
run("kv get -recurse -base64 cli/")
run("kv get -keys cli")
run("kv get -keys cli/")
run("kv get -keys -separator= cli/")
run("kv get -keys -separator=o cli/")
run("kv get -stale cli/a")
run("kv get -stale -datacenter=dc1 cli/a")
run("kv get -datacenter=nope cli/a")
run("kv get cli/none")
run("kv get -recurse none/")
run("kv get -keys none/")
run("kv get -token=x cli/a")
run("kv get -namespace=x cli/a")
run("kv export cli/")
run("kv export none/")
run("kv import", '[{"key":"cli/i/1","flags":7,"value":"aGVsbG8="},{"key":"cli/i/2","flags":0,"value":""}]')
run("kv import -", stdin='[{"key":"cli/i/3","flags":0,"value":"eA=="}]')
run("kv export cli/i/")
run("kv delete cli/a")
run("kv delete cli/none")
run("kv delete -cas -modify-index=1 cli/b")
run("kv delete -recurse cli/")
run("kv get -keys cli/")

# ---- services, catalog, watch ----
chain()
run("services register {f}/web.json")
run("services register {f}/two.hcl")
run("services register -name=flags -id=flags-1 -port=81 -address=10.0.0.1 -tag=a -tag=b -meta=k=v -tagged-address=lan=10.1.1.1:1 -tagged-address=wan=10.1.1.2:2")
run("services register -name=unix -address=/a/b -kind=typical")
run("services register -name=gate -kind=nope")
run("catalog services", until="web")
run("catalog services -tags", until="flags")
run("catalog services -node=agent-0", until="flags")
run("catalog services -node=none")
run("catalog services -node-meta=role=app")
run("catalog services -node-meta=role=none")
run("catalog nodes")
run("catalog nodes -detailed")
run("catalog nodes -filter", 'Meta.role == "app"')
run("catalog nodes -filter", "Meta.role", why="the list of what a filter could go on with is Consul's parser speaking")
run("catalog nodes -service=web")
run("catalog nodes -service=none")
run("catalog nodes -node-meta=role=app")
run("catalog nodes -near=agent-0", unordered=True)
run("catalog nodes -near=_agent", on="server", unordered=True)
run("catalog nodes -near=none", unordered=True)
run("catalog datacenters")
run("catalog nodes -datacenter=nope")
run("watch -type=services", only=r'"[\w-]+"', unordered=True)
run("watch -type=nodes", only='"(Node|Datacenter)": .*')
run("watch -type=service -service=web", only='"(Service|ID|CheckID|Status|Output|Port|role)": .*', until="passing")
run("watch -type=service -service=web -tag=t -passingonly=true", only='"(Service|CheckID|Status)": .*')
run("watch -type=service -service=web -tag=t -tag=none", only='"(Service|CheckID|Status)": .*')
run("watch -type=service -service=none")
run("watch -type=checks -state=critical", only='"(CheckID|Status)": .*')
run("watch -type=checks -service=web", only='"(CheckID|Status|Name|Type)": .*')
run("watch -type=checks -service=web -state=any")
run("watch -type=key -key=watched/a")
run("kv put watched/a one")
run("watch -type=key -key=watched/a")
run("watch -type=keyprefix -prefix=watched/")
run("watch -type=keyprefix -prefix=none/")
run("watch -type=key -key=watched/a", "sh", "-c", "cat; echo; exit 3")
run("watch -type=key -key=watched/a -shell=false", "printenv", "CONSUL_INDEX", seconds=1, only="^[1-9]", loose=True)
run("watch -type=connect_roots")
run("watch -type=connect_leaf -service=web")
run("watch -type=agent_service", drop="ContentHash")
run("services deregister -id=flags-1")
run("services deregister -id=none")
run("services deregister {f}/web.json")
run("services deregister {f}/two.hcl")

# ---- events, remote execution, locks ----
chain()
run("event -name=deploy 1.6.2", only="Event ID")
run("event -name=deploy -node=agent.* -service=web -tag=t x", only="Event ID")
run("event -name=x -node=( y")
run("event -name=x -tag=t y")
run("watch -type=event -name=deploy", until="agent.*", unordered=True, only='"(Name|Payload|NodeFilter|ServiceFilter|TagFilter|Version)": .*')
run("watch -type=event -name=none")
run("exec -wait=500ms echo hello", unordered=True, drop="acknowledged|completed")
run("exec -wait=500ms -node=agent-0 -verbose", "echo out; echo err >&2; exit 3", drop="lock|session|job", only="agent-0.*|exit.*", unordered=True)
run("exec -wait=500ms -node=none true")
run("exec -wait=500ms -shell=false -node=agent-0", "echo", "a b", only="agent-0: a b")
run("lock locks/a", "echo held; exit 7")
run("lock -child-exit-code locks/a", "echo held; exit 7")
run("lock -n=2 locks/sem", "echo held")
run("lock -n=3 -name=mine -verbose locks/sem2", "echo held")
run("lock -try=1s -verbose locks/b", "echo held")
run("lock -try=2s -n=2 locks/taken", "echo held")
run("lock -monitor-retry=0 -shell=false locks/c", "echo", "a b")
run("lock -pass-stdin locks/c cat", stdin="given\n")
run("kv put held/.lock x")
run("lock -try=1s held", "echo held")
run("kv get -detailed -recurse locks/", only="^Key.*")

stage()

# ---- the agent ----
chain()
run("members", unordered=True)
run("members -detailed", unordered=True, only=r"^\S+ +\S+:\d+ +alive|role=\w+|dc=\w+|vsn\w*=\d")
run("members -status=alive", unordered=True)
run("members -status=fail.*")
run("members -wan", on="server", why="there is one pool, on its own port")
run("members -segment=_all", unordered=True)
run("members -segment=x")
run("info", only=r"^\w+:$|server = .*|known_servers = .*|(members|failed|left|encrypted) = .*")
run("info", on="server", drop="serf_wan", only=r"^\w+:$|(leader|server|bootstrap|state|num_peers) = .*")
run("join {server}")
run("join {server} {agent}")
run("join 127.0.0.1:1", drop="Failed to join")
run("reload")
run("maint")
run("maint -enable -reason", "because of tests")
run("maint")
run("maint -disable")
run("services register -name=m")
run("maint -enable -service=m")
run("maint")
run("maint -disable -service=m")
run("maint -enable -service=none")
run("rtt server-0 agent-0", only="Estimated .* rtt|using LAN coordinates", until="Estimated")
run("rtt agent-0 server-0", on="server", only="Estimated .* rtt|using LAN coordinates", until="Estimated")
run("rtt server-0 none")
run("rtt server-0", only="Estimated .* rtt", until="Estimated")
run("monitor -log-level=debug", seconds=1, loose=True, ends=False)
run("monitor -log-level=nope")
run("monitor -log-json", seconds=1, loose=True, ends=False)
LAN_ONLY = "there is no other pool whose keys could be listed"
run("keyring -list", on="server", until=r"2/2", why=LAN_ONLY)
run("keyring -list-primary", on="server", why=LAN_ONLY)
run("keyring -list -local-only -relay-factor=2", on="server")
run("keyring -install=" + OTHER_KEY, on="server")
run("keyring -use=" + OTHER_KEY, on="server")
run("keyring -remove=" + KEY, on="server")
run("keyring -remove=" + OTHER_KEY, on="server", only="removing|primary|Error", why=LAN_ONLY)
run("keyring -list", on="server", why=LAN_ONLY)
run("keyring -list")
run("keyring -list -relay-factor=9", on="server")
run("keyring -install=short", on="server", loose=True)

# ---- config entries, operator ----
chain()
run("config write {f}/defaults.json")
run("config write {f}/defaults.hcl")
run("config write -cas -modify-index=1 {f}/defaults.json")
run("config write -cas {f}/defaults.json")
run("config write -", stdin='Kind = "proxy-defaults"\nName = "global"\nConfig { a = "b" }\n')
run("config write -", stdin='Kind = "nope"\nName = "x"\n')
run("config read -kind=service-defaults -name=web", drop="Index")
run("config read -kind=service-defaults -name=none")
run("config list -kind=service-defaults")
run("config list -kind=nope")
run("config delete -kind=service-defaults -name=web")
run("config delete -kind=service-defaults -name=none")
run("operator raft list-peers")
run("operator raft list-peers -stale", on="server")
run("operator raft remove-peer -address=127.0.0.1:1")
run("operator raft remove-peer -id=none")
run("operator autopilot get-config")
run("operator autopilot set-config -cleanup-dead-servers=false -last-contact-threshold=300ms -max-trailing-logs=100 -server-stabilization-time=20s -min-quorum=1")
run("operator autopilot get-config")
run("operator autopilot set-config -cleanup-dead-servers=true")

# ---- intentions; tests/integration/test_intention_cli.py has the rest ----
chain()
run("intention create -meta=a=b web db")
run("intention create -deny -replace web db")
run("intention create -deny * *", on="server")
run("intention create -file {f}/intention.json")
run("intention create web db")
run("intention get web db", drop="Created At")
run("intention match db")
run("intention match -source web", on="server")
run("intention check web db")
run("intention check api db", on="server")
run("intention check none none")
run("intention delete web db")
run("intention delete web db")
run("intention delete * *")

# ---- what is off ----
chain()
for text in ("connect ca get-config", "connect ca set-config -config-file={f}/ca.json", "acl bootstrap", "acl token list", "acl policy list",
             "acl role list", "acl auth-method list", "acl binding-rule list", "acl token create -description=x", "acl token read -self", "acl set-agent-token agent x",
             "login -method=x -bearer-token-file={f}/value", "logout", "acl translate-rules -", "connect envoy -sidecar-for=web"):
    run(text, stdin="" if text.endswith("-") else None)

# ---- the end ----
stage()
chain()
run("snapshot save {f}/backup.snap")
run("snapshot save -stale {f}/stale.snap", on="server")
run("snapshot inspect {f}/backup.snap", only=r"^(ID|Size|Index|Term|Version) .*")
run("snapshot restore {f}/backup.snap")
run("snapshot restore {f}/value")
run("kv get watched/a")
run("force-leave none")
run("force-leave -prune none")
run("force-leave agent-1", on="server")  # killed before the table began
run("members -status=left", on="server", until="agent-1")
run("force-leave -prune agent-1", on="server")
run("members -status=left", on="server")
run("leave")
run("members", until="refused", only="refused")

FILES = {
    "value": "from a file\n",
    "web.json": json.dumps({"service": {"name": "web", "id": "web-1", "port": 80, "tags": ["t"], "meta": {"m": "1"},
                                        "check": {"ttl": "600s", "status": "passing"}}}),
    "two.hcl": 'services {\n name = "hcl-a"\n port = 1\n}\nservices {\n name = "hcl-b"\n port = 2\n check {\n  args = ["true"]\n  interval = "10s"\n }\n}\n',
    "defaults.json": json.dumps({"Kind": "service-defaults", "Name": "web", "Protocol": "http"}),
    "defaults.hcl": 'Kind = "service-defaults"\nName = "api"\nProtocol = "grpc"\n',
    "intention.json": json.dumps({"SourceName": "api", "DestinationName": "db", "Action": "allow", "Description": "of a file"}),
    "ca.json": json.dumps({"Provider": "consul", "Config": {}}),
}


class World:
    """A server, an agent, and one that has been killed; the table runs on it."""

    def __init__(self, kind):
        self.cluster = kind(servers=1, agents=2, extra_flags=["-encrypt", KEY, "-hcl", json.dumps(OLD_CONFIG)])
        for i in range(2):
            self.cluster.configure(f"agent-{i}", node_meta={"role": "app" if i == 0 else "gone"})

    def __enter__(self):
        self.cluster.__enter__()
        self.folder = self.cluster.path("files", "x")[:-2]
        for name, text in FILES.items():
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(text)
        self.where = {"agent": self.cluster.agent_address(0), "server": self.cluster.server_address(0)}
        wait_until("both are in the catalog", lambda: len([n for n in get(self.where["agent"], "/v1/catalog/nodes").json()
                                                           if "lan" in (n["TaggedAddresses"] or {})]) == 3)
        for host in self.where.values():
            wait_until("it has a coordinate", lambda: len(get(host, "/v1/coordinate/nodes").json()) >= 2)
        self.cluster.agent(1).kill()
        wait_until("it is seen to have failed", lambda: any(m["Name"] == "agent-1" and m["Status"] == 4 for m in get(
            self.where["server"], "/v1/agent/members").json()))
        return self

    def __exit__(self, *error):
        self.cluster.__exit__(*error)

    def once(self, step):
        args = [a.format(f=self.folder, **self.where) if a.count("{") and not a.startswith(("[", "{ ")) else a for a in step.args]
        environment = {**os.environ, "CONSUL_HTTP_ADDR": self.where[step.on] + ":8500"}
        p = subprocess.Popen([find_consul(), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, env=environment, cwd=self.folder)
        try:
            out, error = p.communicate(step.stdin or "", timeout=step.seconds or PATIENCE)
        except subprocess.TimeoutExpired:
            p.send_signal(2)
            try:
                out, error = p.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                p.kill()
                out, error = p.communicate()
        return p.returncode, self.masked(step, out), self.masked(step, error)

    def masked(self, step, text):
        text = text.replace(self.folder, "<folder>")
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>", text)
        text = re.sub(r"\b127\.\d+\.\d+\.\d+", "<ip>", text)
        text = re.sub(r"(?<=\[)[0-9a-f]{8}(?=\])|\b[0-9a-f]{8}\b(?= +<ip>)", "<short>", text)
        text = re.sub(r"(Index\"?:?) *\d+", r"\1 <index>", text)
        text = re.sub(r"(index|duration|took|Size|ID|Index|Term)( +|=)[\d.\-]+\S*", r"\1 <number>", text)
        text = re.sub(r"\d{4}[/-]\d\d[/-]\d\d[T ]\d\d:\d\d:\d\d[^ ]*", "<time>", text)
        lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
        if step.drop:
            lines = [line for line in lines if not re.search(step.drop, line)]
        if step.only:
            lines = [m.group(0) for line in lines for m in re.finditer(step.only, line)]
        return sorted(lines) if step.unordered else lines

    def answer(self, step):
        last = []

        def try_once():
            last[:] = self.once(step)
            return not step.until or re.search(step.until, "\n".join(last[1] + last[2]))

        try:
            wait_until(step.name, try_once, timeout=20, pause=0.2)
        except AssertionError:
            pass
        code, out, error = last
        return {"name": step.name, **({"code": code} if step.ends else {}), **({} if step.loose else {"out": out, "err": error})}

    def answers(self):
        """By step, in the order of the table."""
        given = {}

        def go(steps):
            for step in steps:
                given[step] = self.answer(step)

        for chains in STAGES:
            threads = [threading.Thread(target=go, args=(steps,)) for steps in chains]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return [given[step] for step in TABLE]


class Cli(unittest.TestCase):
    def test_says_the_same(self):
        if os.environ.get("MUSTER_REWRITE"):
            with World(ConsulCluster) as world:
                answers = world.answers()
            os.makedirs(os.path.dirname(RECORDED), exist_ok=True)
            with open(RECORDED, "w") as f:
                f.write("[\n" + ",\n".join(json.dumps(a) for a in answers) + "\n]\n")
        with open(RECORDED) as f:
            wanted = json.load(f)
        self.assertEqual([w["name"] for w in wanted], [s.name for s in TABLE], "the table has changed: MUSTER_REWRITE=1")
        with World(Cluster) as world:
            given = world.answers()
        bad = [(w, g) for step, w, g in zip(TABLE, wanted, given) if (w != g) != bool(step.why)]
        for w, g in bad:
            print(w["name"])
            if w == g:
                print("    is excused, and the same")
            for part in ("code", "out", "err"):
                if w.get(part) != g.get(part):
                    print(f"    {part}\n        consul {w.get(part)}\n        muster {g.get(part)}")
        self.assertFalse(bad, f"{len(bad)} of {len(wanted)} differ")


if __name__ == "__main__":
    if not find_consul():
        print("SKIPPED: no Consul binary here (MUSTER_CONSUL, ~/.cache/muster-peers/consul)")
        sys.exit(77)
    unittest.main(verbosity=2)
