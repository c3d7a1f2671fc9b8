/* add, sub, mul, maximum on the GPU's code against the reference: every kind of broadcast, sizes
 * around the block's, all roundings, in place. */
#include "cuda/layer_case.h"

static const waio_op ops[] = {WAIO_OP_ADD, WAIO_OP_SUB, WAIO_OP_MUL, WAIO_OP_MAXIMUM};

static cudaError_t launch(const layer_case *c, void *dst, const void *const *src,
                          const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_binary layer = {.a = layer_shape(&c->in[0]), .b = layer_shape(&c->in[1])};

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i] == c->node.op)
            layer.op = (waio_cuda_binary_op)i;
    if (c->type == WAIO_F32)
        return waio_cuda_binary_f32(dst, src[0], src[1], &layer, finish, NULL);
    return waio_cuda_binary_q(dst, src[0], src[1], &layer, params, c->requant, NULL);
}

static layer_case case_of(waio_op op, waio_type type, waio_shape a, waio_shape b)
{
    layer_case c = {.node = {.op = op, .input_count = 2},
                    .in = {a, b},
                    .type = type,
                    .special = true,
                    .launch = launch};
    CHECK(waio_shape_broadcast(&c.out, &a, &b), "shapes that go together");
    return c;
}

static void use_params(layer_case *c, const float scale[3], const int32_t zero_point[3])
{
    for (int i = 0; i < 3; i++) {
        c->scale[i] = scale[i];
        c->zero_point[i] = c->type == WAIO_S8 ? zero_point[i] : 0;
    }
    if (c->node.op == WAIO_OP_MAXIMUM)
        for (int i = 1; i < 3; i++) {
            c->scale[i] = c->scale[0];
            c->zero_point[i] = c->zero_point[0];
        }
}

static void test_shapes(waio_shape a, waio_shape b)
{
    static const float scale[3] = {0.037f, 0.021f, 0.043f};
    static const int32_t zero_point[3] = {-128, 127, 5};
    static const waio_type types[] = {WAIO_F32, WAIO_S8, WAIO_S16};

    for (size_t op = 0; op < sizeof ops / sizeof *ops; op++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            layer_case c = case_of(ops[op], types[t], a, b);
            use_params(&c, scale, zero_point);
            c.requant = (waio_requant)((op + t) % 4);
            layer_check(&c);
        }
}

/* Scales far apart and close together, with every rounding. */
static void test_params(void)
{
    static const float scale[][3] = {
        {0.5f, 0.5f, 0.5f}, {1e-3f, 1e-1f, 2e-1f}, {7.0f, 0.01f, 1e-3f}, {0.02f, 0.03f, 11.0f}};
    static const int32_t zero_point[][3] = {
        {0, 0, 0}, {-128, 0, 127}, {127, -128, -128}, {1, 2, 3}};
    waio_shape shape = WAIO_SHAPE(1, 500);

    for (size_t p = 0; p < 4; p++)
        for (int requant = 0; requant < 4; requant++)
            for (size_t op = 0; op < sizeof ops / sizeof *ops; op++)
                for (int type = WAIO_S8; type <= WAIO_S16; type++) {
                    layer_case c = case_of(ops[op], (waio_type)type, shape, shape);
                    use_params(&c, scale[p], zero_point[p]);
                    c.requant = (waio_requant)requant;
                    layer_check(&c);
                }
}

/* Results that use the whole range, so that what little the roundings differ by is seen: all pairs
 * of codes of 8 bits (in random order), many of 16. */
static void test_many(void)
{
    static const float scale[2][3] = {{0.0371f, 0.0213f, 0.0587f}, {7.1e-4f, 8.9e-4f, 0.0191f}};
    static const float sum_scale[2][3] = {{0.0371f, 0.0213f, 0.0587f}, {7.1e-4f, 8.9e-4f, 1.7e-3f}};
    static const int32_t zero_point[3] = {-3, 7, 1};
#ifdef WAIO_TEST_CHECKED
    waio_shape shape = WAIO_SHAPE(1, 1024);
#else
    waio_shape shape = WAIO_SHAPE(1, 65536);
#endif

    for (size_t op = 0; op < sizeof ops / sizeof *ops; op++)
        for (int type = WAIO_S8; type <= WAIO_S16; type++)
            for (int requant = 0; requant < 4; requant++) {
                layer_case c = case_of(ops[op], (waio_type)type, shape, shape);
                bool sum = ops[op] != WAIO_OP_MUL;
                use_params(&c, (sum ? sum_scale : scale)[type == WAIO_S16], zero_point);
                c.requant = (waio_requant)requant;
                c.once = true;
                layer_check(&c);
            }
}

