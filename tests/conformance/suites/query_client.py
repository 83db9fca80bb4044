"""Prepared queries by way of a client agent."""

from script import ask, asked, delete, get, put

asked("client")

Q = "/v1/query"

put("/v1/catalog/register", '{"Node":"n1","Address":"10.0.0.1","Service":{"Service":"web","Port":80}}')
ask("POST", Q, '{"Name":"w","Service":{"Service":"web","Tags":["!x"]},"DNS":{"TTL":"7s"}}', keep="w", at="ID")
ask("POST", Q, '{"Name":"w","Service":{"Service":"web"}}')
ask("POST", Q, '{"Name":"t-","Template":{"Type":"name_prefix_match"},"Service":{"Service":"${name.suffix}"}}')
get(Q + "/{w}")
get(Q + "/w/execute")
get(Q + "/w/execute?near=_agent&limit=1")
get(Q + "/t-web/execute")
get(Q + "/t-web/explain?stale")
get(Q + "/none/execute")
get(Q + "/none/explain")
get(Q + "/00000000-0000-0000-0000-000000000009")
get(Q + "/none")
put(Q + "/{w}", '{"Name":"v","Service":{"Service":"web"}}')
get(Q + "/v/explain")
delete(Q + "/{w}")
get(Q + "/v/explain")
