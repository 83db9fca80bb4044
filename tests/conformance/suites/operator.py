"""Raft and autopilot."""

from script import ask, delete, get, put, settle

RAFT, PEER = "/v1/operator/raft/configuration", "/v1/operator/raft/peer"
AUTOPILOT, HEALTH = "/v1/operator/autopilot/configuration", "/v1/operator/autopilot/health"
settle(HEALTH, '"StableSince"')
for path in (RAFT, PEER, AUTOPILOT, HEALTH):
    for method in ("POST", "HEAD", "OPTIONS"):
        ask(method, path)
    get(path + "/")
get(PEER)
put(PEER)
delete(AUTOPILOT)
for path in ("/v1/operator", "/v1/operator/", "/v1/operator/raft", "/v1/operator/autopilot"):
    get(path)
for query in ("", "?stale", "?consistent", "?consistent&stale", "?dc=nope", "?dc=DC1", "?pretty", "?index=1&wait=1s",
              "?wait=foo", "?index=foo", "?ns=x", "?token=x", "?max_stale=10x"):
    get(RAFT + query)
    get(AUTOPILOT + query)
    get(HEALTH + query, loose=("LastTerm", "LastIndex", "StableSince"))
for query in ("", "?id=a", "?address=a", "?id=a&address=b", "?id=", "?address=", "?id=&address=", "?id=a&dc=nope",
              "?id=a&stale", "?id=a&consistent&stale", "?address=127.0.0.1:8300", "?id=a&wait=foo", "?id=a&ns=x"):
    delete(PEER + query)
for body in ('{}', '{"CleanupDeadServers":true}', '{"LastContactThreshold":"200ms","MaxTrailingLogs":250}',
             '{"ServerStabilizationTime":"10s","MinQuorum":3}', '{"LastContactThreshold":"10x"}',
             '{"LastContactThreshold":5}', '{"LastContactThreshold":1.5}', '{"LastContactThreshold":null}',
             '{"LastContactThreshold":true}', '{"LastContactThreshold":[]}', '{"LastContactThreshold":""}',
             '{"MaxTrailingLogs":-1}', '{"MaxTrailingLogs":"a"}', '{"MaxTrailingLogs":1.5}',
             '{"MaxTrailingLogs":18446744073709551615}', '{"MinQuorum":-1}', '{"CleanupDeadServers":"yes"}',
             '{"Nope":1}', '{"cleanupdeadservers":true}', '{"ServerStabilizationTime":"-5s"}',
             '{"RedundancyZoneTag":"az","UpgradeVersionTag":"v","DisableUpgradeMigration":true}',
             '{"RedundancyZoneTag":5}', '', 'null', '[]', '{', '5', '"x"', '{"CreateIndex":99,"ModifyIndex":98}',
             '{"LastContactThreshold":"1h"} x', '{"last_contact_threshold":"1s"}', '{"LastContactThreshold":"200ms"'):
    put(AUTOPILOT, body)
    get(AUTOPILOT)
for query in ("?cas=0", "?cas=1", "?cas=abc", "?cas=", "?cas=-1", "?cas", "?cas=18446744073709551616", "?dc=nope",
              "?stale", "?consistent&stale", "?token=x", "?wait=foo", "?ns=x"):
    put(AUTOPILOT + query, '{"MaxTrailingLogs":7}')
    get(AUTOPILOT)
put(AUTOPILOT, '{"CleanupDeadServers":true,"LastContactThreshold":"200ms","MaxTrailingLogs":250,'
               '"ServerStabilizationTime":"10s"}')
