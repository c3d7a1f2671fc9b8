/* The progress line on stderr: rewritten in place on a terminal, a sparse line else. Colour only on
 * a terminal, and never with NO_COLOR. */
#ifndef WAIO_CLI_PROGRESS_H
#define WAIO_CLI_PROGRESS_H

#include <stdbool.h>

#include "sweep/runner.h"

typedef struct waio_progress {
    bool terminal, colour, quiet;
    bool line_shown;
    double last_line; /* time of the last sparse line */
} waio_progress;

void waio_progress_init(waio_progress *progress, bool quiet);
void waio_progress_show(waio_progress *progress, const waio_run_state *state);
/* Takes the line away, before something else is printed. */
void waio_progress_clear(waio_progress *progress);

/* The same line while images are decoded. */
typedef struct waio_cli_reading {
    waio_progress progress;
    waio_reading reading;
} waio_cli_reading;

/* Makes `reading->reading` show that line; it must stay where it is. */
void waio_cli_reading_init(waio_cli_reading *reading, bool quiet);

#endif
