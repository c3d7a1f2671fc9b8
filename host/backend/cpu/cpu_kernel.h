/* What a kernel of the cpu backend is: a oneDNN primitive (dnnl_cpu.c), a loop over floats, or an
 * integer kernel (int_*.c). */
#ifndef WAIO_BACKEND_CPU_CPU_KERNEL_H
#define WAIO_BACKEND_CPU_CPU_KERNEL_H

#include "backend/backend.h"
#include "backend/cpu/int_conv.h"

typedef struct waio_dnnl_state waio_dnnl_state;
typedef struct waio_int_op waio_int_op;

struct waio_kernel {
    const waio_node *node;
    waio_shape in[WAIO_MAX_INPUTS], out;
    waio_status (*loop)(const waio_kernel *kernel, const waio_kernel_args *args); /* or: */
    waio_dnnl_state *dnnl;
    const waio_graph *graph; /* of integer kernels, with: */
    waio_int_conv *on_codes; /* of a float conv2d or dense: where it runs on codes */
    waio_int_conv *int_conv; /* conv2d and dense, or: */
    waio_int_op *int_op;
};

typedef waio_status waio_cpu_loop(const waio_kernel *kernel, const waio_kernel_args *args);

/* Loops, one per op; each applies the node's clamp itself. */
waio_cpu_loop waio_cpu_batch_norm, waio_cpu_clip, waio_cpu_binary, waio_cpu_logistic;
waio_cpu_loop waio_cpu_pool, waio_cpu_reduce_image, waio_cpu_softmax, waio_cpu_pad, waio_cpu_copy;

/* The integer kernel of a node, WAIO_EUNSUPPORTED if the reference must run it. */
waio_status waio_int_create(waio_kernel *kernel, const waio_graph *graph, int64_t batch);
/* Sets on_codes of a float conv2d or dense where that pays. The environment variable WAIO_CPU_INT8
 * says "off", or "on" for plain C as well, which is slower there. */
waio_status waio_int_create_on_codes(waio_kernel *kernel, const waio_graph *graph, int64_t batch);
/* Whether there may be one. */
bool waio_int_supports(const waio_graph *graph, const waio_node *node, const char **reason);

/* Applies the node's clamp to its output, unless a quantizer does it next; NaN stays NaN. */
void waio_cpu_clamp_output(const waio_kernel *kernel, const waio_kernel_args *args);

/* Two-input ops run here if the shapes are equal or one operand has one number per channel. */
bool waio_cpu_binary_supported(const waio_graph *graph, const waio_node *node);

void waio_cpu_fake_quantize(float *dst, const float *src, size_t count, waio_fq fq, int rounding);

/* conv2d and dense through oneDNN. */
waio_status waio_dnnl_state_create(waio_dnnl_state **state, const waio_kernel *kernel);
void waio_dnnl_state_destroy(waio_dnnl_state *state);
size_t waio_dnnl_scratch_bytes(const waio_dnnl_state *state);
waio_status waio_dnnl_pack(const waio_dnnl_state *state, void **packed, size_t *bytes,
                           const float *weight);
waio_status waio_dnnl_run(const waio_kernel *kernel, const waio_kernel_args *args);

#endif
