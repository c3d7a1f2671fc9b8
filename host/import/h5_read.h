/* A reader of HDF5 files: strings, lists of strings and float arrays, each by path. HDF5 itself can
 * crash, or never come back, on a damaged file; so it runs in a child process for as long as the
 * file is open, and if that dies, the call is an error like any other. */
#ifndef WAIO_IMPORT_H5_READ_H
#define WAIO_IMPORT_H5_READ_H

#include <stdbool.h>

#include "tensor/shape.h"
#include "util/arena.h"
#include "util/status.h"

typedef struct waio_h5 waio_h5;

/* WAIO_EINPUT: no such file, not HDF5, or truncated. The message names the path; those of the
 * functions below leave it to the caller. */
waio_status waio_h5_open(waio_h5 **out, const char *path);
void waio_h5_close(waio_h5 *h5);

/* Group paths are relative to the root; "" is the root. */
waio_status waio_h5_has_group(bool *out, const waio_h5 *h5, const char *group);
waio_status waio_h5_has_attribute(bool *out, const waio_h5 *h5, const char *group,
                                  const char *name);

/* A string attribute, in `arena`. */
waio_status waio_h5_string(char **out, const waio_h5 *h5, const char *group, const char *name,
                           waio_arena *arena);
/* A list of strings, in `arena`: the attribute `name`, or what h5py writes when that would be too
 * large: `name`0, `name`1, ... one behind the other. */
waio_status waio_h5_strings(char ***out, int *count, const waio_h5 *h5, const char *group,
                            const char *name, waio_arena *arena);

/* The paths of all data sets, sorted, in `arena`; a soft or external link is none. */
waio_status waio_h5_datasets(char ***out, int *count, const waio_h5 *h5, waio_arena *arena);

/* The shape of the data set `group`/`name`; WAIO_EINPUT unless it holds floats. */
waio_status waio_h5_shape(waio_shape *out, const waio_h5 *h5, const char *group, const char *name);
/* Its numbers as float32 (of any float type in the file), `count` of them: the product of the
 * shape above. Numbers that are not finite are WAIO_EINPUT. */
waio_status waio_h5_floats(float *out, int64_t count, const waio_h5 *h5, const char *group,
                           const char *name);

#endif
