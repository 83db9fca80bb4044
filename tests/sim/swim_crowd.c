/* swim_crowd.c - a pool of a hundred thousand: some dozen full cores, each of which knows all
 * members, among lights (swim_lights.h) that play the rest.
 *
 *   swim_crowd [--members N] [--cores K] [--kill PERCENT] [--seed X]
 *
 * The first core is told of everybody; the others join through it, by full syncs. Then some of the
 * lights die, and it is measured until every core and every light knows of each death. What that
 * shows: a core's view, its memory and its work at this size, and that news travels as fast as the
 * formulas say when all follow the same rules. What it does not: the joining of all hundred
 * thousand, and loss. */
#include "core.h"
#include "formula.h"
#include "swim_lights.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum swim__planted swim__planted = SWIM__NO_FAULT;
enum { PORT = 8301, NACK_MS = 500 };

struct late { /* a nack that is due */
    struct late *next;
    uint32_t at_ms, core, from, seq;
};

struct death {
    uint32_t first_ms, last_ms, cores_ms; /* cores_ms: when the last core was told */
    uint32_t known, cores;
};

struct crowd {
    uint32_t members, ncores, now_ms, kill_ms;
    struct swim **cores;
    struct mu__prng *entropy;
    struct lights *lights;
    struct death *deaths;
    uint16_t victims, known; /* known: to all */
    struct late *late;
    size_t false_alarms, joins_ok, events;
    uint64_t core_packets, core_bytes;
    clock_t core_time;
};

static uint64_t ns_of(uint32_t ms)
{
    return MU_SEC + ms * MU_MSEC;
}

static struct swim_addr address(uint32_t i)
{
    return (struct swim_addr){
        .ip = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}, .len = 4, .port = PORT};
}

