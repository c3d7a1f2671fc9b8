/* The walk over the float network: which nodes run on codes, and on which grids. */
#include "quant/lower.h"

#include <stdlib.h>
#include <string.h>

#include "quant/lowering.h"

/* Sums of 32 bits: products of a weight's and an activation's code that surely fit, with a bias. */
enum { MOST_PRODUCTS = 32768, MOST_CELLS = 32768 };

/* ---- which nodes run on codes ---- */

static bool inputs_have_codes(const waio_lowering *l, const waio_node *node)
{
    int operands = waio_op_weighted(node->op) ? 1 : node->input_count;

    for (int i = 0; i < operands; i++) {
        int v = node->input[i];
        bool quantized =
            waio_value_is_const(l->from, v)
                ? waio_bits_quantized(waio_quantizer_operand_bits(l->quantizer, l->request, v))
                : l->code[v] >= 0;
        if (!quantized)
            return false;
    }
    return true;
}

/* The integer kernels of softmax and logistic have one output grid, and no clamp. */
static bool fits_output_range(const waio_lowering *l, const waio_node *node, int bits)
{
    waio_grid grid = waio_grid_of(l, node->output, bits);

    return waio_clamp_is_none(node->clamp) && l->grid[node->input[0]].type == WAIO_S8 &&
           grid.type == WAIO_S8 && grid.bits == 8 && grid.scale == 1.0f / 256 &&
           grid.zero_point == -128;
}

static bool runs_on_codes(const waio_lowering *l, int n)
{
    const waio_node *node = &l->from->node[n];
    int bits = waio_lower_bits(l, node->output);

    if (waio_quantizer_in_float(l->quantizer, l->request, n) || !waio_bits_quantized(bits) ||
        !inputs_have_codes(l, node))
        return false;
    switch (node->op) {
    case WAIO_OP_CONV2D:
    case WAIO_OP_DENSE:
        return waio_bits_quantized(waio_quantizer_weight_bits(l->quantizer, l->request, n));
    case WAIO_OP_BATCH_NORM:
        return false;
    case WAIO_OP_SOFTMAX:
    case WAIO_OP_LOGISTIC:
        return fits_output_range(l, node, bits);
    case WAIO_OP_MEAN:
    case WAIO_OP_SUM:
        return waio_shape_count(&l->from->value[node->input[0]].shape) /
                   waio_shape_count(&l->from->value[node->output].shape) <=
               MOST_CELLS;
    default:
        return true;
    }
}

/* ---- nodes in float ---- */

static waio_status lower_in_float(waio_lowering *l, int n)
{
    waio_status st = WAIO_OK;
    const waio_node *node = &l->from->node[n];
    waio_node copy = *node;
    int id = -1, bits = n < l->boundary ? WAIO_FLOAT : waio_lower_bits(l, node->output);
    bool weighted = waio_op_weighted(node->op);

    for (int i = 0; i < (weighted ? 1 : node->input_count); i++)
        WAIO_TRY(st, waio_value_is_const(l->from, node->input[i])
                         ? waio_lower_real_operand(l, &copy.input[i], node->input[i], n)
                         : waio_lower_real(l, &copy.input[i], node->input[i]));
    if (weighted)
        WAIO_TRY(st, waio_lower_real_weights(l, &copy, n));
    WAIO_TRY(st, waio_lower_emit(l, &id, &copy, NULL));
    waio_lower_define(l, node->output, id, NULL);
    if (!waio_bits_quantized(bits))
        goto done;
    waio_grid grid = waio_grid_of(l, node->output, bits);
    WAIO_TRY(st, waio_lower_quantize(l, &id, node->output, id, &grid));
    waio_lower_define(l, node->output, id, &grid);
done:
    return st;
}

/* ---- nodes on codes ---- */

/* Emits `node` with its output on `grid` and brings it to the output's own one, `own`. */
static waio_status finish(waio_lowering *l, const waio_node *node, int v, const waio_grid *grid,
                          const waio_grid *own)
{
    waio_status st = WAIO_OK;
    int id = -1;

    WAIO_TRY(st, waio_lower_emit(l, &id, node, grid));
    waio_lower_define(l, v, id, grid);
    WAIO_TRY(st, waio_lower_codes(l, &id, v, own));
    waio_lower_define(l, v, id, own);
done:
    return st;
}

