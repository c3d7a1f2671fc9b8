/* The numbers of a network that was built: read from a file, drawn at random where there is none.
 * Private to this folder. */
#ifndef WAIO_MODELS_LOAD_WEIGHTS_H
#define WAIO_MODELS_LOAD_WEIGHTS_H

#include "models/build.h"

/* `path` NULL: all random. Keras HDF5 is matched by the names of layers (load_keras.c), any other
 * file is a network whose structure is matched (load_structure.c), which leaves the build's graph
 * optimized. The file must hold the whole trunk, with its shapes; a classifier that it lacks
 * altogether, or that is not wanted, is drawn. */
waio_status waio_load_weights(waio_trained *trained, waio_build *build, const char *path);

/* The two ways; both set `trained`, and leave alone the layers that the file lacks. */
waio_status waio_load_keras(waio_trained *trained, waio_build *build, const char *path);
waio_status waio_load_structure(waio_trained *trained, waio_build *build, const char *path);

#endif
