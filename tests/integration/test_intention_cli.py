"""`muster intention` and `muster connect ca`: what they say and how they end is what Consul 1.8.7's do, with either kind of agent
behind them, as kept in data/intention_cli.json (MUSTER_REWRITE=1 asks Consul anew). The table below is the test."""
import json
import os
import re
import subprocess
import unittest

from kit import BIN, Cluster, ConsulCluster, delete, find_consul, get

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "data", "intention_cli.json")
NOWHERE = "-http-addr=127.0.0.1:1"

FILES = {
    "one.json": {"SourceName": "fa", "DestinationName": "fb", "Action": "allow", "Meta": {"z": "1", "a": "long value", "mid": ""},
                 "Description": " two\nlines "},
    "other.json": {"sourcename": "fa", "DESTINATIONNAME": "fc", "action": "deny", "Unknown": 1, "SourceNS": "n", "DestinationNS": "default"},
    "first-of-two.json": '{"SourceName":"f1","DestinationName":"f1","Action":"deny"}{"SourceName":"f2","DestinationName":"f2","Action":"deny"}',
    "incomplete.json": {"SourceName": "x"},
    "no-action.json": {"SourceName": "x", "DestinationName": "y"},
    "full.json": {"ID": "x", "CreatedAt": "2020-01-01T00:00:00Z", "UpdatedAt": "2020-01-01T00:00:00Z", "Precedence": 3, "Hash": "aGk=", "CreateIndex": 1,
                  "ModifyIndex": 2, "SourceType": "consul", "DefaultPort": 3, "DefaultAddr": "a", "SourceName": "<a&b>", "DestinationName": "c", "Action": "deny"},
    "null.json": "null", "empty.json": "", "blank.json": " \n", "list.json": "[1]", "text.json": '"x"', "true.json": "true", "cut.json": '{"SourceName":"x"',
    "hcl.json": 'SourceName="x"', "twice.json": '{"SourceName":"a" "b"}', "key.json": "{a:1}", "literal.json": '{"a":tru}',
    "number-for-text.json": {"SourceName": 5}, "text-for-number.json": {"Precedence": "5"}, "real.json": {"Precedence": 5.5}, "meta-5.json": {"Meta": 5},
    "meta-value-5.json": {"Meta": {"a": 5}},
    "ca.json": {"Provider": "consul", "Config": {"LeafCertTTL": "72h"}},
    "ca-more.json": '{"provider":"consul","config":{"z":1.5,"a":"<&>","b":[],"c":{},"n":null,"t":true,"LeafCertTTL":"72h"},"Unknown":1,"State":{}}',
    "ca-nope.json": {"Provider": "nope", "Config": {}},
    "ca-short.json": {"Provider": "consul", "Config": {"LeafCertTTL": "1s"}},
    "ca-config-5.json": {"Provider": "consul", "Config": 5}, "ca-provider-5.json": {"Provider": 5}, "ca-state-5.json": {"State": 5},
    "ca-state-value-5.json": {"State": {"a": 5}}, "ca-index.json": {"CreateIndex": -5}, "ca-behind.json": '{"Provider":"consul"} x',
}

TABLE = []


def run(line, *more):
    TABLE.append([*line.split(), *more])


def files(line, *names):
    for name in names:
        run(f"{line}{name}.json")


