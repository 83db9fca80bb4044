/* draw.h - numbers that nobody can foresee: query IDs. From the kernel's generator, in batches. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct draw {
    uint8_t pool[512];
    size_t left; /* bytes of the pool that were not given out */
};

/* A zeroed draw is ready. What was given out is wiped. */
uint16_t dnsfront__draw(struct draw *d);
size_t dnsfront__draw_below(struct draw *d, size_t n); /* 0..n-1, unbiased; 0 < n <= 65536 */
