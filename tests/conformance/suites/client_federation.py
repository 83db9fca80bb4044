"""The requests of federation.py, to a client agent beside a server."""

from script import asked, include

asked("client")
include("federation")
