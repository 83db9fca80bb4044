"""The requests of coordinate.py, to a client agent beside a server."""

from script import asked, include, settle

asked("client")
settle("/v1/coordinate/node/conf-server", "Vec")
include("coordinate")