/* The lane that holds everything that node `n` reads and writes. */
static waio_type lane_of(const waio_lowering *l, int n, const waio_grid *own)
{
    const waio_node *node = &l->from->node[n];
    bool weighted = waio_op_weighted(node->op), wide = own->type == WAIO_S16;

    for (int i = 0; i < (weighted ? 1 : node->input_count); i++) {
        int v = node->input[i];
        wide = wide || (waio_value_is_const(l->from, v)
                            ? waio_quantizer_operand_bits(l->quantizer, l->request, v) > 8
                            : l->grid[v].type == WAIO_S16);
    }
    if (weighted) {
        const waio_shape *shape = &l->from->value[node->input[1]].shape;
        wide = wide || waio_quantizer_weight_bits(l->quantizer, l->request, n) > 8 ||
               waio_shape_count(shape) / shape->dim[0] > MOST_PRODUCTS;
    }
    return wide ? WAIO_S16 : WAIO_S8;
}

/* Ops whose inputs and output may have any grids, in one lane. */
static waio_status lower_free(waio_lowering *l, int n)
{
    waio_status st = WAIO_OK;
    const waio_node *node = &l->from->node[n];
    waio_node copy = *node;
    waio_grid own = waio_grid_of(l, node->output, waio_lower_bits(l, node->output)), x = own;
    waio_type lane = lane_of(l, n, &own);
    bool weighted = waio_op_weighted(node->op);

    for (int i = 0; i < (weighted ? 1 : node->input_count); i++) {
        int v = node->input[i];
        if (waio_value_is_const(l->from, v)) {
            int bits = waio_quantizer_operand_bits(l->quantizer, l->request, v);
            WAIO_TRY(st, waio_lower_code_operand(l, &copy.input[i], v, bits, lane));
            continue;
        }
        x = waio_grid_widen(l->grid[v], lane);
        WAIO_TRY(st, waio_lower_codes(l, &copy.input[i], v, &x));
    }
    if (weighted && waio_quantizer_scheme(l->quantizer)->weights != WAIO_SYMMETRIC)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "node \"%s\" (%s): integer kernels take symmetric weights only (wsym=symmetric)",
                  node->name, waio_op_name(node->op));
    if (weighted)
        WAIO_TRY(st, waio_lower_code_weights(l, &copy, n, &x));
    waio_grid grid = waio_grid_widen(own, lane);
    WAIO_TRY(st, finish(l, &copy, node->output, &grid, &own));
done:
    return st;
}

/* Averages are computed on the finer of the grids of input and output, so that nothing is lost. */
static waio_grid finer_grid(const waio_lowering *l, const waio_node *node, const waio_grid *own)
{
    const waio_grid *x = &l->grid[node->input[0]];
    bool averages =
        node->op == WAIO_OP_AVG_POOL || (node->op == WAIO_OP_RESIZE && node->resize.bilinear);
    return averages && x->bits > own->bits ? *x : *own;
}

/* Cells of padding that an average counts become real ones. */
static waio_status pad_first(waio_lowering *l, waio_node *node, const waio_grid *grid)
{
    waio_status st = WAIO_OK;
    waio_pool_params *p = &node->pool;
    waio_node pad = {.op = WAIO_OP_PAD, .input_count = 1, .clamp = WAIO_NO_CLAMP};

    if (node->op != WAIO_OP_AVG_POOL || !p->count_include_pad ||
        !(p->pad[0] || p->pad[1] || p->pad[2] || p->pad[3]))
        return WAIO_OK;
    pad.name = waio_arena_printf(l->arena, "%s/pad", node->name);
    if (!pad.name)
        return WAIO_ENOMEM;
    pad.input[0] = node->input[0];
    for (int i = 0; i < 2; i++) {
        pad.pad.before[1 + i] = p->pad[i];
        pad.pad.after[1 + i] = p->pad[i + 2];
    }
    memset(p->pad, 0, sizeof p->pad);
    WAIO_TRY(st, waio_lower_emit(l, &node->input[0], &pad, grid));
done:
    return st;
}

