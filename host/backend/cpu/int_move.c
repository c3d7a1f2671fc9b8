/* Integer concat (inputs of other parameters are requantized), reshape, and pad of height and
 * width.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/int_op.h"

enum { CODES = 256 };

static int64_t product(const waio_shape *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= shape->dim[i];
    return n;
}

/* Codes of uint8 files go from input to output in float32, on the codes that stand in the file; the
 * rule is the reference's. */
static void fill_table(int8_t *table, const waio_int_op *op, const waio_value_params *x,
                       const waio_value_params *y)
{
    float scale = x->scale[0] * (1.0f / y->scale[0]);
    float bias = -(float)(x->zero_point[0] + 128) * scale;

    for (int32_t code = -128; code <= 127; code++) {
        float moved = waio_clampf(roundf((float)(code + 128) * scale + bias), -512, 512);
        table[code + 128] =
            (int8_t)waio_finish_code((int32_t)moved, y->zero_point[0], op->lo, op->hi);
    }
}

waio_status waio_int_create_concat(waio_int_op *op, const waio_kernel *kernel, waio_isa isa)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = kernel->graph;
    const waio_value_params *y = &graph->value[kernel->node->output].params;
    size_t count = (size_t)kernel->node->input_count;

    op->part = calloc(count, sizeof *op->part);
    op->table = op->u8 ? calloc(count, CODES) : NULL;
    if (!op->part || (op->u8 && !op->table))
        return waio_error(WAIO_ENOMEM, "out of memory");
    op->parts = kernel->node->input_count;
    for (int i = 0; i < op->parts; i++) {
        const waio_value_params *x = &graph->value[kernel->node->input[i]].params;
        double real = (double)x->scale[0] / (double)y->scale[0];
        if (op->u8)
            fill_table((int8_t *)op->table + i * CODES, op, x, y);
        if (real != 1 || x->zero_point[0] != y->zero_point[0])
            WAIO_TRY(st, waio_int_requant_uniform(&op->part[i], graph->requant,
                                                  waio_multiplier_of(real), real, isa));
    }
done:
    return st;
}

static void look_up(int8_t *y, const int8_t *x, int64_t count, const int8_t *table)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = table[x[i] + 128];
}

/* Rows of one input, `row` and `start` are those of the output in numbers. */
static void concat_part(const waio_kernel *kernel, const waio_kernel_args *args, int k, int64_t row,
                        int64_t start)
{
    int axis = kernel->node->axis.axis;
    int64_t part = product(&kernel->in[k], axis, kernel->in[k].rank);
    int64_t rows = product(&kernel->out, 0, axis), period = product(&kernel->in[k], 0, axis);
    waio_int_op with = *kernel->int_op;
    size_t bytes = waio_type_bytes(with.type);
    bool same = with.part[k].blocks == 0;

    with.out = with.part[k];
    with.zero_point[0] = kernel->graph->value[kernel->node->input[k]].params.zero_point[0];
    for (int64_t r = 0; r < rows; r++) {
        const char *x = (const char *)args->input[k] + (size_t)(r % period * part) * bytes;
        char *y = (char *)args->output + (size_t)(r * row + start) * bytes;
        if (same)
            memcpy(y, x, (size_t)part * bytes);
        else if (with.u8)
            look_up((int8_t *)y, (const int8_t *)x, part, (const int8_t *)with.table + k * CODES);
        else
            waio_int_flat_run(&with, WAIO_INT_SCALE, &(waio_int_flat){x, NULL, y, part});
    }
}

static void clamp_output(const waio_kernel *kernel, const waio_kernel_args *args)
{
    if (!waio_clamp_is_none(kernel->node->clamp))
        waio_int_clamp(kernel->int_op, args->output, waio_shape_count(&kernel->out));
}

waio_status waio_int_concat(const waio_kernel *kernel, const waio_kernel_args *args)
{
    int axis = kernel->node->axis.axis;
    int64_t row = product(&kernel->out, axis, kernel->out.rank), start = 0;

    for (int k = 0; k < kernel->node->input_count; k++) {
        concat_part(kernel, args, k, row, start);
        start += product(&kernel->in[k], axis, kernel->in[k].rank);
    }
    clamp_output(kernel, args);
    return WAIO_OK;
}

waio_status waio_int_reshape(const waio_kernel *kernel, const waio_kernel_args *args)
{
    memcpy(args->output, args->input[0],
           (size_t)waio_shape_count(&kernel->out) * waio_type_bytes(kernel->int_op->type));
    clamp_output(kernel, args);
    return WAIO_OK;
}

/* ---- pad ---- */

static void fill(const waio_int_op *op, char *y, int64_t count, int32_t code)
{
    if (op->type == WAIO_S8) {
        memset(y, code, (size_t)count);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        ((int16_t *)(void *)y)[i] = (int16_t)code;
}

waio_status waio_int_pad(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_int_op *op = kernel->int_op;
    const waio_pad_params *p = &kernel->node->pad;
    const waio_value_params *q = &kernel->graph->value[kernel->node->output].params;
    const int64_t *in = kernel->in[0].dim, *out = kernel->out.dim;
    size_t bytes = waio_type_bytes(op->type), row = (size_t)(in[2] * in[3]) * bytes;
    const char *x = args->input[0];
    char *y = (char *)args->output;

    fill(op, y, waio_shape_count(&kernel->out),
         waio_bound_code(p->value, q->scale[0], q->zero_point[0], waio_params_lo(q),
                         waio_params_hi(q)));
    for (int64_t n = 0; n < in[0]; n++)
        for (int64_t h = 0; h < in[1]; h++, x += row) {
            int64_t at = ((n * out[1] + h + p->before[1]) * out[2] + p->before[2]) * out[3];
            memcpy(y + (size_t)at * bytes, x, row);
        }
    clamp_output(kernel, args);
    return WAIO_OK;
}
