/* waio show --distributions: histograms of weights and activations to a CSV. */
#ifndef WAIO_CLI_SHOW_DISTRIBUTIONS_H
#define WAIO_CLI_SHOW_DISTRIBUTIONS_H

#include "models/models.h"

typedef struct waio_show_distributions {
    const char *path;       /* of the CSV */
    const char *dataset;    /* NULL: weights alone */
    const char *preprocess; /* as of `waio eval` */
    const char *range;      /* whose ends are written beside the activations */
    const char *data_dir, *models_dir;
    int64_t images, bits;
} waio_show_distributions;

/* Writes the distributions of `model`, which is called `name` on the command line. */
waio_status waio_show_distributions_write(const waio_show_distributions *a, const char *name,
                                          const waio_model *model);

#endif
