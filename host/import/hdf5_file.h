/* The functions of h5_read.h, done by the HDF5 library in this process. HDF5 prints nothing, and
 * its message becomes part of ours; nothing outside of the file is opened (external links and
 * data, plug-in filters), and no size in the file is believed before it was held against the
 * file's length. Private to h5_read.c. */
#ifndef WAIO_IMPORT_HDF5_FILE_H
#define WAIO_IMPORT_HDF5_FILE_H

#include <stdbool.h>

#include "tensor/shape.h"
#include "util/arena.h"
#include "util/status.h"

typedef struct waio_hdf5 waio_hdf5;

/* `bytes`: the file's size. */
waio_status waio_hdf5_open(waio_hdf5 **out, const char *path, size_t bytes);
void waio_hdf5_close(waio_hdf5 *h5);

bool waio_hdf5_has_group(const waio_hdf5 *h5, const char *group);
bool waio_hdf5_has_attribute(const waio_hdf5 *h5, const char *group, const char *name);

waio_status waio_hdf5_string(char **out, const waio_hdf5 *h5, const char *group, const char *name,
                             waio_arena *arena);
waio_status waio_hdf5_strings(char ***out, int *count, const waio_hdf5 *h5, const char *group,
                              const char *name, waio_arena *arena);

waio_status waio_hdf5_datasets(char ***out, int *count, const waio_hdf5 *h5, waio_arena *arena);

waio_status waio_hdf5_shape(waio_shape *out, const waio_hdf5 *h5, const char *group,
                            const char *name);
waio_status waio_hdf5_floats(float *out, int64_t count, const waio_hdf5 *h5, const char *group,
                             const char *name);

#endif
