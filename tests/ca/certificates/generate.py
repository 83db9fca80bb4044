#!/usr/bin/env python3
"""Makes the kit of certificates in this folder anew: keys, certificates, manifest.json.

    generate.py [folder]

Certificates are put together from DER by hand, so that any part of them can be wrong; the keys and signatures are those
of python3-cryptography. What openssl says of each is asked of `openssl verify` and kept in the manifest."""
import base64, calendar, hashlib, json, os, subprocess, sys, time
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

TD = "11111111-2222-3333-4444-555555555555.consul"
WEB = "spiffe://" + TD + "/ns/default/dc/dc1/svc/web"
NOW = calendar.timegm((2030, 6, 1, 0, 0, 0))
DAY = 86400

# ---- DER ----


def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    if n < 0x80:
        head = bytes([n])
    else:
        size = (n.bit_length() + 7) // 8
        head = bytes([0x80 | size]) + n.to_bytes(size, "big")
    return bytes([tag]) + head + body


def seq(*parts):
    return tlv(0x30, *parts)


def integer(n):
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def oid(text):
    arcs = [int(a) for a in text.split(".")]
    out = bytearray([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        piece = [arc & 0x7F]
        while arc > 0x7F:
            arc >>= 7
            piece.append(0x80 | arc & 0x7F)
        out += bytes(reversed(piece))
    return tlv(6, bytes(out))


def name(cn, kind=0x13, extra=b""):
    return seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(kind, cn.encode()))), extra) if cn else seq()


def utc(t):
    return tlv(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(t)).encode())


def generalized(t):
    return tlv(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t)).encode())


def when(t):
    return utc(t) if t < calendar.timegm((2050, 1, 1, 0, 0, 0)) else generalized(t)


NULL = tlv(5)
TRUE = tlv(1, b"\xff")


def bits(data, unused=0):
    return tlv(3, bytes([unused]) + data)


# ---- Extensions ----


def ext(which, value, critical=False, raw_critical=None):
    return seq(oid(which), raw_critical if raw_critical is not None else TRUE if critical else b"", tlv(4, value))


DS, CE, KE, DE, KA, CERT, CRL = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02


def key_usage(usage):
    unused = (usage & -usage).bit_length() - 1
    return ext("2.5.29.15", tlv(3, bytes([unused, usage])), True)


CLIENT, SERVER, CODE, ANY = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.3", "2.5.29.37.0"


def ext_key_usage(*purposes):
    return ext("2.5.29.37", seq(*[oid(p) for p in purposes]))


def basic(ca=False, length=None, critical=True):
    return ext("2.5.29.19", seq(TRUE if ca else b"", integer(length) if length is not None else b""), critical)


def uri(text):
    return tlv(0x86, text if isinstance(text, bytes) else text.encode())


def dns(text):
    return tlv(0x82, text.encode())


def ip(*octets):
    return tlv(0x87, bytes(octets))


def directory(n):
    return tlv(0xA4, n)


def sans(*names, critical=False):
    return ext("2.5.29.17", seq(*names), critical)


def ski(value):
    return ext("2.5.29.14", tlv(4, value))


def aki(value):
    return ext("2.5.29.35", seq(tlv(0x80, value)))


def constraints(permitted=(), excluded=(), critical=True, tail=b""):
    def trees(tag, bases):
        return tlv(tag, *[seq(b, tail) for b in bases]) if bases else b""

    return ext("2.5.29.30", seq(trees(0xA0, permitted), trees(0xA1, excluded)), critical)


# ---- Keys and algorithms ----


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class Algorithm:
    def __init__(self, identifier, sign):
        self.identifier, self.sign = identifier, sign


def ecdsa(which, digest):
    return Algorithm(seq(oid("1.2.840.10045.4." + which)), lambda k, d: k.sign(d, ec.ECDSA(digest)))


def pkcs1(which, digest):
    return Algorithm(seq(oid("1.2.840.113549.1.1." + which), NULL), lambda k, d: k.sign(d, padding.PKCS1v15(), digest))


ECDSA256, ECDSA384, ECDSA512 = ecdsa("3.2", hashes.SHA256()), ecdsa("3.3", hashes.SHA384()), ecdsa("3.4", hashes.SHA512())
ECDSA1, ECDSA224 = ecdsa("1", hashes.SHA1()), ecdsa("3.1", hashes.SHA224())
RSA256, RSA384, RSA512 = pkcs1("11", hashes.SHA256()), pkcs1("12", hashes.SHA384()), pkcs1("13", hashes.SHA512())
RSA1, RSAMD5 = pkcs1("5", hashes.SHA1()), pkcs1("4", hashes.MD5())
PSS_PARAMETERS = seq(tlv(0xA0, seq(oid("2.16.840.1.101.3.4.2.1"), NULL)),
                     tlv(0xA1, seq(oid("1.2.840.113549.1.1.8"), seq(oid("2.16.840.1.101.3.4.2.1"), NULL))),
                     tlv(0xA2, integer(32)))
RSAPSS = Algorithm(seq(oid("1.2.840.113549.1.1.10"), PSS_PARAMETERS),
                   lambda k, d: k.sign(d, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()))
ED25519 = Algorithm(seq(oid("1.3.101.112")), lambda k, d: k.sign(d))


def default_algorithm(key):
    if isinstance(key, rsa.RSAPrivateKey):
        return RSA256
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return ED25519
    return {256: ECDSA256, 384: ECDSA384, 521: ECDSA512}.get(key.key_size, ECDSA256)


def p256():
    return ec.generate_private_key(ec.SECP256R1())


# ---- Certificates ----

serials = [1000]


class Cert:
    """What a case hands over: DER, and the key and names with which it can sign."""

    def __init__(self, der, key, subject, key_id):
        self.der, self.key, self.subject, self.key_id = der, key, subject, key_id


