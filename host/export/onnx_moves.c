/* Nodes that move numbers: concat, pad, reshape, transpose, resize. */
#include "export/onnx_out.h"

/* ---- concat ---- */

/* A constant stands for one image; here it must be there once for each: expanded to (N, 1, ...). */
static const char *repeated(waio_onnxo *out, const waio_node *node, const char *constant,
                            const char *x, int rank)
{
    int64_t ones[WAIO_MAX_RANK] = {1, 1, 1, 1, 1, 1};
    const char *batch = WAIO_ONNXO_NODE(out, "Shape", node->name, x);

    waio_onnxo_int(out, "start", 0);
    waio_onnxo_int(out, "end", 1);
    if (rank > 1) {
        const char *rest = waio_onnxo_numbers(out, node->name, "ones", ones, rank - 1);
        batch = WAIO_ONNXO_NODE(out, "Concat", node->name, batch, rest);
        waio_onnxo_int(out, "axis", 0);
    }
    return WAIO_ONNXO_NODE(out, "Expand", node->name, constant, batch);
}

void waio_onnxo_concat(waio_onnxo *out, const waio_node *node)
{
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);
    int rank = out->graph->value[node->output].shape.rank;
    const char *input[WAIO_MAX_INPUTS], *computed = NULL;

    for (int i = 0; i < node->input_count; i++) {
        input[i] = waio_onnxo_input(out, node, i, order);
        if (!waio_value_is_const(out->graph, node->input[i]))
            computed = input[i];
    }
    for (int i = 0; i < node->input_count; i++)
        if (waio_value_is_const(out->graph, node->input[i]))
            input[i] = repeated(out, node, input[i], computed, rank);
    const char *y = waio_onnxo_node(out, "Concat", node->name, node->input_count, input);
    waio_onnxo_int(out, "axis", waio_onnxo_axis(out, node->output, order, node->axis.axis));
    waio_onnxo_finish(out, node, order, y);
}

/* ---- pad ---- */

void waio_onnxo_pad(waio_onnxo *out, const waio_node *node)
{
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);
    const waio_pad_params *p = &node->pad;
    int rank = out->graph->value[node->output].shape.rank;
    int64_t pads[2 * WAIO_MAX_RANK] = {0};
    const char *x = waio_onnxo_real(out, node->input[0], order);

    for (int i = 0; i < rank; i++) {
        int at = waio_onnxo_axis(out, node->output, order, i);
        pads[at] = p->before[i];
        pads[rank + at] = p->after[i];
    }
    const char *list = waio_onnxo_numbers(out, node->name, "pads", pads, 2 * rank);
    const char *fill = waio_onnxo_scalar(out, node->name, "fill", p->value);
    waio_onnxo_finish(out, node, order, WAIO_ONNXO_NODE(out, "Pad", node->name, x, list, fill));
}

/* ---- reshape ---- */

void waio_onnxo_reshape(waio_onnxo *out, const waio_node *node)
{
    const waio_shape *from = &out->graph->value[node->input[0]].shape;
    const waio_shape *to = &node->reshape.shape;
    /* images whose orders are one need not be turned around */
    waio_onnxo_order in =
        waio_onnxo_orders_agree(from) ? waio_onnxo_order_of(out, node->input[0]) : WAIO_ONNXO_PLAIN;
    waio_onnxo_order order =
        waio_onnxo_orders_agree(to) ? waio_onnxo_order_of(out, node->output) : WAIO_ONNXO_PLAIN;
    int64_t dims[WAIO_MAX_RANK] = {0}; /* 0: the batch stays as it is */
    const char *x = waio_onnxo_real(out, node->input[0], in);

    for (int i = 1; i < to->rank; i++)
        dims[waio_onnxo_axis(out, node->output, order, i)] = to->dim[i];
    const char *list = waio_onnxo_numbers(out, node->name, "shape", dims, to->rank);
    waio_onnxo_finish(out, node, order, WAIO_ONNXO_NODE(out, "Reshape", node->name, x, list));
}

/* ---- transpose ---- */

void waio_onnxo_transpose(waio_onnxo *out, const waio_node *node)
{
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);
    int rank = out->graph->value[node->output].shape.rank;
    int64_t perm[WAIO_MAX_RANK];
    bool moves = false;
    const char *x = waio_onnxo_real(out, node->input[0], order), *y = x;

    for (int i = 0; i < rank; i++) {
        int at = waio_onnxo_axis(out, node->output, order, i);
        perm[at] = waio_onnxo_axis(out, node->input[0], order, node->transpose.perm[i]);
        moves = moves || perm[at] != at;
    }
    if (moves) {
        y = WAIO_ONNXO_NODE(out, "Transpose", node->name, x);
        waio_onnxo_ints(out, "perm", perm, rank);
    }
    waio_onnxo_finish(out, node, order, y);
}

/* ---- resize ---- */

/* Sizes are those of the whole tensor, its batch among them: (N, C), as they are, and (H, W). */
static const char *resized(waio_onnxo *out, const waio_node *node, const char *x)
{
    const int *to = node->resize.out;
    const char *kept = WAIO_ONNXO_NODE(out, "Shape", node->name, x);

    waio_onnxo_int(out, "start", 0);
    waio_onnxo_int(out, "end", 2);
    const char *image = waio_onnxo_numbers(out, node->name, "size", (int64_t[]){to[0], to[1]}, 2);
    const char *sizes = WAIO_ONNXO_NODE(out, "Concat", node->name, kept, image);
    waio_onnxo_int(out, "axis", 0);
    return sizes;
}

/* half_pixel and align_corners take the nearest cell, halves up; the plain one the cell below. */
void waio_onnxo_resize(waio_onnxo *out, const waio_node *node)
{
    const waio_resize_params *p = &node->resize;
    const char *x = waio_onnxo_real(out, node->input[0], WAIO_ONNXO_FIRST);
    const char *sizes = resized(out, node, x);
    const char *y = WAIO_ONNXO_NODE(out, "Resize", node->name, x, "", "", sizes);
    bool plain = !p->align_corners && !p->half_pixel;

    waio_onnxo_text(out, "mode", p->bilinear ? "linear" : "nearest");
    waio_onnxo_text(out, "coordinate_transformation_mode",
                    p->align_corners ? "align_corners"
                    : plain          ? "asymmetric"
                                     : "half_pixel");
    if (!p->bilinear)
        waio_onnxo_text(out, "nearest_mode", plain ? "floor" : "round_prefer_ceil");
    waio_onnxo_finish(out, node, WAIO_ONNXO_FIRST, y);
}
