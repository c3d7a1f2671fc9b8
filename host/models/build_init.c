/* Random weights by the initialisers that the frameworks start with. One stream of random numbers a
 * layer: a network keeps its trunk when its input or its head changes. */
#include <math.h>

#include "models/build.h"
#include "util/rng.h"

static waio_rng stream(const char *name, uint64_t seed)
{
    waio_rng rng = {seed};
    uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
    rng.state = waio_rng_next(&rng) ^ hash;
    return rng;
}

static void draw_uniform(float *out, int64_t count, waio_rng *rng, float bound)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = bound * (2 * waio_rng_unit(rng) - 1);
}

/* Two independent N(0, 1) (Box and Muller 1958). */
static void draw_pair(float out[2], waio_rng *rng)
{
    float radius = sqrtf(-2 * logf(1 - waio_rng_unit(rng)));
    float angle = 6.28318531f * waio_rng_unit(rng);

    out[0] = radius * cosf(angle);
    out[1] = radius * sinf(angle);
}

/* N(0, deviation) within +-cut. */
static void draw_normal(float *out, int64_t count, waio_rng *rng, float deviation, float cut)
{
    float pair[2] = {0}, limit = cut / deviation;
    int left = 0;

    for (int64_t i = 0; i < count; left--) {
        if (left == 0) {
            draw_pair(pair, rng);
            left = 2;
        }
        if (fabsf(pair[left - 1]) <= limit)
            out[i++] = deviation * pair[left - 1];
    }
}

/* Summands of one result, and results that one input goes into, as the frameworks count them: Keras
 * keeps a depthwise kernel as (KH, KW, C, 1) and reads its fans off that, PyTorch as (C, 1, KH,
 * KW). */
static void fans(float *in, float *out, const waio_layer *layer, const waio_shape *weight)
{
    bool dense = weight->rank == 2;
    int64_t cells = dense ? 1 : weight->dim[1] * weight->dim[2];
    int64_t channels = weight->dim[weight->rank - 1], filters = weight->dim[0];

    if (layer->kind == WAIO_LAYER_DEPTHWISE && layer->init.kind == WAIO_INIT_GLOROT) {
        channels = filters;
        filters = 1;
    }
    *in = (float)(cells * channels);
    *out = (float)(cells * filters);
}

static void draw_weighted(const waio_layer *layer, const waio_graph *graph, waio_rng *rng)
{
    const waio_shape *shape = &graph->value[layer->constant[0]].shape;
    int64_t count = waio_shape_count(shape);
    int64_t biases = layer->constant[1] >= 0 ? shape->dim[0] : 0;
    waio_init init = layer->init;
    float in, out, *kernel = layer->data[0], *bias = layer->data[1];

    fans(&in, &out, layer, shape);
    for (int64_t i = 0; i < biases; i++)
        bias[i] = init.bias;
    switch (init.kind) {
    case WAIO_INIT_GLOROT:
        draw_uniform(kernel, count, rng, sqrtf(6 / (in + out)));
        break;
    case WAIO_INIT_NORMAL:
        draw_normal(kernel, count, rng, init.deviation, INFINITY);
        break;
    case WAIO_INIT_TRUNCATED:
        draw_normal(kernel, count, rng, init.deviation,
                    init.cut > 0 ? init.cut : 2 * init.deviation);
        break;
    case WAIO_INIT_KAIMING_OUT:
        draw_normal(kernel, count, rng, sqrtf(2 / out), INFINITY);
        break;
    case WAIO_INIT_TORCH_LINEAR:
        draw_uniform(kernel, count, rng, 1 / sqrtf(in));
        draw_uniform(bias, biases, rng, 1 / sqrtf(in));
        break;
    }
}

void waio_layer_draw(const waio_layer *layer, const waio_graph *graph, uint64_t seed)
{
    static const float start[] = {1, 0, 0, 1}; /* gamma, beta, mean, variance */
    waio_rng rng = stream(layer->name, seed);

    if (layer->kind != WAIO_LAYER_NORM) {
        draw_weighted(layer, graph, &rng);
        return;
    }
    int64_t channels = graph->value[layer->constant[0]].shape.dim[0];
    for (int k = 0; k < 4; k++)
        for (int64_t i = 0; i < channels; i++)
            layer->data[k][i] = start[k];
}
