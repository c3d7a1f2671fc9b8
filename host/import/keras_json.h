/* Reading a layer's `config`: typed, range-checked options with defaults. A missing key and null
 * both mean the default. Errors are WAIO_EINPUT and name the key. Private to the importer. */
#ifndef WAIO_IMPORT_KERAS_JSON_H
#define WAIO_IMPORT_KERAS_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "tensor/shape.h"
#include "util/status.h"

/* Stands for "there is no default" in the calls with an int. */
enum { WAIO_KERAS_REQUIRED = -1 };

/* The item, or NULL when it is missing or null. */
const cJSON *waio_keras_get(const cJSON *config, const char *key);

/* A whole number from `least` to 32768, which keeps products of two in an int. */
waio_status waio_keras_int(int *out, const cJSON *config, const char *key, int least, int fallback);
/* [height, width], or one number for both. */
waio_status waio_keras_pair(int out[2], const cJSON *config, const char *key, int least,
                            int fallback);
/* The same for an item that stands elsewhere; `key` is for the message. */
waio_status waio_keras_pair_of(int out[2], const cJSON *item, const char *key, int least);
waio_status waio_keras_float(float *out, const cJSON *config, const char *key, float fallback);
waio_status waio_keras_bool(bool *out, const cJSON *config, const char *key, bool fallback);
/* A NULL fallback makes the key required. */
waio_status waio_keras_text(const char **out, const cJSON *config, const char *key,
                            const char *fallback);
/* An axis of a tensor of `rank`, counted from the front: a number (negative: from the back) or a
 * list of one. */
waio_status waio_keras_axis(int *out, const cJSON *config, const char *key, int rank, int fallback);
/* [null, 32, 32, 3] becomes 1x32x32x3; only the batch may be open. */
waio_status waio_keras_input_shape(waio_shape *out, const cJSON *dims);

/* Padding of one axis by TensorFlow's rule for "same": as many outputs as ceil(in / stride), the
 * odd cell behind. */
waio_status waio_keras_same_padding(int *before, int *after, int64_t in, int kernel, int stride,
                                    int dilation);

/* Numbers in a config: one number, or nested lists of equal length, also as Keras 3 wraps them
 * ({"class_name": "__numpy__", "config": {"value": ...}}). */
waio_status waio_keras_array_shape(waio_shape *out, const cJSON *item);
/* Writes all of them, in order; `shape` is what waio_keras_array_shape gave. */
waio_status waio_keras_array_read(float *out, const waio_shape *shape, const cJSON *item);

#endif
