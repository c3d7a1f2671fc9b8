/* From a configuration and the outcome of its pass to a row of results. */
#ifndef WAIO_SWEEP_ROW_FILL_H
#define WAIO_SWEEP_ROW_FILL_H

#include "result/row.h"
#include "sweep/config.h"

/* Everything that is known before the row is computed. */
waio_status waio_row_describe(waio_row *row, const waio_config *config, const char *suite,
                              const waio_backend *backend, waio_arena *arena);

/* What the session knows: digests, images, the float network's numbers. */
void waio_row_identify(waio_row *row, const waio_session *session);

/* The outcome, with status ok or mistrusted, and what its file takes. `share` is the number of rows
 * of the same pass. */
waio_status waio_row_conclude(waio_row *row, const waio_config *config, waio_session *session,
                              const waio_outcome *outcome, int share, waio_arena *arena);

/* Status failed or unsupported with the last error as its reason. */
waio_status waio_row_fail(waio_row *row, waio_status code, waio_arena *arena);

#endif
