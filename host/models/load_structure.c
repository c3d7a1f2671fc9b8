/* Weights from another network of the same structure: an ONNX file of torchvision or tf2onnx, or
 * any other that waio reads. Both networks are folded and fused, then followed from the output to
 * the input: convolutions, dense layers, sums and concatenations must correspond; what stands
 * between them and has no weights is passed by. Strides, pads and activations must be equal, so
 * that a network with the same shapes and another meaning (ResNet50 v1 and v1.5) is refused. */
#include <stdlib.h>
#include <string.h>

#include "import/import.h"
#include "models/load_weights.h"

/* What is known of a pair of nodes. */
enum { UNKNOWN, EQUAL, EQUAL_SWAPPED, UNEQUAL };

typedef struct matcher {
    const waio_graph *ours, *file;
    char *verdict; /* ours x file, nodes */
    int *partner;  /* node of the file for each of ours; -1 */
    int depth;     /* pairs on the way to the one at hand */
    int told;      /* how much the misfit below says */
    char misfit[512];
} matcher;

/* A step that changes neither what weights mean nor where sums join. */
static bool passes_by(const waio_graph *graph, const waio_node *node)
{
    int computed = 0;

    for (int i = 0; i < node->input_count; i++)
        computed += !waio_value_is_const(graph, node->input[i]);
    return !waio_op_weighted(node->op) && node->op != WAIO_OP_BATCH_NORM && computed == 1 &&
           node->input_count == 1;
}

/* Whether a node puts values into another order: then a dense layer behind it counts otherwise. */
static bool reorders(const waio_graph *graph, const waio_node *node)
{
    const waio_shape *in = &graph->value[node->input[0]].shape;
    int spatial = 0;

    for (int i = 1; i < in->rank; i++)
        spatial += in->dim[i] > 1;
    return node->op == WAIO_OP_TRANSPOSE && spatial > 1;
}

enum { MOST_OPERANDS = 4 * WAIO_MAX_INPUTS };

/* What `node` joins or computes from, weights left out; a concatenation in a concatenation counts
 * as one, since exporters merge them. -1: too many. */
static int operands_of(const waio_graph *graph, const waio_node *node, int *operand, int count)
{
    int inputs = waio_op_weighted(node->op) ? 1 : node->input_count;

    for (int i = 0; i < inputs && count >= 0; i++) {
        int n = waio_graph_producer(graph, node->input[i]);
        bool nested = node->op == WAIO_OP_CONCAT && n >= 0 && graph->node[n].op == WAIO_OP_CONCAT &&
                      graph->node[n].axis.axis == node->axis.axis;
        if (nested)
            count = operands_of(graph, &graph->node[n], operand, count);
        else if (count < MOST_OPERANDS)
            operand[count++] = node->input[i];
        else
            count = -1;
    }
    return count;
}

/* The node that really computes `value`; -1: the image. */
static int source_of(const waio_graph *graph, int value, bool *reordered)
{
    for (;;) {
        int n = waio_graph_producer(graph, value);
        if (n < 0 || !passes_by(graph, &graph->node[n]))
            return n;
        *reordered = *reordered || reorders(graph, &graph->node[n]);
        value = graph->node[n].input[0];
    }
}

/* How much a misfit says: where two sums are followed in the wrong order, layers of another kind
 * and shape meet soon, but hardly ever the same ones with another stride. */
typedef enum weight_of_misfit { KIND = 0, SHAPE = 1 << 20, FORM = 2 << 20 } weight_of_misfit;

/* Remembers the misfit that says most, of equal ones the deepest; false. */
static bool misfit(matcher *m, weight_of_misfit says, const waio_node *a, const waio_node *b,
                   const char *what)
{
    char text_a[64] = "", text_b[64] = "";

    if (m->misfit[0] && (int)says + m->depth < m->told)
        return false;
    m->told = (int)says + m->depth;
    if (waio_op_weighted(a->op) && waio_op_weighted(b->op)) {
        waio_shape_text(&m->ours->value[a->input[1]].shape, text_a);
        waio_shape_text(&m->file->value[b->input[1]].shape, text_b);
    }
    snprintf(m->misfit, sizeof m->misfit,
             "layer \"%.60s\" (%s%s%s) meets \"%.60s\" (%s%s%s) in the file: %s", a->name,
             waio_op_name(a->op), text_a[0] ? " " : "", text_a, b->name, waio_op_name(b->op),
             text_b[0] ? " " : "", text_b, what);
    return false;
}

/* A 1x1 convolution of a 1x1 map: what some write for a dense layer. */
static bool is_dense_conv(const waio_graph *graph, const waio_node *node)
{
    const waio_shape *out = &graph->value[node->output].shape;

    if (node->op != WAIO_OP_CONV2D || node->conv.groups != 1)
        return false;
    const waio_shape *weight = &graph->value[node->input[1]].shape;
    return weight->dim[1] == 1 && weight->dim[2] == 1 && out->dim[1] == 1 && out->dim[2] == 1;
}

