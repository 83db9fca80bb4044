"""The requests of options.py, to a client agent beside a server."""

from script import asked, include

asked("client")
include("options")
