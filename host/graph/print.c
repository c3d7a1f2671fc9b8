/* `waio show`: a line a node, then totals. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "graph/graph.h"

static void clamp_text(char text[48], waio_clamp clamp)
{
    if (waio_clamp_is_none(clamp))
        text[0] = '\0';
    else if (clamp.lo == 0 && clamp.hi == INFINITY)
        strcpy(text, "relu");
    else if (clamp.lo == 0 && clamp.hi == 6)
        strcpy(text, "relu6");
    else
        snprintf(text, 48, "clip[%g,%g]", (double)clamp.lo, (double)clamp.hi);
}

static void conv_text(char *text, size_t size, const waio_graph *graph, const waio_node *node)
{
    const waio_shape *w = &graph->value[node->input[1]].shape;
    const waio_conv_params *p = &node->conv;
    int n = snprintf(text, size, "%" PRId64 "x%" PRId64 " /%d", w->dim[1], w->dim[2], p->stride[0]);

    if (p->stride[1] != p->stride[0])
        n += snprintf(text + n, size - n, "x%d", p->stride[1]);
    if (p->groups > 1)
        n += snprintf(text + n, size - n, w->dim[3] == 1 ? " depthwise" : " groups=%d", p->groups);
    if (p->dilation[0] > 1 || p->dilation[1] > 1)
        n += snprintf(text + n, size - n, " dil=%dx%d", p->dilation[0], p->dilation[1]);
    if (p->pad[0] || p->pad[1] || p->pad[2] || p->pad[3])
        snprintf(text + n, size - n, " pad=%d,%d,%d,%d", p->pad[0], p->pad[1], p->pad[2],
                 p->pad[3]);
}

static void detail_text(char *text, size_t size, const waio_graph *graph, const waio_node *node)
{
    text[0] = '\0';
    switch (node->op) {
    case WAIO_OP_CONV2D:
        conv_text(text, size, graph, node);
        break;
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MAX_POOL:
        snprintf(text, size, "%dx%d /%d", node->pool.kernel[0], node->pool.kernel[1],
                 node->pool.stride[0]);
        break;
    case WAIO_OP_RESIZE:
        snprintf(text, size, "%s", node->resize.bilinear ? "bilinear" : "nearest");
        break;
    case WAIO_OP_CONCAT:
        snprintf(text, size, "axis %d of %d inputs", node->axis.axis, node->input_count);
        break;
    default:
        break;
    }
}

/* "1x32x32x16", with the type behind it if that is not f32. */
static const char *output_text(char text[80], const waio_graph *graph, int id)
{
    const waio_value *value = &graph->value[id];
    char shape[64];

    waio_shape_text(&value->shape, shape);
    snprintf(text, 80, "%s%s%s", shape, value->type == WAIO_F32 ? "" : " ",
             value->type == WAIO_F32 ? "" : waio_type_name(value->type));
    return text;
}

void waio_graph_print(const waio_graph *graph, FILE *out)
{
    char output[80], detail[96], clamp[48], line[160];

    fprintf(out, "# %s\n", graph->name);
    fprintf(out, "%4s  %-28.28s %-11s %-36s %-16s %11s %13s\n", "#", "name", "op", "detail",
            "output", "parameters", "MACs");
    if (graph->input >= 0)
        fprintf(out, "%4s  %-28.28s %-11s %-36s %-16s %11s %13s\n", "-",
                graph->value[graph->input].name, "input", "",
                output_text(output, graph, graph->input), "0", "0");
    for (int i = 0; i < graph->node_count; i++) {
        const waio_node *node = &graph->node[i];
        detail_text(detail, sizeof detail, graph, node);
        clamp_text(clamp, node->clamp);
        snprintf(line, sizeof line, "%s%s%s", detail, detail[0] && clamp[0] ? " " : "", clamp);
        fprintf(out, "%4d  %-28.28s %-11s %-36s %-16s %11" PRId64 " %13" PRId64 "\n", i, node->name,
                waio_op_name(node->op), line, output_text(output, graph, node->output),
                waio_node_params(graph, node), waio_node_macs(graph, node));
    }
    fprintf(out, "total: %d nodes, %" PRId64 " parameters, %" PRId64 " MACs an image\n",
            graph->node_count, waio_graph_params(graph), waio_graph_macs(graph));
}
