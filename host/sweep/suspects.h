/* Which layers a configuration leaves float because they are suspected: the words for it, and the
 * layers that they come to.
 *
 *   none | 0        no layer (canonical: 0)
 *   auto            layers with rmse_over_scale above 0.7 (sweep/sensitivity.h)
 *   auto:X          above X, a number over 0
 *   NAME+NAME+...   these layers, as `waio show` names them; %XX stands for any byte, and must for
 *                   + and % (and for the first letter of a layer that is called none, auto or 0) */
#ifndef WAIO_SWEEP_SUSPECTS_H
#define WAIO_SWEEP_SUSPECTS_H

#include "sweep/session.h"

/* The canonical text, in `arena`: names are sorted, the default threshold is left out. WAIO_EUSAGE
 * with what is allowed. */
waio_status waio_suspects_parse(const char **canonical, const char *text, waio_arena *arena);

/* Whether it is the canonical text of layers that have to be found on images. */
bool waio_suspects_auto(const char *canonical);

/* Sets request->real to the nodes of canonical `text`, by the request's bits where they are to be
 * found: an array in `arena`, NULL if there are none. WAIO_EUSAGE: no layer of that name. */
waio_status waio_suspects_resolve(waio_quant_request *request, const char *text,
                                  waio_session *session, waio_arena *arena);

/* How many layers that is, and their names joined by "+" (escaped as above), in `arena`. */
waio_status waio_suspects_names(int64_t *count, const char **names,
                                const waio_quant_request *request, const waio_session *session,
                                waio_arena *arena);

#endif
