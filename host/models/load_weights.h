/* The numbers of a network that was built: read from a file by the names of its layers, drawn at
 * random where there is none. Private to this folder. */
#ifndef WAIO_MODELS_LOAD_WEIGHTS_H
#define WAIO_MODELS_LOAD_WEIGHTS_H

#include "models/build.h"

/* `path` NULL: all random. The file must hold every layer of the trunk, with its shapes; layers of
 * the classifier that it lacks all together are drawn. */
waio_status waio_load_weights(waio_trained *trained, waio_build *build, const char *path);

#endif
