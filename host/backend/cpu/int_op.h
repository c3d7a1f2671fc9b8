/* Integer kernels of the cpu backend other than conv2d and dense. Their arithmetic is that of the
 * reference (backend/ref/..._refq.c) in loops over neighbouring numbers. */
#ifndef WAIO_BACKEND_CPU_INT_OP_H
#define WAIO_BACKEND_CPU_INT_OP_H

#include "backend/cpu/cpu_kernel.h"

typedef struct waio_int_op {
    waio_type type; /* S8 or S16, of the output, or of the input where the output is float */
    int32_t lo, hi; /* of the output with its clamp */
    bool u8;        /* the output has codes of a uint8 file */
    int32_t zero_point[2], out_zero_point; /* of up to two inputs */
    int left;                              /* add, sub: bits that operands gain */
    waio_int_requant in[2], out;           /* factors of the operands and of the result */
    waio_int_requant *part;                /* concat: per input */
    int parts;
    void *table; /* softmax, logistic; concat of uint8 files: 256 codes per input */
} waio_int_op;

/* Sets what all of them have; then the op's own function sets the rest. */
typedef waio_status waio_int_op_create(waio_int_op *op, const waio_kernel *kernel, waio_isa isa);
waio_int_op_create waio_int_create_binary, waio_int_create_convert, waio_int_create_reduce;
waio_int_op_create waio_int_create_concat, waio_int_create_table;

waio_cpu_loop waio_int_binary, waio_int_convert, waio_int_dequantize, waio_int_reduce,
    waio_int_pool;
waio_cpu_loop waio_int_concat, waio_int_reshape, waio_int_pad, waio_int_softmax, waio_int_logistic;

/* Two-input ops run here if one of the shapes is the result's and the other fits (int_binary.c). */
bool waio_int_binary_supported(const waio_graph *graph, const waio_node *node);

void waio_int_op_free(waio_int_op *op);

/* Scratch memory that a kernel takes. */
size_t waio_int_op_scratch_bytes(const waio_kernel *kernel);

/* ---- loops over neighbouring codes (int_flat.c) ---- */

/* y = clamp((f(a, b)) * out + zero point); operands of the op's type. */
typedef enum waio_int_form {
    WAIO_INT_ADD,   /* f = (a - za) 2^left * in[0] + (b - zb) 2^left * in[1] */
    WAIO_INT_SUB,   /* f = (a - za) 2^left * in[0] - (b - zb) 2^left * in[1] */
    WAIO_INT_MUL,   /* f = (a - za) (b - zb) */
    WAIO_INT_SCALE, /* f = a - za */
    WAIO_INT_MAX    /* y = clamp(max(a, b)), codes as they are */
} waio_int_form;

typedef struct waio_int_flat {
    const void *a, *b; /* b: read by two-operand forms */
    void *y;
    int64_t count;
} waio_int_flat;

void waio_int_flat_run(const waio_int_op *op, waio_int_form form, const waio_int_flat *flat);

/* Clamps codes in place. */
void waio_int_clamp(const waio_int_op *op, void *y, int64_t count);

#if defined(__x86_64__)
/* The beginning of an add of 8 bits (int_sum_vnni.c): gives how many codes it did, perhaps none. */
int64_t waio_int_add_vnni(const waio_int_op *op, const waio_int_flat *flat);
/* Not MAX, and no rounding FLOAT. */
void waio_int_flat_vnni(const waio_int_op *op, waio_int_form form, const waio_int_flat *flat);
#endif

#endif
