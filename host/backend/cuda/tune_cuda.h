/* The tile of 8-bit matrix products and convolutions by measurement: each shape is timed once on
 * the device, the fastest is kept in a file per device and version:
 *
 *     $XDG_CACHE_HOME/waio/tiles-<device>-<driver>-<runtime>-<kernels>.txt     (~/.cache without
 * it)
 *
 *     waio tiles 1
 *     NVIDIA GeForce RTX 3080, sm_86, 68 multiprocessors
 *     64 32 32 64 32 32 64 3 3 1 1 1 1 1 1 1 0 2
 *     end 1
 *
 * a line per shape: the 14 numbers of waio_conv_shape (a product's row of pixels as well; its
 * groups come last), then 1 for rounding by floats, then the tile. Integer results do not depend on
 * tiles. */
#ifndef WAIO_BACKEND_CUDA_TUNE_CUDA_H
#define WAIO_BACKEND_CUDA_TUNE_CUDA_H

#include "backend/cuda/cuda.h"

/* What a tile is chosen for. */
typedef struct waio_tile_key {
    waio_conv_shape shape; /* that runs */
    int32_t by_real;       /* codes by WAIO_REQUANT_FLOAT, which has no 256x128 */
} waio_tile_key;

typedef struct waio_tile_entry {
    waio_tile_key key;
    waio_cuda_tile tile;
} waio_tile_entry;

enum { WAIO_TILE_ENTRIES = 1024 };

/* ---- tiles_cuda.c: the file ---- */

/* The file's path in `arena`; NULL if there is no place for it. `device`: name and size. */
const char *waio_tiles_path(waio_arena *arena, const char *device);
/* What the file has; 0 entries if there is none. WAIO_EINPUT with file and line if it is broken, or
 * of another device. */
waio_status waio_tiles_read(waio_tile_entry *entry, int *count, const char *path,
                            const char *device);
waio_status waio_tiles_write(const waio_tile_entry *entry, int count, const char *path,
                             const char *device);

/* ---- tune_cuda.c ---- */

/* Times shapes from now on, or with `on` false takes waio_cuda_choose_tile's. */
void waio_cuda_tune_start(bool on);
/* The tile for a layer in codes: from the file, or measured now. WAIO_CUDA_TILE_AUTO where there is
 * nothing to choose or no memory to try it with. */
waio_status waio_cuda_tile_measured(waio_cuda_tile *tile, const waio_pack *pack, bool dense,
                                    waio_requant rounding);

#endif
