"""Keys of gossip: this server has none."""

from script import ask, get

KEYRING = "/v1/operator/keyring"
for method in ("HEAD", "OPTIONS", "PATCH"):
    ask(method, KEYRING)
get(KEYRING + "/")
for query in ("?relay-factor=6", "?relay-factor=-1", "?relay-factor=x", "?relay-factor=99999999999999999999", "?local-only=x",
              "?relay-factor=x&local-only=x"):
    get(KEYRING + query)
for query in ("", "?relay-factor=5", "?local-only=true", "?local-only=false", "?relay-factor=", "?local-only=", "?dc=nope", "?ns=x",
              "?pretty"):
    get(KEYRING + query)
for method in ("POST", "PUT", "DELETE"):
    for body in ("", "x", "{", "[]", "5", "null", '{"Key":1}', '{"Nope":"x"}', '{"Key":"x"}', '{"Key":""}', '{"key":"a!aa"}',
                 '{"Key":"MTIzNDU2Nzg5MDEyMzQ1Ng=="}'):
        ask(method, KEYRING, body)
    ask(method, KEYRING + "?local-only=true", '{"Key":"x"}')
    ask(method, KEYRING + "?relay-factor=6", '{"Key":"x"}')
    ask(method, KEYRING + "?relay-factor=6", "x")
