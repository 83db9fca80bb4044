#include <muster/dnsfront.h>

#include "front.h"

#include <string.h>

#define UDP_PAYLOAD_MAX   65507u /* IPv4 */
#define UDP_PLAIN_MAX     512u   /* RFC 1035 4.2.1 */
#define UDP_PLAIN_ANSWERS 8u
#define SAFETY            7u /* Consul stays so far below the limit */
#define TCP_BYTES_MAX     65523u
#define TCP_ANSWERS_MAX   4096u
#define TCP_SRV_MAX       1024u
#define EDNS_BADVERS      16u
#define ONE_ANSWER_MAX    2048u /* a single answer is sent even when the limit is smaller */

static size_t byte_limit(const struct dnsfront_query *q)
{
    if (q->tcp) {
        return TCP_BYTES_MAX;
    }
    size_t size = q->question.edns ? q->question.edns_size : 0;
    return mu__min(mu__max(size, UDP_PLAIN_MAX), UDP_PAYLOAD_MAX) - SAFETY;
}

static size_t answer_limit(const struct dnsfront_query *q)
{
    if (q->tcp) {
        return q->question.type == DNS_TYPE_SRV ? TCP_SRV_MAX : TCP_ANSWERS_MAX;
    }
    if (q->meaning.kind == NAME_SERVICE && byte_limit(q) <= UDP_PLAIN_MAX) {
        return mu__min(UDP_PLAIN_ANSWERS, q->front->udp_answer_limit);
    }
    return SIZE_MAX;
}

size_t dnsfront_query_size_max(const struct dnsfront_query *q)
{
    return mu__max(byte_limit(q) + SAFETY, ONE_ANSWER_MAX);
}

static void ask_for_servers(struct dnsfront_query *q)
{
    q->lookup = (struct dnsfront_lookup){
        .kind = DNSFRONT_SERVERS, .datacenter = {q->front->datacenter, q->front->datacenter_len}};
    q->has_lookup = true;
}

/* What to look up, or the code to answer with straight away. */
static void decide(struct dnsfront_query *q, enum question_result read)
{
    struct dnsfront *d = q->front;
    const struct question *question = &q->question;
    q->rcode = DNS_NOERROR;
    if ((question->flags & DNS_OPCODE_MASK) != 0) {
        q->rcode = DNS_NOTIMP;
        return;
    }
    if (read == QUESTION_MALFORMED) {
        q->rcode = DNS_FORMERR;
        return;
    }
    if (question->edns && question->edns_version != 0) {
        q->rcode = EDNS_BADVERS;
        return;
    }
    struct mu_str dc = {d->datacenter, d->datacenter_len};
    dnsfront__classify(question, &d->domain, d->has_alt ? &d->alt_domain : NULL, dc, &q->meaning);
    if (q->meaning.kind == NAME_FOREIGN) {
        q->rcode = DNS_REFUSED;
        return;
    }
    q->in_domain = true;
    if (question->type == DNS_TYPE_AXFR) {
        q->rcode = DNS_NOTIMP;
    } else if (question->type == DNS_TYPE_SOA || question->type == DNS_TYPE_NS) {
        ask_for_servers(q);
    } else if (q->meaning.kind == NAME_SERVICE || q->meaning.kind == NAME_NODE) {
        q->lookup = q->meaning.lookup;
        q->has_lookup = true;
    }
}

int dnsfront_query_begin(struct dnsfront *d, const struct dnsfront_request *r,
                         struct dnsfront_query **out)
{
    *out = NULL;
    struct dnsfront_query *q = dnsfront__take_query(d);
    if (!q) {
        return DNSFRONT_ENOMEM;
    }
    enum question_result read = dnsfront__question_read(r->bytes, r->len, &q->question);
    if (read == QUESTION_IGNORE) {
        dnsfront__return_query(q);
        return DNSFRONT_EIGNORE;
    }
    q->tcp = r->tcp;
    q->now_unix_s = r->now_unix_s;
    q->random = r->random;
    decide(q, read);
    *out = q;
    return DNSFRONT_OK;
}

