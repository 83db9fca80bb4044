#include "coord.h"

#include <math.h>
#include <string.h>

#define RTT_MAX_NS     (10 * MU_SEC)
#define ERROR_MAX      1.5
#define HEIGHT_MIN     10e-6
#define ERROR_GAIN     0.25 /* ce */
#define FORCE_GAIN     0.25 /* cc */
#define GRAVITY_RHO    150.0
#define ZERO_THRESHOLD 1e-6

enum { ADJUSTMENT_WINDOW = 20, LATENCY_WINDOW = 3 };

static const struct swim_coordinate origin = {.error = ERROR_MAX, .height = HEIGHT_MIN};

void swim__coords_init(struct swim__coords *c)
{
    *c = (struct swim__coords){.self = origin};
}

bool swim__coord_is_valid(const struct swim_coordinate *c)
{
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        if (!isfinite(c->vec[i])) {
            return false;
        }
    }
    return isfinite(c->error) && isfinite(c->adjustment) && isfinite(c->height);
}

static double magnitude(const double *v)
{
    double sum = 0.0;
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        sum += v[i] * v[i];
    }
    return sqrt(sum);
}

static double raw_distance(const struct swim_coordinate *a, const struct swim_coordinate *b)
{
    double diff[SWIM_DIMENSIONS];
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        diff[i] = a->vec[i] - b->vec[i];
    }
    return magnitude(diff) + a->height + b->height;
}

uint64_t swim_distance_ns(const struct swim_coordinate *a, const struct swim_coordinate *b)
{
    double dist = raw_distance(a, b);
    double adjusted = dist + a->adjustment + b->adjustment;
    if (adjusted > 0.0) {
        dist = adjusted;
    }
    /* Coordinates of strangers may lie anywhere: what is no sensible time becomes the longest
     * one. */
    return dist < 1e9 ? (uint64_t)(dist * 1e9) : 1000000000 * MU_SEC;
}

static double distance_s(const struct swim_coordinate *a, const struct swim_coordinate *b)
{
    return (double)swim_distance_ns(a, b) / 1e9;
}

/* The unit vector from b to a, or a random one where they coincide; returns their distance, 0
 * then. */
static double unit_vector(const double *a, const double *b, double *unit, struct mu__prng *prng)
{
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        unit[i] = a[i] - b[i];
    }
    double mag = magnitude(unit), scale = mag;
    if (mag <= ZERO_THRESHOLD) {
        for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
            unit[i] = mu__prng_unit(prng) - 0.5;
        }
        scale = magnitude(unit);
        mag = 0.0;
        if (scale <= ZERO_THRESHOLD) {
            memset(unit, 0, SWIM_DIMENSIONS * sizeof *unit);
            unit[0] = scale = 1.0;
        }
    }
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        unit[i] *= 1.0 / scale;
    }
    return mag;
}

static void apply_force(struct swim_coordinate *c, double force,
                        const struct swim_coordinate *other, struct mu__prng *prng)
{
    double unit[SWIM_DIMENSIONS];
    double mag = unit_vector(c->vec, other->vec, unit, prng);
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        c->vec[i] += unit[i] * force;
    }
    if (mag > ZERO_THRESHOLD) {
        c->height = fmax(HEIGHT_MIN, (c->height + other->height) * force / mag + c->height);
    }
}

/* The median of the last round-trip times: one slow packet moves nothing. */
static uint64_t filtered_rtt(struct swim__latency *l, uint64_t rtt_ns)
{
    uint64_t sorted[LATENCY_WINDOW];
    size_t n = 0;
    if (l->rtt[LATENCY_WINDOW - 1] != 0) {
        memmove(&l->rtt[0], &l->rtt[1], sizeof l->rtt - sizeof l->rtt[0]);
        l->rtt[LATENCY_WINDOW - 1] = 0;
    }
    while (l->rtt[n] != 0) {
        n++;
    }
    l->rtt[n++] = rtt_ns + 1;
    for (size_t i = 0; i < n; i++) {
        size_t k = i;
        for (; k > 0 && sorted[k - 1] > l->rtt[i]; k--) {
            sorted[k] = sorted[k - 1];
        }
        sorted[k] = l->rtt[i];
    }
    return sorted[n / 2] - 1;
}

static void update_vivaldi(struct swim_coordinate *c, const struct swim_coordinate *other,
                           double rtt_s, struct mu__prng *prng)
{
    double dist = distance_s(c, other);
    rtt_s = fmax(rtt_s, ZERO_THRESHOLD);
    double wrongness = fabs(dist - rtt_s) / rtt_s;
    double total = fmax(c->error + other->error, ZERO_THRESHOLD);
    double weight = c->error / total;
    c->error =
        fmin(ERROR_MAX, ERROR_GAIN * weight * wrongness + c->error * (1.0 - ERROR_GAIN * weight));
    apply_force(c, FORCE_GAIN * weight * (rtt_s - dist), other, prng);
}

static void update_adjustment(struct swim__coords *c, const struct swim_coordinate *other,
                              double rtt_s)
{
    c->samples[c->sample] = rtt_s - raw_distance(&c->self, other);
    c->sample = (c->sample + 1) % ADJUSTMENT_WINDOW;
    double sum = 0.0;
    for (size_t i = 0; i < ADJUSTMENT_WINDOW; i++) {
        sum += c->samples[i];
    }
    c->self.adjustment = sum / (2.0 * ADJUSTMENT_WINDOW);
}

/* Pulls us gently towards the origin, so that the whole pool does not drift away. */
static void update_gravity(struct swim_coordinate *c, struct mu__prng *prng)
{
    double share = distance_s(&origin, c) / GRAVITY_RHO;
    apply_force(c, -1.0 * share * share, &origin, prng);
}

bool swim__coords_update(struct swim__coords *c, struct swim__latency *latency,
                         const struct swim_coordinate *other, uint64_t rtt_ns,
                         struct mu__prng *prng)
{
    if (rtt_ns > RTT_MAX_NS || !swim__coord_is_valid(other)) {
        return false;
    }
    double rtt_s = (double)filtered_rtt(latency, rtt_ns) / 1e9;
    update_vivaldi(&c->self, other, rtt_s, prng);
    update_adjustment(c, other, rtt_s);
    update_gravity(&c->self, prng);
    if (!swim__coord_is_valid(&c->self)) {
        c->self = origin;
        c->resets++;
    }
    return true;
}
