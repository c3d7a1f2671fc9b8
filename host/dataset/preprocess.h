/* Input normalization by name: bytes 0..255 of R, G, B become the network's float channels. A byte
 * has 256 values, so each channel is a table: preprocessing and input quantization cost a look-up.
 *
 *   raw    x                          unit   x / 255
 *   u8     x / 128 - 1: where the input is uint8 of scale 1/128, the bytes as they are
 *   tf     x / 127.5 - 1              torch  (x/255 - mean) / std, ImageNet's
 *   caffe  x - mean, channels in the order B, G, R */
#ifndef WAIO_DATASET_PREPROCESS_H
#define WAIO_DATASET_PREPROCESS_H

#include "util/status.h"

enum { WAIO_MAX_CHANNELS = 4 };

typedef struct waio_input_table {
    int channels;
    int source[WAIO_MAX_CHANNELS];       /* channel of the image that network channel c takes */
    float value[WAIO_MAX_CHANNELS][256]; /* what its bytes become */
} waio_input_table;

/* The table of normalization `name`; WAIO_EUSAGE with the list of names. */
waio_status waio_preprocess_table(waio_input_table *table, const char *name, int channels);

#endif
