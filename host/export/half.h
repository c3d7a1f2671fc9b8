/* Numbers as IEEE halves, for files. */
#ifndef WAIO_EXPORT_HALF_H
#define WAIO_EXPORT_HALF_H

#include <stdint.h>
#include <string.h>

/* The bits of a number that is a half. */
static inline uint16_t waio_half_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    int exponent = (int)(bits >> 23 & 0xff) - 127;
    uint32_t fraction = bits & 0x7fffff;

    if ((bits & 0x7fffffff) == 0)
        return sign;
    if (exponent < -14) /* subnormal: the leading one moves into the fraction */
        return (uint16_t)(sign | (fraction | 0x800000) >> (-14 - exponent + 13));
    return (uint16_t)(sign | (exponent + 15) << 10 | fraction >> 13);
}

#endif