/* Ops of which the integer kernel does not apply the clamp: a clip does it behind. */
static bool leaves_clamp(waio_op op)
{
    return op == WAIO_OP_PAD || op == WAIO_OP_RESHAPE || op == WAIO_OP_TRANSPOSE ||
           op == WAIO_OP_RESIZE;
}

/* Ops that keep scale and zero point: everything lies on one grid. */
static waio_status lower_keeping(waio_lowering *l, int n)
{
    waio_status st = WAIO_OK;
    const waio_node *node = &l->from->node[n];
    waio_node copy = *node;
    int bits = waio_lower_bits(l, node->output);
    waio_grid own = waio_grid_of(l, node->output, bits), grid = finer_grid(l, node, &own);

    for (int i = 0; i < node->input_count; i++) {
        int v = node->input[i]; /* constants are in the output's range group, so on its grid */
        WAIO_TRY(st, waio_value_is_const(l->from, v)
                         ? waio_lower_code_operand(l, &copy.input[i], v, bits, own.type)
                         : waio_lower_codes(l, &copy.input[i], v, &grid));
    }
    WAIO_TRY(st, pad_first(l, &copy, &grid));
    if (leaves_clamp(node->op) && !waio_clamp_is_none(node->clamp)) {
        waio_node clip = {
            .op = WAIO_OP_CLIP, .name = node->name, .input_count = 1, .clamp = node->clamp};
        copy.clamp = WAIO_NO_CLAMP;
        WAIO_TRY(st, waio_lower_emit(l, &clip.input[0], &copy, &grid));
        copy = clip;
    }
    WAIO_TRY(st, finish(l, &copy, node->output, &grid, &own));
done:
    return st;
}

static waio_status lower_on_codes(waio_lowering *l, int n)
{
    waio_status st = WAIO_OK;
    const waio_node *node = &l->from->node[n];

    switch (node->op) {
    case WAIO_OP_CONCAT:
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MAX_POOL:
    case WAIO_OP_PAD:
    case WAIO_OP_RESHAPE:
    case WAIO_OP_TRANSPOSE:
    case WAIO_OP_RESIZE:
    case WAIO_OP_MAXIMUM:
        return lower_keeping(l, n);
    case WAIO_OP_SOFTMAX:
    case WAIO_OP_LOGISTIC: {
        waio_node copy = *node;
        waio_grid own = waio_grid_of(l, node->output, 8);
        copy.input[0] = l->code[node->input[0]];
        WAIO_TRY(st, finish(l, &copy, node->output, &own, &own));
        break;
    }
    default:
        return lower_free(l, n);
    }
done:
    return st;
}

/* ---- the walk ---- */

/* Values that exist when the first quantized node comes: the image, and what the float prefix
 * computed for quantized nodes. From here on they are what their codes say. */
static waio_status cross_boundary(waio_lowering *l)
{
    waio_status st = WAIO_OK;

    for (int v = 0; v < l->from->value_count; v++) {
        int bits = l->real[v] < 0 ? WAIO_FLOAT : waio_lower_bits(l, v), id = -1;
        if (!waio_bits_quantized(bits))
            continue;
        waio_grid grid = waio_grid_of(l, v, bits);
        WAIO_TRY(st, waio_lower_quantize(l, &id, v, l->real[v], &grid));
        waio_lower_define(l, v, id, &grid);
    }
done:
    return st;
}

static waio_status lower_nodes(waio_lowering *l)
{
    waio_status st = WAIO_OK;
    const waio_value *input = &l->from->value[l->from->input];
    int id = -1;

    WAIO_TRY(st, waio_graph_add_input(l->to, &id, input->name, &input->shape));
    waio_lower_define(l, l->from->input, id, NULL);
    for (int n = 0; n < l->from->node_count; n++) {
        if (n == l->boundary)
            WAIO_TRY(st, cross_boundary(l));
        WAIO_TRY(st, runs_on_codes(l, n) ? lower_on_codes(l, n) : lower_in_float(l, n));
    }
    for (int i = 0; i < l->from->output_count; i++) {
        WAIO_TRY(st, waio_lower_real(l, &id, l->from->output[i]));
        WAIO_TRY(st, waio_graph_add_output(l->to, id));
    }
    WAIO_TRY(st, waio_graph_validate(l->to));
done:
    return st;
}

