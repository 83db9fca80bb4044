#include <muster/ca_verify.h>

static const struct {
    const char *name, *text;
} VERDICTS[CA_VERDICT_COUNT] = {
    [CA_V_TRUSTED] = {"trusted", "the certificate is trusted"},
    [CA_V_MALFORMED] = {"malformed", "a certificate is malformed"},
    [CA_V_VERSION] = {"version", "a certificate is not of version 3"},
    [CA_V_CRITICAL_EXTENSION] = {"critical-extension", "an unknown extension is critical"},
    [CA_V_SIGNATURE_ALGORITHM] = {"signature-algorithm", "a signature algorithm is not accepted"},
    [CA_V_WEAK_KEY] = {"weak-key", "a key is of a kind or size that is not accepted"},
    [CA_V_LEAF_IS_CA] = {"leaf-is-ca", "a CA's certificate is used as a service's"},
    [CA_V_KEY_USAGE] = {"key-usage", "the key usages are not those of a service"},
    [CA_V_EXT_KEY_USAGE] = {"ext-key-usage", "the certificate is not for this purpose"},
    [CA_V_URI_COUNT] = {"uri-count", "the certificate has not exactly one URI"},
    [CA_V_SPIFFE_ID] = {"spiffe-id", "the URI is no id of a service or an agent"},
    [CA_V_TRUST_DOMAIN] = {"trust-domain", "the id is of another trust domain"},
    [CA_V_NOT_YET_VALID] = {"not-yet-valid", "a certificate is not valid yet"},
    [CA_V_EXPIRED] = {"expired", "a certificate has expired"},
    [CA_V_UNKNOWN_ISSUER] = {"unknown-issuer", "no trusted root signed the certificate"},
    [CA_V_ISSUER_NOT_CA] = {"issuer-not-ca", "the issuer is no CA"},
    [CA_V_ISSUER_KEY_USAGE] = {"issuer-key-usage", "the issuer may not sign certificates"},
    [CA_V_ISSUER_ID] = {"issuer-id", "the issuer's SPIFFE id is not that of a trust domain"},
    [CA_V_PATH_LENGTH] = {"path-length", "a CA's path length is exceeded"},
    [CA_V_NAME_CONSTRAINT] = {"name-constraint", "a CA's name constraints rule out a name"},
    [CA_V_BAD_SIGNATURE] = {"bad-signature", "a signature is wrong"},
    [CA_V_TOO_LONG] = {"too-long", "the chain is too long"},
};

const char *ca_verdict_name(enum ca_verdict v)
{
    return (unsigned)v < CA_VERDICT_COUNT ? VERDICTS[v].name : "unknown";
}

const char *ca_verdict_text(enum ca_verdict v)
{
    return (unsigned)v < CA_VERDICT_COUNT ? VERDICTS[v].text : "unknown verdict";
}
