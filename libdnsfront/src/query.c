#include <muster/dnsfront.h>

#include "fill.h"
#include "front.h"
#include "relay.h"

#include <arpa/inet.h>
#include <string.h>

#define SAFETY          7u /* Consul stays so far below the limit */
#define TCP_BYTES_MAX   65523u
#define TCP_RELAY_MAX   65535u
#define TCP_ANSWERS_MAX 4096u
#define TCP_SRV_MAX     1024u
#define EDNS_BADVERS    16u

/* ---- Sizes ---- */

static size_t byte_limit(const struct dnsfront_query *q)
{
    if (q->tcp) {
        return q->relayed ? TCP_RELAY_MAX : TCP_BYTES_MAX;
    }
    return dnsfront__udp_limit(q->front, q->question.edns ? q->question.edns_size : 0);
}

static size_t answer_limit(const struct dnsfront_query *q)
{
    if (q->tcp) {
        return q->question.type == DNS_TYPE_SRV ? TCP_SRV_MAX : TCP_ANSWERS_MAX;
    }
    if (q->meaning.kind == NAME_SERVICE && byte_limit(q) <= UDP_PLAIN_MAX) {
        return dnsfront__plain_answers(q->front);
    }
    return SIZE_MAX;
}

size_t dnsfront_query_size_max(const struct dnsfront_query *q)
{
    return byte_limit(q);
}

/* ---- Lookups ---- */

void dnsfront__look_up(struct dnsfront_query *q, const struct dnsfront_lookup *lookup,
                       uint16_t type)
{
    q->lookup = *lookup;
    q->lookup.type = type;
    q->lookup.tcp = q->tcp;
    q->lookup.client = q->client;
    q->lookups++;
    q->waiting = true;
}

/* The address of a client subnet (RFC 7871 6), or the client's own. */
static struct mu_str client_of(struct dnsfront_query *q, struct mu_str own)
{
    const struct question *question = &q->question;
    uint8_t address[16] = {0};
    if (question->subnet_len <= DNS_SUBNET_HEAD) {
        return own; /* none, or one that says nothing */
    }
    memcpy(address, question->subnet + DNS_SUBNET_HEAD, question->subnet_len - DNS_SUBNET_HEAD);
    int family = question->subnet[1] == DNS_SUBNET_IPV4 ? AF_INET : AF_INET6;
    if (!inet_ntop(family, address, q->subnet_text, sizeof q->subnet_text)) {
        return own;
    }
    return (struct mu_str){q->subnet_text, strlen(q->subnet_text)};
}

/* Asks other resolvers for what is not ours; without them that fails. */
static void forward(struct dnsfront_query *q)
{
    q->authoritative = false;
    q->recursion_offered = true;
    if (!q->front->recursion) {
        q->rcode = DNS_SERVFAIL;
        return;
    }
    const struct name *name = &q->question.name;
    struct dnsfront_lookup lookup = {
        .kind = DNSFRONT_FORWARD,
        .name = dnsfront__name_join(name, 0, name->labels, q->meaning.text[0]),
        .message = q->bytes,
        .message_len = q->len};
    dnsfront__look_up(q, &lookup, q->question.type);
}

/* Names of others, and addresses that we may not know, may have to be asked for elsewhere. */
static bool keep_bytes(struct dnsfront_query *q, const struct dnsfront_request *r)
{
    if (!q->front->recursion ||
        (q->meaning.kind != NAME_FOREIGN && q->meaning.kind != NAME_REVERSE)) {
        return true;
    }
    q->bytes = mu__arena_memdup(&q->arena, r->bytes, r->len);
    q->len = r->len;
    return q->bytes != NULL;
}

static bool fill(struct dnsfront_query *q, const struct dnsfront_found *found)
{
    struct asked what = {.name = &q->question.name,
                         .type = q->question.type,
                         .meaning = &q->meaning,
                         .found = found,
                         .random = q->random,
                         .turn = q->turn,
                         .turns = q->turns,
                         .now_unix_s = q->now_unix_s};
    return dnsfront__fill(q->front, &what, &q->arena, &q->sections, &q->rcode);
}

/* What to look up, or the answer straight away. False when out of memory. */
static bool start(struct dnsfront_query *q, const struct dnsfront_request *r)
{
    struct dnsfront *d = q->front;
    const struct question *question = &q->question;
    struct mu_str dc = {d->datacenter, d->datacenter_len};
    struct dnsfront_lookup lookup;
    dnsfront__classify(&question->name, question->type, &d->domain,
                       d->has_alt ? &d->alt_domain : NULL, dc, &q->meaning);
    q->client = client_of(q, r->client);
    if (!keep_bytes(q, r)) {
        return false;
    }
    if (q->meaning.kind == NAME_FOREIGN && !d->recursion) {
        q->rcode = DNS_REFUSED;
        return true;
    }
    q->authoritative = q->meaning.kind != NAME_FOREIGN;
    if (q->authoritative && question->type == DNS_TYPE_AXFR) {
        q->rcode = DNS_NOTIMP;
        return true;
    }
    if (dnsfront__wanted(&q->meaning, question->type, dc, &lookup)) {
        dnsfront__look_up(q, &lookup, question->type);
        return true;
    }
    if (q->meaning.kind == NAME_FOREIGN || q->meaning.kind == NAME_REVERSE) {
        forward(q);
        return true;
    }
    return fill(q, &q->found);
}

