#include "quant/scheme.h"

#include <string.h>

#include "kernels/qmath.h"

static waio_status symmetry_of(waio_symmetry *out, const char *what, const char *text,
                               bool may_auto)
{
    if (strcmp(text, "symmetric") == 0)
        *out = WAIO_SYMMETRIC;
    else if (strcmp(text, "asymmetric") == 0)
        *out = WAIO_ASYMMETRIC;
    else if (may_auto && strcmp(text, "auto") == 0)
        *out = WAIO_SYMMETRY_AUTO;
    else
        return waio_error(WAIO_EUSAGE, "%s \"%s\"; there are: symmetric, asymmetric%s", what, text,
                          may_auto ? ", auto" : "");
    return WAIO_OK;
}

waio_status waio_scheme_ptq(waio_scheme *scheme, const char *granularity, const char *weights,
                            const char *activations)
{
    waio_status st = WAIO_OK;

    *scheme = (waio_scheme){.rounding = WAIO_ROUND_HALF_AWAY};
    scheme->per_channel = strcmp(granularity, "channel") == 0;
    if (!scheme->per_channel && strcmp(granularity, "layer") != 0)
        WAIO_FAIL(st, WAIO_EUSAGE, "granularity \"%s\"; there are: channel, layer", granularity);
    WAIO_TRY(st, symmetry_of(&scheme->weights, "weights", weights, false));
    WAIO_TRY(st, symmetry_of(&scheme->activations, "activations", activations, true));
done:
    return st;
}