def make(issuer=None, cn="web.svc.default.11111111.consul", key=None, algorithm=None, uris=(WEB,), names=(), usage=DS | KE | DE | KA,
         purposes=(CLIENT, SERVER), ca=False, path=None, begin=NOW - DAY, end=NOW + DAY, extra=(), version=2, serial=None, subject=None,
         spki=None, with_ski=True, with_aki=True, aki_value=None, bc="default", replace=None, extensions=None, issuer_name=None,
         validity=None, tbs_tail=b"", inner=None, edit_tbs=None, edit=None, edit_signature=None, sign_with=None, critical_san=False):
    """issuer None: signs itself. replace: {"san": ext, ...} put in the place of what stands there; None leaves it out."""
    key = key or KEYS.get(cn) or p256()
    spki = spki or spki_of(key)
    subject = subject if subject is not None else name(cn)
    key_id = hashlib.sha256(spki).digest()
    signer = sign_with or (issuer.key if issuer else key)
    algorithm = algorithm or default_algorithm(signer)
    identifier = algorithm.identifier
    issuer_name = issuer_name if issuer_name is not None else issuer.subject if issuer else subject
    by = issuer.key_id if issuer else key_id
    parts = {
        "ku": key_usage(usage) if usage else b"",
        "eku": ext_key_usage(*purposes) if purposes and not ca else b"",
        "bc": basic(ca, path) if bc == "default" else bc or b"",
        "ski": ski(key_id) if with_ski else b"",
        "aki": aki(aki_value or by) if with_aki and (by or aki_value) else b"",
        "san": sans(*names, *[uri(u) for u in uris], critical=critical_san) if uris or names else b"",
    }
    for part, value in (replace or {}).items():
        parts[part] = value or b""
    body = b"".join(parts.values()) + b"".join(extra)
    if extensions is None:
        extensions = tlv(0xA3, seq(body)) if body else b""
    serial = serial if serial is not None else integer(serials[0])
    serials[0] += 1
    version = version if isinstance(version, bytes) else tlv(0xA0, integer(version)) if version else b""
    validity = validity if validity is not None else seq(when(begin), when(end))
    tbs = seq(version, serial, inner or identifier, issuer_name, validity, subject, spki, tbs_tail, extensions)
    if edit_tbs:
        tbs = edit_tbs(tbs)
    signature = algorithm.sign(signer, tbs)
    if edit_signature:
        signature = edit_signature(signature)
    der = seq(tbs, identifier, signature if isinstance(signature, tuple) and False else bits(signature))
    if edit:
        der = edit(der)
    return Cert(der, key, subject, key_id if with_ski else None)


def authority(cn, issuer=None, **more):
    more.setdefault("uris", ("spiffe://" + TD,))
    more.setdefault("usage", DS | CERT | CRL)
    more.setdefault("begin", NOW - 365 * DAY)
    more.setdefault("end", NOW + 365 * DAY)
    return make(issuer, cn=cn, ca=more.pop("ca", True), **more)


KEYS = {}
ROOT = authority("pri-root.consul.ca.11111111.consul")
MIDDLE = authority("sec-middle.consul.ca.11111111.consul", ROOT, path=0)
OTHER_ROOT = authority("pri-other.consul.ca.22222222.consul", uris=("spiffe://22222222-2222-3333-4444-555555555555.consul",))
RSA_KEY = rsa.generate_private_key(65537, 2048)
RSA_ROOT = authority("pri-rsa.consul.ca.11111111.consul", key=RSA_KEY)

# ---- Cases ----

CASES, FILES = [], {}


def put(file, cert):
    der = cert.der if isinstance(cert, Cert) else cert
    text = base64.b64encode(der).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    FILES[file] = "-----BEGIN CERTIFICATE-----\n" + "\n".join(lines) + "\n-----END CERTIFICATE-----\n"
    return file


def shared(cert):
    names = {id(ROOT): "root", id(MIDDLE): "intermediate", id(OTHER_ROOT): "root-other", id(RSA_ROOT): "root-rsa"}
    return names.get(id(cert))


def case(label, why, verdict, leaf, chain=(), roots=None, depth=0, at=NOW, purpose="client"):
    def files(certs, kind):
        out = []
        for i, c in enumerate(certs):
            out.append(put((shared(c) or "%s-%s%d" % (label, kind, i + 1)) + ".pem", c))
        return out

    CASES.append({
        "name": label, "why": why, "leaf": put(label + ".pem", leaf), "intermediates": files(chain, "ca"),
        "roots": files([ROOT] if roots is None else roots, "root"), "trust_domain": TD, "time": at, "purpose": purpose,
        "verdict": verdict, "depth": depth,
    })


def good(label, why, leaf, chain=(), roots=None, **more):
    case("good-" + label, why, "trusted", leaf, chain, roots, **more)


def named(label, why, verdict, *uris):
    case(label, why, verdict, make(ROOT, uris=uris))


