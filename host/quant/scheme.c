#include "quant/scheme.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernels/qmath.h"

/* ptq: TensorFlow Lite's post-training quantization. ptq_mse: the same on ranges of least error.
 * squant: SQuant as its authors have it, activations by batch norms. dfq: data-free quantization
 * (Nagel et al. 2019): one grid a layer, equalized, high biases absorbed, corrected. */
/* clang-format off */
const waio_preset waio_presets[] = {
    {"ptq", {"channel", "symmetric", "auto", "nearest", "minmax", "minmax", "off", "off", "off"}},
    {"ptq_mse", {"channel", "symmetric", "auto", "nearest", "mse", "mse", "off", "off", "off"}},
    {"squant", {"channel", "asymmetric", "auto", "squant", "minmax", "batchnorm", "off", "off", "off"}},
    {"dfq", {"layer", "symmetric", "auto", "nearest", "minmax", "batchnorm", "on", "on", "analytic"}},
    {NULL, {NULL}},
};
/* clang-format on */

const waio_scheme_words *waio_preset_find(const char *name)
{
    for (const waio_preset *p = waio_presets; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return &p->words;
    return NULL;
}

/* The place of `text` among `words`, NULL behind the last. */
static waio_status choose(int *out, const char *what, const char *text, const char *const *words)
{
    char known[200] = "";
    size_t n = 0;

    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return WAIO_OK;
        }
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", words[i]);
    }
    return waio_error(WAIO_EUSAGE, "%s \"%s\"; there are: %s", what, text, known);
}

waio_status waio_scheme_read(waio_scheme *scheme, const waio_scheme_words *w)
{
    /* Each in the order of its enum. */
    static const char *const granularity[] = {"layer", "channel", NULL};
    static const char *const symmetry[] = {"asymmetric", "symmetric", "auto", NULL};
    static const char *const of_weights[] = {"asymmetric", "symmetric", NULL};
    static const char *const rounding[] = {"nearest",  "squant",   "squant_e",
                                           "squant_k", "squant_c", NULL};
    static const char *const range[] = {"minmax", "mse",       "p99",   "p99.9", "p99.99",
                                        "kl",     "batchnorm", "noise", NULL};
    static const char *const weight_range[] = {"minmax", "mse", "p99", "p99.9", "p99.99", NULL};
    static const char *const off_on[] = {"off", "on", NULL};
    static const char *const correction[] = {"off", "analytic", "empirical", NULL};
    waio_status st = WAIO_OK;
    int at = 0;

    *scheme = (waio_scheme){.rounding = WAIO_ROUND_HALF_AWAY};
    WAIO_TRY(st, choose(&at, "granularity", w->granularity, granularity));
    scheme->per_channel = at == 1;
    WAIO_TRY(st, choose(&at, "weights", w->weights, of_weights));
    scheme->weights = (waio_symmetry)at;
    WAIO_TRY(st, choose(&at, "activations", w->activations, symmetry));
    scheme->activations = (waio_symmetry)at;
    WAIO_TRY(st, choose(&at, "rounding", w->rounding, rounding));
    scheme->weight_rounding = (waio_weight_rounding)at;
    WAIO_TRY(st, choose(&at, "weight_range", w->weight_range, weight_range));
    scheme->weight_range = (waio_range_rule)at;
    WAIO_TRY(st, choose(&at, "range", w->range, range));
    scheme->activation_range = (waio_range_rule)at;
    WAIO_TRY(st, choose(&at, "equalize", w->equalize, off_on));
    scheme->equalize = at == 1;
    WAIO_TRY(st, choose(&at, "absorb", w->absorb, off_on));
    scheme->absorb = at == 1;
    WAIO_TRY(st, choose(&at, "correction", w->correction, correction));
    scheme->correction = (waio_correction)at;
done:
    return st;
}

waio_status waio_scheme_ptq(waio_scheme *scheme, const char *granularity, const char *weights,
                            const char *activations)
{
    waio_scheme_words words = *waio_preset_find("ptq");

    words.granularity = granularity;
    words.weights = weights;
    words.activations = activations;
    return waio_scheme_read(scheme, &words);
}

bool waio_scheme_calibrates(const waio_scheme *scheme)
{
    return (scheme->activation_range != WAIO_RANGE_BATCH_NORM &&
            scheme->activation_range != WAIO_RANGE_NOISE) ||
           scheme->correction == WAIO_CORRECT_EMPIRICAL;
}

bool waio_scheme_float_bias(const waio_scheme *scheme)
{
    return scheme->weight_rounding != WAIO_WEIGHTS_NEAREST && scheme->weights == WAIO_ASYMMETRIC;
}
