"""own_mounts.py - a test in mount and network namespaces of its own, which end with it.

Run as the main program, a test that calls inside() is started anew under unshare(1): nothing that it mounts or connects is
seen outside, nothing is left behind, whatever happens to it. Where that is not permitted it skips aloud.
"""
import os
import subprocess
import sys

MARK = "MUSTER_TEST_INSIDE"
SKIPPED = 77


def _unshare():
    for flags in (["--mount", "--net"], ["--map-root-user", "--mount", "--net"]):
        if subprocess.run(["unshare", *flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0:
            return ["unshare", *flags]
    return None


def inside():
    if os.environ.get(MARK):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    try:
        command = _unshare()
    except FileNotFoundError:
        command = None
    if not command:
        print("skipped: namespaces of one's own are not permitted here (unshare --mount --net)")
        sys.exit(SKIPPED)
    os.environ[MARK] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])
