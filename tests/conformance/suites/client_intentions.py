"""The requests of intentions.py, to a client agent beside a server."""

from script import asked, include

include("intentions")
asked("client")
