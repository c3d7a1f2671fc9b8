/* Damage to the bytes of a file, seeded, for the fuzz programs. */
#ifndef WAIO_TESTS_DAMAGE_H
#define WAIO_TESTS_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/rng.h"

/* Damages of a file at the most, and bytes that it can grow by. */
enum { MOST_DAMAGES = 8, ROOM = 4096 };

static inline size_t below(waio_rng *rng, size_t n)
{
    return (size_t)waio_rng_below(rng, n ? n : 1);
}

/* Numbers that lengths, offsets and dimensions go wrong with. */
static inline void put_number(unsigned char *at, size_t room, waio_rng *rng)
{
    static const int64_t wild[] = {0,         1,         -1,        2,         127,
                                   128,       255,       256,       32767,     32768,
                                   65535,     65536,     INT32_MAX, INT32_MIN, INT64_MAX,
                                   INT64_MIN, 0x7fffff0, 0xffffff,  -2,        1 << 20};
    int64_t number = wild[below(rng, sizeof wild / sizeof *wild)];
    size_t bytes = (size_t)1 << below(rng, 4);
    memcpy(at, &number, bytes < room ? bytes : room);
}

/* One damage; returns the size afterwards. `data` has ROOM more bytes. */
static inline size_t damage(unsigned char *data, size_t size, waio_rng *rng)
{
    size_t at = below(rng, size), from = below(rng, size), count = 1 + below(rng, 64);

    count = count < size - at ? count : size - at;
    count = count < size - from ? count : size - from;
    switch (waio_rng_below(rng, 7)) {
    case 0:
        data[at] ^= (unsigned char)(1u << below(rng, 8));
        break;
    case 1:
        data[at] = (unsigned char)below(rng, 256);
        break;
    case 2:
    case 3:
        put_number(data + at, size - at, rng);
        break;
    case 4:
        memmove(data + at, data + from, count);
        break;
    case 5:
        memset(data + at, below(rng, 2) ? 0xff : 0, count);
        break;
    default:
        if (below(rng, 2) && size > 8)
            return 1 + below(rng, size);
        memset(data + size, 0, ROOM / MOST_DAMAGES);
        return size + below(rng, ROOM / MOST_DAMAGES);
    }
    return size;
}

#endif
