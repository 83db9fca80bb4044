/* swim_scale.c - how large pools fare: detection, false alarms, bytes. One run, or the tables of
 * docs/gossip-proof.md.
 *
 *   swim_scale [--nodes N] [--loss PERCENT] [--kill K] [--deaf K] [--restart SECONDS]
 *              [--slow K] [--stopped] [--spell SECONDS] [--well SECONDS]
 *              [--plain|--original|--fast] [--seed X]
 *   swim_scale --table slow [--nodes N] [--loss PERCENT] [--stopped] [--seeds COUNT]
 *              [--original|--fast]
 *   swim_scale --table loss [--nodes N] [--fast] */
#include "swim_measure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum swim__planted swim__planted = SWIM__NO_FAULT;

static double peak_mib(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (double)u.ru_maxrss / 1024 : 0;
}

static struct measure_options defaults(size_t nodes)
{
    return (struct measure_options){.world = {.seed = 1,
                                              .nodes = nodes,
                                              .profile = SWIM_LAN,
                                              .delay_min_ns = 200 * MU_USEC,
                                              .delay_max_ns = 5 * MU_MSEC,
                                              .lean = true},
                                    .calm_ns = 10 * MU_SEC,
                                    .watch_ns = 120 * MU_SEC,
                                    .seeds = 1,
                                    .slow_ns = 8 * MU_SEC,
                                    .well_ns = MU_SEC};
}

static void print_run(const struct measure_options *o, const struct measured *m)
{
    printf("nodes %zu, loss %.1f %%, seed %llu%s\n", o->world.nodes, o->world.loss_ppm / 1e4,
           (unsigned long long)o->world.seed,
           o->plain      ? ", plain SWIM"
           : o->original ? ", Lifeguard alone"
           : o->fast     ? ", fast"
                         : "");
    printf("  bytes per member and second: %.0f idle, %.0f busy, %.0f in full syncs\n",
           m->idle_bytes, m->busy_bytes, m->stream_bytes);
    printf("  a user event had reached half after %.2f s, all after %.2f s\n", m->event_s[0],
           m->event_s[1]);
    if (o->kill > 0) {
        printf("  %zu killed: told first after %.1f s (99 %%: %.1f, longest %.1f), "
               "all told after %.1f s (99 %%: %.1f, longest %.1f), %zu not by all\n",
               o->kill, m->first_s[0], m->first_s[1], m->first_s[2], m->all_s[0], m->all_s[1],
               m->all_s[2], m->undetected);
    }
    if (o->restart) {
        printf("  all restarted within %.0f s: all see all after %.1f s\n",
               (double)o->restart_ns / 1e9, m->settled_s);
    }
    printf("  false alarms about the healthy: %zu (%zu told to the healthy); about the slow: %zu\n",
           m->false_any, m->false_healthy, m->false_slow);
    printf("  peak memory %.0f MiB, %.0f s of processor time\n", peak_mib(),
           (double)clock() / CLOCKS_PER_SEC);
}

/* Neither plain SWIM nor memberlist has rules for pauses and silence, and no option switches ours
 * off. */
static void run(const struct measure_options *o, struct measured *out)
{
    swim__planted = o->plain || o->original ? SWIM__PAUSE_IGNORED : SWIM__NO_FAULT;
    swim_measure(o, out);
}

/* ---- tables ---- */

static void add_spell(struct measured *sum, const struct measure_options *o)
{
    struct measured m;
    run(o, &m);
    sum->false_any += m.false_any;
    sum->false_healthy += m.false_healthy;
    sum->false_slow += m.false_slow;
}

/* Each cell sums up runs over a grid of spells, as Lifeguard's interval experiments do. */
static struct measured sum_of_spells(const struct measure_options *base, size_t slow, bool plain)
{
    static const uint64_t spells[] = {2, 8, 32}; /* seconds slow */
    static const uint64_t wells[] = {64 * MU_MSEC, 4 * MU_SEC};
    struct measured sum = {0};
    struct measure_options o = *base;
    o.plain = plain;
    o.slow = slow;
    o.calm_ns = 2 * MU_SEC;
    for (size_t i = 0; i < 6 * base->seeds; i++) {
        size_t spell = i % 6 / 2, well = i % 2;
        o.world.seed = 100 * (i / 6 + 1) + spell * 10 + well;
        o.slow_ns = spells[spell] * MU_SEC;
        o.well_ns = wells[well];
        add_spell(&sum, &o);
    }
    return sum;
}

static void print_ratio(size_t plain, size_t with)
{
    if (with == 0) {
        printf("%8s |", plain == 0 ? "-" : "all gone");
    } else {
        printf("%7.0fx |", (double)plain / (double)with);
    }
}

