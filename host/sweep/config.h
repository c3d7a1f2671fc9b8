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
    const char *metric, *difficult; /* of detection sets, in words; NULL: see the functions below */
    const char *resize;             /* a pipeline of dataset/resize.h; NULL: the data set's own */
    /* A preset of quant/scheme.h; "float": the baseline; "file": a model that has codes already. */
    const char *method;
    /* Choices in words; NULL: the method's own. */
    const char *range, *granularity, *weights, *activations;
    const char *rounding, *weight_range, *equalize, *absorb, *correction;
    const char *mapping;
    waio_precision bits;
    int64_t first_n;
    const char *suspects; /* canonical text of sweep/suspects.h; "0": none */
    const char *feed, *engine;
    const char *requant; /* rounding of integer requantization */
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
/* Whether the model brings its own codes; it has no other choices. */
bool waio_config_is_file(const waio_config *config);
/* The engine that runs: simulate for the baseline, integer for files with codes. */
const char *waio_config_engine(const waio_config *config);
/* Whether networks on codes run: engines integer and both. */
bool waio_config_is_integer(const waio_config *config);

/* The choices of a configuration: its own, and for the rest those of its method. `squant` has
 * asymmetric weights in the engine simulate, and symmetric ones where integer kernels run, which
 * take no others. */
waio_scheme_words waio_config_words(const waio_config *config);
/* Whether it takes ranges or means from images. */
bool waio_config_calibrates(const waio_config *config);

/* Whether its data set has boxes. */
bool waio_config_detects(const waio_config *config);
/* "accuracy", or of a detection set its own metric, else "map_coco". */
const char *waio_config_metric(const waio_config *config);
/* Of a detection set: "ignore" or "count"; without a word of its own VOC's metrics ignore difficult
 * objects and COCO's count them. */
const char *waio_config_difficult(const waio_config *config);
/* The resize pipeline in words: the configuration's, or its data set's own. */
const char *waio_config_resize(const waio_config *config);
/* "model=... data=... w=8 ..." in `arena`; NULL when out of memory. In names a space becomes %20,
 * a percent sign %25. */
const char *waio_config_text(const waio_config *config, waio_arena *arena);

/* Sets one field from "key=value"; WAIO_EUSAGE with the known keys or allowed values. Texts are
 * copied to `arena`. */
waio_status waio_config_set(waio_config *config, const char *assignment, waio_arena *arena);

/* What a session of this configuration is opened with; the rest comes from the caller. */
waio_status waio_config_session_options(waio_session_options *options, const waio_config *config);

/* What is asked for, without the suspects, which only a session can tell. */
waio_quant_request waio_config_request(const waio_config *config);
/* With them: `real` lives in `arena`. The errors are those of waio_suspects_resolve. */
waio_status waio_config_resolve(waio_quant_request *request, const waio_config *config,
                                waio_session *session, waio_arena *arena);
waio_requant waio_config_requant(const waio_config *config);

/* Runs one configuration on its engine or engines; the baseline was run when the session opened.
 * `keep_first` as in waio_session_pass. */
waio_status waio_config_run(waio_outcome *outcome, const waio_config *config, waio_session *session,
                            bool keep_first, const waio_pass_progress *progress);

#endif
