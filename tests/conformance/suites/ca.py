"""The built-in certificate authority: roots, its configuration, and what is refused."""

import json

from script import ask, asked, delete, get, put, settle

asked("server", {"connect": {"enabled": True}})

ROOTS, CONFIG = "/v1/connect/ca/roots", "/v1/connect/ca/configuration"
RANDOM = ("ActiveRootID", "TrustDomain", "ID", "SigningKeyID", "ExternalTrustDomain", "NotBefore", "NotAfter", "RootCert", "SerialNumber")


def configure(config=None, **more):
    put(CONFIG, json.dumps({"Provider": "consul", **({} if config is None else {"Config": config}), **more}))


settle(ROOTS, "BEGIN CERTIFICATE")
get(ROOTS, loose=RANDOM)
get(CONFIG)
for query in ("?pem=false", "?pem=x", "?pem=", "?dc=dc1"):
    get(ROOTS + query, loose=RANDOM)
get(ROOTS + "?pem=true", opaque=True)
for query in ("?dc=nowhere", "?stale&consistent", "?index=x", "?wait=x"):
    get(ROOTS + query)
    get(CONFIG + query)
for method in ("POST", "DELETE", "OPTIONS", "HEAD"):
    ask(method, ROOTS)
    ask(method, CONFIG)
put(ROOTS)
delete(CONFIG)

# ---- What is no configuration ----
for body in (None, "", "{", "[]", "5", '{"Provider":5}', '{"Provider":"consul","Config":5}', '{"Provider":"foo"}', '{"Provider":"","Config":{}}',
             '{"Provider":"consul","State":{"a":"b"}}'):
    put(CONFIG, body)
for config in ({"LeafCertTTL": "1m"}, {"LeafCertTTL": "9000h"}, {"LeafCertTTL": "bogus"}, {"LeafCertTTL": 500000}, {"LeafCertTTL": ""},
               {"LeafCertTTL": "72h", "IntermediateCertTTL": "80h"}, {"RootCert": "x"}, {"PrivateKeyType": "dsa"}, {"PrivateKeyBits": 1000},
               {"PrivateKeyType": "rsa", "PrivateKeyBits": 1000}, {"PrivateKeyBits": "x"}, {"CSRMaxPerSecond": "abc"}, {"CSRMaxConcurrent": []},
               {"PrivateKeyType": ["a"], "SkipValidate": "zz", "CSRMaxPerSecond": {}, "LeafCertTTL": {}}):
    configure(config)
get(CONFIG)

# ---- What is one, and leaves the root as it is ----
for config in (None, {}, {"LeafCertTTL": "73h"}, {"leafcertttl": "74h", "Unknown": 1, "x": {"y": ["z"]}}, {"CSRMaxPerSecond": "20", "SkipValidate": "true"},
               {"SkipValidate": True, "LeafCertTTL": "5s"}):
    configure(config)
    get(CONFIG)
configure({"LeafCertTTL": "73h"}, ForceWithoutCrossSigning=True)
get(CONFIG)
configure({"LeafCertTTL": "74h"}, force_without_cross_signing=True)
get(CONFIG)
get(ROOTS, loose=RANDOM)

# ---- Another key, and so another root, which the one before has signed; which of them comes first is random ----
KEY = """-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIKByccoyGHKmmM2Q4blikR2uU5iEqWNqwGbORDDL4FV4oAoGCCqGSM49
AwEHoUQDQgAEzGl1F4/kxL8qPxkrVb4MTyQN+q4LA8FcdzzYQw2EcmZH2gaPnjnE
BdDdHnekNlAfpl0Ka/TIa5ExvyJfZweG3Q==
-----END EC PRIVATE KEY-----
"""
configure({"PrivateKey": KEY})
get(ROOTS, loose=RANDOM + ("IntermediateCerts", "Active", "CreateIndex", "Roots"))
