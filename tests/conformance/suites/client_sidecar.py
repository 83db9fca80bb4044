"""The requests of sidecar.py, to a client agent beside a server."""

from script import asked, include

include("sidecar")
asked("client", {"ports": {"sidecar_min_port": 21000, "sidecar_max_port": 21004}})