def goods():
    good("service", "a leaf as Consul issues it", make(ROOT))
    good("server", "the same, in the other role", make(ROOT), purpose="server")
    good("intermediate", "through an intermediate of path length 0", make(MIDDLE), [MIDDLE])
    good("agent", "an agent's id, with names of its own", make(
        ROOT, uris=("spiffe://" + TD + "/agent/client/dc/dc1/id/Node_9.x",), names=(dns("localhost"), ip(127, 0, 0, 1))))
    good("escaped-name", "a name that needs escapes, as Consul spells it",
         make(ROOT, uris=("spiffe://" + TD + "/ns/default/dc/dc1/svc/a%20b%C3%9C,;%2A",)))
    good("upper-case-name", "names keep their case", make(ROOT, uris=("spiffe://" + TD + "/ns/default/dc/dc1/svc/Web",)))
    good("not-before", "the first second", make(ROOT, begin=NOW))
    good("not-after", "the last second", make(ROOT, end=NOW))
    good("p384", "P-384 leaf", make(ROOT, key=ec.generate_private_key(ec.SECP384R1())))
    good("p521", "P-521 leaf", make(ROOT, key=ec.generate_private_key(ec.SECP521R1())))
    good("rsa", "RSA leaf of an RSA root", make(RSA_ROOT, key=RSA_KEY), roots=[RSA_ROOT])
    good("rsa-sha512", "RSA with SHA-512", make(RSA_ROOT, algorithm=RSA512), roots=[RSA_ROOT])
    good("ecdsa-sha384", "a P-256 key that signs with SHA-384", make(ROOT, algorithm=ECDSA384))
    good("no-key-ids", "key ids are left out", make(ROOT, with_ski=False, with_aki=False))
    good("unknown-extension", "unknown, and not critical", make(ROOT, extra=[ext("1.3.6.1.4.1.99999.1", NULL)]))
    good("empty-subject", "no subject, critical SAN", make(ROOT, cn="", critical_san=True))
    good("generalized-time", "a leaf that lives beyond 2049", make(ROOT, end=calendar.timegm((2060, 1, 1, 0, 0, 0))))
    good("long-serial", "20 bytes of serial", make(ROOT, serial=tlv(2, b"\x7f" + bytes(range(1, 20)))))
    good("extra-root", "the root among the intermediates, and an intermediate that is not needed", make(MIDDLE),
         [ROOT, RSA_ROOT, MIDDLE])
    new = authority("pri-new.consul.ca.11111111.consul")
    cross = authority("pri-new.consul.ca.11111111.consul", ROOT, key=new.key, end=NOW + 7 * DAY)
    good("cross-signed-old", "rotation: who knows only the old root", make(new), [cross])
    good("cross-signed-new", "rotation: who knows only the new root", make(new), [cross], [new])
    good("cross-signed-both", "rotation: who knows both", make(new), [cross], [ROOT, new])
    expired = authority("pri-new.consul.ca.11111111.consul", key=new.key, end=NOW - 1)
    good("cross-signed-detour", "one way is expired, the other is not", make(new), [cross], [expired, ROOT])
    twin = authority("pri-root.consul.ca.11111111.consul", with_ski=False, with_aki=False)
    good("twin-roots", "two roots of one name without key ids", make(ROOT, with_aki=False), roots=[twin, ROOT])
    one = authority("pri-one.consul.ca.11111111.consul", path=1)
    two = authority("sec-two.consul.ca.11111111.consul", one, path=0)
    good("path-length", "a path length that is used up", make(two), [two], [one])
    limits = constraints([uri(".consul")], [uri("evil.consul")])
    limited = authority("pri-limited.consul.ca.11111111.consul", extra=[limits])
    good("constraint-below", "permitted: all below .consul", make(limited), roots=[limited])
    limited = authority("pri-limited.consul.ca.11111111.consul", extra=[constraints([uri(TD)])])
    good("constraint-host", "permitted: the trust domain itself", make(limited), roots=[limited])
    limited = authority("pri-limited.consul.ca.11111111.consul", extra=[constraints([dns("example.com"), tlv(0x87, bytes([10, 0, 0, 0, 255, 0, 0, 0]))])])
    good("constraint-other-kinds", "DNS names and addresses within their constraints",
         make(limited, names=(dns("a.example.com"), ip(10, 1, 2, 3))), roots=[limited])
    foreign = authority("Example Corp Root", uris=("https://pki.example.com/root",))
    good("operators-root", "an operator's root with a URI of another kind", make(foreign), roots=[foreign])
    for_tls = authority("sec-tls.consul.ca.11111111.consul", ROOT, extra=[ext_key_usage(CLIENT, SERVER)])
    good("intermediate-purposes", "an intermediate for client and server", make(for_tls), [for_tls])


