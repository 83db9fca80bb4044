"""The questions of dns_connect.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_connect")
asked("client", settings["config"])
