#!/usr/bin/env python3
"""openssl_judges.py [KIT]: what openssl verify says of the kit, held against what the manifest says that it says.

What we trust openssl trusts too, but for the few whose manifest says otherwise; what openssl refuses we refuse. Printed
is where openssl is laxer: it knows nothing of SPIFFE ids, and lets weak keys and sloppy DER pass."""
import collections, json, os, subprocess, sys

kit = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "certificates")


def path(file):
    return os.path.join(kit, file)


def ask(c):
    command = ["openssl", "verify", "-x509_strict", "-attime", str(c["time"]), "-purpose", "ssl" + c["purpose"], "-no-CApath", "-no-CAstore"]
    for file in c["roots"]:
        command += ["-trusted", path(file)]
    for file in c["intermediates"]:
        command += ["-untrusted", path(file)]
    done = subprocess.run(command + ([] if c["roots"] else ["-no-CAfile"]) + [path(c["leaf"])], capture_output=True)
    return "accepts" if done.returncode == 0 else "refuses"


cases = json.load(open(path("manifest.json")))
laxer, stricter, changed = collections.defaultdict(list), [], []
for c in cases:
    says = ask(c)
    good = c["verdict"] == "trusted"
    if says != c["openssl"] and (good or says == "accepts"): # a later openssl may be stricter to the bad
        changed.append("%s (%s): openssl %s, the manifest says that it %s" % (c["name"], c["verdict"], says, c["openssl"]))
    elif says == "accepts" and not good:
        laxer[c["verdict"]].append(c["name"])
    elif says == "refuses" and good:
        stricter.append(c["name"])

print("%d chains; openssl judges %d as we do" % (len(cases), len(cases) - sum(map(len, laxer.values())) - len(stricter) - len(changed)))
for verdict in sorted(laxer):
    print("laxer, %s: %s" % (verdict, " ".join(laxer[verdict])))
print("stricter: %s" % " ".join(stricter))
if changed:
    print("\n".join(changed))
    sys.exit(1)