static waio_status check_request(const waio_quantizer *q, const waio_quant_request *request)
{
    waio_status st = WAIO_OK;
    const waio_precision *bits = &request->bits;
    const waio_scheme *scheme = waio_quantizer_scheme(q);
    const char *name = waio_quantizer_graph(q)->name;
    bool wide = (waio_bits_quantized(bits->a) && bits->a > 8) ||
                (waio_bits_quantized(bits->i) && bits->i > 8) ||
                (waio_bits_quantized(bits->o) && bits->o > 8);

    WAIO_TRY(st, waio_quantizer_check(q, request));
    if (bits->a == WAIO_F16)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "%s: float16 activations cannot be lowered; f16 is for weights (a=32)", name);
    if (waio_graph_is_quantized(waio_quantizer_graph(q)))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s is quantized already", name);
    if (scheme->activations == WAIO_ASYMMETRIC && wide)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "%s: integer activations of more than 8 bits are symmetric only (asym=auto)",
                  name);
    if (scheme->rounding != WAIO_ROUND_HALF_AWAY)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: integer kernels round half away from zero", name);
done:
    return st;
}

waio_status waio_lower(waio_graph **out, const waio_quantizer *quantizer,
                       const waio_quant_request *request, waio_requant requant)
{
    waio_status st = WAIO_OK;
    waio_lowering l = {.quantizer = quantizer, .request = request};

    l.from = waio_quantizer_graph(quantizer);
    size_t count = (size_t)l.from->value_count;
    WAIO_TRY(st, check_request(quantizer, request));
    l.boundary = waio_quantizer_boundary(quantizer, request);
    l.arena = waio_arena_new();
    l.to = waio_graph_new(l.from->name);
    if (!l.arena || !l.to) {
        st = WAIO_ENOMEM;
        goto done;
    }
    l.to->requant = requant;
    WAIO_NEW(st, l.real, l.arena, count);
    WAIO_NEW(st, l.code, l.arena, count);
    WAIO_NEW(st, l.grid, l.arena, count);
    memset(l.real, -1, count * sizeof *l.real);
    memset(l.code, -1, count * sizeof *l.code);
    WAIO_TRY(st, lower_nodes(&l));
    *out = l.to;
    l.to = NULL;
done:
    free(l.regrid);
    waio_graph_free(l.to);
    waio_arena_free(l.arena);
    return st;
}

/* ---- codes at both ends ---- */

static void remove_node(waio_graph *graph, int n)
{
    graph->node_count--;
    memmove(&graph->node[n], &graph->node[n + 1],
            (size_t)(graph->node_count - n) * sizeof *graph->node);
}

/* The only node that reads value `id`, -1 if there are more. */
static int only_reader(const waio_graph *graph, int id)
{
    int reader = -1;

    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count; i++)
            if (graph->node[n].input[i] == id)
                reader = reader < 0 ? n : graph->node_count;
    return reader < graph->node_count ? reader : -1;
}

waio_status waio_lower_open_ends(waio_graph *graph)
{
    waio_status st = WAIO_OK;
    int first = only_reader(graph, graph->input);

    if (first < 0 || graph->node[first].op != WAIO_OP_QUANTIZE)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: the input has no codes (i=32 or first_n)",
                  graph->name);
    for (int i = 0; i < graph->output_count; i++) {
        int n = waio_graph_producer(graph, graph->output[i]);
        if (n < 0 || graph->node[n].op != WAIO_OP_DEQUANTIZE)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: output %s has no codes (o=32)", graph->name,
                      graph->value[graph->output[i]].name);
    }
    int codes = graph->node[first].output;
    const waio_value *value = &graph->value[codes];
    WAIO_TRY(st, waio_graph_set_type(graph, graph->input, value->type, &value->params));
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count; i++)
            if (graph->node[n].input[i] == codes)
                graph->node[n].input[i] = graph->input;
    remove_node(graph, first);
    for (int i = 0; i < graph->output_count; i++) {
        int n = waio_graph_producer(graph, graph->output[i]);
        int from = graph->node[n].input[0];
        if (waio_graph_use_count(graph, graph->output[i]) == 1)
            remove_node(graph, n);
        graph->output[i] = from;
    }
    WAIO_TRY(st, waio_graph_validate(graph));
done:
    return st;
}
