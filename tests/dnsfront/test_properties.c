/* What holds for every answer, whatever is asked of whatever catalog: thousands of random ones,
 * each from a seed that a failure names. MUSTER_LONG=1 tries many more, MUSTER_SEED=n one. */
#include "property_world.h"
#include "schema.h"

#include <stdlib.h>

#define CASES      2500u
#define CASES_LONG 40000u
#define KEPT_ASKED 3u

struct answer {
    ldns_pkt *pkt;
    size_t size;
    char **texts[3]; /* of answer, authority and additional, sorted */
    size_t counts[3];
};

static struct world world;
static uint64_t kept_answers;
static uint64_t seed;

#define HOLDS(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("seed %llu, %s type %u size %u, %zu instances: ",                          \
                        (unsigned long long)seed, world.name, (unsigned)world.question.type,       \
                        (unsigned)world.question.edns_size, world.count);                          \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* ---- Asking ---- */

/* What a lookup finds: the world's instances, or what chains and other forms lead to. */
static void supply(struct dnsfront_query *q, const struct dnsfront_lookup *l)
{
    static struct dnsfront_instance given[WORLD_INSTANCES];
    static char inner[64];
    struct dnsfront_found found = {.size = sizeof found, .status = world.status, .stamp = 1};
    bool is_inner = l->kind == DNSFRONT_NODE && l->name.len > 5 && !memcmp(l->name.p, "inner", 5);
    if (is_inner) { /* the node behind a host name of the domain: an address beside all others */
        snprintf(inner, sizeof inner, "172.16.0.1");
        given[0] = (struct dnsfront_instance){
            .node = l->name, .datacenter = text("dc1"), .node_address = text(inner)};
        found.count = 1;
        found.status = DNSFRONT_FOUND;
    } else if (l->kind == DNSFRONT_QUERY || l->kind == DNSFRONT_SERVERS) { /* filtered already */
        for (size_t i = 0; i < world.count; i++) {
            bool again =
                found.count > 0 && mu__str_eq(given[found.count - 1].node, world.instances[i].node);
            if (is_shown(&world, i) && (l->kind == DNSFRONT_QUERY || (found.count < 3 && !again))) {
                given[found.count++] = world.instances[i];
            }
        }
    } else {
        found.count = l->kind == DNSFRONT_NODE && world.count ? 1 : world.count;
        memcpy(given, world.instances, found.count * sizeof *given);
    }
    found.instances = given;
    dnsfront_query_supply(q, &found);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_section(struct answer *a, size_t section, const ldns_rr_list *list)
{
    size_t n = ldns_rr_list_rr_count(list);
    a->texts[section] = calloc(n + 1, sizeof(char *));
    assert_non_null(a->texts[section]);
    for (size_t i = 0; i < n; i++) {
        a->texts[section][i] = ldns_rr2str(ldns_rr_list_rr(list, i));
    }
    a->counts[section] = n;
    qsort(a->texts[section], n, sizeof(char *), by_text);
}

static struct dnsfront_request request_of(bool tcp)
{
    static uint8_t query[512];
    struct query_spec spec = world.question;
    spec.tcp = tcp;
    return (struct dnsfront_request){.bytes = query,
                                     .len = build_query(&spec, query, sizeof query),
                                     .tcp = tcp,
                                     .now_unix_s = 1700000000,
                                     .random = world.random,
                                     .version = 1};
}

static struct answer read_answer(const uint8_t *bytes, size_t size)
{
    struct answer a = {.size = size};
    HOLDS(ldns_wire2pkt(&a.pkt, bytes, a.size) == LDNS_STATUS_OK, "ldns cannot read it");
    read_section(&a, 0, ldns_pkt_answer(a.pkt));
    read_section(&a, 1, ldns_pkt_authority(a.pkt));
    read_section(&a, 2, ldns_pkt_additional(a.pkt));
    return a;
}

static struct answer ask_world(struct dnsfront *d, bool tcp)
{
    static uint8_t bytes[65537];
    struct dnsfront_request r = request_of(tcp);
    struct dnsfront_query *q;
    const struct dnsfront_lookup *l;
    size_t size;
    assert_int_equal(dnsfront_query_begin(d, &r, &q), DNSFRONT_OK);
    for (size_t lookups = 0; (l = dnsfront_query_lookup(q)) != NULL; lookups++) {
        HOLDS(lookups < 64, "looks up without end");
        supply(q, l);
    }
    assert_int_equal(dnsfront_query_answer(q, bytes, sizeof bytes, &size), DNSFRONT_OK);
    dnsfront_query_end(q);
    return read_answer(bytes, size);
}

/* The same question again, with other random bits: what was kept, if anything was. */
static bool ask_kept(struct dnsfront *d, bool tcp, uint64_t random, struct answer *out)
{
    static uint8_t bytes[65537];
    size_t size;
    struct dnsfront_request r = request_of(tcp);
    r.random = random;
    if (!dnsfront_answer_kept(d, &r, bytes, sizeof bytes, &size)) {
        return false;
    }
    *out = read_answer(bytes, size);
    return true;
}

static void answer_free(struct answer *a)
{
    for (size_t s = 0; s < 3; s++) {
        for (size_t i = 0; i < a->counts[s]; i++) {
            free(a->texts[s][i]);
        }
        free(a->texts[s]);
    }
    ldns_pkt_free(a->pkt);
}

/* ---- What an answer says ---- */

static struct mu_str name_of(const ldns_rdf *rdf, char *buf, size_t cap)
{
    char *name = ldns_rdf2str(rdf);
    snprintf(buf, cap, "%s", name);
    free(name);
    return (struct mu_str){buf, strlen(buf)};
}

/* May the number be named: is any of the instances shown that it stands for? */
static bool number_is_shown(size_t number)
{
    return number < world.count &&
           (is_shown(&world, number) ||
            (number % 2 == 0 && number + 1 < world.count && is_shown(&world, number + 1)));
}

static bool address_is_shown(const ldns_rr *rr)
{
    const uint8_t *p = ldns_rdf_data(ldns_rr_rdf(rr, 0));
    size_t len = ldns_rdf_size(ldns_rr_rdf(rr, 0));
    return (len == 4 && p[0] == 172) || number_is_shown((size_t)p[len - 2] << 8 | p[len - 1]);
}

/* "h12.example.com." and "inner12.node.consul." carry a number. */
static bool host_is_shown(const ldns_rdf *target)
{
    char name[1100];
    size_t number;
    name_of(target, name, sizeof name);
    if (sscanf(name, "h%zu.", &number) == 1 ||
        sscanf(name, "inner%zu.node.consul.", &number) == 1) {
        return number_is_shown(number);
    }
    return true;
}

static void check_names_no_ill_instance(const struct answer *a)
{
    if (!form_is_filtered(world.form) || world.question.type == LDNS_RR_TYPE_SOA ||
        world.question.type == LDNS_RR_TYPE_NS) {
        return;
    }
    const ldns_rr_list *lists[] = {ldns_pkt_answer(a->pkt), ldns_pkt_additional(a->pkt)};
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < ldns_rr_list_rr_count(lists[s]); i++) {
            const ldns_rr *rr = ldns_rr_list_rr(lists[s], i);
            ldns_rr_type type = ldns_rr_get_type(rr);
            if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) {
                HOLDS(address_is_shown(rr), "an instance that fails is named by its address");
            } else if (type == LDNS_RR_TYPE_CNAME) {
                HOLDS(host_is_shown(ldns_rr_rdf(rr, 0)), "one that fails is named by its host");
            } else if (type == LDNS_RR_TYPE_SRV) {
                size_t port = ldns_rdf2native_int16(ldns_rr_rdf(rr, 2));
                HOLDS(port > 0 && port <= world.count && is_shown(&world, port - 1),
                      "an instance that fails is named by its port");
            }
        }
    }
}

