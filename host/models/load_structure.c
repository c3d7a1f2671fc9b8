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
enum { UNKNOWN, EQUAL, UNEQUAL };

typedef struct matcher {
    const waio_graph *ours, *file;
    char *verdict; /* ours x file, nodes */
    int *partner;  /* node of the file for each of ours; -1 */
    int deepest;   /* pairs that fitted on the way to the first misfit that says most */
    int depth;
    char misfit[256];
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

static bool misfit(matcher *m, const waio_node *a, const waio_node *b, const char *what)
{
    char text_a[64] = "", text_b[64] = "";

    if (m->depth < m->deepest)
        return false;
    m->deepest = m->depth;
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

static bool fits(matcher *m, const waio_node *a, const waio_node *b)
{
    if (a->op != b->op)
        return misfit(m, a, b, "another kind of layer");
    if (a->op == WAIO_OP_CONCAT)
        return a->input_count == b->input_count || misfit(m, a, b, "another number of inputs");
    if (!waio_op_weighted(a->op))
        return (a->clamp.lo == b->clamp.lo && a->clamp.hi == b->clamp.hi) ||
               misfit(m, a, b, "another activation");
    if (!waio_shape_equal(&m->ours->value[a->input[1]].shape, &m->file->value[b->input[1]].shape))
        return misfit(m, a, b, "another shape of weights");
    if (a->op == WAIO_OP_CONV2D &&
        (a->conv.stride[0] != b->conv.stride[0] || a->conv.stride[1] != b->conv.stride[1]))
        return misfit(m, a, b, "another stride");
    if (a->op == WAIO_OP_CONV2D && memcmp(a->conv.pad, b->conv.pad, sizeof a->conv.pad) != 0)
        return misfit(m, a, b, "other pads");
    return (a->clamp.lo == b->clamp.lo && a->clamp.hi == b->clamp.hi) ||
           misfit(m, a, b, "another activation");
}

static bool match(matcher *m, int ours, int file);

static bool match_inputs(matcher *m, const waio_node *a, const waio_node *b, bool swapped)
{
    bool moved_a = false, moved_b = false;
    int inputs = waio_op_weighted(a->op) ? 1 : a->input_count;

    for (int i = 0; i < inputs; i++) {
        int k = swapped ? inputs - 1 - i : i;
        int from = source_of(m->ours, a->input[i], &moved_a);
        int to = source_of(m->file, b->input[k], &moved_b);
        if (a->op == WAIO_OP_DENSE && moved_a != moved_b)
            return misfit(m, a, b, "its inputs stand in another order (channels first)");
        if (!match(m, from, to))
            return false;
    }
    return true;
}

/* Whether all that leads to node `ours` and to node `file` is the same. */
static bool match(matcher *m, int ours, int file)
{
    if (ours < 0 || file < 0)
        return ours < 0 && file < 0;
    char *verdict = &m->verdict[(size_t)ours * (size_t)m->file->node_count + (size_t)file];
    const waio_node *a = &m->ours->node[ours], *b = &m->file->node[file];

    if (*verdict != UNKNOWN)
        return *verdict == EQUAL;
    *verdict = UNEQUAL;
    if (!fits(m, a, b))
        return false;
    m->depth++;
    bool equal =
        match_inputs(m, a, b, false) || (a->op == WAIO_OP_ADD && match_inputs(m, a, b, true));
    m->depth--;
    if (equal) {
        *verdict = EQUAL;
        m->partner[ours] = file;
    }
    return equal;
}

/* Behind the classifier, from the output on: its dense layers are left out. */
static int skip_dense(const waio_graph *graph, int node)
{
    bool reordered;

    while (node >= 0 && graph->node[node].op == WAIO_OP_DENSE)
        node = source_of(graph, graph->node[node].input[0], &reordered);
    return node;
}

static int count_dense(const waio_graph *graph)
{
    int count = 0;

    for (int n = 0; n < graph->node_count; n++)
        count += graph->node[n].op == WAIO_OP_DENSE;
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
    matcher m = {.deepest = 0};
    waio_status st = WAIO_OK;
    waio_graph *file = NULL;
    bool trunk_only = build->params->trunk_only, moved;

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
    if (!trunk_only && count_dense(m.ours) != count_dense(file))
        WAIO_FAIL(st, WAIO_EINPUT,
                  "%s: the file has %d dense layers, the network %d: another head=..., or top=skip "
                  "for the trunk alone",
                  path, count_dense(file), count_dense(m.ours));
    for (int i = 0; i < m.ours->output_count; i++) {
        int a = source_of(m.ours, m.ours->output[i], &moved);
        int b = source_of(file, file->output[i], &moved);
        if (trunk_only) {
            a = skip_dense(m.ours, a);
            b = skip_dense(file, b);
        }
        if (!match(&m, a, b))
            WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path,
                      m.misfit[0] ? m.misfit : "the file's network has another depth");
    }
    WAIO_TRY(st, check_complete(&m, trunk_only));
    WAIO_TRY(st, take_weights(build->graph, &m));
    *trained = trunk_only ? WAIO_TRAINED_TRUNK : WAIO_TRAINED;
done:
    waio_graph_free(file);
    return st;
}
