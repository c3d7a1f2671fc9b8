/* A file of weights without their network, read by the names of layers: HDF5 as Keras writes it,
 * be it a whole model (model.save, .h5), Keras 2's weights alone (save_weights) or Keras 3's
 * (.weights.h5). Layers of models inside of models count as if they stood at the top. */
#ifndef WAIO_IMPORT_WEIGHT_FILE_H
#define WAIO_IMPORT_WEIGHT_FILE_H

#include "tensor/shape.h"
#include "util/status.h"

typedef struct waio_weight_file waio_weight_file;

/* One array of a layer. */
typedef struct waio_weight_entry {
    const char *layer;  /* "conv1_bn" */
    const char *weight; /* "gamma"; NULL: the file knows its place in the layer alone */
    int place;          /* among the arrays of its layer, in the order in which it made them */
    const char *path;   /* in the file */
} waio_weight_entry;

/* WAIO_EINPUT: no such file, broken, no weights in it, or two layers of one name. */
waio_status waio_weight_file_open(waio_weight_file **out, const char *path);
void waio_weight_file_close(waio_weight_file *file);

/* Entries of one layer stand together. */
int waio_weight_file_count(const waio_weight_file *file);
const waio_weight_entry *waio_weight_file_entry(const waio_weight_file *file, int index);

waio_status waio_weight_file_shape(waio_shape *out, const waio_weight_file *file,
                                   const waio_weight_entry *entry);
/* `count` numbers: the product of the shape. */
waio_status waio_weight_file_read(float *out, int64_t count, const waio_weight_file *file,
                                  const waio_weight_entry *entry);

#endif