/* Is the owner of an additional record what some answer, name server or alias points at? */
static bool is_pointed_at(const struct answer *a, const ldns_rdf *owner)
{
    const ldns_rr_list *lists[] = {ldns_pkt_answer(a->pkt), ldns_pkt_authority(a->pkt),
                                   ldns_pkt_additional(a->pkt)};
    for (size_t s = 0; s < 3; s++) {
        for (size_t i = 0; i < ldns_rr_list_rr_count(lists[s]); i++) {
            const ldns_rr *rr = ldns_rr_list_rr(lists[s], i);
            size_t at = ldns_rr_get_type(rr) == LDNS_RR_TYPE_SRV ? 3 : 0;
            if ((at == 3 || ldns_rr_get_type(rr) == LDNS_RR_TYPE_NS ||
                 ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME) &&
                ldns_dname_compare(ldns_rr_rdf(rr, at), owner) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Texts are of the node of an instance that is among the answers. */
static bool is_node_of_an_answer(const struct answer *a, const ldns_rdf *owner)
{
    char name[1100];
    name_of(owner, name, sizeof name);
    for (size_t i = 0; i < a->counts[0]; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(a->pkt), i);
        if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SRV) {
            continue;
        }
        size_t port = ldns_rdf2native_int16(ldns_rr_rdf(rr, 2));
        assert_in_range(port, 1, world.count);
        const char *node = world.instances[port - 1].node.p;
        size_t n = strlen(node);
        if (strncmp(name, node, n) == 0 && strcmp(name + n, ".node.dc1.consul.") == 0) {
            return true;
        }
    }
    return false;
}

static void check_additional_explains_answers(const struct answer *a)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_additional(a->pkt)); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_additional(a->pkt), i);
        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_TXT && world.form == FORM_NODE) {
            continue; /* of the node that was asked for */
        }
        bool explains =
            is_pointed_at(a, ldns_rr_owner(rr)) || (ldns_rr_get_type(rr) == LDNS_RR_TYPE_TXT &&
                                                    is_node_of_an_answer(a, ldns_rr_owner(rr)));
        HOLDS(explains, "an additional record explains nothing: %s", ldns_rr2str(rr));
    }
    HOLDS(a->counts[2] == 0 || a->counts[0] > 0 || a->counts[1] > 0 || world.form == FORM_NODE,
          "additional records without an answer");
}

