/* Changes to a float network that make it easier to quantize with one scale a layer, and that leave
 * what it computes: cross-layer equalization and bias absorption (Nagel et al., Data-Free
 * Quantization Through Weight Equalization and Bias Correction, ICCV 2019, sections 4.1, 4.1.3).
 *
 * Both work on pairs: a layer with weights whose output one other layer with weights alone reads,
 * directly or behind max and average pools, pads with 0 and resizes, with nothing or a ReLU
 * between. A ReLU6 counts as a ReLU and is one in the changed network, as the paper has it: numbers
 * above 6 are no longer cut off, so that such a network computes something else there. */
#ifndef WAIO_QUANT_EQUALIZE_H
#define WAIO_QUANT_EQUALIZE_H

#include "graph/graph.h"

/* Gives every layer with weights a bias, zeros where it had none. */
waio_status waio_graph_add_biases(waio_graph *graph);

/* Scales every channel i between two layers by s_i = sqrt(r1_i / r2_i), r the largest absolute
 * weight that leads to it and that reads it: the first layer is divided by s, the second
 * multiplied. Repeated over all pairs, front to back, until no s is off 1 by more than 1e-4, at
 * most 100 times: chains come to rest. Batch-norm statistics go along. Channels without weights on
 * a side stay. */
waio_status waio_equalize(waio_graph *graph);

/* Through a ReLU: of each channel whose batch norm promises more than c = mean - 3 std > 0, c is
 * taken from the first layer's bias and what the second makes of it added to its bias. Exact but
 * where a number is below c, and at borders that are padded with zeros: such second layers stay. */
waio_status waio_absorb_biases(waio_graph *graph);

#endif
