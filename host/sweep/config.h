/* A configuration: everything that decides one row. Its canonical text is the key for resume and,
 * behind `waio eval`, the command line that gives the row again. */
#ifndef WAIO_SWEEP_CONFIG_H
#define WAIO_SWEEP_CONFIG_H

#include "sweep/session.h"
#include "sweep/suite.h"

typedef struct waio_config {
    const char *model, *dataset, *split;
    int64_t images; /* 0: all */
    const char *preprocess;
    const char *method; /* "float": the baseline */
    const char *range, *granularity, *weights, *activations, *mapping;
    waio_precision bits;
    int64_t first_n, suspects;
    const char *feed, *engine;
    int64_t calibration_images, calibration_seed;
    const char *calibration_split;
    int64_t seed;
} waio_config;

/* The defaults that suites have as well; model and dataset are NULL. */
waio_config waio_config_default(void);

/* A suite's configuration without its axes (model, dataset, bits, first_n). */
waio_config waio_config_of_suite(const waio_suite *suite);

/* Whether all of W, A, I, O are float; such a configuration is the baseline. */
bool waio_config_is_float(const waio_config *config);

/* "model=... data=... w=8 ..." in `arena`; NULL when out of memory. In names a space becomes %20,
 * a percent sign %25. */
const char *waio_config_text(const waio_config *config, waio_arena *arena);

/* Sets one field from "key=value"; WAIO_EUSAGE with the known keys or allowed values. Texts are
 * copied to `arena`. */
waio_status waio_config_set(waio_config *config, const char *assignment, waio_arena *arena);

/* What a session of this configuration is opened with; the rest comes from the caller. */
waio_status waio_config_session_options(waio_session_options *options, const waio_config *config);

waio_quant_request waio_config_request(const waio_config *config);

#endif