static bool same_clamp(const waio_node *a, const waio_node *b)
{
    return a->clamp.lo == b->clamp.lo && a->clamp.hi == b->clamp.hi;
}

static bool fits_dense_conv(matcher *m, const waio_node *a, const waio_node *b)
{
    const waio_shape *dense = &m->ours->value[a->input[1]].shape;
    const waio_shape *conv = &m->file->value[b->input[1]].shape;

    if (dense->dim[0] != conv->dim[0] || dense->dim[1] != conv->dim[3])
        return misfit(m, SHAPE, a, b, "another shape of weights");
    return same_clamp(a, b) || misfit(m, FORM, a, b, "another activation");
}

static bool fits(matcher *m, const waio_node *a, const waio_node *b)
{
    if (a->op == WAIO_OP_DENSE && is_dense_conv(m->file, b))
        return fits_dense_conv(m, a, b);
    if (a->op != b->op)
        return misfit(m, KIND, a, b, "another kind of layer");
    if (a->op == WAIO_OP_CONCAT)
        return true;
    if (!waio_op_weighted(a->op))
        return same_clamp(a, b) || misfit(m, FORM, a, b, "another activation");
    if (!waio_shape_equal(&m->ours->value[a->input[1]].shape, &m->file->value[b->input[1]].shape))
        return misfit(m, SHAPE, a, b, "another shape of weights");
    if (a->op == WAIO_OP_CONV2D &&
        (a->conv.stride[0] != b->conv.stride[0] || a->conv.stride[1] != b->conv.stride[1]))
        return misfit(m, FORM, a, b, "another stride");
    if (a->op == WAIO_OP_CONV2D && memcmp(a->conv.pad, b->conv.pad, sizeof a->conv.pad) != 0)
        return misfit(m, FORM, a, b, "other pads");
    return same_clamp(a, b) || misfit(m, FORM, a, b, "another activation");
}

static bool match(matcher *m, int ours, int file);

static bool match_inputs(matcher *m, const waio_node *a, const waio_node *b, bool swapped)
{
    int operand_a[MOST_OPERANDS], operand_b[MOST_OPERANDS];
    int inputs = operands_of(m->ours, a, operand_a, 0);

    if (inputs < 0 || operands_of(m->file, b, operand_b, 0) != inputs)
        return misfit(m, SHAPE, a, b, "another number of inputs");
    for (int i = 0; i < inputs; i++) {
        int k = swapped ? inputs - 1 - i : i;
        bool moved_a = false, moved_b = false;
        int from = source_of(m->ours, operand_a[i], &moved_a);
        int to = source_of(m->file, operand_b[k], &moved_b);
        if (a->op == WAIO_OP_DENSE && moved_a != moved_b)
            return misfit(m, FORM, a, b, "its inputs stand in another order (channels first)");
        if (!match(m, from, to))
            return false;
    }
    return true;
}

static char *verdict_of(const matcher *m, int ours, int file)
{
    return &m->verdict[(size_t)ours * (size_t)m->file->node_count + (size_t)file];
}

/* Whether all that leads to node `ours` and to node `file` is the same. */
static bool match(matcher *m, int ours, int file)
{
    if (ours < 0 || file < 0)
        return ours < 0 && file < 0;
    char *verdict = verdict_of(m, ours, file);
    const waio_node *a = &m->ours->node[ours], *b = &m->file->node[file];

    if (*verdict != UNKNOWN)
        return *verdict != UNEQUAL;
    *verdict = UNEQUAL;
    if (!fits(m, a, b))
        return false;
    m->depth++;
    if (match_inputs(m, a, b, false))
        *verdict = EQUAL;
    else if (a->op == WAIO_OP_ADD && match_inputs(m, a, b, true))
        *verdict = EQUAL_SWAPPED;
    m->depth--;
    return *verdict != UNEQUAL;
}

/* Writes down who is whose partner along the pairs that match() has found equal. */
static void assign(matcher *m, int ours, int file)
{
    int operand_a[MOST_OPERANDS], operand_b[MOST_OPERANDS];
    bool moved = false;

    if (ours < 0 || m->partner[ours] == file)
        return;
    m->partner[ours] = file;
    const waio_node *a = &m->ours->node[ours], *b = &m->file->node[file];
    bool swapped = *verdict_of(m, ours, file) == EQUAL_SWAPPED;
    int inputs = operands_of(m->ours, a, operand_a, 0);
    operands_of(m->file, b, operand_b, 0);
    for (int i = 0; i < inputs; i++)
        assign(m, source_of(m->ours, operand_a[i], &moved),
               source_of(m->file, operand_b[swapped ? inputs - 1 - i : i], &moved));
}

