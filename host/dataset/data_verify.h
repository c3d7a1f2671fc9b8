/* Whether a data set on disk is whole: the counts that its publisher states, every image decodes,
 * every annotation parses, its boxes lie in their image. */
#ifndef WAIO_DATASET_DATA_VERIFY_H
#define WAIO_DATASET_DATA_VERIFY_H

#include "dataset/dataset.h"

typedef struct waio_verify_report {
    void (*line)(void *payload, const char *text);    /* a split and what it has */
    void (*problem)(void *payload, const char *text); /* one at a time */
    void *payload;
} waio_verify_report;

/* Goes through the splits of set `name` below `data_dir` and reports; `problems` is raised by how
 * many there were. WAIO_EUSAGE: no such set; WAIO_EINTERRUPTED. */
waio_status waio_dataset_verify(const char *name, const char *data_dir, int threads,
                                const waio_reading *reading, const waio_verify_report *report,
                                int64_t *problems);

#endif