static void test_sizes(void)
{
    static const int64_t sizes[] = {1, 3, 17, 255, 256, 257, 1023, 1025};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        test_shapes(WAIO_SHAPE(1, sizes[s]), WAIO_SHAPE(1, sizes[s]));
}

static void test_broadcasts(void)
{
    test_shapes(WAIO_SHAPE(2, 3, 5, 8), WAIO_SHAPE(8)); /* a number per channel */
    test_shapes(WAIO_SHAPE(2, 6), WAIO_SHAPE(6));
    test_shapes(WAIO_SHAPE(17), WAIO_SHAPE(2, 3, 17));           /* on the left, odd */
    test_shapes(WAIO_SHAPE(2, 3, 4, 4), (waio_shape){0, {0}});   /* a scalar */
    test_shapes((waio_shape){0, {0}}, (waio_shape){0, {0}});     /* two of them */
    test_shapes(WAIO_SHAPE(1, 1), WAIO_SHAPE(3, 255));           /* one number */
    test_shapes(WAIO_SHAPE(3, 5, 5, 4), WAIO_SHAPE(1, 5, 5, 4)); /* one image for all */
    test_shapes(WAIO_SHAPE(3, 5, 5, 4), WAIO_SHAPE(3, 1, 1, 4)); /* per image and channel */
    test_shapes(WAIO_SHAPE(2, 4, 4, 3), WAIO_SHAPE(2, 4, 4, 1)); /* per pixel */
    test_shapes(WAIO_SHAPE(2, 1, 6), WAIO_SHAPE(2, 7, 1));       /* both repeat */
    test_shapes(WAIO_SHAPE(2, 1, 3, 1, 2, 1), WAIO_SHAPE(1, 3, 1, 5, 1, 4));
    test_shapes(WAIO_SHAPE(2, 8), WAIO_SHAPE(3, 1, 8)); /* repeats in the middle */
}

static void test_in_place(void)
{
    waio_cuda_binary layer = {WAIO_CUDA_SUB, {2, {3, 8}}, {1, {8}}};
    float a[24], b[8], got[24];
    uint32_t seed = 5;

    for (int i = 0; i < 24; i++)
        a[i] = device_random_float(&seed);
    for (int i = 0; i < 8; i++)
        b[i] = device_random_float(&seed);
    float *x = device_copy(a, sizeof a, 0), *y = device_copy(b, sizeof b, 0);
    CHECK_CUDA(waio_cuda_binary_f32(x, x, y, &layer, &layer_keep, NULL));
    device_take(got, x, sizeof got, 0);
    device_free(y, 0);
    for (int i = 0; i < 24; i++)
        CHECK(got[i] == a[i] - b[i % 8], "element %d", i);
}

static cudaError_t launch_shapes(float *x, waio_cuda_shape a, waio_cuda_shape b)
{
    waio_cuda_binary layer = {WAIO_CUDA_ADD, a, b};
    return waio_cuda_binary_f32(x, x, x, &layer, &layer_keep, NULL);
}

static void test_refusals(void)
{
    float *x = device_new(16, 0);
    waio_cuda_params params[3] = {
        {.bytes = 1, .scale = 1}, {.bytes = 2, .scale = 1}, {.bytes = 1, .scale = 1}};
    waio_cuda_binary layer = {WAIO_CUDA_ADD, {1, {4}}, {1, {4}}};
    waio_cuda_shape four = {1, {4}}, three = {1, {3}}, none = {1, {0}}, seven = {7, {1}};
    waio_cuda_shape large = {2, {1 << 16, 1 << 15}}, tall = {2, {1 << 16, 1}};
    waio_cuda_shape wide = {1, {1 << 15}};

    CHECK(launch_shapes(x, four, three) == cudaErrorInvalidValue, "4 and 3");
    CHECK(launch_shapes(x, none, four) == cudaErrorInvalidValue, "no elements");
    CHECK(launch_shapes(x, four, seven) == cudaErrorInvalidValue, "seven dimensions");
    CHECK(launch_shapes(x, large, large) == cudaErrorNotSupported, "2^31 elements");
    CHECK(launch_shapes(x, tall, wide) == cudaErrorNotSupported, "2^31 by broadcasting");
    CHECK(launch_shapes(NULL, four, four) == cudaErrorInvalidValue, "no memory");
    CHECK(waio_cuda_binary_q(x, x, x, &layer, params, WAIO_REQUANT_DOUBLE, NULL) ==
              cudaErrorInvalidValue,
          "codes of two sizes");
    device_free(x, 0);
}

int main(void)
{
    device_begin();
    for (int schedule = 0; schedule < DEVICE_FEW_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_sizes();
        test_broadcasts();
        test_in_place();
    }
    test_params();
    test_many();
    test_refusals();
    return device_end();
}