bool dnsfront_answer_kept(struct dnsfront *d, const struct dnsfront_request *r, uint8_t *buf,
                          size_t cap, size_t *len)
{
    (void)d;
    (void)r;
    (void)buf;
    (void)cap;
    *len = 0;
    return false;
}

const struct dnsfront_lookup *dnsfront_query_lookup(const struct dnsfront_query *q)
{
    return q->has_lookup && !q->supplied ? &q->lookup : NULL;
}

void dnsfront_query_supply(struct dnsfront_query *q, const struct dnsfront_found *found)
{
    q->supplied = true;
    memset(&q->found, 0, sizeof q->found);
    memcpy(&q->found, found, mu__min(found->size, sizeof q->found));
}

static bool negative(struct dnsfront_query *q, const struct zone *z, unsigned rcode,
                     struct sections *s)
{
    q->rcode = rcode;
    return dnsfront__records_negative(z, &q->arena, s);
}

static bool answer_service(struct dnsfront_query *q, const struct zone *z, struct sections *s)
{
    size_t shown;
    if (!dnsfront__records_service(z, q->question.type, q->found.instances, q->found.count,
                                   q->random, &q->arena, s, &shown)) {
        return false;
    }
    if (shown == 0) {
        return negative(q, z, DNS_NXDOMAIN, s);
    }
    return s->answer_count > 0 || negative(q, z, DNS_NOERROR, s);
}

static bool fill_sections(struct dnsfront_query *q, const struct zone *z, struct sections *s)
{
    if (q->rcode != DNS_NOERROR || !q->in_domain) {
        return true;
    }
    if (q->has_lookup && (!q->supplied || q->found.status == DNSFRONT_FAILED)) {
        q->rcode = DNS_SERVFAIL;
        return true;
    }
    uint16_t type = q->question.type;
    if (q->has_lookup && q->lookup.kind == DNSFRONT_SERVERS) {
        return dnsfront__records_servers(z, type, q->found.instances,
                                         q->found.status == DNSFRONT_FOUND ? q->found.count : 0,
                                         &q->arena, s);
    }
    switch (q->meaning.kind) {
    case NAME_SERVICE:
        return q->found.status == DNSFRONT_FOUND ? answer_service(q, z, s)
                                                 : negative(q, z, DNS_NXDOMAIN, s);
    case NAME_NODE:
        return q->found.status == DNSFRONT_FOUND && q->found.count > 0
                   ? dnsfront__records_node(z, type, q->found.instances, &q->arena, s)
                   : negative(q, z, DNS_NXDOMAIN, s);
    case NAME_ADDRESS:
        return dnsfront__records_address(z, q->meaning.address, q->meaning.address_len, &q->arena,
                                         s);
    default:
        return negative(q, z, DNS_NXDOMAIN, s);
    }
}

int dnsfront_query_answer(struct dnsfront_query *q, uint8_t *buf, size_t cap, size_t *len)
{
    size_t need = dnsfront_query_size_max(q);
    if (cap < need) {
        *len = need;
        return DNSFRONT_ENOBUFS;
    }
    struct zone zone;
    struct sections sections = {0};
    dnsfront__zone(q, &zone);
    if (!fill_sections(q, &zone, &sections)) {
        return DNSFRONT_ENOMEM;
    }
    struct fit_limits limits = {.bytes = byte_limit(q),
                                .answers = answer_limit(q),
                                .set_tc = q->front->enable_truncate,
                                .compress = !q->front->disable_compression,
                                .plain_when_cut = !q->tcp};
    uint16_t flags =
        (uint16_t)(DNS_FLAG_QR | (q->question.flags & (DNS_OPCODE_MASK | DNS_FLAG_RD)) |
                   (q->in_domain ? DNS_FLAG_AA : 0));
    *len = dnsfront__fit(&q->question, &sections, &limits, flags, q->rcode, buf, need);
    return *len ? DNSFRONT_OK : DNSFRONT_ENOMEM;
}

void dnsfront_query_end(struct dnsfront_query *q)
{
    if (q) {
        dnsfront__return_query(q);
    }
}
