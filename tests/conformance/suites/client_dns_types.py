"""The questions of dns_types.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_types")
asked("client", settings["config"])