/* ---- classifiers ---- */

/* The classifier's layers, from the output on; their input's node goes to `trunk`. Only the last
 * one may be a convolution: others of 1x1 maps belong to the trunk. */
static int count_dense(const waio_graph *graph, int *trunk)
{
    bool moved = false;
    int node = source_of(graph, graph->output[0], &moved), count = 0;

    while (node >= 0 && (graph->node[node].op == WAIO_OP_DENSE ||
                         (count == 0 && is_dense_conv(graph, &graph->node[node])))) {
        bool conv = graph->node[node].op == WAIO_OP_CONV2D;
        node = source_of(graph, graph->node[node].input[0], &moved);
        count++;
        if (conv)
            break;
    }
    *trunk = node;
    return count;
}

/* ---- numbers ---- */

static waio_status copy_constant(int *id, waio_graph *to, const waio_graph *from, int source,
                                 const waio_shape *shape, const char *name)
{
    waio_status st = WAIO_OK;
    float *data = NULL;

    WAIO_TRY(st, waio_graph_add_const(to, id, name, shape, &data));
    if (source >= 0)
        memcpy(data, from->value[source].data, (size_t)waio_shape_count(shape) * sizeof *data);
done:
    return st;
}

static waio_status take_weights(waio_graph *graph, const matcher *m)
{
    waio_status st = WAIO_OK;

    for (int n = 0; n < graph->node_count; n++) {
        waio_node *node = &graph->node[n];
        if (!waio_op_weighted(node->op) || m->partner[n] < 0)
            continue;
        const waio_node *from = &m->file->node[m->partner[n]];
        waio_shape weight = graph->value[node->input[1]].shape, bias = WAIO_SHAPE(weight.dim[0]);
        WAIO_TRY(st, copy_constant(&node->input[1], graph, m->file, from->input[1], &weight,
                                   graph->value[node->input[1]].name));
        WAIO_TRY(st,
                 copy_constant(&node->input[2], graph, m->file,
                               from->input_count == 3 ? from->input[2] : -1, &bias, node->name));
        node->input_count = 3;
    }
done:
    return st;
}

/* A trunk may leave weights only where all its layers were met. */
static waio_status check_complete(const matcher *m, bool trunk_only)
{
    for (int n = 0; n < m->ours->node_count; n++) {
        const waio_node *node = &m->ours->node[n];
        bool needed = waio_op_weighted(node->op) && !(trunk_only && node->op == WAIO_OP_DENSE);
        if (needed && m->partner[n] < 0)
            return waio_error(WAIO_EINPUT, "layer \"%s\" has no counterpart in the file",
                              node->name);
    }
    return WAIO_OK;
}

waio_status waio_load_structure(waio_trained *trained, waio_build *build, const char *path)
{
    matcher m = {.depth = 0};
    waio_status st = WAIO_OK;
    waio_graph *file = NULL;
    bool trunk_only = build->params->trunk_only, moved = false;

    WAIO_TRY(st, waio_import_model(&file, path));
    if (waio_graph_is_quantized(file))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: its weights are codes; float ones are needed", path);
    WAIO_TRY(st, waio_graph_optimize(file));
    WAIO_TRY(st, waio_graph_optimize(build->graph));
    m.ours = build->graph;
    m.file = file;
    WAIO_NEW(st, m.partner, build->arena, (size_t)m.ours->node_count);
    m.verdict =
        waio_arena_array(build->arena, (size_t)m.ours->node_count, (size_t)file->node_count + 1);
    if (!m.verdict)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int n = 0; n < m.ours->node_count; n++)
        m.partner[n] = -1;
    if (m.ours->output_count != file->output_count)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: the file has %d outputs, the network %d", path,
                  file->output_count, m.ours->output_count);
    int ours_trunk, file_trunk;
    int ours_dense = count_dense(m.ours, &ours_trunk), file_dense = count_dense(file, &file_trunk);
    if (!trunk_only && ours_dense != file_dense)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "%s: the file ends in %d dense layer%s, the network in %d: another head=..., or "
                  "top=skip for the trunk alone",
                  path, file_dense, file_dense == 1 ? "" : "s", ours_dense);
    for (int i = 0; i < m.ours->output_count; i++) {
        int a = trunk_only ? ours_trunk : source_of(m.ours, m.ours->output[i], &moved);
        int b = trunk_only ? file_trunk : source_of(file, file->output[i], &moved);
        if (!match(&m, a, b))
            WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path,
                      m.misfit[0] ? m.misfit : "the file's network has another depth");
        assign(&m, a, b);
    }
    WAIO_TRY(st, check_complete(&m, trunk_only));
    WAIO_TRY(st, take_weights(build->graph, &m));
    *trained = trunk_only ? WAIO_TRAINED_TRUNK : WAIO_TRAINED;
done:
    waio_graph_free(file);
    return st;
}
