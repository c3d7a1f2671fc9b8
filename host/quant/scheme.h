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

/* How weights become codes. */
typedef enum waio_weight_rounding {
    WAIO_WEIGHTS_NEAREST,
    WAIO_WEIGHTS_SQUANT, /* quant/squant.h: all stages, or some of them */
    WAIO_WEIGHTS_SQUANT_E,
    WAIO_WEIGHTS_SQUANT_K,
    WAIO_WEIGHTS_SQUANT_C
} waio_weight_rounding;

/* How a range follows from numbers, or, for activations, from statistics of batch norms. */
typedef enum waio_range_rule {
    WAIO_RANGE_MINMAX,
    WAIO_RANGE_MSE, /* least squared error */
    WAIO_RANGE_P99, /* from the first to the 99th percentile; and so on */
    WAIO_RANGE_P99_9,
    WAIO_RANGE_P99_99,
    WAIO_RANGE_KL,         /* activations: least divergence */
    WAIO_RANGE_BATCH_NORM, /* activations: no data */
    WAIO_RANGE_NOISE       /* activations: no data, but an image of noise */
} waio_range_rule;

typedef enum waio_correction {
    WAIO_CORRECT_NOTHING,
    WAIO_CORRECT_ANALYTIC, /* by the inputs that batch norms promise */
    WAIO_CORRECT_EMPIRICAL /* by the inputs that calibration sees */
} waio_correction;

typedef struct waio_scheme {
    bool per_channel;      /* one scale an output channel; else one a layer */
    waio_symmetry weights; /* never AUTO */
    waio_symmetry activations;
    int rounding; /* of activations, and of weights where NEAREST: WAIO_ROUND_HALF_AWAY or
                     WAIO_ROUND_HALF_EVEN (kernels/qmath.h) */
    waio_weight_rounding weight_rounding;
    waio_range_rule weight_range; /* the first five */
    waio_range_rule activation_range;
    bool equalize, absorb; /* quant/equalize.h */
    waio_correction correction;
} waio_scheme;

/* The same in words. */
typedef struct waio_scheme_words {
    const char *granularity;  /* channel, layer */
    const char *weights;      /* symmetric, asymmetric */
    const char *activations;  /* auto, symmetric, asymmetric */
    const char *rounding;     /* of weights: nearest, squant, squant_e, squant_k, squant_c */
    const char *weight_range; /* minmax, mse, p99, p99.9, p99.99 */
    const char *range;        /* of activations: these, kl, batchnorm, noise */
    const char *equalize;     /* off, on */
    const char *absorb;       /* off, on */
    const char *correction;   /* off, analytic, empirical */
} waio_scheme_words;

/* A method: a name for a combination of choices. */
typedef struct waio_preset {
    const char *name;
    waio_scheme_words words;
} waio_preset;

/* All methods that quantize a float network; ends in a row without a name. */
extern const waio_preset waio_presets[];
/* The words of method `name`; NULL if there is no such preset. */
const waio_scheme_words *waio_preset_find(const char *name);

/* The scheme that `words` say; WAIO_EUSAGE for other words. */
waio_status waio_scheme_read(waio_scheme *scheme, const waio_scheme_words *words);

/* The scheme of method `ptq`: TensorFlow Lite's post-training quantization. `granularity` is
 * "channel" or "layer", `weights` "symmetric" or "asymmetric", `activations` one of these or
 * "auto". WAIO_EUSAGE for other words. */
waio_status waio_scheme_ptq(waio_scheme *scheme, const char *granularity, const char *weights,
                            const char *activations);

/* Whether ranges or corrections are made from images. */
bool waio_scheme_calibrates(const waio_scheme *scheme);
/* Whether biases stay float: on asymmetric grids of SQuant, as its authors have it. */
bool waio_scheme_float_bias(const waio_scheme *scheme);

#endif
