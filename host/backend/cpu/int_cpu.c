/* Which integer kernel runs a node. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/int_op.h"
#include "backend/ref/refq.h"

enum { MOST_CELLS = 65535 }; /* that 32 bits hold the sum of, 16-bit codes */

typedef struct way {
    waio_cpu_loop *run;
    waio_int_op_create *create; /* or NULL */
} way;

static waio_status run_conv(const waio_kernel *kernel, const waio_kernel_args *args)
{
    return waio_int_conv_run(kernel->int_conv, args);
}

static bool pool_fits(const waio_node *node)
{
    int64_t h = node->pool.kernel[0], w = node->pool.kernel[1];
    return h <= MOST_CELLS && w <= MOST_CELLS && h * w <= MOST_CELLS;
}

static bool reduces_image(const waio_shape *x, const waio_node *node)
{
    return x->rank == 4 && node->reduce.axes == 6 && x->dim[1] * x->dim[2] <= MOST_CELLS;
}

/* No `run`: the reference, for `reason`. */
static way way_of(const waio_graph *graph, const waio_node *node, const char **reason)
{
    static const way none = {NULL, NULL};
    const waio_value *x = &graph->value[node->input[0]];

    switch (node->op) {
    case WAIO_OP_CONV2D:
    case WAIO_OP_DENSE:
        return (way){run_conv, NULL};
    case WAIO_OP_ADD:
    case WAIO_OP_SUB:
    case WAIO_OP_MUL:
    case WAIO_OP_MAXIMUM:
        *reason = "only equal shapes and one number per channel";
        return waio_int_binary_supported(graph, node)
                   ? (way){waio_int_binary, waio_int_create_binary}
                   : none;
    case WAIO_OP_CLIP:
    case WAIO_OP_QUANTIZE:
        *reason = "only between codes of the same width";
        return x->type == WAIO_F32 || x->type == graph->value[node->output].type
                   ? (way){waio_int_convert, waio_int_create_convert}
                   : none;
    case WAIO_OP_DEQUANTIZE:
        return (way){waio_int_dequantize, NULL};
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MAX_POOL:
        *reason = "only windows of up to 65,535 cells";
        return pool_fits(node) ? (way){waio_int_pool, NULL} : none;
    case WAIO_OP_MEAN:
    case WAIO_OP_SUM:
        *reason = "only over height and width of NHWC, up to 65,535 cells";
        return reduces_image(&x->shape, node) ? (way){waio_int_reduce, waio_int_create_reduce}
                                              : none;
    case WAIO_OP_CONCAT:
        return (way){waio_int_concat, waio_int_create_concat};
    case WAIO_OP_RESHAPE:
        return (way){waio_int_reshape, NULL};
    case WAIO_OP_PAD:
        *reason = "only height and width of NHWC";
        return x->shape.rank == 4 && !node->pad.before[3] && !node->pad.after[3]
                   ? (way){waio_int_pad, NULL}
                   : none;
    case WAIO_OP_LOGISTIC:
        return (way){waio_int_logistic, waio_int_create_table};
    case WAIO_OP_SOFTMAX:
        return (way){waio_int_softmax, waio_int_create_table};
    default:
        *reason = "no fast integer loop yet";
        return none;
    }
}

bool waio_int_supports(const waio_graph *graph, const waio_node *node, const char **reason)
{
    return way_of(graph, node, reason).run != NULL;
}

static waio_status create_op(waio_kernel *kernel, const way *w, waio_isa isa)
{
    const waio_value *x = &kernel->graph->value[kernel->node->input[0]];
    const waio_value *y = &kernel->graph->value[kernel->node->output];
    waio_int_op *op = calloc(1, sizeof *op);

    kernel->int_op = op;
    if (!op)
        return waio_error(WAIO_ENOMEM, "out of memory");
    op->type = y->type == WAIO_F32 ? x->type : y->type;
    if (y->type != WAIO_F32) {
        const waio_value_params *p = &y->params;
        waio_clamp clamp = kernel->node->clamp;
        int32_t lo = waio_params_lo(p), hi = waio_params_hi(p);
        op->out_zero_point = p->zero_point[0];
        op->u8 = p->u8;
        op->lo = waio_bound_code(clamp.lo, p->scale[0], p->zero_point[0], lo, hi);
        op->hi = waio_bound_code(clamp.hi, p->scale[0], p->zero_point[0], lo, hi);
    }
    return w->create ? w->create(op, kernel, isa) : WAIO_OK;
}

waio_status waio_int_create(waio_kernel *kernel, const waio_graph *graph, int64_t batch)
{
    waio_status st = WAIO_OK;
    waio_isa isa = WAIO_ISA_PORTABLE;
    const char *reason = "";
    way w = way_of(graph, kernel->node, &reason);

    WAIO_TRY(st, waio_refq_check(graph, kernel->node));
    WAIO_TRY(st, waio_isa_choose(&isa));
    kernel->graph = graph;
    kernel->loop = w.run;
    if (waio_op_weighted(kernel->node->op))
        WAIO_TRY(st, waio_int_conv_create(&kernel->int_conv, graph, kernel->node, batch, isa));
    else
        WAIO_TRY(st, create_op(kernel, &w, isa));
done:
    return st;
}

/* Depthwise layers wait for memory, in floats as on codes. Kernels wider than a cell go image by
 * image here: for up to 3 results each, reading the weights is all the time. */
static bool codes_pay(const waio_kernel *kernel)
{
    const waio_node *node = kernel->node;
    const waio_shape *w = &kernel->in[1], *y = &kernel->out;

    return node->op == WAIO_OP_DENSE ||
           (node->conv.groups == 1 &&
            ((w->dim[1] == 1 && w->dim[2] == 1) || y->dim[1] * y->dim[2] >= 4));
}

waio_status waio_int_create_on_codes(waio_kernel *kernel, const waio_graph *graph, int64_t batch)
{
    waio_status st = WAIO_OK;
    waio_isa isa = WAIO_ISA_PORTABLE;
    const char *wish = getenv("WAIO_CPU_INT8");
    bool on = wish && strcmp(wish, "on") == 0, off = wish && strcmp(wish, "off") == 0;

    if (wish && wish[0] && !on && !off)
        WAIO_FAIL(st, WAIO_EUSAGE, "WAIO_CPU_INT8=%s: expected on or off", wish);
    WAIO_TRY(st, waio_isa_choose(&isa));
    /* Plain C is slower on codes than oneDNN is in float. */
    if (codes_pay(kernel) && (on || (!off && isa != WAIO_ISA_PORTABLE)))
        WAIO_TRY(st,
                 waio_int_conv_create_on_codes(&kernel->on_codes, graph, kernel->node, batch, isa));
done:
    return st;
}

void waio_int_op_free(waio_int_op *op)
{
    if (!op)
        return;
    waio_int_requant_free(&op->in[0]);
    waio_int_requant_free(&op->in[1]);
    waio_int_requant_free(&op->out);
    for (int i = 0; i < op->parts; i++)
        waio_int_requant_free(&op->part[i]);
    free(op->part);
    free(op->table);
    free(op);
}
