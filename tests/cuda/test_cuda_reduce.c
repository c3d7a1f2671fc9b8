/* Mean and sum over any axes on the GPU's code against the reference; every rounding; a sum that 32
 * bits do not hold is told of. */
#include "cuda/layer_case.h"

static int *lost; /* a device word */

static waio_cuda_reduce layer_of(const layer_case *c)
{
    return (waio_cuda_reduce){.mean = c->node.op == WAIO_OP_MEAN,
                              .in = layer_shape(&c->in[0]),
                              .axes = c->node.reduce.axes};
}

static cudaError_t launch(const layer_case *c, void *dst, const void *const *src,
                          const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_reduce layer = layer_of(c);

    if (c->type == WAIO_F32)
        return waio_cuda_reduce_f32(dst, src[0], &layer, finish, NULL);
    return waio_cuda_reduce_q(dst, src[0], &layer, params, c->requant, lost, NULL);
}

static layer_case case_of(waio_op op, waio_type type, waio_shape in, unsigned axes)
{
    layer_case c = {.node = {.op = op, .input_count = 1, .reduce = {.axes = axes}},
                    .in = {in},
                    .type = type,
                    .bound = LAYER_OF_SIZES,
                    .eps = 1,
                    .scale = {0.03f, op == WAIO_OP_MEAN ? 0.021f : 0.7f},
                    .launch = launch};

    for (int d = 0; d < in.rank; d++)
        if (!(axes >> d & 1u))
            c.out.dim[c.out.rank++] = in.dim[d];
    return c;
}

static void test_params(waio_op op, waio_type type, waio_shape in, unsigned axes, int which)
{
    static const int32_t zero_point[][2] = {{-128, 127}, {127, -128}, {5, 0}, {0, 0}};
    layer_case c = case_of(op, type, in, axes);

    if (type == WAIO_S8)
        memcpy(c.zero_point, zero_point[which], sizeof zero_point[which]);
    c.requant = (waio_requant)which;
    layer_check(&c);
}

static void test_axes(waio_shape in, unsigned axes)
{
    static int turn;

    for (int type = WAIO_F32; type <= WAIO_S16; type++, turn++)
        test_params(turn / 4 % 2 ? WAIO_OP_MEAN : WAIO_OP_SUM, (waio_type)type, in, axes, turn % 4);
}

static void test_roundings(waio_shape in, unsigned axes)
{
    for (int type = WAIO_S8; type <= WAIO_S16; type++)
        for (int which = 0; which < 4; which++) {
            test_params(WAIO_OP_MEAN, (waio_type)type, in, axes, which);
            test_params(WAIO_OP_SUM, (waio_type)type, in, axes, which);
        }
}

/* Every set of axes of images with all sides different, and with sides of 1. */
static void test_all_axes(void)
{
    for (unsigned axes = 0; axes < 16; axes++) {
        test_axes(WAIO_SHAPE(2, 3, 5, 7), axes);
        test_axes(WAIO_SHAPE(3, 1, 6, 4), axes);
    }
    test_axes(WAIO_SHAPE(2, 3, 2, 3, 2, 5), 0x2a);
    test_axes(WAIO_SHAPE(2, 3, 2, 3, 2, 5), 0x14);
    test_axes(WAIO_SHAPE(1, 1, 1), 0x7);
}

static void test_sizes(void)
{
    static const int64_t sizes[] = {1, 7, 8, 9, 31, 33, 257};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        test_axes(WAIO_SHAPE(2, sizes[s], 3), 0x2); /* over the middle */
        test_axes(WAIO_SHAPE(1, 3, sizes[s]), 0x2); /* as many results */
        test_axes(WAIO_SHAPE(3, sizes[s]), 0x2);    /* over the last */
        test_axes(WAIO_SHAPE(sizes[s], 3), 0x2);    /* as many results */
    }
}

/* What cancels: 2^24, ones that vanish beside it, -2^24. */
static void test_lost_digits(void)
{
    enum { COUNT = 1000 };
    float x[COUNT], got = 0;
    waio_cuda_reduce layer = {.in = {1, {COUNT}}, .axes = 1};

    for (int i = 0; i < COUNT; i++)
        x[i] = i < 32 ? 0x1p24f : i >= COUNT - 32 ? -0x1p24f : 1;
    float *src = device_copy(x, sizeof x, 0), *dst = device_new(sizeof got, 0);
    CHECK_CUDA(waio_cuda_reduce_f32(dst, src, &layer, &layer_keep, NULL));
    device_take(&got, dst, sizeof got, 0);
    device_free(src, 0);
    CHECK(got == COUNT - 64, "%.9g", (double)got);
}

/* A float sum has the same bits under every schedule, over pixels and over channels. */
static void test_same_bits(void)
{
    enum { COUNT = 2 * 300 * 40 };
    static float x[COUNT], first[2 * 300], got[2 * 300];
    uint32_t seed = 11;

    for (int i = 0; i < COUNT; i++)
        x[i] = device_random_float(&seed);
    for (unsigned axis = 1; axis < 3; axis++)
        for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
            waio_cuda_reduce layer = {.in = {3, {2, 300, 40}}, .axes = 1u << axis};
            size_t bytes = 2 * (axis == 1 ? 40 : 300) * sizeof(float);
            device_use_schedule(schedule);
            float *src = device_copy(x, sizeof x, 0), *dst = device_new(bytes, 0);
            CHECK_CUDA(waio_cuda_reduce_f32(dst, src, &layer, &layer_keep, NULL));
            device_take(schedule ? got : first, dst, bytes, 0);
            device_free(src, 0);
            CHECK(!schedule || memcmp(first, got, bytes) == 0, "axis %u, schedule %d", axis,
                  schedule);
        }
}

