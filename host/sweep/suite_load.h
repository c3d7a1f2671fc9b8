/* The values of a suite file as text, loaded by libcyaml with a schema made from suite_keys.c. */
#ifndef WAIO_SWEEP_SUITE_LOAD_H
#define WAIO_SWEEP_SUITE_LOAD_H

#include <stdint.h>

#include "sweep/suite_keys.h"
#include "sweep/yaml_outline.h"

/* One of `text` (scalars) and `items` (lists) is set if the key is in the file. */
typedef struct waio_suite_value {
    char *text;
    char **items;
    uint32_t count;
} waio_suite_value;

typedef struct waio_suite_values {
    waio_suite_value of[WAIO_SUITE_KEYS]; /* in the order of waio_suite_key_table */
} waio_suite_values;

/* Loads the text that `yaml` is the outline of. Free with waio_suite_values_free. */
waio_status waio_suite_load(waio_suite_values **out, const waio_yaml *yaml);
void waio_suite_values_free(waio_suite_values *values);

#endif
