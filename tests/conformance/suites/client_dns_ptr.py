"""The questions of dns_ptr.py, to a client agent beside a server."""

from script import asked, include, settings

include("dns_ptr")
asked("client", settings["config"])
