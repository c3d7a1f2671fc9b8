#include "quant/precision.h"

#include <stdlib.h>
#include <string.h>

static const char *const bits_text[WAIO_FLOAT + 1] = {
    [2] = "2",   [3] = "3",   [4] = "4",   [5] = "5",          [6] = "6",          [7] = "7",
    [8] = "8",   [9] = "9",   [10] = "10", [11] = "11",        [12] = "12",        [13] = "13",
    [14] = "14", [15] = "15", [16] = "16", [WAIO_F16] = "f16", [WAIO_FLOAT] = "32"};

waio_status waio_bits_parse(int *bits, const char *text)
{
    for (int b = 0; b <= WAIO_FLOAT; b++)
        if (bits_text[b] && strcmp(bits_text[b], text) == 0) {
            *bits = b;
            return WAIO_OK;
        }
    return waio_error(WAIO_EUSAGE,
                      "\"%s\" is not a precision; there are 2 to 16 bits, 32 (float) "
                      "and f16 (float16 storage)",
                      text);
}

const char *waio_bits_text(int bits)
{
    return bits >= 0 && bits <= WAIO_FLOAT && bits_text[bits] ? bits_text[bits] : "?";
}

bool waio_bits_quantized(int bits)
{
    return bits >= WAIO_MIN_BITS && bits <= WAIO_MAX_BITS;
}
