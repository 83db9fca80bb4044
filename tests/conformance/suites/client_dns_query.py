"""The questions of dns_query.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_query")
asked("client", settings["config"])
