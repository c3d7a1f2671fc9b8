/* Reading a flexbuffer that is a map from names to numbers, as custom operators of TensorFlow Lite
 * keep their options, without trusting it (format: the FlexBuffers part of FlatBuffers' internals
 * document). A flexbuffer lies inside of a file; messages name the byte of the file. */
#ifndef WAIO_IMPORT_FLEXBUF_H
#define WAIO_IMPORT_FLEXBUF_H

#include "import/flatbuf.h"

typedef struct waio_flex_map {
    size_t begin, end;       /* bytes of the file that the buffer takes */
    size_t values, keys;     /* of element 0 */
    size_t width, key_width; /* bytes of an element: 1, 2, 4, 8 */
    uint32_t count;
} waio_flex_map;

/* The root of the flexbuffer in `bytes` of the file. WAIO_EINPUT if it is no map, or leads out. */
waio_status waio_flex_root(waio_flex_map *map, const waio_flatbuf *file,
                           const waio_flat_vector *bytes);

/* The number (or truth value: 0, 1) called `name`. `found` receives whether there is one;
 * WAIO_EINPUT if it is something else. */
waio_status waio_flex_number(double *out, bool *found, const waio_flatbuf *file,
                             const waio_flex_map *map, const char *name);

#endif
