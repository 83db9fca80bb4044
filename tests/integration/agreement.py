"""agreement.py - what must hold at the end of every test that hurts a cluster: the history could have happened one by one,
every server's store is the same, and their logs agree entry by entry."""
import os
import re
import subprocess

from kit import BIN, get, wait_until

ENTRY = re.compile(r" (?:entry index=(\d+) (term=\d+ type=\S+ length=\d+.*)|(cut|reset) after=(\d+) )")
STORES = ("/v1/kv/?recurse&stale", "/v1/catalog/nodes?stale", "/v1/catalog/services?stale", "/v1/health/state/any?stale")


def raft_stats(host):
    return get(host, "/v1/agent/self").json()["Stats"]["raft"]


def raft_tool(command, *args):
    return subprocess.run([os.path.join(BIN, "muster"), "raft", command, *args], capture_output=True, text=True, timeout=300)


def log_of(folder):
    """index -> what stands there, from the files of a server, which may be running."""
    def dump():
        found = raft_tool("dump", "-hex", folder)
        assert found.returncode in (0, 2), found.stderr
        return found.returncode == 0 and found

    entries = {}
    for line in wait_until(f"{folder} can be read", dump).stdout.splitlines():
        found = ENTRY.search(line)
        if not found:
            continue
        index, rest, lost, after = found.groups()
        if index:
            entries[int(index)] = rest
        else:
            for i in [i for i in entries if lost == "reset" or i > int(after)]:
                del entries[i]
    return entries


def same_stores(c, hosts):
    for path in STORES:
        def differs():
            answers = [get(host, path, timeout=60).body for host in hosts]
            return len(set(answers)) == 1

        wait_until(f"all give the same for {path}", differs)


def same_logs(case, c, numbers):
    """Committed entries are the same wherever they still are. Returns how many were compared."""
    stats = [raft_stats(c.server_address(i)) for i in numbers]
    committed = min(int(s["commit_index"]) for s in stats)
    logs = [log_of(c.path(f"server-{i}")) for i in numbers]
    compared = 0
    for number, log in zip(numbers, logs):
        case.assertGreaterEqual(max(log, default=0), committed, f"server {number}'s log ends before what is committed")
    for index in sorted(set().union(*logs)):
        found = {log[index] for log in logs if index in log}
        if index <= committed:
            case.assertEqual(len(found), 1, f"entry {index} differs: {found}")
            compared += sum(index in log for log in logs) > 1
    case.assertGreater(compared, 0, "no entry is in two logs")
    return compared


def check(case, c, history):
    """Ends the history and holds all that is left against it. All servers must be running."""
    history.finish()
    c.wait_for_leader()
    same_stores(c, c.server_addresses)
    reply = get(c.server_address(0), "/v1/kv/h/?recurse&consistent", timeout=60)
    case.assertEqual(history.problems(reply.json() if reply.status == 200 else []), [])
    compared = same_logs(case, c, range(c.nservers))
    print(f"    {history.summary()}; {compared} entries in several logs", flush=True)