def ids():
    base = "spiffe://" + TD
    path = "/ns/default/dc/dc1/svc/web"
    named("no-san", "no SAN at all", "uri-count")
    case("only-dns", "a DNS name and no URI", "uri-count", make(ROOT, uris=(), names=(dns("web.service.consul"),)))
    case("uri-in-subject", "the id stands in the subject", "uri-count", make(ROOT, uris=(), subject=name(WEB, 0x0C)))
    named("two-uris", "two ids of the trust domain", "uri-count", WEB, base + "/ns/default/dc/dc1/svc/db")
    named("same-uri-twice", "one id, twice", "uri-count", WEB, WEB)
    named("foreign-second", "a second URI that is no SPIFFE id", "uri-count", WEB, "https://example.com/")
    named("three-uris", "three", "uri-count", WEB, base + "/ns/default/dc/dc1/svc/db", base)
    named("other-trust-domain", "another cluster's id", "trust-domain", "spiffe://22222222-2222-3333-4444-555555555555.consul" + path)
    named("trust-domain-suffix", "ours, and more behind", "trust-domain", base + ".evil" + path)
    named("trust-domain-prefix", "ours, below another label", "trust-domain", "spiffe://evil." + TD + path)
    named("trust-domain-cut", "the last letter is missing", "trust-domain", base[:-1] + path)
    named("trust-domain-short", "only the last label", "trust-domain", "spiffe://consul" + path)
    named("trust-domain-upper", "upper case in the trust domain", "spiffe-id", "spiffe://" + TD.upper() + path)
    named("trust-domain-dot", "a dot behind the trust domain", "spiffe-id", base + "." + path)
    named("trust-domain-empty", "no trust domain", "spiffe-id", "spiffe://" + path)
    named("trust-domain-escaped", "an escape in the trust domain", "spiffe-id", "spiffe://%31" + TD[1:] + path)
    named("trust-domain-long", "256 bytes of trust domain", "spiffe-id", "spiffe://" + "a" * 256 + path)
    named("port", "a port", "spiffe-id", base + ":8080" + path)
    named("user", "user info", "spiffe-id", "spiffe://web@" + TD + path)
    named("scheme-upper", "upper case in the scheme", "spiffe-id", "SPIFFE://" + TD + path)
    named("scheme-https", "another scheme", "spiffe-id", "https://" + TD + path)
    named("scheme-one-slash", "one slash", "spiffe-id", "spiffe:/" + TD + path)
    named("scheme-blank", "a blank in front", "spiffe-id", " " + WEB)
    named("no-path", "the id of the trust domain itself", "spiffe-id", base)
    named("slash-only", "a path of one slash", "spiffe-id", base + "/")
    named("trailing-slash", "a slash behind the name", "spiffe-id", WEB + "/")
    named("double-slash", "an empty segment", "spiffe-id", base + "//ns/default/dc/dc1/svc/web")
    named("dot-segment", "a dot segment", "spiffe-id", base + "/ns/default/dc/dc1/svc/.")
    named("dot-dot-segment", "two dots: up one", "spiffe-id", base + "/ns/default/dc/dc1/svc/db/../web")
    named("dot-dot-name", "two dots for a name", "spiffe-id", base + "/ns/default/dc/dc1/svc/..")
    named("escaped-dots", "the same, escaped", "spiffe-id", base + "/ns/default/dc/dc1/svc/%2E%2E")
    named("escaped-slash", "an escaped slash in a name", "spiffe-id", WEB + "%2Fadmin")
    named("escaped-lower", "escapes in lower case", "spiffe-id", base + "/ns/default/dc/dc1/svc/a%c3%9c")
    named("escaped-needlessly", "a letter that needs no escape", "spiffe-id", base + "/ns/default/dc/dc1/svc/%77eb")
    named("escaped-percent-short", "an escape of one digit", "spiffe-id", WEB + "%4")
    named("escaped-percent-bare", "a percent sign alone", "spiffe-id", WEB + "%")
    named("escaped-zero", "an escaped zero byte", "spiffe-id", WEB + "%00")
    named("escaped-newline", "an escaped line feed", "spiffe-id", WEB + "%0A")
    named("escaped-not-utf8", "an escaped byte that is no UTF-8", "spiffe-id", WEB + "%FF")
    named("escaped-overlong", "an overlong slash", "spiffe-id", WEB + "%C0%AF")
    named("raw-blank", "a blank that is not escaped", "spiffe-id", base + "/ns/default/dc/dc1/svc/a b")
    named("raw-star", "a star that is not escaped", "spiffe-id", base + "/ns/default/dc/dc1/svc/*")
    named("backslash", "a backslash", "spiffe-id", base + "/ns/default/dc/dc1/svc\\web")
    named("query", "a query", "spiffe-id", WEB + "?a=b")
    named("fragment", "a fragment", "spiffe-id", WEB + "#a")
    named("path-upper", "upper case in the fixed parts", "spiffe-id", base + "/NS/default/DC/dc1/SVC/web")
    named("path-short", "the name is missing", "spiffe-id", base + "/ns/default/dc/dc1/svc")
    named("path-empty-name", "an empty name", "spiffe-id", base + "/ns/default/dc/dc1/svc/")
    named("path-long", "a segment too many", "spiffe-id", WEB + "/v1")
    named("path-other", "a path of another kind", "spiffe-id", base + "/workload/web")
    named("path-agent-server", "an agent id of another role", "spiffe-id", base + "/agent/server/dc/dc1/id/n1")
    named("path-swapped", "the parts in another order", "spiffe-id", base + "/dc/dc1/ns/default/svc/web")
    named("too-long-id", "2049 bytes", "spiffe-id", WEB + "x" * (2049 - len(WEB)))
    named("zero-in-uri", "a zero byte in the URI: no IA5String", "malformed", WEB.encode() + b"\0.evil")
    named("latin-in-uri", "a byte beyond ASCII: no IA5String", "malformed", WEB.encode() + b"\xfc")


def leafs():
    case("leaf-is-ca", "basicConstraints say CA", "leaf-is-ca", make(ROOT, bc=basic(True)))
    case("intermediate-as-leaf", "an intermediate is shown as a leaf", "leaf-is-ca", MIDDLE)
    case("root-as-leaf", "the root itself is shown as a leaf", "leaf-is-ca", ROOT)
    case("ca-with-service-id", "a CA with a service's id", "leaf-is-ca", authority("sec-web.consul.ca.11111111.consul", ROOT, uris=(WEB,)))
    case("no-key-usage", "no key usage", "key-usage", make(ROOT, usage=0))
    case("no-digital-signature", "key usages without digitalSignature", "key-usage", make(ROOT, usage=KE))
    case("leaf-signs-certificates", "a leaf that may sign certificates", "key-usage", make(ROOT, usage=DS | CERT))
    case("leaf-signs-crls", "a leaf that may sign CRLs", "key-usage", make(ROOT, usage=DS | CRL))
    case("no-purpose", "no extended key usage", "ext-key-usage", make(ROOT, purposes=()))
    case("purpose-code", "for code signing", "ext-key-usage", make(ROOT, purposes=(CODE,)))
    case("purpose-any", "anyExtendedKeyUsage, which is none of ours", "ext-key-usage", make(ROOT, purposes=(ANY,)))
    case("server-as-client", "a server's certificate shown by a client", "ext-key-usage", make(ROOT, purposes=(SERVER,)))
    case("client-as-server", "and the other way round", "ext-key-usage", make(ROOT, purposes=(CLIENT,)), purpose="server")
    case("version-1", "version 1", "version", make(ROOT, version=0, extensions=b""))
    case("version-2", "version 2 with extensions", "version", make(ROOT, version=1))
    case("version-4", "a version to come", "version", make(ROOT, version=3))
    case("critical-unknown", "an unknown critical extension", "critical-extension", make(ROOT, extra=[ext("1.3.6.1.4.1.99999.1", NULL, True)]))
    case("critical-policy", "critical policies, which we do not evaluate", "critical-extension",
         make(ROOT, extra=[ext("2.5.29.32", seq(seq(oid("1.3.6.1.4.1.99999.2"))), True)]))
    case("critical-policy-constraints", "critical policy constraints", "critical-extension",
         make(ROOT, extra=[ext("2.5.29.36", seq(tlv(0x80, b"\0")), True)]))


