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

/* Of a quantized network: type, scale and zero point of value `id`, blank for floats. */
static void print_codes(const waio_graph *graph, int id, FILE *out)
{
    const waio_value *value = &graph->value[id];
    const waio_value_params *p = &value->params;

    if (value->type == WAIO_F32)
        fprintf(out, " %-4s %13s %10s", "f32", "", "");
    else if (p->count == 1)
        fprintf(out, " %-4s %13.9g %10" PRId32, waio_type_name(value->type), (double)p->scale[0],
                p->zero_point[0]);
    else
        fprintf(out, " %-4s %13s %10s", waio_type_name(value->type), "per channel", "");
}

static void print_line(const waio_graph *graph, const char *const text[4], int id,
                       const int64_t counts[2], FILE *out)
{
    char shape[64];

    fprintf(out, "%4s  %-28.28s %-11s %-36s %-16s", text[0], text[1], text[2], text[3],
            waio_shape_text(&graph->value[id].shape, shape));
    if (waio_graph_is_quantized(graph))
        print_codes(graph, id, out);
    fprintf(out, " %11" PRId64 " %13" PRId64 "\n", counts[0], counts[1]);
}

void waio_graph_print(const waio_graph *graph, FILE *out)
{
    char number[16], detail[96], clamp[48], line[160];

    fprintf(out, "# %s\n", graph->name);
    if (graph->note)
        fprintf(out, "# note: %s\n", graph->note);
    fprintf(out, "%4s  %-28.28s %-11s %-36s %-16s", "#", "name", "op", "detail", "output");
    if (waio_graph_is_quantized(graph))
        fprintf(out, " %-4s %13s %10s", "type", "scale", "zero point");
    fprintf(out, " %11s %13s\n", "parameters", "MACs");
    if (graph->input >= 0)
        print_line(graph, (const char *[]){"-", graph->value[graph->input].name, "input", ""},
                   graph->input, (const int64_t[]){0, 0}, out);
    for (int i = 0; i < graph->node_count; i++) {
        const waio_node *node = &graph->node[i];
        detail_text(detail, sizeof detail, graph, node);
        clamp_text(clamp, node->clamp);
        snprintf(number, sizeof number, "%d", i);
        snprintf(line, sizeof line, "%s%s%s", detail, detail[0] && clamp[0] ? " " : "", clamp);
        print_line(
            graph, (const char *[]){number, node->name, waio_op_name(node->op), line}, node->output,
            (const int64_t[]){waio_node_params(graph, node), waio_node_macs(graph, node)}, out);
    }
    if (graph->detector)
        fprintf(out, "detector: %d classes%s, %s suppression above IoU %g, at most %d boxes\n",
                graph->detector->classes, graph->detector->first_class ? " and the background" : "",
                graph->detector->fast ? "fast" : "class by class",
                (double)graph->detector->most_overlap, graph->detector->most);
    fprintf(out, "total: %d nodes, %" PRId64 " parameters, %" PRId64 " MACs an image\n",
            graph->node_count, waio_graph_params(graph), waio_graph_macs(graph));
}
