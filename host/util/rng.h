/* The one random generator of the program: splitmix64, so that a seed gives the same numbers on
 * every machine (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
#ifndef WAIO_UTIL_RNG_H
#define WAIO_UTIL_RNG_H

#include <stdint.h>

typedef struct waio_rng {
    uint64_t state;
} waio_rng;

static inline uint64_t waio_rng_next(waio_rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* A whole number in [0, n), n >= 1, without modulo bias. */
static inline uint64_t waio_rng_below(waio_rng *rng, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t x = waio_rng_next(rng);
    while (x >= limit)
        x = waio_rng_next(rng);
    return x % n;
}

/* A float in [0, 1), a multiple of 2^-24. */
static inline float waio_rng_unit(waio_rng *rng)
{
    return (float)(waio_rng_next(rng) >> 40) * (1.0f / 16777216.0f);
}

#endif
