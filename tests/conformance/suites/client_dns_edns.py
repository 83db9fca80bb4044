"""The questions of dns_edns.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_edns")
asked("client", settings["config"])
