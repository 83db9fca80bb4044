"""The questions of dns_alt.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_alt")
asked("client", settings["config"])
