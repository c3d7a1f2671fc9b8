/* Text files of a set, a line an image: split lists, label lists. */
#ifndef WAIO_DATASET_LISTING_H
#define WAIO_DATASET_LISTING_H

#include "util/arena.h"
#include "util/status.h"

enum { WAIO_MAX_FIELDS = 8 };

/* A line's words, without those that begin with '#'. */
typedef struct waio_line {
    const char *field[WAIO_MAX_FIELDS];
    int fields; /* at least 1, at most WAIO_MAX_FIELDS; more stay unread */
    int number; /* from 1 */
} waio_line;

/* Calls `take` for every line that has words, with `separators` between them; the texts live in
 * `arena`. Its errors get "PATH:LINE: " in front. WAIO_EINPUT: no such file, or a zero byte. */
typedef waio_status waio_take_line(void *payload, const waio_line *line);
waio_status waio_lines_read(const char *path, const char *separators, waio_take_line *take,
                            void *payload, waio_arena *arena);

/* Whether `name` can stand in a path as one part of it. */
waio_status waio_name_check(const char *name);
/* A whole number from `least` to `most`; WAIO_EINPUT calls it `what`. */
waio_status waio_number_read(int *out, const char *text, int least, int most, const char *what);

#endif