static uint32_t member_at(const uint8_t *ip)
{
    return (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
}

static struct mu_str name_of(uint32_t i, char out[16])
{
    int n = snprintf(out, 16, "n%06u", i);
    return (struct mu_str){out, (size_t)n};
}

static uint32_t member_named(struct mu_str name)
{
    uint32_t v = 0;
    for (size_t i = 1; i < name.len; i++) {
        v = v * 10 + (uint32_t)(name.p[i] - '0');
    }
    return v;
}

/* ---- from lights to cores ---- */

static void drain(struct crowd *c, uint32_t core);

static void deliver(struct crowd *c, uint32_t from, uint32_t core, const struct swim__msg *msgs,
                    size_t n)
{
    static const struct swim__envelope plain = {.verify_incoming = false};
    static const struct swim__packet_options options = {.with_crc = false};
    struct mu_str parts[LIGHT_RUMOURS_MAX + 1];
    uint8_t buf[8192], packet[8192];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    struct mu__writer p = mu__writer_fixed(packet, sizeof packet);
    for (size_t i = 0; i < n; i++) {
        size_t start = w.len;
        swim__msg_encode(&w, &msgs[i]);
        parts[i] = (struct mu_str){(const char *)buf + start, w.len - start};
    }
    bool ok = !w.failed && swim__packet_seal(&plain, &options, parts, n, &mu__malloc_allocator, &p);
    assert(ok && !p.failed);
    (void)ok;
    struct swim_addr addr = address(from);
    clock_t start = clock();
    int rc = swim_receive(c->cores[core], ns_of(c->now_ms), &addr, p.data, p.len);
    assert(rc == SWIM_OK);
    (void)rc;
    c->core_time += clock() - start;
    c->core_packets++;
    c->core_bytes += p.len;
    drain(c, core);
}

static void to_core(void *user, uint32_t from, uint32_t core, bool ping,
                    const struct rumour *rumours, size_t n)
{
    struct crowd *c = user;
    struct swim__msg msgs[LIGHT_RUMOURS_MAX + 1];
    char names[2 * LIGHT_RUMOURS_MAX + 2][16];
    struct swim_addr addr = address(from);
    size_t k = 0, used = 0;
    if (ping) {
        msgs[k++] = (struct swim__msg){.type = SWIM__MSG_PING,
                                       .ping = {.node = name_of(core, names[used]),
                                                .seq_no = c->now_ms,
                                                .source_addr = {(const char *)addr.ip, 4},
                                                .source_node = name_of(from, names[used + 1]),
                                                .source_port = PORT}};
        used += 2;
    }
    for (size_t i = 0; i < n; i++, used += 2) {
        struct swim__accusation a = {
            .node = name_of(lights_victim(c->lights, rumours[i].victim), names[used]),
            .from = name_of(rumours[i].from, names[used + 1]),
            .incarnation = 1};
        bool dead = rumours[i].kind == LIGHT_DEAD;
        msgs[k] = (struct swim__msg){.type = dead ? SWIM__MSG_DEAD : SWIM__MSG_SUSPECT};
        *(dead ? &msgs[k].dead : &msgs[k].suspect) = a;
        k++;
    }
    deliver(c, from, core, msgs, k);
}

/* ---- from cores to lights ---- */

static void light_answers(struct crowd *c, uint32_t light, uint32_t core, uint32_t seq)
{
    struct swim__msg ack = {.type = SWIM__MSG_ACK, .ack = {.seq_no = seq}};
    deliver(c, light, core, &ack, 1);
}

static void light_relays(struct crowd *c, uint32_t light, uint32_t core,
                         const struct swim__indirect_ping *ping)
{
    if (lights_is_up(c->lights, member_at((const uint8_t *)ping->target.p))) {
        light_answers(c, light, core, ping->seq_no);
        return;
    }
    struct late *late = malloc(sizeof *late), **end = &c->late;
    assert(late);
    while (*end) {
        end = &(*end)->next;
    }
    *late = (struct late){
        .at_ms = c->now_ms + NACK_MS, .core = core, .from = light, .seq = ping->seq_no};
    *end = late;
}

static void light_hears(struct crowd *c, uint32_t light, const struct swim__accusation *a,
                        enum light_kind kind)
{
    uint16_t victim = lights_victim_of(c->lights, member_named(a->node));
    struct rumour r = {victim, (uint8_t)kind, member_named(a->from)};
    if (victim != UINT16_MAX) {
        lights_hear(c->lights, light, &r);
    }
}

static void light_receives(struct crowd *c, uint32_t core, uint32_t light, const uint8_t *data,
                           size_t len)
{
    static const struct swim__envelope plain = {.verify_incoming = false};
    struct mu__arena scratch;
    struct swim__opener opener;
    struct mu_str raw;
    struct swim__msg msg;
    mu__arena_init(&scratch, NULL, 0);
    enum swim__open_result rc = swim__packet_open(&opener, &plain, &scratch, data, len);
    assert(rc == SWIM__OPEN_OK);
    (void)rc;
    while (swim__packet_next(&opener, &raw) && swim__msg_decode(raw.p, raw.len, &msg)) {
        switch (msg.type) {
        case SWIM__MSG_PING:
            light_answers(c, light, core, msg.ping.seq_no);
            break;
        case SWIM__MSG_INDIRECT_PING:
            light_relays(c, light, core, &msg.indirect_ping);
            break;
        case SWIM__MSG_SUSPECT:
            light_hears(c, light, &msg.suspect, LIGHT_SUSPECT);
            break;
        case SWIM__MSG_DEAD:
            light_hears(c, light, &msg.dead, LIGHT_DEAD);
            break;
        default:
            break;
        }
    }
    mu__arena_fini(&scratch);
}

/* ---- cores ---- */

/* Between cores a stream is an exchange at once; lights take none. */
static void exchange(struct crowd *c, uint32_t core, const struct swim_stream *st)
{
    uint32_t to = member_at(st->to.ip), id;
    uint64_t now = ns_of(c->now_ms), deadline;
    struct swim_reply reply = {0}, end;
    struct swim_addr from = address(core);
    if (to < c->ncores && swim_stream_accept(c->cores[to], now, &from, &id, &deadline) == SWIM_OK) {
        int rc = swim_stream_receive(c->cores[to], now, id, st->data, st->len, &reply);
        if (rc == SWIM_OK && reply.len > 0) {
            rc = swim_stream_receive(c->cores[core], now, st->id, reply.data, reply.len, &end);
        }
        assert(rc == SWIM_OK);
        (void)rc;
        swim_stream_end(c->cores[to], now, id);
    }
    swim_stream_end(c->cores[core], now, st->id);
}

static void told(struct crowd *c, const struct swim_event *ev)
{
    c->events++;
    c->joins_ok += ev->type == SWIM_EVENT_JOIN_RESULT && ev->err == SWIM_OK;
    if (ev->type != SWIM_EVENT_FAILED) {
        return;
    }
    uint16_t v = lights_victim_of(c->lights, member_named(ev->member.name));
    if (v == UINT16_MAX || c->kill_ms == 0) {
        c->false_alarms++;
        return;
    }
    c->deaths[v].cores++;
    c->deaths[v].cores_ms = c->now_ms;
}

static void note_death(struct crowd *c, uint16_t victim)
{
    struct death *d = &c->deaths[victim];
    d->first_ms = d->known == 0 ? c->now_ms : d->first_ms;
    d->last_ms = c->now_ms;
    d->known++;
    c->known = (uint16_t)(c->known + (d->known == c->members - c->victims));
}

static void on_light_dead(void *user, uint32_t light, uint16_t victim)
{
    (void)light;
    note_death(user, victim);
}

static void drain(struct crowd *c, uint32_t core)
{
    struct swim *s = c->cores[core];
    struct swim_packet p;
    struct swim_stream st;
    struct swim_event ev;
    uint8_t data[2048];
    while (swim_next_send(s, &p)) {
        uint32_t to = member_at(p.to.ip);
        assert(p.len <= sizeof data);
        memcpy(data, p.data, p.len); /* lent until the answer comes */
        if (to < c->ncores) {
            struct swim_addr from = address(core);
            int rc = swim_receive(c->cores[to], ns_of(c->now_ms), &from, data, p.len);
            assert(rc == SWIM_OK);
            (void)rc; /* its output is drained in its own turn */
        } else if (lights_is_up(c->lights, to)) {
            light_receives(c, core, to, data, p.len);
        }
    }
    while (swim_next_stream(s, &st)) {
        exchange(c, core, &st);
    }
    while (swim_next_event(s, &ev)) {
        told(c, &ev);
        if (ev.type == SWIM_EVENT_FAILED && c->kill_ms > 0) {
            note_death(c, lights_victim_of(c->lights, member_named(ev.member.name)));
        }
    }
}

static int entropy(void *user, void *buf, size_t len)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)mu__prng_next(user);
    }
    return 0;
}

