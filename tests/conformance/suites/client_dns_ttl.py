"""The questions of dns_ttl.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_ttl")
asked("client", settings["config"])