static bool begin(struct dnsfront_query *q, const struct dnsfront_request *r,
                  enum question_result read)
{
    q->recursion_offered = q->front->recursion;
    q->tcp = r->tcp;
    q->now_unix_s = r->now_unix_s;
    q->random = r->random;
    q->version = r->version;
    dnsfront__kept_plan(q, r);
    if ((q->question.flags & DNS_OPCODE_MASK) != 0) {
        q->rcode = DNS_NOTIMP;
        q->question.has_question = false; /* what it holds is not for us to say */
    } else if (read == QUESTION_MALFORMED) {
        q->rcode = DNS_FORMERR;
    } else if (q->question.edns && q->question.edns_version != 0) {
        q->rcode = EDNS_BADVERS;
    } else {
        return start(q, r);
    }
    return true;
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
    int rc = read == QUESTION_IGNORE ? DNSFRONT_EIGNORE
             : begin(q, r, read)     ? DNSFRONT_OK
                                     : DNSFRONT_ENOMEM;
    if (rc != DNSFRONT_OK) {
        dnsfront__return_query(q);
        return rc;
    }
    *out = q;
    return DNSFRONT_OK;
}

const struct dnsfront_lookup *dnsfront_query_lookup(const struct dnsfront_query *q)
{
    return q->waiting ? &q->lookup : NULL;
}

static void take_relayed(struct dnsfront_query *q, const struct dnsfront_found *found)
{
    if (found->status == DNSFRONT_FOUND && found->message &&
        dnsfront__relay_is_sound(&q->question, found->message, found->message_len)) {
        q->relayed = found->message;
        q->relayed_len = found->message_len;
    } else {
        q->rcode = DNS_SERVFAIL;
    }
}

void dnsfront_query_supply(struct dnsfront_query *q, const struct dnsfront_found *found)
{
    struct dnsfront_found f = {0};
    memcpy(&f, found, mu__min(found->size, sizeof f));
    bool nobody = f.status != DNSFRONT_FOUND || f.count == 0;
    q->waiting = false;
    if (q->lookups == 1) {
        q->found = f;
    }
    if (q->lookup.kind == DNSFRONT_FORWARD) {
        take_relayed(q, &f);
    } else if (q->chain.active) {
        q->out_of_memory = !dnsfront__chain_supply(q, &f);
    } else if (q->lookup.kind == DNSFRONT_REVERSE && nobody) {
        forward(q);
    } else {
        q->out_of_memory = !fill(q, &f) || !dnsfront__chain_begin(q);
    }
}

/* ---- The answer ---- */

/* A prepared query may sort by who asks; all else, and what there is not, is the same for
 * everybody. */
static uint8_t scope_of(const struct dnsfront_query *q, unsigned rcode)
{
    bool personal = q->meaning.kind == NAME_SERVICE && q->meaning.lookup.kind == DNSFRONT_QUERY &&
                    q->question.type != DNS_TYPE_SOA && q->question.type != DNS_TYPE_NS &&
                    rcode == DNS_NOERROR;
    return personal && q->question.subnet_len ? q->question.subnet[2] : 0;
}

static size_t write_sections(struct dnsfront_query *q, uint8_t *buf)
{
    static const struct sections none = {0};
    struct fit_notes notes;
    struct fit_limits limits = {.bytes = byte_limit(q),
                                .bare_bytes = byte_limit(q) - (q->tcp ? 0 : SAFETY),
                                .answers = answer_limit(q),
                                /* Consul never cuts what is not about a service: its clients
                                 * have seen all of it, and are told where to find the rest */
                                .set_tc =
                                    q->front->enable_truncate || q->meaning.kind != NAME_SERVICE,
                                .compress = !q->front->disable_compression,
                                .plain_when_cut = !q->tcp};
    uint16_t flags =
        (uint16_t)(DNS_FLAG_QR | (q->question.flags & (DNS_OPCODE_MASK | DNS_FLAGS_ECHOED)) |
                   (q->authoritative ? DNS_FLAG_AA : 0) | (q->recursion_offered ? DNS_FLAG_RA : 0));
    unsigned rcode = q->waiting ? DNS_SERVFAIL : q->rcode;
    q->question.subnet_scope = scope_of(q, rcode);
    size_t len = dnsfront__fit(&q->question, q->waiting ? &none : &q->sections, &limits, flags,
                               rcode, buf, &notes);
    dnsfront__kept_add(q, &notes, buf, len);
    return len;
}

int dnsfront_query_answer(struct dnsfront_query *q, uint8_t *buf, size_t cap, size_t *len)
{
    size_t need = dnsfront_query_size_max(q);
    if (cap < need) {
        *len = need;
        return DNSFRONT_ENOBUFS;
    }
    if (q->out_of_memory) {
        return DNSFRONT_ENOMEM;
    }
    *len = q->relayed ? dnsfront__relay_write(&q->question, q->relayed, q->relayed_len, need, buf)
                      : write_sections(q, buf);
    return DNSFRONT_OK;
}

void dnsfront_query_end(struct dnsfront_query *q)
{
    if (q) {
        dnsfront__return_query(q);
    }
}
