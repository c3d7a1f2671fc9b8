#include "dataset/preprocess.h"

#include <stdbool.h>
#include <string.h>

typedef struct normalization {
    const char *name;
    double divide, mean[3], std[3]; /* (x / divide - mean) / std */
    bool bgr;
} normalization;

static const normalization normalizations[] = {
    {"raw", 1, {0, 0, 0}, {1, 1, 1}, false},
    {"unit", 255, {0, 0, 0}, {1, 1, 1}, false},
    {"u8", 128, {1, 1, 1}, {1, 1, 1}, false},
    {"tf", 127.5, {1, 1, 1}, {1, 1, 1}, false},
    {"caffe", 1, {123.68, 116.779, 103.939}, {1, 1, 1}, true},
    {"torch", 255, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, false},
};

waio_status waio_preprocess_table(waio_input_table *table, const char *name, int channels)
{
    for (size_t i = 0; i < sizeof normalizations / sizeof *normalizations; i++) {
        const normalization *n = &normalizations[i];
        if (strcmp(n->name, name) != 0)
            continue;
        if (channels != 3)
            return waio_error(WAIO_EINPUT, "normalization %s is for 3 channels, the network has %d",
                              name, channels);
        table->channels = channels;
        for (int c = 0; c < channels; c++) {
            int source = n->bgr ? channels - 1 - c : c;
            table->source[c] = source;
            for (int x = 0; x < 256; x++)
                table->value[c][x] = (float)((x / n->divide - n->mean[source]) / n->std[source]);
        }
        return WAIO_OK;
    }
    return waio_error(WAIO_EUSAGE,
                      "normalization \"%s\" is unknown; there are: raw, unit, u8, tf, caffe, torch",
                      name);
}
