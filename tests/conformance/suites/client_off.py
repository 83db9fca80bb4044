"""The requests of off.py, to a client agent beside a server."""

from script import asked, include

include("off")
asked("client", {"connect": {"enabled": False}})
