/* Opens a data set with the params that most tests vary. */
#ifndef WAIO_TESTS_OPEN_DATASET_H
#define WAIO_TESTS_OPEN_DATASET_H

#include "dataset/dataset.h"

static inline waio_status open_dataset(waio_dataset **out, const char *name, const char *split,
                                       const char *data_dir, const waio_selection *selection)
{
    waio_dataset_params params = {
        .data_dir = data_dir, .split = split, .selection = *selection, .threads = 2};
    return waio_dataset_open(out, name, &params);
}

#endif
