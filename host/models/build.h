/* What the builders share: a network that grows layer by layer, as Keras names and orders them. A
 * builder is a list of layers; after a failure every further step does nothing, and the failure
 * stands in `st`. Numbers come later (build_init.c, load_weights.c): each layer with weights is
 * also listed with its constants. Private to this folder. */
#ifndef WAIO_MODELS_BUILD_H
#define WAIO_MODELS_BUILD_H

#include "graph/graph.h"
#include "models/architecture.h"

/* How a layer's weights are drawn when no file gives them; f is fan in, g fan out. */
typedef enum waio_init_kind {
    WAIO_INIT_GLOROT,       /* U(-a, a), a = sqrt(6 / (f + g)) */
    WAIO_INIT_NORMAL,       /* N(0, deviation) */
    WAIO_INIT_TRUNCATED,    /* N(0, deviation), redrawn beyond `cut` */
    WAIO_INIT_KAIMING_OUT,  /* N(0, sqrt(2 / g)) */
    WAIO_INIT_TORCH_LINEAR, /* weight and bias U(-b, b), b = 1 / sqrt(f) */
} waio_init_kind;

typedef struct waio_init {
    waio_init_kind kind;
    float deviation, cut; /* cut 0: twice the deviation */
    float bias;           /* the value that a bias starts with */
} waio_init;

typedef enum waio_layer_kind {
    WAIO_LAYER_CONV,      /* kernel, bias */
    WAIO_LAYER_DEPTHWISE, /* kernel, bias */
    WAIO_LAYER_DENSE,     /* kernel, bias */
    WAIO_LAYER_NORM,      /* gamma, beta, mean, variance */
} waio_layer_kind;

enum { WAIO_LAYER_MOST = 4 };

/* A layer with weights. Shapes are those of the graph: OHWI, (OC, IC), (C). */
typedef struct waio_layer {
    const char *name;
    waio_layer_kind kind;
    waio_init init;
    bool head;                     /* of the classifier, which other data sets have differently */
    int constant[WAIO_LAYER_MOST]; /* value ids, -1: the layer has no such weight */
    float *data[WAIO_LAYER_MOST];  /* their numbers */
} waio_layer;

struct waio_build {
    waio_graph *graph;
    const waio_architecture_params *params;
    waio_arena *arena; /* names; lives as long as the build */
    waio_status st;
    int end; /* value id: what the next layer reads */
    waio_layer *layer;
    int layer_count, layer_capacity;

    /* How the network at hand writes its layers; set once by its builder. */
    waio_init init;     /* of convolutions */
    float norm_epsilon; /* of batch norms */
    bool norm_scale;    /* they have a gamma */
    float relu;         /* upper end of waio_build_relu: INFINITY or 6 */
    bool head;          /* layers from now on belong to the classifier */
};

typedef struct waio_build waio_build;

typedef enum waio_window_pad {
    WAIO_PAD_VALID, /* none */
    WAIO_PAD_SAME, /* TensorFlow: ceil(in / stride) outputs, the odd cell at the bottom and right */
    WAIO_PAD_HALF, /* PyTorch: kernel / 2 on every side */
} waio_window_pad;

typedef struct waio_conv_form {
    int filters; /* 0: depthwise, as many as there are channels */
    int height, width, stride;
    waio_window_pad pad;
    bool bias;
    const char *share; /* the layer whose weights it uses, NULL: its own */
} waio_conv_form;

/* A name in the build's arena, never NULL. */
const char *waio_build_name(waio_build *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Channels, height and width of b->end (0 after a failure). */
int waio_build_channels(const waio_build *b);
int waio_build_height(const waio_build *b);
int waio_build_width(const waio_build *b);

/* Each reads b->end and leaves its result there. */
void waio_build_input(waio_build *b);
void waio_build_conv(waio_build *b, const char *name, waio_conv_form form);
void waio_build_norm(waio_build *b, const char *name);
void waio_build_relu(waio_build *b, const char *name);
void waio_build_zero_pad(waio_build *b, const char *name, int before, int after);
void waio_build_max_pool(waio_build *b, const char *name, int kernel, int stride,
                         waio_window_pad pad);
void waio_build_avg_pool(waio_build *b, const char *name, int kernel, bool count_pad);
void waio_build_gap(waio_build *b, const char *name); /* keeps 1x1xC */
void waio_build_flatten(waio_build *b, const char *name);
void waio_build_dense(waio_build *b, const char *name, int64_t units, waio_init init);
void waio_build_softmax(waio_build *b, const char *name);
void waio_build_sigmoid(waio_build *b, const char *name);
void waio_build_reshape(waio_build *b, const char *name, int64_t rows, int64_t columns);
void waio_build_upsample(waio_build *b, const char *name, int height, int width); /* nearest */
/* first + second, in this order. */
void waio_build_add(waio_build *b, const char *name, int first, int second);
void waio_build_concat(waio_build *b, const char *name, const int *value, int count, int axis);
void waio_build_output(waio_build *b, int value);

/* The classifier of the parameters: the thesis's (flatten, two dense layers with ReLU, dense with
 * softmax) or a plain one (global average, dense, softmax). */
void waio_build_head(waio_build *b);
/* torchvision's: global average, a linear layer of this name, no softmax; the thesis's if the
 * parameters say so. */
void waio_build_torch_head(waio_build *b, const char *name, waio_init init);

/* The MobileNetV2 trunk. Leaves its last feature map in b->end; where `tap` is not NULL, sets
 * tap[k] to the result of block k, and tap[WAIO_V2_EXPAND_13] to block 13's expansion. */
enum { WAIO_V2_EXPAND_13 = 17, WAIO_V2_TAPS = 18 };
void waio_build_mobilenet_v2_trunk(waio_build *b, waio_window_pad pad, int *tap);

/* ---- numbers ---- */

/* Draws a layer's weights. They depend on the seed, the layer's name and its shapes alone. */
void waio_layer_draw(const waio_layer *layer, const waio_graph *graph, uint64_t seed);

/* The builders, one per architecture of the table in architecture.c. */
typedef void waio_builder(waio_build *b);
waio_builder waio_build_mobilenet_v1, waio_build_mobilenet_v2, waio_build_mobilenet_v2_torch;
waio_builder waio_build_resnet50, waio_build_resnet50_torch;
waio_builder waio_build_inception_v3, waio_build_inception_v3_torch;
waio_builder waio_build_ssd_mobilenet_v2, waio_build_ssd_mobilenet_v2_fpnlite;

#endif