# ---- create ----
run("intention create")
run("intention create a")
run("intention create a b c")
run("intention create -allow -deny a b")
run("intention create web db")
run("intention create web db")
run("intention create -deny web db")
run("intention create -replace -deny -meta=a=b -meta c=d=e -meta=a=c web db")
run("intention get web db")
run("intention create -replace web db")
run("intention get web db")
run("intention create -replace new-a new-b")
run("intention create -meta=x web m1")
run("intention create -allow -deny -meta=x web m1")
run("intention create -meta== web m1")
run("intention create -meta=a= -meta=\u00fc\u20ac=x -meta=loooooooooooooong=1", "-meta=sp=  a\t", "meta", "m")
run("intention get meta m")
run("intention create -deny * db")
run("intention create -allow * *")
run("intention create default/web2 default/db")
run("intention create ns/web3 db")
run("intention create /web4 db")
run("intention create web/ db")
run("intention create a/b/c db")
run("intention create db a/b/c")
run("intention create a/b/c d/e/f")
run("intention create */x y")
run("intention create */* */*")
run("intention create", "", "db")
run("intention create web", "")
run("intention create w* db")
run("intention create web", "a%b c?&=#")
run("intention create \u00dcn\u00ef Db")
run("intention create -allow=false -deny=false q1 q2")
run("intention create a -deny b")
run("intention create -datacenter=dc1 z1 z2")
run("intention create -datacenter=nope z1 z2")
run(f"intention create {NOWHERE} z1 z2")
run(f"intention create {NOWHERE} -replace z1 z2")
run("intention create -nope a b")
run("intention create -file")
run("intention create -file one.json")
run("intention get fa fb")
run("intention create -file one.json")
run("intention create -file -deny one.json")
run("intention create -file -replace -meta=x=y one.json other.json")
run("intention get n/fa fc")
run("intention create -file first-of-two.json")
run("intention get f2 f2")
run("intention create -file full.json")
run("intention get <a&b> c")
run("intention create -file -replace full.json no-action.json full.json")
run("intention create -file none.json")
run("intention create -file .")
run("intention create -file full.json cut.json")
run(f"intention create {NOWHERE} -file one.json")
files("intention create -file ", "incomplete", "no-action", "null", "empty", "blank", "list", "text", "true", "cut", "hcl", "twice", "key", "literal",
      "number-for-text", "text-for-number", "real", "meta-5", "meta-value-5")

# ---- get, match, check ----
run("intention get -stale default/web default/db")
run("intention get * *")
run("intention get */* */*")
run("intention get ns/web3 db")
run("intention get default/default/web db")
run("intention get /web4 db")
for command in ("get", "delete"):
    for args in ("", "a", "a b c", "a/b", "nope nope", "a/b/c nope", "-nope", f"{NOWHERE} a b", f"{NOWHERE} a", "-datacenter=nope a b",
                 "-datacenter=nope 00000000-0000-0000-0000-000000000000", "web db -stale"):
        run(f"intention {command} {args}")
    run(f"intention {command}", "", "")
    run(f"intention {command}", "")
for args in ("", "a b", "-source -destination a", "db", "-destination db", "-source web", "-source none", "-source web/a/b", "-source default/web",
             "ns/web3", "-source ns/web3", "*", "*/*", "w*", f"{NOWHERE} a/b", "-datacenter=nope a", "-datacenter=dc1 -stale db", "-source=false db",
             "-nope", "\u00dcn\u00ef"):
    run(f"intention match {args}")
run("intention match", "")
run("intention match", "a%b c?&=#")
for args in ("", "a", "a b c", "web db", "fa db", "x y", "* db", "* *", "w* db", "a/b/c db", "ns/web3 db", "default/web db", f"{NOWHERE} a/b c",
             "-datacenter=nope a b", "-stale web db", "-source x y"):
    run(f"intention check {args}")
run("intention check", "", "db")
run("intention check", "web", "a%b c?&=#")

# ---- delete ----
run("intention delete 00000000-0000-0000-0000-000000000000")
run("intention delete default/web2 db")
run("intention delete web2 db")
run("intention delete {id:web db}")
run("intention get {id:meta m}")
run("intention get web db")
run("intention delete web", "a%b c?&=#")
run("intention delete * *")
run("intention match db")

# ---- the rest of the command line ----
run("intention")
run("intention nope")
run("connect")
run("connect ca")
run("connect ca nope")

