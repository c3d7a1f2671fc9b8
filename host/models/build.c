#include "models/build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *waio_build_name(waio_build *b, const char *format, ...)
{
    char text[128];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *name = waio_arena_strdup(b->arena, text);
    if (!name && b->st == WAIO_OK)
        b->st = WAIO_ENOMEM;
    return name ? name : "";
}

static int dim_of_end(const waio_build *b, int i)
{
    return b->st == WAIO_OK ? (int)b->graph->value[b->end].shape.dim[i] : 0;
}

int waio_build_height(const waio_build *b)
{
    return dim_of_end(b, 1);
}

int waio_build_width(const waio_build *b)
{
    return dim_of_end(b, 2);
}

int waio_build_channels(const waio_build *b)
{
    return b->st == WAIO_OK ? dim_of_end(b, b->graph->value[b->end].shape.rank - 1) : 0;
}

static void append(waio_build *b, const char *name, waio_node node)
{
    node.name = name;
    if (b->st == WAIO_OK)
        b->st = waio_graph_add_node(b->graph, &b->end, &node);
}

/* ---- layers with weights ---- */

static waio_layer *add_layer(waio_build *b, const char *name, waio_layer_kind kind, waio_init init)
{
    if (b->st == WAIO_OK && b->layer_count == b->layer_capacity) {
        int more = b->layer_capacity ? 2 * b->layer_capacity : 256;
        waio_layer *moved = realloc(b->layer, (size_t)more * sizeof *moved);
        if (moved) {
            b->layer = moved;
            b->layer_capacity = more;
        } else {
            b->st = waio_error(WAIO_ENOMEM, "out of memory");
        }
    }
    if (b->st != WAIO_OK)
        return NULL;
    waio_layer *layer = &b->layer[b->layer_count++];
    *layer = (waio_layer){.name = name, .kind = kind, .init = init, .head = b->head};
    for (int i = 0; i < WAIO_LAYER_MOST; i++)
        layer->constant[i] = -1;
    return layer;
}

static int add_weight(waio_build *b, waio_layer *layer, int index, const char *what,
                      waio_shape shape)
{
    int *id = &layer->constant[index];
    const char *name = waio_build_name(b, "%s/%s", layer->name, what);

    if (b->st == WAIO_OK)
        b->st = waio_graph_add_const(b->graph, id, name, &shape, &layer->data[index]);
    return *id;
}

static const waio_layer *find_layer(const waio_build *b, const char *name)
{
    for (int i = 0; i < b->layer_count; i++)
        if (strcmp(b->layer[i].name, name) == 0)
            return &b->layer[i];
    return NULL;
}

static void window_pad(int pad[4], const waio_build *b, waio_window_pad rule, const int kernel[2],
                       int stride)
{
    for (int i = 0; i < 2; i++) {
        int in = dim_of_end(b, 1 + i), total = 0;
        if (rule == WAIO_PAD_HALF)
            total = kernel[i] / 2 * 2;
        else if (rule == WAIO_PAD_SAME)
            total = ((in + stride - 1) / stride - 1) * stride + kernel[i] - in;
        total = total < 0 ? 0 : total;
        pad[i] = total / 2;
        pad[i + 2] = total - pad[i];
    }
}

void waio_build_conv(waio_build *b, const char *name, waio_conv_form form)
{
    int channels = waio_build_channels(b), kernel[2] = {form.height, form.width};
    int filters = form.filters ? form.filters : channels;
    int groups = form.filters ? 1 : channels;
    waio_node node = {.op = WAIO_OP_CONV2D, .input = {b->end}, .input_count = 2};

    if (b->st != WAIO_OK)
        return;
    node.conv = (waio_conv_params){
        .stride = {form.stride, form.stride}, .dilation = {1, 1}, .groups = groups};
    window_pad(node.conv.pad, b, form.pad, kernel, form.stride);
    const waio_layer *layer = form.share ? find_layer(b, form.share) : NULL;
    if (!layer) {
        waio_layer *own =
            add_layer(b, name, form.filters ? WAIO_LAYER_CONV : WAIO_LAYER_DEPTHWISE, b->init);
        if (!own)
            return;
        add_weight(b, own, 0, "kernel",
                   WAIO_SHAPE(filters, form.height, form.width, channels / groups));
        if (form.bias)
            add_weight(b, own, 1, "bias", WAIO_SHAPE(filters));
        layer = own;
    }
    node.input[1] = layer->constant[0];
    if (layer->constant[1] >= 0)
        node.input[node.input_count++] = layer->constant[1];
    append(b, name, node);
}