def times():
    case("expired", "ended a second ago", "expired", make(ROOT, end=NOW - 1))
    case("not-yet-valid", "begins in a second", "not-yet-valid", make(ROOT, begin=NOW + 1))
    case("turned-round", "ends before it begins", "not-yet-valid", make(ROOT, begin=NOW + DAY, end=NOW - DAY))
    middle = authority("sec-old.consul.ca.11111111.consul", ROOT, end=NOW - 1)
    case("expired-intermediate", "the intermediate has expired", "expired", make(middle), [middle], depth=1)
    middle = authority("sec-next.consul.ca.11111111.consul", ROOT, begin=NOW + 1)
    case("future-intermediate", "the intermediate is not valid yet", "not-yet-valid", make(middle), [middle], depth=1)
    root = authority("pri-old.consul.ca.11111111.consul", end=NOW - 1)
    case("expired-root", "the root has expired", "expired", make(root), roots=[root], depth=1)
    root = authority("pri-next.consul.ca.11111111.consul", begin=NOW + 1)
    case("future-root", "the root is not valid yet", "not-yet-valid", make(root), roots=[root], depth=1)
    case("year-9999", "a leaf without end of an issuer that has one", "expired",
         make(ROOT, end=calendar.timegm((9999, 12, 31, 23, 59, 59))), at=NOW + 400 * DAY, depth=1)


def issuers():
    case("unknown-root", "of a root that nobody trusts", "unknown-issuer", make(OTHER_ROOT, uris=(WEB,)))
    case("no-roots", "no root is trusted", "unknown-issuer", make(ROOT), roots=[])
    case("self-signed", "a leaf that signed itself", "unknown-issuer", make())
    case("self-signed-root-sent", "with a root of its own among the intermediates", "unknown-issuer", make(OTHER_ROOT), [OTHER_ROOT], depth=1)
    case("missing-intermediate", "the intermediate is not there", "unknown-issuer", make(MIDDLE))
    case("wrong-key-id", "the authority key id is another's", "unknown-issuer", make(ROOT, aki_value=b"\1" * 32))
    fake = authority("pri-root.consul.ca.11111111.consul", with_ski=False, with_aki=False)
    case("fake-root", "another key under the root's name, without key ids", "bad-signature", make(fake, with_aki=False))
    case("fake-key-id", "another key under the root's name and key id", "bad-signature", make(ROOT, sign_with=fake.key))
    plain = make(ROOT)
    case("leaf-as-issuer", "a leaf signed another leaf", "issuer-not-ca", make(plain), [plain], depth=1)
    able = make(ROOT, cn="sec-able.consul.ca.11111111.consul", usage=DS | CERT | CRL, uris=("spiffe://" + TD,))
    case("issuer-not-ca", "certSign, but no CA", "issuer-not-ca", make(able), [able], depth=1)
    bare = authority("sec-bare.consul.ca.11111111.consul", ROOT, bc=None)
    case("issuer-no-constraints", "an intermediate without basicConstraints", "issuer-not-ca", make(bare), [bare], depth=1)
    mute = authority("sec-mute.consul.ca.11111111.consul", ROOT, usage=DS | CRL)
    case("issuer-no-cert-sign", "an intermediate without certSign", "issuer-key-usage", make(mute), [mute], depth=1)
    mute = authority("sec-mute.consul.ca.11111111.consul", ROOT, usage=0)
    case("issuer-no-usage", "an intermediate without key usages", "issuer-key-usage", make(mute), [mute], depth=1)
    mute = authority("pri-mute.consul.ca.11111111.consul", usage=DS)
    case("root-no-cert-sign", "a root without certSign", "issuer-key-usage", make(mute), roots=[mute], depth=1)
    v1 = authority("sec-v1.consul.ca.11111111.consul", ROOT, version=0, extensions=b"")
    case("issuer-version-1", "an intermediate of version 1", "version", make(v1), [v1], depth=1)
    posing = authority("sec-web.consul.ca.11111111.consul", ROOT, uris=(WEB,))
    case("issuer-service-id", "an intermediate with a service's id", "issuer-id", make(posing), [posing], depth=1)
    posing = authority("sec-web.consul.ca.11111111.consul", ROOT, uris=("spiffe://" + TD + "/",))
    case("issuer-bad-id", "an intermediate whose SPIFFE id is none", "issuer-id", make(posing), [posing], depth=1)
    posing = authority("pri-web.consul.ca.11111111.consul", uris=(WEB,))
    case("root-service-id", "a root with a service's id", "issuer-id", make(posing), roots=[posing], depth=1)
    below = authority("sec-below.consul.ca.11111111.consul", MIDDLE)
    case("path-length-0", "an intermediate below one of path length 0", "path-length", make(below), [below, MIDDLE], depth=2)
    one = authority("pri-one.consul.ca.11111111.consul", path=1)
    two = authority("sec-two.consul.ca.11111111.consul", one)
    three = authority("sec-three.consul.ca.11111111.consul", two)
    case("path-length-root", "two intermediates below a root of path length 1", "path-length", make(three), [two, three], [one], depth=3)
    zero = authority("pri-zero.consul.ca.11111111.consul", path=0)
    new = authority("pri-new.consul.ca.11111111.consul")
    cross = authority("pri-new.consul.ca.11111111.consul", zero, key=new.key)
    case("path-length-cross", "a cross-signed root below one of path length 0", "path-length", make(new), [cross], [zero], depth=2)
    a, b = authority("sec-a.consul.ca.11111111.consul"), authority("sec-b.consul.ca.11111111.consul")
    ab = authority("sec-a.consul.ca.11111111.consul", b, key=a.key)
    ba = authority("sec-b.consul.ca.11111111.consul", a, key=b.key)
    case("circle", "two intermediates that signed each other", "unknown-issuer", make(a), [ab, ba], depth=2)
    chain, above = [], ROOT
    for i in range(9):
        above = authority("sec-%d.consul.ca.11111111.consul" % i, above)
        chain.append(above)
    case("too-long", "nine intermediates", "too-long", make(above), chain)
    code = authority("sec-code.consul.ca.11111111.consul", ROOT, extra=[ext_key_usage(CODE)])
    case("issuer-purpose", "an intermediate for code signing alone", "ext-key-usage", make(code), [code], depth=1)
    code = authority("sec-server.consul.ca.11111111.consul", ROOT, extra=[ext_key_usage(SERVER)])
    case("issuer-purpose-server", "an intermediate for servers, and a client", "ext-key-usage", make(code), [code], depth=1)
    odd = authority("sec-odd.consul.ca.11111111.consul", ROOT, extra=[ext("1.3.6.1.4.1.99999.1", NULL, True)])
    case("issuer-critical", "an intermediate with an unknown critical extension", "critical-extension", make(odd), [odd], depth=1)