# ---- certificates ----
run("connect ca set-config")
run("connect ca set-config ca.json")
run("connect ca set-config -config-file=")
run("connect ca set-config -config-file=.")
run("connect ca set-config -config-file=none.json")
run(f"connect ca set-config {NOWHERE} -config-file=ca.json")
files("connect ca set-config -config-file=", "empty", "list", "cut", "ca-config-5", "ca-provider-5", "ca-state-5", "ca-state-value-5", "ca-index", "ca-behind")
run(f"connect ca get-config {NOWHERE}")
run("connect ca get-config extra")
run("connect ca get-config -datacenter=nope")
run("connect ca set-config -config-file=ca.json extra")
run("connect ca get-config")
files("connect ca set-config -config-file=", "ca-nope", "ca-short", "null")
run("connect ca set-config -config-file=ca-more.json")
run("connect ca get-config")
run("connect ca set-config -datacenter=nope -config-file=ca.json")


class World:
    """A server of its own kind, the table's files, and a program to be run."""

    def __init__(self, kind):
        self.cluster = kind(servers=1, agents=0, extra_flags=["-hcl", "connect { enabled = true }"])

    def __enter__(self):
        self.cluster.__enter__()
        self.host = self.cluster.server_address(0)
        self.folder = os.path.dirname(self.cluster.path("files", "x"))
        for name, content in FILES.items():
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(content if isinstance(content, str) else json.dumps(content))
        return self

    def __exit__(self, *error):
        self.cluster.__exit__(*error)

    def intentions(self):
        return get(self.host, "/v1/connect/intentions").json()

    def words(self, args):
        line = " ".join(args)
        m = re.search(r"\{id:(\S+) (\S+)\}", line)
        if not m:
            return args
        ids = [x["ID"] for x in self.intentions() if (x["SourceName"], x["DestinationName"]) == m.groups()]
        return line.replace(m.group(0), ids[0] if ids else "gone").split()

    def once(self, program, args):
        environment = {**os.environ, "CONSUL_HTTP_ADDR": self.host + ":8500"}
        p = subprocess.run([program, *self.words(args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, cwd=self.folder,
                           timeout=60)
        return {"args": args, "code": p.returncode, "out": masked(p.stdout), "err": masked(p.stderr)}

    def answers(self, program, table):
        for x in self.intentions():
            delete(self.host, "/v1/connect/intentions/" + x["ID"])
        return [self.once(program, args) for args in table]


def masked(text):
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>", text)
    text = re.sub(r'(Index": )\d+', r"\1<index>", text)
    text = re.sub(r"\w+day, \d\d-\w\w\w-\d\d \d\d:\d\d:\d\d UTC", "<time>", text)
    # How a command is used each program says in its own words
    return re.sub(r"(?ms)^Usage:.*", "<usage>", text)


def differences(wanted, given):
    bad = 0
    for w, g in zip(wanted, given):
        if w != g:
            bad += 1
            print(" ".join(w["args"]))
            for part in ("code", "out", "err"):
                if w[part] != g[part]:
                    print(f"    {part}\n        recorded {w[part]!r}\n        here     {g[part]!r}")
    return bad


def recorded():
    with open(RECORDED) as f:
        return json.load(f)


class IntentionCli(unittest.TestCase):
    def check(self, kind, program):
        wanted = recorded()
        self.assertEqual([w["args"] for w in wanted], TABLE, "the table has changed: MUSTER_REWRITE=1")
        with World(kind) as world:
            self.assertEqual(differences(wanted, world.answers(program, TABLE)), 0)

    def test_muster_with_muster(self):
        self.check(Cluster, os.path.join(BIN, "muster"))

    @unittest.skipUnless(find_consul(), "no Consul binary here")
    def test_muster_with_consul(self):
        self.check(ConsulCluster, os.path.join(BIN, "muster"))

    @unittest.skipUnless(find_consul(), "no Consul binary here")
    def test_consul_with_muster(self):
        self.check(Cluster, find_consul())


if __name__ == "__main__":
    if os.environ.get("MUSTER_REWRITE"):
        with World(ConsulCluster) as asked:
            answers = asked.answers(find_consul(), TABLE)
        with open(RECORDED, "w") as out:
            out.write("[\n" + ",\n".join(json.dumps(a) for a in answers) + "\n]\n")
    unittest.main(verbosity=2)
