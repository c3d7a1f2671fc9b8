/* The independent choices that a method is made of. A method's name is a preset of them. */
#ifndef WAIO_QUANT_SCHEME_H
#define WAIO_QUANT_SCHEME_H

#include <stdbool.h>

#include "util/status.h"

typedef enum waio_symmetry {
    WAIO_ASYMMETRIC,
    WAIO_SYMMETRIC,
    WAIO_SYMMETRY_AUTO /* asymmetric up to 8 bits, symmetric above (TensorFlow Lite's 16x8) */
} waio_symmetry;

typedef struct waio_scheme {
    bool per_channel;      /* one scale an output channel; else one a layer */
    waio_symmetry weights; /* never AUTO */
    waio_symmetry activations;
    int rounding; /* WAIO_ROUND_HALF_AWAY or WAIO_ROUND_HALF_EVEN (kernels/qmath.h) */
} waio_scheme;

/* The scheme of method `ptq`: TensorFlow Lite's post-training quantization. `granularity` is
 * "channel" or "layer", `weights` "symmetric" or "asymmetric", `activations` one of these or
 * "auto". WAIO_EUSAGE for other words. */
waio_status waio_scheme_ptq(waio_scheme *scheme, const char *granularity, const char *weights,
                            const char *activations);

#endif