static void check_nothing_twice(const struct answer *a)
{
    for (size_t i = 1; i < a->counts[0]; i++) {
        HOLDS(strcmp(a->texts[0][i - 1], a->texts[0][i]) != 0, "twice: %s", a->texts[0][i]);
    }
}

static uint32_t expected_ttl(void)
{
    const struct dnsfront_ttl_rule *best = NULL;
    for (size_t i = 0; i < world.cfg.service_ttl_count; i++) {
        if (!best || best->pattern.len < world.rules[i].pattern.len ||
            world.rules[i].pattern.p[world.rules[i].pattern.len - 1] != '*') {
            best = best && best->pattern.p[best->pattern.len - 1] != '*' ? best : &world.rules[i];
        }
    }
    return best ? best->ttl_s : 0;
}

static void check_times_to_live(const struct answer *a)
{
    if (!form_is_filtered(world.form) || world.question.type == LDNS_RR_TYPE_SOA ||
        world.question.type == LDNS_RR_TYPE_NS) {
        return;
    }
    for (size_t i = 0; i < a->counts[0]; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(a->pkt), i);
        if (ldns_dname_compare(ldns_rr_owner(rr),
                               ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(a->pkt), 0))) == 0) {
            HOLDS(ldns_rr_ttl(rr) == expected_ttl(), "lives for %u s instead of %u",
                  ldns_rr_ttl(rr), expected_ttl());
        }
    }
}

/* ---- Both transports ---- */

static bool is_subset(const struct answer *small, const struct answer *large, size_t section)
{
    size_t k = 0;
    for (size_t i = 0; i < small->counts[section]; i++) {
        while (k < large->counts[section] &&
               strcmp(large->texts[section][k], small->texts[section][i]) < 0) {
            k++;
        }
        if (k == large->counts[section] ||
            strcmp(large->texts[section][k], small->texts[section][i]) != 0) {
            return false;
        }
    }
    return true;
}

