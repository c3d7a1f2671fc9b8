/* Gemm and MatMul with a constant matrix become dense layers. */
#include <math.h>
#include <string.h>

#include "import/onnx_import.h"

typedef struct matrix {
    const waio_onnx_value *value;
    bool rows_are_outputs; /* (OC, IC), else (IC, OC) */
    float factor;
} matrix;

static int64_t output_count(const matrix *m)
{
    return m->value->shape.dim[m->rows_are_outputs ? 0 : 1];
}

static waio_status check_matrix(const waio_onnx *onnx, const waio_onnx_value *x, const matrix *m)
{
    const waio_shape *w = &m->value->shape;
    waio_shape shape = waio_onnx_shape(onnx, x);
    char text_x[64], text_w[64];

    if (w->rank != 2 || waio_onnx_count(w) < 1)
        return waio_error(WAIO_EUNSUPPORTED, "the constant is %s, only matrices are supported",
                          waio_shape_text(w, text_w));
    if (shape.rank < 2 || w->dim[m->rows_are_outputs ? 1 : 0] != shape.dim[shape.rank - 1])
        return waio_error(WAIO_EINPUT, "the input %s does not go with the weight %s%s",
                          waio_shape_text(&shape, text_x), waio_shape_text(w, text_w),
                          m->rows_are_outputs ? " (transposed)" : "");
    return WAIO_OK;
}

/* The weight (OC, IC), its columns in the order in which `x` holds its numbers. */
static waio_status add_weight(waio_onnx *onnx, int *id, const matrix *m, const waio_onnx_value *x)
{
    waio_status st = WAIO_OK;
    int64_t outputs = output_count(m), inputs = m->value->shape.dim[m->rows_are_outputs ? 1 : 0];
    waio_shape shape = WAIO_SHAPE(outputs, inputs);
    int64_t *columns = NULL;
    float *data = NULL;

    WAIO_TRY(st, waio_onnx_emit_const(onnx, id, m->value->name, &shape, &data));
    if (x->flat) {
        WAIO_NEW(st, columns, onnx->arena, (size_t)inputs);
        waio_onnx_flat_columns(x->flat, columns);
    }
    for (int64_t k = 0; k < inputs; k++) {
        int64_t to = columns ? columns[k] : k;
        for (int64_t o = 0; o < outputs; o++) {
            int64_t from = m->rows_are_outputs ? o * inputs + k : k * outputs + o;
            data[o * inputs + to] = m->factor * m->value->floats[from];
        }
    }
done:
    return st;
}

static waio_status add_dense(waio_onnx *onnx, const Onnx__NodeProto *node, waio_onnx_value *x,
                             const matrix *m, waio_node *dense)
{
    waio_status st = WAIO_OK;
    waio_onnx_value out = {.kind = WAIO_ONNX_ACTIVATION};

    waio_onnx_identity(waio_onnx_rank(onnx, x), out.perm);
    WAIO_TRY(st, add_weight(onnx, &dense->input[1], m, x));
    dense->input[0] = x->id;
    if (!x->flat)
        WAIO_TRY(st, waio_onnx_in_layout(onnx, &dense->input[0], x, out.perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, dense, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

waio_status waio_onnx_op_matmul(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, *weight = NULL;
    waio_node dense = {.op = WAIO_OP_DENSE, .input_count = 2};

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_floats(onnx, node, 1, &weight));
    matrix m = {.value = weight, .rows_are_outputs = false, .factor = 1};
    WAIO_TRY(st, check_matrix(onnx, x, &m));
    WAIO_TRY(st, add_dense(onnx, node, x, &m, &dense));
done:
    return st;
}

/* Input 2 of Gemm, times beta: one number, (OC) or (1, OC). */
static waio_status add_bias(waio_onnx *onnx, waio_node *dense, const Onnx__NodeProto *node,
                            int64_t outputs, float beta)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *bias = NULL;
    waio_shape shape = WAIO_SHAPE(outputs);
    float *data = NULL;
    char text[64];

    WAIO_TRY(st, waio_onnx_floats(onnx, node, 2, &bias));
    int64_t count = waio_onnx_count(&bias->shape), rank = bias->shape.rank;
    if (rank > 2 || (count != 1 && (count != outputs || bias->shape.dim[rank - 1] != outputs)))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the bias is %s, expected %lld",
                  waio_shape_text(&bias->shape, text), (long long)outputs);
    WAIO_TRY(st, waio_onnx_emit_const(onnx, &dense->input[2], bias->name, &shape, &data));
    for (int64_t o = 0; o < outputs; o++)
        data[o] = beta * bias->floats[count == 1 ? 0 : o];
    dense->input_count = 3;
done:
    return st;
}

waio_status waio_onnx_op_gemm(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, *weight = NULL;
    waio_node dense = {.op = WAIO_OP_DENSE, .input_count = 2};
    matrix m = {0};
    bool transposed_x = false;
    float beta = 1;

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_floats(onnx, node, 1, &weight));
    m.value = weight;
    WAIO_TRY(st, waio_onnx_attr_float(&m.factor, node, "alpha", 1));
    WAIO_TRY(st, waio_onnx_attr_float(&beta, node, "beta", 1));
    WAIO_TRY(st, waio_onnx_attr_flag(&transposed_x, node, "transA", false));
    WAIO_TRY(st, waio_onnx_attr_flag(&m.rows_are_outputs, node, "transB", false));
    if (transposed_x)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "transA is not supported");
    if (waio_onnx_rank(onnx, x) != 2)
        WAIO_FAIL(st, WAIO_EINPUT, "the input has %d dimensions, expected 2",
                  waio_onnx_rank(onnx, x));
    WAIO_TRY(st, check_matrix(onnx, x, &m));
    if (waio_onnx_has_input(node, 2) && beta != 0)
        WAIO_TRY(st, add_bias(onnx, &dense, node, output_count(&m), beta));
    WAIO_TRY(st, add_dense(onnx, node, x, &m, &dense));
done:
    return st;
}