static void table_slow(const struct measure_options *o)
{
    static const unsigned percents[] = {1, 5, 10, 20, 30};
    size_t nodes = o->world.nodes;
    uint32_t loss = o->world.loss_ppm;
    printf("%zu nodes, loss %.0f %%; slow: %s. %zu runs of 120 s a cell.\n\n", nodes, loss / 1e4,
           o->slowness == SLOW_BLOCKED ? "messages wait, timers run" : "the process is stopped",
           6 * o->seeds);
    printf("| slow | plain FP | FP      | fewer    | plain FP- | FP-     | fewer    | "
           "plain: slow failed | slow failed |\n");
    printf("|-----:|---------:|--------:|---------:|----------:|--------:|---------:|"
           "-------------------:|------------:|\n");
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        size_t slow = mu__max(nodes * percents[i] / 100, 1);
        struct measured p = sum_of_spells(o, slow, true);
        struct measured m = sum_of_spells(o, slow, false);
        printf("| %2u %% | %8zu | %7zu |", percents[i], p.false_any, m.false_any);
        print_ratio(p.false_any, m.false_any);
        printf(" %9zu | %7zu |", p.false_healthy, m.false_healthy);
        print_ratio(p.false_healthy, m.false_healthy);
        printf(" %18zu | %11zu |\n", p.false_slow, m.false_slow);
        (void)fflush(stdout);
    }
}

static void table_loss(const struct measure_options *base)
{
    static const unsigned losses[] = {0, 1, 5, 10, 20, 30};
    printf("\n| nodes | loss | event at half, at all | first told: median, 99 %%, longest | all "
           "told: median, 99 %%, "
           "longest | "
           "false alarms | idle B/s | busy B/s |\n"
           "|------:|-----:|----------------------:|:----------------------------------|:----------"
           "----------------------|"
           "-------------:|---------:|---------:|\n");
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        struct measure_options o = *base;
        struct measured m;
        size_t nodes = o.world.nodes;
        o.world.loss_ppm = losses[i] * 10000;
        o.kill = mu__max(nodes / 100, 1);
        run(&o, &m);
        printf("| %5zu | %2u %% | %9.2f s, %6.2f s | %6.1f %6.1f %6.1f s            | %6.1f %6.1f "
               "%6.1f s          | "
               "%12zu | %8.0f | %8.0f |\n",
               nodes, losses[i], m.event_s[0], m.event_s[1], m.first_s[0], m.first_s[1],
               m.first_s[2], m.all_s[0], m.all_s[1], m.all_s[2], m.false_any, m.idle_bytes,
               m.busy_bytes);
        (void)fflush(stdout);
    }
}

/* ---- command line ---- */

static uint64_t in_ns(const char *seconds)
{
    return (uint64_t)(strtod(seconds, NULL) * 1e9);
}

static bool set_option(struct measure_options *o, const char *name, const char *value)
{
    if (strcmp(name, "--nodes") == 0) {
        o->world.nodes = strtoul(value, NULL, 0);
    } else if (strcmp(name, "--loss") == 0) {
        o->world.loss_ppm = (uint32_t)(strtod(value, NULL) * 1e4);
    } else if (strcmp(name, "--kill") == 0) {
        o->kill = strtoul(value, NULL, 0);
    } else if (strcmp(name, "--slow") == 0) {
        o->slow = strtoul(value, NULL, 0);
    } else if (strcmp(name, "--deaf") == 0) {
        o->deaf = strtoul(value, NULL, 0);
    } else if (strcmp(name, "--restart") == 0) {
        o->restart = true;
        o->restart_ns = in_ns(value);
    } else if (strcmp(name, "--spell") == 0) {
        o->slow_ns = in_ns(value);
    } else if (strcmp(name, "--well") == 0) {
        o->well_ns = in_ns(value);
    } else if (strcmp(name, "--seeds") == 0) {
        o->seeds = strtoul(value, NULL, 0);
    } else if (strcmp(name, "--seed") == 0) {
        o->world.seed = strtoull(value, NULL, 0);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct measure_options o = defaults(2000);
    struct measured m;
    const char *table = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--plain") == 0) {
            o.plain = true;
        } else if (strcmp(argv[i], "--original") == 0) {
            o.original = true;
        } else if (strcmp(argv[i], "--fast") == 0) {
            o.fast = true;
        } else if (strcmp(argv[i], "--stopped") == 0) {
            o.slowness = SLOW_STOPPED;
        } else if (i + 1 < argc && strcmp(argv[i], "--table") == 0) {
            table = argv[++i];
        } else if (i + 1 < argc && set_option(&o, argv[i], argv[i + 1])) {
            i++;
        } else {
            (void)fprintf(stderr, "swim_scale: what is %s?\n", argv[i]);
            return 2;
        }
    }
    if (table) {
        if (strcmp(table, "slow") == 0) {
            table_slow(&o);
        } else {
            table_loss(&o);
        }
        return 0;
    }
    run(&o, &m);
    print_run(&o, &m);
    return m.undetected > 0 || m.settled_s < 0;
}