void waio_build_norm(waio_build *b, const char *name)
{
    static const char *const what[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    waio_shape shape = WAIO_SHAPE(waio_build_channels(b));
    waio_layer *layer = add_layer(b, name, WAIO_LAYER_NORM, b->init);
    waio_node node = {
        .op = WAIO_OP_BATCH_NORM, .input = {b->end}, .input_count = 5, .epsilon = b->norm_epsilon};

    for (int i = 0; layer && i < 4; i++)
        node.input[1 + i] = add_weight(b, layer, i, what[i], shape);
    if (b->st == WAIO_OK && !b->norm_scale)
        b->graph->value[layer->constant[0]].implied = true;
    append(b, name, node);
}

void waio_build_dense(waio_build *b, const char *name, int64_t units, waio_init init)
{
    waio_shape kernel = WAIO_SHAPE(units, waio_build_channels(b));
    waio_layer *layer = add_layer(b, name, WAIO_LAYER_DENSE, init);
    waio_node node = {.op = WAIO_OP_DENSE, .input = {b->end}, .input_count = 3};

    if (!layer)
        return;
    node.input[1] = add_weight(b, layer, 0, "kernel", kernel);
    node.input[2] = add_weight(b, layer, 1, "bias", WAIO_SHAPE(units));
    append(b, name, node);
}

/* ---- layers without ---- */

void waio_build_input(waio_build *b)
{
    waio_shape shape = WAIO_SHAPE(1, b->params->height, b->params->width, 3);

    if (b->st == WAIO_OK)
        b->st = waio_graph_add_input(b->graph, &b->end, "input_1", &shape);
}

void waio_build_relu(waio_build *b, const char *name)
{
    append(b, name,
           (waio_node){
               .op = WAIO_OP_CLIP, .input = {b->end}, .input_count = 1, .clamp = {0, b->relu}});
}

void waio_build_zero_pad(waio_build *b, const char *name, int before, int after)
{
    append(b, name,
           (waio_node){.op = WAIO_OP_PAD,
                       .input = {b->end},
                       .input_count = 1,
                       .pad = {.before = {0, before, before, 0}, .after = {0, after, after, 0}}});
}

static void pool(waio_build *b, const char *name, waio_op op, int kernel, int stride,
                 waio_window_pad pad, bool count_pad)
{
    waio_node node = {.op = op,
                      .input = {b->end},
                      .input_count = 1,
                      .pool = {.kernel = {kernel, kernel},
                               .stride = {stride, stride},
                               .count_include_pad = count_pad}};

    window_pad(node.pool.pad, b, pad, node.pool.kernel, stride);
    append(b, name, node);
}

void waio_build_max_pool(waio_build *b, const char *name, int kernel, int stride,
                         waio_window_pad pad)
{
    pool(b, name, WAIO_OP_MAX_POOL, kernel, stride, pad, false);
}

void waio_build_avg_pool(waio_build *b, const char *name, int kernel, bool count_pad)
{
    pool(b, name, WAIO_OP_AVG_POOL, kernel, 1, WAIO_PAD_SAME, count_pad);
}

void waio_build_gap(waio_build *b, const char *name)
{
    append(b, name,
           (waio_node){.op = WAIO_OP_MEAN,
                       .input = {b->end},
                       .input_count = 1,
                       .reduce = {.axes = 1u << 1 | 1u << 2, .keep_dims = true}});
}

void waio_build_reshape(waio_build *b, const char *name, int64_t rows, int64_t columns)
{
    waio_node node = {.op = WAIO_OP_RESHAPE, .input = {b->end}, .input_count = 1};

    node.reshape.shape = rows ? WAIO_SHAPE(1, rows, columns) : WAIO_SHAPE(1, columns);
    append(b, name, node);
}

void waio_build_flatten(waio_build *b, const char *name)
{
    if (b->st == WAIO_OK)
        waio_build_reshape(b, name, 0, waio_shape_count(&b->graph->value[b->end].shape));
}

void waio_build_softmax(waio_build *b, const char *name)
{
    append(b, name,
           (waio_node){
               .op = WAIO_OP_SOFTMAX, .input = {b->end}, .input_count = 1, .axis = {.axis = 1}});
}

void waio_build_sigmoid(waio_build *b, const char *name)
{
    append(b, name, (waio_node){.op = WAIO_OP_LOGISTIC, .input = {b->end}, .input_count = 1});
}

void waio_build_upsample(waio_build *b, const char *name, int height, int width)
{
    append(b, name,
           (waio_node){.op = WAIO_OP_RESIZE,
                       .input = {b->end},
                       .input_count = 1,
                       .resize = {.out = {height, width}}});
}

void waio_build_add(waio_build *b, const char *name, int first, int second)
{
    append(b, name, (waio_node){.op = WAIO_OP_ADD, .input = {first, second}, .input_count = 2});
}

void waio_build_concat(waio_build *b, const char *name, const int *value, int count, int axis)
{
    waio_node node = {.op = WAIO_OP_CONCAT, .input_count = count, .axis = {.axis = axis}};

    memcpy(node.input, value, (size_t)count * sizeof *value);
    append(b, name, node);
}

void waio_build_output(waio_build *b, int value)
{
    if (b->st == WAIO_OK)
        b->st = waio_graph_add_output(b->graph, value);
}

/* ---- classifiers ---- */

static void thesis_head(waio_build *b)
{
    waio_init glorot = {.kind = WAIO_INIT_GLOROT};
    float relu = b->relu;

    b->relu = INFINITY;
    waio_build_flatten(b, "flatten");
    waio_build_dense(b, "dense", b->params->hidden[0], glorot);
    waio_build_relu(b, "dense_relu");
    waio_build_dense(b, "dense_1", b->params->hidden[1], glorot);
    waio_build_relu(b, "dense_1_relu");
    waio_build_dense(b, "dense_2", b->params->classes, glorot);
    waio_build_softmax(b, "softmax");
    b->relu = relu;
}

void waio_build_head(waio_build *b)
{
    b->head = true;
    if (b->params->head == WAIO_HEAD_THESIS) {
        thesis_head(b);
    } else {
        waio_build_gap(b, "gap");
        waio_build_flatten(b, "flatten");
        waio_build_dense(b, "dense_2", b->params->classes, (waio_init){.kind = WAIO_INIT_GLOROT});
        waio_build_softmax(b, "softmax");
    }
    waio_build_output(b, b->end);
}

void waio_build_torch_head(waio_build *b, const char *name, waio_init init)
{
    b->head = true;
    if (b->params->head == WAIO_HEAD_THESIS) {
        thesis_head(b);
    } else {
        waio_build_gap(b, "avgpool");
        waio_build_flatten(b, "flatten");
        waio_build_dense(b, name, b->params->classes, init);
    }
    waio_build_output(b, b->end);
}
