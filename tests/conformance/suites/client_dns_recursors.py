"""The questions of dns_recursors.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_recursors")
asked("client", settings["config"])
