/* A suite: the YAML file that says what to sweep. suites/README.md has the grammar. */
#ifndef WAIO_SWEEP_SUITE_H
#define WAIO_SWEEP_SUITE_H

#include <stdbool.h>

#include "util/arena.h"
#include "util/status.h"

enum { WAIO_SUITE_MAX_LIST = 64 };

typedef struct waio_text_list {
    const char **item;
    int count;
} waio_text_list;

typedef struct waio_int_list {
    int *item;
    int count;
} waio_int_list;

/* One suite, checked: lists are not empty, hold no value twice, every value is allowed. Texts and
 * lists live in the arena that waio_suite_read was given. */
typedef struct waio_suite {
    const char *path;
    const char *name;        /* [a-z0-9][a-z0-9._-]*, names the results file */
    const char *task;        /* "classification", "detection"; NULL: what the data sets are for */
    waio_text_list models;   /* built-in names or files */
    waio_text_list datasets; /* names of the data set table */
    const char *split;       /* "test", "train", "val", "trainval", "all"; default test */
    int images;              /* the first this many of the split; 0: all (default) */
    const char *preprocess;  /* name of an input normalization; default "raw" */
    const char *metric, *difficult; /* of detection sets; NULL: the default */
    const char *resize;             /* canonical text of a pipeline; NULL: the data set's own */
    struct {
        const char *name; /* a preset ("ptq" by default), or "file": models with codes already */
        /* Choices, in the words of waio_scheme_words; NULL: the preset's. */
        const char *range, *granularity, *weights, *activations;
        const char *rounding, *weight_range, *equalize, *absorb, *correction;
    } method;
    const char *mapping;      /* "quantized_bits" */
    waio_int_list W, A, I, O; /* bits as in quant/precision.h; none for method file */
    waio_text_list couple;    /* names of those whose lists go together; none, or 2 to 4 of them */
    waio_int_list first_n;    /* layers left unquantized; default [0] */
    waio_text_list suspects;  /* canonical texts of sweep/suspects.h; default ["0"] */
    const char *feed;         /* "quantized" (default) or "raw" */
    const char *engine;       /* "simulate" (default), "integer" or "both" */
    const char *requant;      /* "tflite" (default), "double", "single", "float" */
    struct {
        int images;        /* 1 to 1,000,000; default 256 */
        int seed;          /* default 1 */
        const char *split; /* default "train" */
    } calibration;
    int seed; /* default 1 */
} waio_suite;

/* The list of bits called "W", "A", "I" or "O"; NULL for other names. */
const waio_int_list *waio_suite_bits(const waio_suite *suite, const char *name);
/* Whether `couple` has that name. */
bool waio_suite_couples(const waio_suite *suite, const char *name);

/* Reads and checks `path`. WAIO_EINPUT: missing or no YAML; WAIO_EUSAGE: an unknown key, an empty
 * or repeating list, a value that is not allowed; each with file, line and what is allowed. */
waio_status waio_suite_read(waio_suite *suite, const char *path, waio_arena *arena);

#endif