static struct swim *start_core(struct crowd *c, uint32_t i)
{
    struct swim_config cfg;
    struct swim *s;
    char name[16];
    (void)name_of(i, name);
    swim_config_init(&cfg);
    cfg.name = name;
    cfg.advertise = address(i);
    cfg.entropy = entropy;
    cfg.entropy_user = &c->entropy[i];
    cfg.members_max = c->members;
    mu__prng_seed(&c->entropy[i], 1000 + i);
    int rc = swim_create(&cfg, ns_of(c->now_ms), &s);
    assert(rc == SWIM_OK);
    (void)rc;
    return s;
}

/* The first core is told of everybody. */
static void introduce(struct crowd *c)
{
    static const char vsn[] = {1, 5, 2, 2, 5, 4};
    struct swim *s = c->cores[0];
    struct swim_event ev;
    char name[16];
    swim__enter(s, ns_of(c->now_ms));
    for (uint32_t i = 1; i < c->members; i++) {
        struct swim_addr addr = address(i);
        struct swim__alive alive = {.node = name_of(i, name),
                                    .addr = {(const char *)addr.ip, 4},
                                    .vsn = {vsn, 6},
                                    .incarnation = 1,
                                    .port = PORT};
        int rc = swim__alive(s, &alive, SWIM__FROM_SYNC);
        assert(rc == SWIM_OK);
        (void)rc;
    }
    while (swim_next_event(s, &ev)) {
    }
}

/* They learned of each other long ago: what is left to say of that is not said. */
static void hush(struct crowd *c, uint32_t core)
{
    struct swim *s = c->cores[core];
    swim__queue_fini(&s->updates);
    swim__queue_init(&s->updates, &s->allocator, mu__prng_next(&c->entropy[core]));
}

static void join_all(struct crowd *c)
{
    for (uint32_t i = 0; i < c->ncores; i++) {
        c->cores[i] = start_core(c, i);
    }
    introduce(c);
    hush(c, 0);
    struct swim_addr seed = address(0);
    for (uint32_t i = 1; i < c->ncores; i++) {
        int rc = swim_join(c->cores[i], ns_of(c->now_ms), &seed, NULL);
        assert(rc == SWIM_OK);
        (void)rc;
        drain(c, i);
        hush(c, i);
    }
}

/* ---- time ---- */

static void late_nacks(struct crowd *c)
{
    while (c->late && c->late->at_ms <= c->now_ms) {
        struct late *late = c->late;
        struct swim__msg nack = {.type = SWIM__MSG_NACK, .nack = {.seq_no = late->seq}};
        c->late = late->next;
        deliver(c, late->from, late->core, &nack, 1);
        free(late);
    }
}

