#!/usr/bin/env python3
"""Holds muster against a real Consul 1.8.7: the same requests to both, the answers compared.

    run.py record --oracle PATH [SUITE...]  asks real agents and keeps their answers in recorded/
    run.py check --muster PATH [--oracle PATH] [SUITE...]
                                            asks muster; compares with the oracle if there is one, else with recorded/
    run.py check --mixed agent --muster PATH --oracle PATH [SUITE...]
                                            asks a muster agent under a Consul server
    run.py check --mixed server --muster PATH --oracle PATH [SUITE...]
                                            asks a Consul agent under a muster server
    run.py list                             the names of the suites

In mixed runs a client agent is asked whatever the suite says, and compared with a Consul agent under a Consul server.

Each suite has agents of its own, freshly started on loopback addresses with their usual ports, and stopped at the end.
Compared are status, headers, and bodies: keys, their order, types and values, with what must differ (indexes, UUIDs,
addresses) replaced by its kind. Exit status: 0 all alike, 1 differences, 2 nothing could be compared.
"""

import argparse
import concurrent.futures
import json
import os
import sys

sys.dont_write_bytecode = True
import script  # noqa: E402  (the files beside this one)
from agents import asked_agent  # noqa: E402
from answers import ask_all, differences  # noqa: E402
from dns_recursor import recursors  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def names_of_suites():
    return sorted(f[:-3] for f in os.listdir(script.SUITES) if f.endswith(".py"))


def suite(name):
    """The steps of a suite, and the kind of agent that they are for."""
    script.begin()
    script.include(name)
    return list(script.steps), dict(script.settings)


def answers_of(binary, steps, settings, server_binary=None):
    """A configuration names its recursors, which listen where there is room, and DNS is on where it is asked."""
    with recursors(settings["recursors"]) as running:
        text = json.dumps({"ports": {"dns": 8600 if any(s["do"] == "dns" for s in steps) else -1}, **settings["config"]})
        for name, recursor in running.items():
            text = text.replace("{recursor:%s}" % name, recursor.address)
        with asked_agent(binary, settings["kind"], json.loads(text), server_binary, settings["server"]) as address:
            return ask_all(address, steps, running)


def read_json(folder, name):
    """recorded/NAME.json are answers; accepted/NAME.json maps requests to the reason why they are answered differently."""
    try:
        with open(os.path.join(HERE, folder, name + ".json"), encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def record(oracle, name):
    answers = answers_of(oracle, *suite(name))
    seen, lines = {}, []
    for i, a in enumerate(answers):
        text = json.dumps({k: v for k, v in a.items() if k != "name"}, ensure_ascii=True)
        first = seen.setdefault(text, i)
        lines.append(json.dumps(a if first == i else {"name": a["name"], "as": first}, ensure_ascii=True))
    with open(os.path.join(HERE, "recorded", name + ".json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(lines) + "\n]\n")
    print("%s: %d answers recorded" % (name, len(answers)))


def recorded(name):
    """An answer that equals an earlier one is kept as its number."""
    answers = read_json("recorded", name)
    for a in answers or []:
        if "as" in a:
            a.update(answers[a.pop("as")], name=a["name"])
    return answers


def accepted_in(name, included, mixed):
    """The excuses of a suite: its own, which must all be needed, and all. In a mixed cluster none must be: whose part it is
    decides which of them show, and some differences are a matter of who is faster."""
    own, everything = read_json("accepted", name) or {}, {}
    for folder in ["", "mixed-" + mixed] if mixed else [""]:
        for other in (*included, name):
            everything.update(read_json(os.path.join("accepted", folder), other) or {})
    return {} if mixed else own, everything


def compare(name, included, wanted, given, mixed=None):
    """Prints what differs and is not accepted; returns its count."""
    own, accepted = accepted_in(name, included, mixed)
    if [a["name"] for a in wanted] != [a["name"] for a in given]:
        print("%s: the recorded answers are those of another script: record the suite again" % name)
        return 1
    bad, excused, used = 0, 0, set()
    for want, got in zip(wanted, given):
        found = list(differences(want, got))
        if not found:
            continue
        if want["name"] in accepted:
            excused += 1
            used.add(want["name"])
            continue
        bad += 1
        print(want["name"])
        for path, a, b in found:
            print("    %s\n        consul %s\n        muster %s" % (path, json.dumps(a)[:400], json.dumps(b)[:400]))
    for request in own:
        if request not in used:
            bad += 1
            print("accepted/%s.json excuses what does not differ: %s" % (name, request))
    print("%s: %d requests, %d differ, %d differ as accepted" % (name, len(wanted), bad, excused))
    return bad


def check(args, name, pool):
    """Both kinds of agents run at once, each with servers of its own."""
    steps, settings = suite(name)
    if args.mixed:
        settings["kind"] = "client"
        pair = (args.muster, args.oracle) if args.mixed == "agent" else (args.oracle, args.muster)
        given = pool.submit(answers_of, pair[0], steps, settings, pair[1])
        return compare(name, settings["included"], answers_of(args.oracle, steps, settings), given.result(), args.mixed)
    given = pool.submit(answers_of, args.muster, steps, settings)
    wanted = answers_of(args.oracle, steps, settings) if args.oracle else recorded(name)
    if wanted is None:
        print("%s: no answers are recorded: run.py record --oracle PATH %s" % (name, name))
        given.result()
        return 1
    return compare(name, settings["included"], wanted, given.result())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("record", "check", "list"))
    parser.add_argument("--oracle", default=os.environ.get("MUSTER_CONSUL"), help="a Consul 1.8.7 binary; mixed runs look for it "
                        "where tests/integration/kit.py finds it, too")
    parser.add_argument("--muster", help="one of muster's binaries; the others are looked for beside it")
    parser.add_argument("--mixed", choices=("agent", "server"), help="what is muster's; the other one is Consul's")
    parser.add_argument("suites", nargs="*", help="default: all")
    args = parser.parse_intermixed_args()
    names = args.suites or names_of_suites()
    if args.mode == "list":
        print("\n".join(names))
        return 0
    if args.mixed and not args.oracle:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        args.oracle = os.path.join(cache, "muster-peers", "consul")
    if args.oracle and not os.access(args.oracle, os.X_OK):
        args.oracle = None
    if args.mode == "record":
        if not args.oracle:
            parser.error("record needs --oracle")
        for name in names:
            record(args.oracle, name)
        return 0
    if not args.muster:
        print("SKIPPED: nothing to compare")
        return 2
    if args.mixed and not args.oracle:
        print("SKIPPED: no Consul binary, so there are no mixed clusters")
        return 2
    if not args.oracle:
        print("SKIPPED: no Consul binary, so answers are compared with the recorded ones")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return 1 if sum(check(args, name, pool) for name in names) else 0


if __name__ == "__main__":
    sys.exit(main())
