"""The questions of dns_health.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_health")
asked("client", settings["config"])
