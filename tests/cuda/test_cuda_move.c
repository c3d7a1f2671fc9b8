/* Concat, pad and transpose on the GPU's code against the reference: along every axis, in every
 * order, lanes of four or not; concat of other scales with every rounding. */
#include "cuda/layer_case.h"

/* ---- concat ---- */

static cudaError_t launch_concat(const layer_case *c, void *dst, const void *const *src,
                                 const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_shape in[LAYER_INPUTS];
    waio_cuda_concat layer = {.out = layer_shape(&c->out),
                              .axis = c->node.axis.axis,
                              .count = c->node.input_count,
                              .in = in};

    for (int i = 0; i < layer.count; i++)
        in[i] = layer_shape(&c->in[i]);
    if (c->type == WAIO_F32)
        return waio_cuda_concat_f32(dst, (const float *const *)src, &layer, finish, NULL);
    return waio_cuda_concat_q(dst, src, &layer, params, &params[layer.count], c->requant, NULL);
}

/* `part` sizes along `axis` of `shape`; the last input is a constant of one image if `constant`. */
static layer_case concat_of(waio_type type, waio_shape shape, int axis, const int64_t part[4],
                            bool constant)
{
    static const float scales[] = {0.02f, 0.05f, 0.01f, 0.013f};
    layer_case c = {.node = {.op = WAIO_OP_CONCAT, .axis = {axis}},
                    .out = shape,
                    .type = type,
                    .special = true,
                    .launch = launch_concat};

    c.out.dim[axis] = 0;
    for (int i = 0; i < 4 && part[i]; i++) {
        c.node.input_count++;
        c.in[i] = shape;
        c.in[i].dim[axis] = part[i];
        c.out.dim[axis] += part[i];
        c.scale[i] = scales[i];
        c.zero_point[i] = type == WAIO_S8 ? i * 80 - 120 : 0;
    }
    if (constant)
        c.in[c.node.input_count - 1].dim[0] = 1;
    c.scale[c.node.input_count] = 0.02f;
    c.zero_point[c.node.input_count] = type == WAIO_S8 ? -120 : 0;
    return c;
}

static void test_concat_of(waio_shape shape, int axis, const int64_t part[4], bool constant)
{
    for (int type = WAIO_F32; type <= WAIO_S16; type++)
        for (int way = 0; way < (type == WAIO_F32 ? 1 : type == WAIO_S8 ? 5 : 4); way++) {
            layer_case c = concat_of((waio_type)type, shape, axis, part, constant);
            c.requant = (waio_requant)(way % 4);
            c.u8 = way == 4;
            layer_check(&c);
        }
}

static void test_concat(void)
{
    static const int64_t parts[][4] = {{1}, {3, 1}, {4, 8, 4}, {17, 2, 1, 5}, {4, 2, 4, 6}};
    waio_shape shape = WAIO_SHAPE(2, 3, 5, 4);

    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (int axis = 1; axis < 4; axis++)
            test_concat_of(shape, axis, parts[p], p % 2);
}

/* ---- pad ---- */

static waio_cuda_pad pad_layer(const layer_case *c)
{
    waio_cuda_pad layer = {.in = layer_shape(&c->in[0]), .value = c->node.pad.value};

    memcpy(layer.before, c->node.pad.before, sizeof layer.before);
    memcpy(layer.after, c->node.pad.after, sizeof layer.after);
    return layer;
}

static cudaError_t launch_pad(const layer_case *c, void *dst, const void *const *src,
                              const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_pad layer = pad_layer(c);

    if (c->type == WAIO_F32)
        return waio_cuda_pad_f32(dst, src[0], &layer, finish, NULL);
    return waio_cuda_pad_q(dst, src[0], &layer, &params[1], NULL);
}

static void test_pad_of(waio_shape in, waio_pad_params pad)
{
    for (int type = WAIO_F32; type <= WAIO_S16; type++)
        for (int way = 0; way < 3; way++) {
            layer_case c = {.node = {.op = WAIO_OP_PAD, .input_count = 1, .pad = pad},
                            .in = {in},
                            .out = in,
                            .type = (waio_type)type,
                            .special = true,
                            .scale = {0.1f, 0.1f},
                            .launch = launch_pad};
            for (int d = 0; d < in.rank; d++)
                c.out.dim[d] += pad.before[d] + pad.after[d];
            c.node.pad.value = way == 0 ? 0 : way == 1 ? -1e4f : 1.25f;
            if (type == WAIO_S8)
                c.zero_point[0] = c.zero_point[1] = way * 127 - 128;
            layer_check(&c);
        }
}