/* Is some answer by itself, without compression and beside question and OPT, too much? */
static bool some_answer_never_fits(const struct answer *tcp)
{
    size_t asked = world.question.edns_size > 512 ? world.question.edns_size : 512;
    size_t most = 0;
    for (size_t i = 0; i < tcp->counts[0]; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(tcp->pkt), i);
        size_t size = ldns_rr_uncompressed_size(rr);
        most = size > most ? size : most;
    }
    return most > 0 && 12 + strlen(world.name) + 5 + 11 + 7 + most > asked;
}

static void check_transports_agree(const struct answer *udp, const struct answer *tcp)
{
    HOLDS(ldns_pkt_get_rcode(udp->pkt) == ldns_pkt_get_rcode(tcp->pkt), "codes differ");
    HOLDS(ldns_pkt_aa(udp->pkt) == ldns_pkt_aa(tcp->pkt), "authority differs");
    for (size_t s = 0; s < 3; s++) {
        HOLDS(is_subset(udp, tcp, s), "UDP has records in section %zu that TCP has not", s);
    }
    bool too_long = some_answer_never_fits(tcp);
    HOLDS(udp->counts[0] > 0 || tcp->counts[0] == 0 || (too_long && ldns_pkt_tc(udp->pkt)),
          "empty over UDP alone (consul#1931)");
    HOLDS(udp->counts[1] == tcp->counts[1] || too_long, "name servers or the SOA are left out");
    bool cut = udp->counts[0] < tcp->counts[0];
    HOLDS(!ldns_pkt_tc(udp->pkt) || cut || ldns_pkt_tc(tcp->pkt), "TC, and nothing is left out");
    HOLDS(ldns_pkt_tc(udp->pkt) || !cut || !world.cfg.enable_truncate,
          "answers are left out, and TC does not say so");
    HOLDS(!ldns_pkt_tc(udp->pkt) || world.cfg.enable_truncate || udp->counts[0] == 0,
          "TC is not configured");
    HOLDS(!ldns_pkt_tc(tcp->pkt) || tcp->size > 60000 || tcp->counts[0] == 1024 ||
              tcp->counts[0] == 4096,
          "TC over TCP, and there was room");
}

static void check_size(const struct answer *a, bool tcp)
{
    size_t asked = tcp ? 65535 : world.question.edns_size > 512 ? world.question.edns_size : 512;
    if (!tcp && world.cfg.udp_size_max && asked > world.cfg.udp_size_max) {
        asked = world.cfg.udp_size_max;
    }
    HOLDS(a->size <= asked, "%zu bytes, and %zu were asked for", a->size, asked);
}

/* ---- Completeness ---- */

/* What dns.md 4 says of an instance's address, in other words than the library's. */
static struct mu_str model_address(const struct dnsfront_instance *i, bool six)
{
    struct mu_str tagged = six ? i->service_ipv6 : i->service_ipv4;
    if (tagged.len || i->service_address.len) {
        return tagged.len ? tagged : i->service_address;
    }
    tagged = six ? i->node_ipv6 : i->node_ipv4;
    return tagged.len ? tagged : i->node_address;
}

/* Over TCP every address is there that an instance has which may be shown. */
static void check_all_addresses_are_there(const struct answer *tcp)
{
    bool six = world.question.type == LDNS_RR_TYPE_AAAA;
    if (!form_is_filtered(world.form) || world.status != DNSFRONT_FOUND ||
        world.cfg.a_record_limit || ldns_pkt_tc(tcp->pkt) || tcp->size > 60000 ||
        (!six && world.question.type != LDNS_RR_TYPE_A)) {
        return;
    }
    static bool seen[WORLD_INSTANCES][8];
    size_t expected = 0;
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < world.count; i++) {
        struct mu_str a = model_address(&world.instances[i], six);
        uint8_t bytes[16];
        if (is_shown(&world, i) && inet_pton(six ? AF_INET6 : AF_INET, a.p, bytes) == 1) {
            size_t number =
                six ? (size_t)bytes[14] << 8 | bytes[15] : (size_t)bytes[2] << 8 | bytes[3];
            bool *at = &seen[number][six ? bytes[5] : bytes[1]];
            expected += !*at;
            *at = true;
        }
    }
    HOLDS(expected == 0 || tcp->counts[0] == expected, "%zu addresses, and %zu instances have one",
          tcp->counts[0], expected);
}