def constrained():
    def root(*args, **more):
        return authority("pri-limited.consul.ca.11111111.consul", extra=[constraints(*args, **more)])

    def refused(label, why, limits, **leaf):
        case("constraint-" + label, why, "name-constraint", make(limits, **leaf), roots=[limits], depth=1)

    refused("permitted-other", "another host is permitted", root([uri("example.com")]))
    refused("permitted-below", "only what is below the trust domain", root([uri("." + TD)]))
    refused("permitted-parent", "a host is no domain: consul is not all below it", root([uri("consul")]))
    refused("excluded", "the trust domain is excluded", root([], [uri(TD)]))
    refused("excluded-below", "all below .consul is excluded", root([], [uri(".consul")]))
    refused("excluded-case", "case does not matter to hosts", root([], [uri(TD.upper())]))
    refused("not-critical", "holds although it is not critical", root([], [uri(TD)], critical=False))
    refused("dns", "a DNS name that is not permitted", root([dns("example.com")]), names=(dns("example.org"),))
    refused("dns-tail", "a DNS name that only ends alike", root([dns("example.com")]), names=(dns("badexample.com"),))
    refused("dns-excluded", "a DNS name that is excluded", root([], [dns("example.com")]), names=(dns("a.EXAMPLE.com"),))
    refused("address", "an address that is excluded", root([], [tlv(0x87, bytes([10, 0, 0, 0, 255, 0, 0, 0]))]), names=(ip(10, 9, 8, 7),))
    refused("address-other-kind", "IPv6 where IPv4 is permitted", root([tlv(0x87, bytes([10, 0, 0, 0, 255, 0, 0, 0]))]), names=(ip(*range(16)),))
    refused("subject", "a subject that is not permitted", root([directory(name("Example"))]))
    refused("subject-excluded", "a subject that is excluded", root([], [directory(name("web.svc.default.11111111.consul"))]))
    refused("email", "an address in the subject, and a constraint on these", root([tlv(0x81, b"example.com")]),
            subject=name("web", extra=tlv(0x31, seq(oid("1.2.840.113549.1.9.1"), tlv(0x16, b"a@example.org")))))
    refused("minimum", "a minimum, which RFC 5280 does not have", root([uri(TD)], tail=tlv(0x80, b"\1")))
    limits = authority("sec-limited.consul.ca.11111111.consul", ROOT, extra=[constraints([uri("example.com")])])
    case("constraint-intermediate", "the constraint is an intermediate's", "name-constraint", make(limits), [limits], depth=1)
    limits = root([uri("example.com")])
    middle = authority("sec-middle.consul.ca.11111111.consul", limits, uris=())
    case("constraint-through", "the constraint is two steps up", "name-constraint", make(middle), [middle], [limits], depth=2)


def signatures():
    flip = lambda s: s[:-1] + bytes([s[-1] ^ 1])
    case("signature-bit", "one bit of the signature", "bad-signature", make(ROOT, edit_signature=flip))
    good_one = make(ROOT, serial=integer(0x7AAA))
    other = good_one.der.replace(b"\x02\x02\x7a\xaa", b"\x02\x02\x7a\xab", 1)
    case("signature-serial", "the serial was changed afterwards", "bad-signature", other)
    case("signature-name", "the id was changed afterwards", "bad-signature", make(ROOT).der.replace(b"/svc/web", b"/svc/wea"))
    case("signature-zero", "r and s are zero (CVE-2022-21449)", "bad-signature", make(ROOT, edit_signature=lambda s: seq(integer(0), integer(0))))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    case("signature-order", "r and s are the order of the curve", "bad-signature", make(ROOT, edit_signature=lambda s: seq(integer(order), integer(order))))
    case("signature-tail", "bytes behind the signature", "bad-signature", make(ROOT, edit_signature=lambda s: s + b"\0\0"))
    case("signature-hash", "SHA-256 is said, SHA-384 was used", "bad-signature",
         make(ROOT, algorithm=Algorithm(ECDSA256.identifier, ECDSA384.sign)))
    case("signature-kind", "RSA is said, the issuer has an EC key", "bad-signature",
         make(ROOT, algorithm=Algorithm(RSA256.identifier, ECDSA256.sign)))
    case("signature-rsa", "one bit of an RSA signature", "bad-signature", make(RSA_ROOT, edit_signature=flip), roots=[RSA_ROOT])
    case("signature-rsa-zero", "an RSA signature of zeros", "bad-signature", make(RSA_ROOT, edit_signature=lambda s: bytes(len(s))), roots=[RSA_ROOT])
    middle = authority("sec-bad.consul.ca.11111111.consul", ROOT, edit_signature=flip)
    case("signature-intermediate", "the intermediate's signature is wrong", "bad-signature", make(middle), [middle], depth=1)
    for label, why, algorithm, root in (
            ("ecdsa-sha1", "ECDSA with SHA-1", ECDSA1, ROOT), ("ecdsa-sha224", "ECDSA with SHA-224", ECDSA224, ROOT),
            ("rsa-sha1", "RSA with SHA-1", RSA1, RSA_ROOT), ("rsa-md5", "RSA with MD5", RSAMD5, RSA_ROOT),
            ("rsa-pss", "RSA-PSS, which we do not read", RSAPSS, RSA_ROOT)):
        case("algorithm-" + label, why, "signature-algorithm", make(root, algorithm=algorithm), roots=[root])
    ed = authority("pri-ed.consul.ca.11111111.consul", key=ed25519.Ed25519PrivateKey.generate())
    case("algorithm-ed25519", "Ed25519", "signature-algorithm", make(ed), roots=[ROOT])
    case("algorithm-unknown", "an algorithm of nobody's", "signature-algorithm",
         make(ROOT, algorithm=Algorithm(seq(oid("1.3.6.1.4.1.99999.3")), ECDSA256.sign)))
    case("algorithm-null", "parameters where ECDSA has none", "signature-algorithm",
         make(ROOT, algorithm=Algorithm(seq(oid("1.2.840.10045.4.3.2"), NULL), ECDSA256.sign)))
    case("algorithm-bare", "none where RSA has NULL", "signature-algorithm",
         make(RSA_ROOT, algorithm=Algorithm(seq(oid("1.2.840.113549.1.1.11")), RSA256.sign)), roots=[RSA_ROOT])
    case("algorithm-differs", "one algorithm inside, another outside", "malformed", make(ROOT, inner=ECDSA384.identifier))
    weak = authority("sec-sha1.consul.ca.11111111.consul", ROOT, algorithm=ECDSA1)
    case("algorithm-intermediate", "an intermediate signed with SHA-1", "signature-algorithm", make(weak), [weak], depth=1)


