"""?cached where the cache is turned off."""

from script import asked, get

asked("server", {"http_config": {"use_cache": False}})
get("/v1/catalog/service/web?cached&consistent")
for path in ("/v1/catalog/datacenters", "/v1/catalog/services", "/v1/health/service/web"):
    for query in ("?cached", "?cached&index=1"):
        get(path + query)
        get(path + query)
get("/v1/query/nobody/execute?cached")
