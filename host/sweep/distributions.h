/* How weights and activations are distributed, as CSV: what `waio show --distributions` writes. */
#ifndef WAIO_SWEEP_DISTRIBUTIONS_H
#define WAIO_SWEEP_DISTRIBUTIONS_H

#include <stdio.h>

#include "sweep/session.h"

enum { WAIO_DISTRIBUTION_BINS = 64 };

/* The columns: tensor, kind (weights, activations), index of the node (-1: the input), low, high,
 * count of each bin, range_min, range_max that the tensor is quantized in. */
void waio_distributions_header(FILE *out);

/* The weights of every layer that has some, in its smallest and largest number; a layer whose
 * weights are codes already is left out. WAIO_EINPUT for NaN or infinity among them. */
waio_status waio_distributions_weights(FILE *out, const waio_graph *graph);

/* Inputs and outputs of all layers on the session's calibration images, in their observed range;
 * the session's scheme must take histograms (range mse). range_min and range_max are those of
 * `rule` for asymmetric codes of `bits` bits. Calibrates if that has not been done. */
waio_status waio_distributions_activations(FILE *out, waio_session *session, waio_range_rule rule,
                                           int bits);

#endif