def keys():
    def keyed(label, why, **leaf):
        case("key-" + label, why, "weak-key", make(ROOT, **leaf))

    keyed("rsa-1024", "RSA of 1024 bits", key=rsa.generate_private_key(65537, 1024))
    rsa2048 = RSA_KEY.public_key().public_numbers()
    def rsa_spki(n, e):
        return seq(seq(oid("1.2.840.113549.1.1.1"), NULL), bits(seq(integer(n), integer(e))))
    keyed("rsa-2047", "RSA of 2047 bits", spki=rsa_spki(rsa2048.n >> 1 | 1, 65537))
    keyed("rsa-exponent-1", "an RSA exponent of 1", spki=rsa_spki(rsa2048.n, 1))
    keyed("rsa-exponent-3", "an RSA exponent of 3", spki=rsa_spki(rsa2048.n, 3))
    keyed("rsa-exponent-even", "an even RSA exponent", spki=rsa_spki(rsa2048.n, 65538))
    keyed("rsa-even", "an even modulus", spki=rsa_spki(rsa2048.n - 1, 65537))
    keyed("rsa-huge", "RSA of 16384 bits", spki=rsa_spki((1 << 16383) | 1, 65537))
    keyed("p224", "P-224", key=ec.generate_private_key(ec.SECP224R1()))
    keyed("secp256k1", "secp256k1", key=ec.generate_private_key(ec.SECP256K1()))
    keyed("brainpool", "a brainpool curve", key=ec.generate_private_key(ec.BrainpoolP256R1()))
    keyed("ed25519", "Ed25519", key=ed25519.Ed25519PrivateKey.generate())
    key = p256()
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    algorithm = seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
    keyed("compressed", "a compressed point", spki=seq(algorithm, bits(point)))
    keyed("infinity", "the point at infinity", spki=seq(algorithm, bits(b"\0")))
    keyed("off-curve", "a point that is not on the curve", spki=seq(algorithm, bits(b"\4" + b"\1" * 64)))
    full = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    spelled = seq(integer(1), seq(oid("1.2.840.10045.1.1"), integer(p)),
                  seq(tlv(4, (p - 3).to_bytes(32, "big")), tlv(4, b.to_bytes(32, "big"))), tlv(4, full), integer(order))
    keyed("explicit-curve", "a curve spelled out (CVE-2020-0601)", spki=seq(seq(oid("1.2.840.10045.2.1"), spelled), bits(full)))
    keyed("no-curve", "no curve at all", spki=seq(seq(oid("1.2.840.10045.2.1")), bits(full)))
    weak = authority("sec-weak.consul.ca.11111111.consul", ROOT, key=rsa.generate_private_key(65537, 1024))
    case("key-intermediate", "an intermediate of 1024 bits", "weak-key", make(weak), [weak], depth=1)
    weak = authority("pri-weak.consul.ca.11111111.consul", key=rsa.generate_private_key(65537, 1024))
    case("key-root", "a root of 1024 bits is not taken for one", "unknown-issuer", make(weak), roots=[weak])


