/* Files: whole-file reads with clear errors, and path helpers. */
#ifndef WAIO_UTIL_FILE_H
#define WAIO_UTIL_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/arena.h"
#include "util/status.h"

/* Reads `path` whole into `arena`, a zero byte behind it that `size` does not count.
 * WAIO_EINPUT if it cannot be opened or is no regular file, WAIO_EIO if reading breaks off. */
waio_status waio_file_read(unsigned char **data, size_t *size, const char *path, waio_arena *arena);

/* Size in bytes of a regular file; WAIO_EINPUT if there is none. */
waio_status waio_file_size(size_t *size, const char *path);

bool waio_file_exists(const char *path);
bool waio_dir_exists(const char *path);

/* "a/b", in `arena`; `name` alone if it is absolute or `dir` is empty. NULL: out of memory. */
char *waio_path_join(waio_arena *arena, const char *dir, const char *name);
/* Pointer into `path` behind its last '/'. */
const char *waio_path_base(const char *path);
/* The folder of `path` ("." if it has none), in `arena`. */
char *waio_path_dir(waio_arena *arena, const char *path);
/* True if `path` ends in `suffix`, letters compared without case. */
bool waio_path_has_suffix(const char *path, const char *suffix);
/* Makes `size` bytes the content of `path`: written to a new file beside it, flushed to the disk,
 * renamed. On failure WAIO_EIO, `path` is as it was and nothing is left beside it. */
waio_status waio_file_replace(const char *path, const void *data, size_t size);
/* Makes `path` and its parents. */
waio_status waio_make_dirs(const char *path);

#endif