static void check_code(const struct answer *a)
{
    if (!form_is_filtered(world.form) || world.question.type == LDNS_RR_TYPE_SOA ||
        world.question.type == LDNS_RR_TYPE_NS) {
        return;
    }
    size_t shown = 0;
    for (size_t i = 0; i < world.count; i++) {
        shown += is_shown(&world, i);
    }
    ldns_pkt_rcode expected = world.status == DNSFRONT_FAILED                ? LDNS_RCODE_SERVFAIL
                              : world.status == DNSFRONT_NOT_FOUND || !shown ? LDNS_RCODE_NXDOMAIN
                                                                             : LDNS_RCODE_NOERROR;
    HOLDS(ldns_pkt_get_rcode(a->pkt) == expected, "code %d instead of %d",
          (int)ldns_pkt_get_rcode(a->pkt), (int)expected);
}

static void check_alone(const struct answer *a, bool tcp)
{
    check_size(a, tcp);
    check_names_no_ill_instance(a);
    check_additional_explains_answers(a);
    check_nothing_twice(a);
    check_times_to_live(a);
    check_code(a);
}

/* Of several host names an answer holds one, by chance. */
static bool is_alias(const struct answer *a)
{
    return a->counts[0] > 0 &&
           ldns_rr_get_type(ldns_rr_list_rr(ldns_pkt_answer(a->pkt), 0)) == LDNS_RR_TYPE_CNAME;
}

/* An answer from the shelf holds to all of it, and says nothing that a new one would not. */
static void check_kept(struct dnsfront *d, bool tcp, const struct answer *complete)
{
    bool all = !world.cfg.a_record_limit && !ldns_pkt_tc(complete->pkt) && complete->size < 60000 &&
               !is_alias(complete);
    for (uint64_t i = 0; i < KEPT_ASKED; i++) {
        struct answer a;
        if (!ask_kept(d, tcp, world.random + i, &a)) {
            return;
        }
        kept_answers++;
        check_alone(&a, tcp);
        HOLDS(!all || is_subset(&a, complete, 0), "kept is what nobody would say now");
        HOLDS(a.counts[0] > 0 || complete->counts[0] == 0 || ldns_pkt_tc(a.pkt), "kept is nothing");
        answer_free(&a);
    }
}

static void try_one(uint64_t which)
{
    struct dnsfront *d;
    seed = which;
    world_fill(&world, seed);
    assert_int_equal(dnsfront_create(&world.cfg, &d), DNSFRONT_OK);
    struct answer udp = ask_world(d, false), tcp = ask_world(d, true);
    check_alone(&udp, false);
    check_alone(&tcp, true);
    check_transports_agree(&udp, &tcp);
    check_all_addresses_are_there(&tcp);
    check_kept(d, false, &tcp);
    check_kept(d, true, &tcp);
    answer_free(&udp);
    answer_free(&tcp);
    dnsfront_destroy(d);
}

static void test_what_holds_for_every_answer(void **state)
{
    (void)state;
    const char *one = getenv("MUSTER_SEED"), *longer = getenv("MUSTER_LONG");
    if (one) {
        try_one(strtoull(one, NULL, 0));
        return;
    }
    uint64_t cases = longer && *longer == '1' ? CASES_LONG : CASES;
    for (uint64_t i = 1; i <= cases; i++) {
        try_one(i);
    }
    assert_true(kept_answers > cases / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_holds_for_every_answer),
    };
    return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