static void run_for(struct crowd *c, uint32_t ms, bool until_known)
{
    for (uint32_t end = c->now_ms + ms; c->now_ms < end; c->now_ms++) {
        if (until_known && c->known == c->victims) {
            return;
        }
        late_nacks(c);
        lights_step(c->lights, c->now_ms);
        for (uint32_t i = 0; i < c->ncores; i++) {
            if (swim_next_deadline(c->cores[i]) <= ns_of(c->now_ms)) {
                clock_t start = clock();
                swim_advance(c->cores[i], ns_of(c->now_ms));
                c->core_time += clock() - start;
            }
            drain(c, i);
        }
    }
}

/* ---- the sums ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_spread(const char *what, double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    printf("  %-34s median %.1f s, 99 %% %.1f s, longest %.1f s\n", what, v[n / 2], v[n * 99 / 100],
           v[n - 1]);
}

static void report(const struct crowd *c)
{
    double *v = calloc(c->victims, sizeof *v);
    struct rusage u;
    assert(v);
    printf("%u members, %u of them full cores that each know all; %u killed at once\n", c->members,
           c->ncores, c->victims);
    printf("  formulas: a suspicion lasts at least %.1f s, each piece of news is sent %u times\n",
           (double)swim__suspicion_min_ns(4, c->members, MU_SEC) / 1e9,
           swim__retransmit_limit(4, c->members));
    for (uint16_t i = 0; i < c->victims; i++) {
        v[i] = (c->deaths[i].first_ms - c->kill_ms) / 1e3;
    }
    print_spread("the first member knew after", v, c->victims);
    for (uint16_t i = 0; i < c->victims; i++) {
        v[i] = (c->deaths[i].cores_ms - c->kill_ms) / 1e3;
    }
    print_spread("all full cores knew after", v, c->victims);
    for (uint16_t i = 0; i < c->victims; i++) {
        v[i] = (c->deaths[i].last_ms - c->kill_ms) / 1e3;
    }
    print_spread("all members knew after", v, c->victims);
    printf("  %u of %u deaths known to all; false alarms: %zu\n", c->known, c->victims,
           c->false_alarms);
    double core_s = (double)c->core_time / CLOCKS_PER_SEC;
    printf("  cores: %llu datagrams in, %.0f B each; %.2f %% of a processor each\n",
           (unsigned long long)c->core_packets,
           (double)c->core_bytes / (double)(c->core_packets ? c->core_packets : 1),
           100 * core_s / ((double)c->now_ms / 1e3) / c->ncores);
    if (getrusage(RUSAGE_SELF, &u) == 0) {
        printf("  %.0f s of processor time, %llu rumours heard by lights, peak memory %ld MiB\n",
               (double)clock() / CLOCKS_PER_SEC, (unsigned long long)lights_heard(c->lights),
               u.ru_maxrss / 1024);
    }
    free(v);
}

int main(int argc, char **argv)
{
    struct crowd c = {.members = 10000, .ncores = 16};
    double kill = 1;
    uint64_t seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--members") == 0) {
            c.members = (uint32_t)strtoul(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--cores") == 0) {
            c.ncores = (uint32_t)strtoul(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--kill") == 0) {
            kill = strtod(argv[i + 1], NULL);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        }
    }
    c.victims = (uint16_t)((double)c.members * kill / 100);
    c.cores = calloc(c.ncores, sizeof(struct swim *));
    c.entropy = calloc(c.ncores, sizeof *c.entropy);
    c.deaths = calloc((size_t)c.victims + 1, sizeof *c.deaths);
    assert(c.cores && c.entropy && c.deaths && c.victims > 0);
    struct lights_options o = {.members = c.members,
                               .cores = c.ncores,
                               .victims = c.victims,
                               .seed = seed,
                               .to_core = to_core,
                               .on_dead = on_light_dead,
                               .user = &c};
    c.lights = lights_create(&o);
    join_all(&c);
    run_for(&c, 10000, false);
    bool complete = c.joins_ok == c.ncores - 1;
    for (uint32_t i = 0; i < c.ncores; i++) {
        complete = complete && swim_alive(c.cores[i]) == c.members;
    }
    printf("joined through one seed: %s\n", complete ? "all cores know all members" : "NOT ALL");
    lights_kill(c.lights);
    c.kill_ms = c.now_ms;
    run_for(&c, 180000, true);
    report(&c);
    for (uint32_t i = 0; i < c.ncores; i++) {
        swim_destroy(c.cores[i]);
    }
    lights_destroy(c.lights);
    free(c.cores);
    free(c.entropy);
    free(c.deaths);
    return complete && c.known == c.victims && c.false_alarms == 0 ? 0 : 1;
}