/* Infinite sums are infinite, though what they lost is not a number. */
static void test_special(void)
{
    static const float rows[4][3] = {
        {1, INFINITY, 2}, {-INFINITY, 1, 3e38f}, {INFINITY, 1, -INFINITY}, {1, NAN, 2}};
    const float want[4] = {INFINITY, -INFINITY, NAN, NAN};
    waio_cuda_reduce layer = {.in = {2, {4, 3}}, .axes = 2};
    float got[4];

    float *src = device_copy(rows, sizeof rows, 0), *dst = device_new(sizeof got, 0);
    CHECK_CUDA(waio_cuda_reduce_f32(dst, src, &layer, &layer_keep, NULL));
    device_take(got, dst, sizeof got, 0);
    device_free(src, 0);
    for (int i = 0; i < 4; i++)
        CHECK(got[i] == want[i] || (got[i] != got[i] && want[i] != want[i]), "row %d: %g", i,
              (double)got[i]);
}

/* A ratio of scales that leaves no shift for the division by the number of cells. */
static void test_small_ratio(void)
{
    for (int type = WAIO_S8; type <= WAIO_S16; type++)
        for (int requant = 0; requant < 4; requant++) {
            layer_case c = case_of(WAIO_OP_MEAN, (waio_type)type, WAIO_SHAPE(2, 100, 3), 0x2);
            c.scale[0] = 1e-6f;
            c.scale[1] = 200;
            c.requant = (waio_requant)requant;
            layer_check(&c);
        }
}

static int take_lost(void)
{
    int value = -1, zero = 0;

    CHECK_CUDA(cudaDeviceSynchronize());
    CHECK_CUDA(cudaMemcpy(&value, lost, sizeof value, cudaMemcpyDeviceToHost));
    CHECK_CUDA(cudaMemcpy(lost, &zero, sizeof zero, cudaMemcpyHostToDevice));
    return value;
}

/* 65,536 codes of -32768 are the last sum that 32 bits hold. */
static void test_overflow(void)
{
    enum { MOST = 65537 };
    int16_t *codes = malloc(MOST * sizeof *codes), got;
    waio_cuda_params params[2] = {{.bytes = 2, .scale = 1}, {.bytes = 2, .scale = 1e6f}};

    params[1].lo = -32768;
    params[1].hi = 32767;
    for (int i = 0; i < MOST; i++)
        codes[i] = -32768;
    int16_t *src = device_copy(codes, MOST * sizeof *codes, 0), *dst = device_new(sizeof got, 0);
    for (int more = 0; more < 2; more++) {
        waio_cuda_reduce layer = {.in = {1, {MOST - 1 + more}}, .axes = 1};
        CHECK_CUDA(waio_cuda_reduce_q(dst, src, &layer, params, WAIO_REQUANT_DOUBLE, lost, NULL));
        CHECK(take_lost() == more, "%d more", more);
    }
    device_take(&got, dst, sizeof got, 0);
    device_free(src, 0);
    free(codes);
}

static void test_refusals(void)
{
    float *x = device_new(16, 0);
    waio_cuda_reduce layer = {.in = {2, {2, 2}}, .axes = 4};
    waio_cuda_params params[2] = {{.bytes = 1, .scale = 1}, {.bytes = 2, .scale = 1}};

    CHECK(waio_cuda_reduce_f32(x, x, &layer, &layer_keep, NULL) == cudaErrorInvalidValue, "axis 2");
    layer.axes = 2;
    CHECK(waio_cuda_reduce_f32(NULL, x, &layer, &layer_keep, NULL) == cudaErrorInvalidValue,
          "no result");
    CHECK(waio_cuda_reduce_q(x, x, &layer, params, WAIO_REQUANT_DOUBLE, NULL, NULL) ==
              cudaErrorInvalidValue,
          "codes of two sizes");
    layer = (waio_cuda_reduce){.in = {1, {INT64_C(1) << 31}}, .axes = 1};
    CHECK(waio_cuda_reduce_f32(x, x, &layer, &layer_keep, NULL) == cudaErrorNotSupported, "2^31");
    device_free(x, 0);
}

int main(void)
{
    const int zero = 0;

    device_begin();
    lost = device_copy(&zero, sizeof zero, 0);
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_all_axes();
        test_sizes();
        test_lost_digits();
    }
    test_roundings(WAIO_SHAPE(2, 6, 7, 33), 0x6);
    test_roundings(WAIO_SHAPE(5, 3, 77), 0x4);
    test_same_bits();
    test_special();
    test_small_ratio();
    CHECK(take_lost() == 0, "nothing was lost");
    test_overflow();
    test_refusals();
    device_free(lost, 0);
    return device_end();
}
