#include "check/opcases.h"

#include <math.h>
#include <string.h>

#include "check/opcases_build.h"

static const waio_op_case_list *const lists[WAIO_OP_COUNT] = {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) &waio_op_cases_##name,
#include "graph/ops.def"
#undef WAIO_OP_DEF
};

int waio_op_case_count(waio_op op)
{
    return lists[op]->count;
}

static void fill_numbers(waio_op_case *c, float *data, size_t count, float limit)
{
    for (size_t i = 0; i < count; i++)
        data[i] = c->exact ? (float)waio_rng_below(&c->rng, 9) - 4
                           : limit * (2 * waio_rng_unit(&c->rng) - 1);
}

void waio_op_case_input(waio_op_case *c, void *data, size_t count)
{
    waio_type type = c->graph->value[c->graph->input].type;

    if (type == WAIO_F32) {
        fill_numbers(c, data, count, 3); /* clamps at 1 bite, those at 6 do so in sums alone */
        return;
    }
    /* At times the lowest and the highest code alone. */
    uint32_t extreme =
        c->extreme && waio_rng_below(&c->rng, 4) == 0 ? type == WAIO_S8 ? 255 : 65535 : 1;
    for (size_t i = 0; i < count && type == WAIO_S8; i++)
        ((int8_t *)data)[i] =
            (int8_t)((int)(waio_rng_below(&c->rng, 255 / extreme + 1) * extreme) - 128);
    for (size_t i = 0; i < count && type == WAIO_S16; i++)
        ((int16_t *)data)[i] =
            (int16_t)((int)(waio_rng_below(&c->rng, 65535 / extreme + 1) * extreme) - 32768);
}

const char *waio_op_fill_name(waio_op_fill fill)
{
    static const char *const name[] = {"real", "exact", "s8", "s16", "s8!", "s16!"};
    return name[fill];
}

waio_status waio_case_x(waio_op_case *c, int *id, waio_shape shape)
{
    return waio_graph_add_input(c->graph, id, "x", &shape);
}

waio_status waio_case_const(waio_op_case *c, int *id, waio_shape shape, float limit)
{
    waio_status st = WAIO_OK;
    float *data = NULL;

    WAIO_TRY(st, waio_graph_add_const(c->graph, id, "constant", &shape, &data));
    fill_numbers(c, data, (size_t)waio_shape_count(&shape), limit);
done:
    return st;
}

waio_status waio_case_node(waio_op_case *c, int *id, waio_node node)
{
    node.name = waio_op_name(node.op);
    return waio_graph_add_node(c->graph, id, &node);
}

waio_status waio_op_case_build(waio_op_case *out, waio_op op, int index, waio_op_fill fill)
{
    static const int64_t batch[] = {1, 3, 16};
    waio_status st = WAIO_OK;
    waio_op_case c = {
        .batch = batch[index % 3],
        .exact = fill == WAIO_FILL_EXACT,
        .extreme = fill == WAIO_FILL_S8_EXTREME || fill == WAIO_FILL_S16_EXTREME,
        .rng = {(uint64_t)op * 1000 + (uint64_t)index * 2 + (fill == WAIO_FILL_EXACT)}};

    c.graph = waio_graph_new(waio_op_name(op));
    if (!c.graph)
        return WAIO_ENOMEM;
    WAIO_TRY(st, lists[op]->build(&c, op, index));
    c.fill = c.exact ? WAIO_FILL_EXACT : WAIO_FILL_REAL;
    if (fill >= WAIO_FILL_S8) {
        bool s8 = fill == WAIO_FILL_S8 || fill == WAIO_FILL_S8_EXTREME;
        WAIO_TRY(st, waio_op_case_quantize(&c, s8 ? WAIO_S8 : WAIO_S16));
        c.fill = op == WAIO_OP_BATCH_NORM ? c.fill : fill;
    }
    WAIO_TRY(st, waio_graph_add_output(c.graph, c.graph->node[c.graph->node_count - 1].output));
    *out = c;
    return WAIO_OK;
done:
    waio_error_context(st, "case %d of %s", index, waio_op_name(op));
    waio_op_case_free(&c);
    return st;
}

void waio_op_case_free(waio_op_case *c)
{
    waio_graph_free(c->graph);
    c->graph = NULL;
}

/* ---- a case in words ---- */

static size_t add_text(char *text, size_t used, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t add_text(char *text, size_t used, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text + used, WAIO_OP_CASE_TEXT - used, format, args);
    va_end(args);
    used += n > 0 ? (size_t)n : 0;
    return used < WAIO_OP_CASE_TEXT ? used : WAIO_OP_CASE_TEXT - 1;
}

static size_t add_params(char *text, size_t used, const waio_node *node)
{
    const waio_conv_params *c = &node->conv;
    const waio_pool_params *p = &node->pool;
    const waio_resize_params *r = &node->resize;

    switch (node->op) {
    case WAIO_OP_CONV2D:
        return add_text(text, used, " /%dx%d dil %dx%d pad %d,%d,%d,%d groups %d", c->stride[0],
                        c->stride[1], c->dilation[0], c->dilation[1], c->pad[0], c->pad[1],
                        c->pad[2], c->pad[3], c->groups);
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MAX_POOL:
        return add_text(text, used, " %dx%d /%dx%d pad %d,%d,%d,%d%s", p->kernel[0], p->kernel[1],
                        p->stride[0], p->stride[1], p->pad[0], p->pad[1], p->pad[2], p->pad[3],
                        p->count_include_pad ? " with pad" : "");
    case WAIO_OP_MEAN:
    case WAIO_OP_SUM:
        return add_text(text, used, " axes 0x%x", node->reduce.axes);
    case WAIO_OP_CONCAT:
        return add_text(text, used, " axis %d", node->axis.axis);
    case WAIO_OP_RESIZE:
        return add_text(text, used, "%s%s%s", r->bilinear ? " bilinear" : " nearest",
                        r->half_pixel ? " half" : "", r->align_corners ? " corners" : "");
    default:
        return used;
    }
}

void waio_op_case_text(char text[WAIO_OP_CASE_TEXT], const waio_graph *graph)
{
    const waio_node *node = &graph->node[graph->node_count - 1];
    char shape[64];
    size_t used = 0;
    bool parameters = waio_op_weighted(node->op) || node->op == WAIO_OP_BATCH_NORM;

    for (int i = 0; i < node->input_count && i < (parameters ? 2 : 4); i++)
        used = add_text(text, used, "%s%s%s", i ? " * " : "",
                        waio_value_is_const(graph, node->input[i]) && !parameters ? "const " : "",
                        waio_shape_text(&graph->value[node->input[i]].shape, shape));
    used = add_text(text, used, " > %s", waio_shape_text(&graph->value[node->output].shape, shape));
    used = add_params(text, used, node);
    if (!waio_clamp_is_none(node->clamp))
        add_text(text, used, " [%g,%g]", (double)node->clamp.lo, (double)node->clamp.hi);
}