def der():
    def broken(label, why, **leaf):
        case("der-" + label, why, "malformed", make(ROOT, **leaf))

    broken("tail", "a byte behind the certificate", edit=lambda d: d + b"\0")
    broken("truncated", "the last byte is missing", edit=lambda d: d[:-1])
    broken("half", "the second half is missing", edit=lambda d: d[:len(d) // 2])
    broken("empty", "an empty sequence", edit=lambda d: seq())
    broken("text", "no DER at all", edit=lambda d: b"certificate")
    broken("indefinite", "indefinite length (BER)", edit=lambda d: b"\x30\x80" + d[4:] + b"\0\0")
    broken("long-length", "a length in more bytes than it needs", edit=lambda d: b"\x30\x83\0" + d[2:])
    broken("huge-length", "a length of 4 GiB", edit=lambda d: b"\x30\x84\xff\xff\xff\xff" + d[4:])
    broken("set", "a SET in the place of the SEQUENCE", edit=lambda d: b"\x31" + d[1:])
    broken("serial-negative", "a negative serial", serial=tlv(2, b"\x80"))
    broken("serial-empty", "a serial without bytes", serial=tlv(2))
    broken("serial-padded", "a serial with a needless zero", serial=tlv(2, b"\0\1"))
    broken("serial-long", "21 bytes of serial", serial=tlv(2, b"\1" * 21))
    broken("version-default", "version 1, spelled out", version=tlv(0xA0, integer(0)))
    broken("unique-id", "an issuer unique id", tbs_tail=tlv(0x81, b"\0\1"))
    broken("issuer-empty", "no issuer", issuer_name=seq())
    broken("name-empty-set", "a subject with an empty set", subject=seq(tlv(0x31)))
    broken("name-text", "a subject that is no name", subject=seq(tlv(0x13, b"web")))
    broken("time-no-seconds", "a time without seconds", validity=seq(tlv(0x17, b"3005310000Z"), when(NOW + DAY)))
    broken("time-offset", "a time with an offset", validity=seq(tlv(0x17, b"300531000000+0100"), when(NOW + DAY)))
    broken("time-fraction", "a time with fractions", validity=seq(when(NOW - DAY), tlv(0x18, b"20600101000000.5Z")))
    broken("time-month", "the thirteenth month", validity=seq(tlv(0x17, b"291331000000Z"), when(NOW + DAY)))
    broken("time-day", "30 February", validity=seq(tlv(0x17, b"300230000000Z"), when(NOW + DAY)))
    broken("time-second", "second 60", validity=seq(tlv(0x17, b"300531235960Z"), when(NOW + DAY)))
    broken("time-kind", "GeneralizedTime before 2050", validity=seq(generalized(NOW - DAY), when(NOW + DAY)))
    broken("extension-twice", "the SANs stand there twice", extra=[sans(uri(WEB))])
    broken("unknown-twice", "an unknown extension stands there twice", extra=[ext("1.3.6.1.4.1.99999.1", NULL)] * 2)
    broken("extensions-empty", "an empty list of extensions", extensions=tlv(0xA3, seq()))
    broken("critical-false", "critical FALSE, spelled out", replace={"eku": ext("2.5.29.37", seq(oid(CLIENT)), raw_critical=tlv(1, b"\0"))})
    broken("critical-one", "critical is 1 and not 255", replace={"ku": ext("2.5.29.15", tlv(3, b"\7\x80"), raw_critical=tlv(1, b"\1"))})
    broken("ca-false", "CA FALSE, spelled out", bc=ext("2.5.29.19", seq(tlv(1, b"\0")), True))
    broken("path-length-leaf", "a path length without CA", bc=ext("2.5.29.19", seq(integer(0)), True))
    broken("path-length-negative", "a negative path length", bc=ext("2.5.29.19", seq(TRUE, tlv(2, b"\xff")), True))
    broken("constraints-tail", "a byte behind the basicConstraints", bc=ext("2.5.29.19", seq() + b"\0", True))
    broken("usage-none", "no key usage is set", replace={"ku": ext("2.5.29.15", tlv(3, b"\0\0"), True)})
    broken("usage-padded", "key usages with zeros behind", replace={"ku": ext("2.5.29.15", tlv(3, b"\0\x80"), True)})
    broken("usage-unused", "unused bits that are set", replace={"ku": ext("2.5.29.15", tlv(3, b"\5\xbf"), True)})
    broken("purpose-empty", "an empty list of purposes", replace={"eku": ext("2.5.29.37", seq())})
    broken("oid-padded", "an OID with a needless byte", replace={"eku": ext("2.5.29.37", seq(tlv(6, b"\x2b\x80\x06\x01\x05\x05\x07\x03\x02")))})
    broken("oid-cut", "an OID that does not end", replace={"eku": ext("2.5.29.37", seq(tlv(6, b"\x2b\x86")))})
    broken("san-empty", "an empty list of SANs", replace={"san": ext("2.5.29.17", seq())})
    broken("san-empty-uri", "an empty URI", replace={"san": sans(uri(""))})
    broken("san-address", "an address of five bytes", names=(ip(1, 2, 3, 4, 5),))
    broken("san-tag", "a name of a kind that there is not", names=(tlv(0x89, b"x"),))
    broken("san-tail", "bytes behind the SANs", replace={"san": ext("2.5.29.17", seq(uri(WEB)) + NULL)})
    broken("key-id-empty", "an empty key id", replace={"ski": ext("2.5.29.14", tlv(4))})
    broken("key-bits", "a public key that does not end on a byte", spki=seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(b"\4" + b"\1" * 64, 1)))
    broken("key-rsa", "an RSA key that is none", spki=seq(seq(oid("1.2.840.113549.1.1.1"), NULL), bits(b"\4\5\6")))
    broken("long", "longer than 16 KiB", extra=[ext("1.3.6.1.4.1.99999.1", tlv(4, bytes(17000)))])
    many = [ext("1.3.6.1.4.1.99999.%d" % i, NULL) for i in range(30)]
    broken("many-extensions", "36 extensions", extra=many)
    middle = authority("sec-cut.consul.ca.11111111.consul", ROOT, edit=lambda d: d[:-1])
    case("der-intermediate", "an intermediate that is cut off", "malformed", make(middle), [middle], depth=1)


# ---- Together ----


def ask_openssl(folder, c):
    def path(f):
        return os.path.join(folder, f)

    command = ["openssl", "verify", "-x509_strict", "-attime", str(c["time"]), "-purpose", "ssl" + c["purpose"], "-no-CApath", "-no-CAstore"]
    command += ["-no-CAfile"] if not c["roots"] else sum([["-trusted", path(f)] for f in c["roots"]], [])
    for f in c["intermediates"]:
        command += ["-untrusted", path(f)]
    done = subprocess.run(command + [path(c["leaf"])], capture_output=True)
    return "accepts" if done.returncode == 0 else "refuses"


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for part in (goods, ids, leafs, times, issuers, constrained, signatures, keys, der):
        part()
    for old in os.listdir(folder):
        if old.endswith(".pem"):
            os.remove(os.path.join(folder, old))
    for file, text in FILES.items():
        with open(os.path.join(folder, file), "w") as f:
            f.write(text)
    for c in CASES:
        c["openssl"] = ask_openssl(folder, c)
    assert len({c["name"] for c in CASES}) == len(CASES)
    with open(os.path.join(folder, "manifest.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in CASES) + "\n]\n")
    bad = [c for c in CASES if c["verdict"] != "trusted"]
    print("%d good, %d bad, of which openssl accepts %d" % (len(CASES) - len(bad), len(bad), sum(c["openssl"] == "accepts" for c in bad)))
    for c in CASES:
        if c["verdict"] == "trusted" and c["openssl"] != "accepts":
            print("openssl refuses", c["name"])


if __name__ == "__main__":
    main()
