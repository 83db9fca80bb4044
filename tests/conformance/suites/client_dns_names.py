"""The questions of dns_names.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_names")
asked("client", settings["config"])
