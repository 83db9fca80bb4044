"""Where the user interface is when it is on; what it looks like is each one's own."""

from script import ask, asked, get, put

asked("server", {"ui": True, "ui_content_path": "/my/ui"})
for path in ("/", "/?a=b", "/my/ui", "/my/ui?a=b", "/my/ui/index.html", "/my/ui/x/index.html", "/ui/", "/ui", "/my", "/nope"):
    get(path)
    put(path)
    ask("HEAD", path)
    ask("OPTIONS", path)
get("/v1/status/nope")
