"""Starts the agents that a suite is asked of: a server alone, or a client agent beside a server, which may be of another make."""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from answers import request

NODE = "conf"  # the name of the agent that is asked
# Nodes are also found by the beginning of their ID, so that a name such as "d6", which nobody has, would be found now and then
# if IDs were chosen by chance.
NODE_ID = "7b5c1e90-3d2a-4f6b-8c1d-%012x"


def command_of(binary, is_server):
    """Consul is one binary, muster one for each kind of agent; each may be given by any of them."""
    folder, name = os.path.split(binary)
    if name.startswith("muster"):
        return [os.path.join(folder, "muster-server" if is_server else "muster-agent")]
    return [binary, "agent"]


def wait_until_ready(address, process, nodes):
    """All nodes are in the catalog with what their synchronisation brings, and the asked one is known to be alive."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("the agent ended with status %d" % process.returncode)
        with contextlib.suppress(OSError, http.client.HTTPException):
            if (b"serfHealth" in request(address, "GET", "/v1/health/node/" + NODE)[1]
                    and request(address, "GET", "/v1/catalog/nodes")[1].count(b'"lan_ipv4"') == nodes):
                return
        time.sleep(0.1)
    raise SystemExit("the agent is not ready after a minute")


@contextlib.contextmanager
def agent(binary, name, config, is_server, join=None):
    """One agent on an address that nobody else uses, with its usual ports, stopped at the end."""
    ip = "127.%d.%d.%d" % (random.randint(64, 250), random.randint(1, 250), random.randint(2, 250))
    folder = tempfile.mkdtemp(prefix="conformance-")
    command = [*command_of(binary, is_server), "-node=" + name, "-node-id=" + NODE_ID % len(name), "-bind=" + ip,
               "-client=" + ip, "-data-dir=" + folder, "-log-level=err",
               "-hcl", json.dumps({"disable_update_check": True, "raft_protocol": 3, **config})]
    command += ["-server", "-bootstrap-expect=1"] if is_server else ["-retry-join=" + join, "-retry-interval=1s"]
    log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        if name == NODE:
            wait_until_ready((ip, 8500), process, 2 if join else 1)
        yield ip
    except SystemExit:
        log.seek(0)
        sys.stderr.write(log.read()[-3000:])
        raise
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def asked_agent(binary, kind, config, server_binary=None, server_config=None):
    """The address of a ready agent of that kind, with nothing in its catalog but itself and its server."""
    if kind == "server":
        with agent(binary, NODE, config, True) as ip:
            yield ip, 8500
        return
    with (agent(server_binary or binary, NODE + "-server", {**config, **(server_config or {})}, True) as server,
          agent(binary, NODE, config, False, join=server) as ip):
        yield ip, 8500
