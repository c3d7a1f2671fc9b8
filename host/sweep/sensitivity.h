/* What quantizing each layer costs, in the engine `simulate`.
 *
 * A layer is a node of the network as waio runs it (batch norms folded, activations fused) that
 * does more than move numbers (reshape, transpose, concat, max pool, pad), and of which weights or
 * output are quantized in the configuration. */
#ifndef WAIO_SWEEP_SENSITIVITY_H
#define WAIO_SWEEP_SENSITIVITY_H

#include "sweep/session.h"

/* A layer beside its float twin: the same op with float weights and bias on the same inputs, which
 * are those of the quantized network, as numbers. d is output minus the twin's output (behind the
 * fused activation of both), over the calibration images.
 *
 * rmse_over_scale = sqrt(mean over images of mean(d^2)) / scale of the output: TensorFlow Lite's
 * quantization debugger (tensorflow/lite/tools/optimize/debugging/python/debugger.py: layer
 * statistic mean_squared_error, the mean over samples; its guide's sqrt(mean_squared_error) /
 * scale) on a model of mlir_quantize(..., enable_numeric_verify=True). Rounding alone gives 1 /
 * sqrt(12) = 0.289. sqnr_db = 10 log10(sum of twin^2 / sum of d^2), sums over all images; inf
 * without noise. */
typedef struct waio_layer_error {
    bool applies;   /* it is a layer */
    bool has_scale; /* its output has codes of 2 to 16 bits; else rmse_over_scale is NaN */
    double rmse_over_scale, sqnr_db;
} waio_layer_error;

/* Per node, on the images of the session's calibration (also where the method takes none), with
 * nothing left float but what `bits` says. Measured once a session and precision; the session owns
 * them. They depend neither on threads nor on batches. */
waio_status waio_session_layer_errors(waio_session *session, const waio_precision *bits,
                                      const waio_layer_error **out);
/* Whether it is suspect: its error is above `threshold` scales, or no number. */
bool waio_layer_suspect(const waio_layer_error *error, double threshold);

/* Outcomes of any configurations, as waio_session_pass gives them one by one, from a single pass
 * over the images: each batch goes through `trunk` once, and from every configuration's first
 * difference to it (weights, operands or quantizers) on through that one alone. */
waio_status waio_session_branches(waio_session *session, const waio_quant_request *trunk,
                                  const waio_quant_request *request, int count,
                                  waio_outcome *outcome, const waio_pass_progress *progress);

/* The metric, over the session's images, with only this layer quantized and with all but it. */
typedef struct waio_layer_cost {
    int node;
    waio_layer_error error;
    double value_only, value_all_but;
} waio_layer_cost;

/* `layer` receives `count` layers in the order of execution; both live in `arena`. */
waio_status waio_session_sensitivity(waio_session *session, const waio_precision *bits,
                                     waio_layer_cost **layer, int *count,
                                     const waio_pass_progress *progress, waio_arena *arena);

#endif