static void test_pad(void)
{
    test_pad_of(WAIO_SHAPE(2, 3, 5, 4), (waio_pad_params){.before = {0, 1, 2}, .after = {0, 3, 0}});
    test_pad_of(WAIO_SHAPE(2, 3, 5, 3), (waio_pad_params){.before = {0, 1, 2}, .after = {0, 3, 1}});
    test_pad_of(WAIO_SHAPE(2, 3, 1, 4), (waio_pad_params){.after = {0, 0, 0, 4}});
    test_pad_of(WAIO_SHAPE(1, 1, 1, 8), (waio_pad_params){.before = {0, 1}});
    test_pad_of(WAIO_SHAPE(2, 257), (waio_pad_params){.before = {0, 300}, .after = {0, 1}});
    test_pad_of(WAIO_SHAPE(2, 2, 1, 3, 2, 4),
                (waio_pad_params){.before = {0, 1, 2, 0, 1}, .after = {0, 1, 0, 3, 1}});
    test_pad_of(WAIO_SHAPE(3), (waio_pad_params){.after = {1}});
    test_pad_of(WAIO_SHAPE(1, 4), (waio_pad_params){.before = {0, 1}, .after = {0, 3}});
    test_pad_of(WAIO_SHAPE(3, 8), (waio_pad_params){.before = {0, 4}, .after = {0, 8}});
    test_pad_of(WAIO_SHAPE(1, 7), (waio_pad_params){.value = 0});
}

/* ---- transpose ---- */

static cudaError_t launch_transpose(const layer_case *c, void *dst, const void *const *src,
                                    const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_transpose layer = {.in = layer_shape(&c->in[0])};

    memcpy(layer.perm, c->node.transpose.perm, sizeof layer.perm);
    if (c->type == WAIO_F32)
        return waio_cuda_transpose_f32(dst, src[0], &layer, finish, NULL);
    return waio_cuda_transpose_q(dst, src[0], &layer, &params[1], NULL);
}

static void test_transpose_of(waio_shape in, const int perm[WAIO_MAX_RANK])
{
    for (int type = WAIO_F32; type <= WAIO_S16; type++) {
        layer_case c = {.node = {.op = WAIO_OP_TRANSPOSE, .input_count = 1},
                        .in = {in},
                        .out = in,
                        .type = (waio_type)type,
                        .special = true,
                        .scale = {0.1f, 0.1f},
                        .launch = launch_transpose};
        for (int d = 0; d < in.rank; d++)
            c.out.dim[d] = in.dim[perm[d]];
        memcpy(c.node.transpose.perm, perm, sizeof c.node.transpose.perm);
        layer_check(&c);
    }
}

static void test_transpose(void)
{
    static const int perm[][WAIO_MAX_RANK] = {
        {0, 1, 2, 3}, {0, 1, 3, 2}, {0, 2, 1, 3}, {0, 2, 3, 1},
        {0, 3, 1, 2}, {0, 3, 2, 1}, {3, 2, 1, 0}, {1, 0, 3, 2},
    };
    static const int six[WAIO_MAX_RANK] = {0, 5, 2, 4, 1, 3}, two[WAIO_MAX_RANK] = {1, 0};

    for (size_t p = 0; p < sizeof perm / sizeof *perm; p++) {
        test_transpose_of(WAIO_SHAPE(2, 3, 5, 4), perm[p]);
        test_transpose_of(WAIO_SHAPE(1, 4, 8, 7), perm[p]);
        test_transpose_of(WAIO_SHAPE(1, 17, 1, 33), perm[p]);
    }
    test_transpose_of(WAIO_SHAPE(2, 3, 2, 4, 1, 5), six);
    test_transpose_of(WAIO_SHAPE(33, 257), two);
    test_transpose_of(WAIO_SHAPE(1, 1), two);
}

/* ---- what cannot be ---- */

static void test_refusals(void)
{
    float *x = device_new(64, 0);
    const float *src[2] = {x, x};
    waio_cuda_shape in[2] = {{2, {2, 2}}, {2, {2, 3}}};
    waio_cuda_concat concat = {{2, {2, 4}}, 1, 2, in};
    waio_cuda_pad pad = {.in = {1, {3}}, .before = {-1}};
    waio_cuda_transpose transpose = {.in = {2, {2, 2}}, .perm = {1, 1}};

    CHECK(waio_cuda_concat_f32(x, src, &concat, &layer_keep, NULL) == cudaErrorInvalidValue, "2+3");
    concat.out.dim[1] = 5;
    concat.axis = 2;
    CHECK(waio_cuda_concat_f32(x, src, &concat, &layer_keep, NULL) == cudaErrorInvalidValue,
          "axis 2 of 2");
    CHECK(waio_cuda_pad_f32(x, x, &pad, &layer_keep, NULL) == cudaErrorInvalidValue, "negative");
    pad.before[0] = INT32_MAX;
    CHECK(waio_cuda_pad_f32(x, x, &pad, &layer_keep, NULL) == cudaErrorNotSupported, "too large");
    CHECK(waio_cuda_transpose_f32(x, x, &transpose, &layer_keep, NULL) == cudaErrorInvalidValue,
          "no order");
    transpose.perm[1] = 0;
    CHECK(waio_cuda_transpose_f32(NULL, x, &transpose, &layer_keep, NULL) == cudaErrorInvalidValue,
          "no result");
    device_free(x, 0);
}

int main(void)
{
    device_begin();
    for (int schedule = 0; schedule < DEVICE_FEW_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_concat();
        test_pad();
        test_transpose();
    }
    test_refusals();
    return device_end();
}
