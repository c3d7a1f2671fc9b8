/* Average and maximum windows on the GPU's code against the reference: every padding rule, channels
 * 1 to 17, windows that hang over, codes at their ends, uint8 files' rounding. */
#include "cuda/layer_case.h"

static waio_cuda_pool layer_of(const layer_case *c)
{
    const waio_pool_params *p = &c->node.pool;
    const int64_t *in = c->in[0].dim;

    return (waio_cuda_pool){.average = c->node.op == WAIO_OP_AVG_POOL,
                            .batch = in[0],
                            .height = in[1],
                            .width = in[2],
                            .channels = in[3],
                            .out = {c->out.dim[1], c->out.dim[2]},
                            .kernel = {p->kernel[0], p->kernel[1]},
                            .stride = {p->stride[0], p->stride[1]},
                            .pad = {p->pad[0], p->pad[1], p->pad[2], p->pad[3]},
                            .count_include_pad = p->count_include_pad};
}

static cudaError_t launch(const layer_case *c, void *dst, const void *const *src,
                          const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_pool layer = layer_of(c);

    if (c->type == WAIO_F32)
        return waio_cuda_pool_f32(dst, src[0], &layer, finish, NULL);
    return waio_cuda_pool_q(dst, src[0], &layer, &params[1], NULL);
}

static layer_case case_of(waio_op op, waio_type type, waio_shape in, waio_pool_params p)
{
    layer_case c = {.node = {.op = op, .input_count = 1, .pool = p},
                    .in = {in},
                    .out = in,
                    .type = type,
                    .bound = op == WAIO_OP_AVG_POOL ? LAYER_OF_SIZES : LAYER_EXACT,
                    .eps = 1,
                    .special = op == WAIO_OP_MAX_POOL,
                    .scale = {0.03f, 0.03f},
                    .launch = launch};

    for (int i = 0; i < 2; i++)
        c.out.dim[1 + i] =
            (in.dim[1 + i] + p.pad[i] + p.pad[i + 2] - p.kernel[i]) / p.stride[i] + 1;
    return c;
}

/* Both ops, all types, zero points at both ends. */
static void test_window(waio_shape in, waio_pool_params p)
{
    static const int32_t zero_points[] = {-128, 127, 3};

    for (int average = 0; average < 2; average++)
        for (int type = WAIO_F32; type <= WAIO_S16; type++)
            for (int z = 0; z < (type == WAIO_S8 ? 6 : 1); z++) {
                layer_case c =
                    case_of(average ? WAIO_OP_AVG_POOL : WAIO_OP_MAX_POOL, (waio_type)type, in, p);
                if (type == WAIO_S8)
                    c.zero_point[0] = c.zero_point[1] = zero_points[z % 3];
                c.u8 = z >= 3;
                layer_check(&c);
            }
}

static void test_paddings(void)
{
    static const waio_pool_params windows[] = {
        {{1, 1}, {1, 1}, {0, 0, 0, 0}, false}, {{2, 2}, {2, 2}, {0, 0, 0, 0}, false},
        {{3, 3}, {2, 2}, {1, 1, 1, 1}, false}, {{3, 3}, {2, 2}, {0, 0, 1, 1}, true},
        {{3, 3}, {1, 1}, {2, 1, 0, 2}, true},  {{3, 2}, {3, 1}, {1, 0, 2, 1}, false},
        {{2, 5}, {1, 3}, {1, 4, 1, 3}, true},  {{6, 7}, {1, 1}, {0, 0, 0, 0}, false},
    };

    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
        test_window(WAIO_SHAPE(2, 6, 7, 3), windows[w]);
        test_window(WAIO_SHAPE(2, 6, 7, 8), windows[w]);
    }
}

static void test_channels(void)
{
    for (int64_t channels = 1; channels <= 17; channels++)
        test_window(WAIO_SHAPE(1, 5, 4, channels),
                    (waio_pool_params){{3, 3}, {2, 1}, {1, 1, 1, 1}, channels % 2});
}

/* More work than a grid's threads take in one go; the accumulator's long windows. */
static void test_large(void)
{
    layer_case c = case_of(WAIO_OP_MAX_POOL, WAIO_S8, WAIO_SHAPE(3, 300, 301, 1),
                           (waio_pool_params){{2, 1}, {1, 1}, {0, 0, 0, 0}, false});

    layer_check(&c);
    c = case_of(WAIO_OP_AVG_POOL, WAIO_S16, WAIO_SHAPE(1, 300, 300, 1),
                (waio_pool_params){{300, 300}, {1, 1}, {0, 0, 0, 0}, false});
    c.highest = true;
    layer_check(&c);
}

static void test_refusals(void)
{
    layer_case c = case_of(WAIO_OP_MAX_POOL, WAIO_S8, WAIO_SHAPE(1, 4, 4, 1),
                           (waio_pool_params){{2, 2}, {2, 2}, {0, 0, 0, 0}, false});
    waio_cuda_params params = {.bytes = 1, .scale = 1};
    int8_t *x = device_new(16, 0), *y = device_new(16, 0);
    waio_cuda_pool layer = layer_of(&c), wrong = layer;

    wrong.pad[0] = 2;
    CHECK(waio_cuda_pool_q(y, x, &wrong, &params, NULL) == cudaErrorInvalidValue, "pad >= kernel");
    wrong = layer;
    wrong.out[1] = 3;
    CHECK(waio_cuda_pool_q(y, x, &wrong, &params, NULL) == cudaErrorInvalidValue, "empty window");
    wrong = layer;
    wrong.batch = 1 << 27;
    CHECK(waio_cuda_pool_q(y, x, &wrong, &params, NULL) == cudaErrorNotSupported, "2^31 elements");
    wrong.batch = 0;
    CHECK(waio_cuda_pool_q(y, x, &wrong, &params, NULL) == cudaErrorInvalidValue, "no images");
    params.bytes = 4;
    CHECK(waio_cuda_pool_q(y, x, &layer, &params, NULL) == cudaErrorInvalidValue, "4 bytes");
    device_free(x, 0);
    device_free(y, 0);
}

int main(void)
{
    device_begin();
    for (int schedule = 0; schedule < DEVICE_FEW_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_paddings();
        test_channels();
    }
    test_large();
    test_refusals();
    return device_end();
}
