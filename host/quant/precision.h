/* Bit widths of a configuration: W/A/I/O and how they are written. */
#ifndef WAIO_QUANT_PRECISION_H
#define WAIO_QUANT_PRECISION_H

#include <stdbool.h>

#include "util/status.h"

/* A bit width: 2 to 16 quantized, 32 float, WAIO_F16 float16 storage. */
enum { WAIO_MIN_BITS = 2, WAIO_MAX_BITS = 16, WAIO_F16 = 17, WAIO_FLOAT = 32 };

typedef struct waio_precision {
    int w; /* weights of the hidden layers */
    int a; /* activations of the hidden layers, the first layer's output among them */
    int i; /* weights of the first weighted layer, the input tensor and all before that layer */
    int o; /* weights of the last weighted layer, its output and all behind it */
} waio_precision;

/* "2".."16", "32", "f16"; WAIO_EUSAGE with what is allowed for anything else. */
waio_status waio_bits_parse(int *bits, const char *text);
/* The same back; a static text. */
const char *waio_bits_text(int bits);
bool waio_bits_quantized(int bits); /* 2..16 */

#endif
