/* Softmax on the GPU's code: codes equal to the reference at every width around a warp, a block and
 * the change from one to the other; floats within a few eps; rows of infinities and NaN; a sum that
 * 32 bits do not hold is told of. */
#include "cuda/layer_case.h"

_Static_assert(sizeof(waio_cuda_softmax_tables) == sizeof(waio_refq_softmax_tables),
               "one layout of the tables");

static int *lost; /* a device word */

static cudaError_t launch(const layer_case *c, void *dst, const void *const *src,
                          const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    int64_t width = c->out.dim[c->out.rank - 1], rows = waio_shape_count(&c->out) / width;
    waio_refq_softmax_tables tables;

    if (c->type == WAIO_F32)
        return waio_cuda_softmax_f32(dst, src[0], rows, width, finish, NULL);
    memset(&tables, 0, sizeof tables);
    waio_refq_softmax_fill(&tables, c->type, c->scale[0]);
    waio_cuda_softmax_tables *on_device = device_copy(&tables, sizeof tables, 0);
    cudaError_t error =
        waio_cuda_softmax_q(dst, src[0], rows, width, params, c->requant, on_device, lost, NULL);
    CHECK_CUDA(cudaDeviceSynchronize());
    device_free(on_device, 0);
    return error;
}

static layer_case case_of(waio_type type, int64_t rows, int64_t width, float scale)
{
    bool s8 = type == WAIO_S8;
    return (layer_case){.node = {.op = WAIO_OP_SOFTMAX, .input_count = 1, .axis = {1}},
                        .in = {WAIO_SHAPE(rows, width)},
                        .out = WAIO_SHAPE(rows, width),
                        .type = type,
                        .bound = LAYER_OF_RESULT,
                        .eps = 2,
                        .spread = scale * 100,
                        .scale = {scale, s8 ? 1.0f / 256 : 1.0f / 32768},
                        .zero_point = {s8 ? 17 : 0, s8 ? -128 : 0},
                        .launch = launch};
}

static void test_widths(void)
{
    static const int64_t widths[] = {1, 3, 10, 31, 32, 33, 257};

    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int type = WAIO_F32; type <= WAIO_S16; type++) {
            layer_case c = case_of((waio_type)type, 1 + (int64_t)(w * 5 % 18), widths[w], 0.1f);
            layer_check(&c);
        }
}

/* Equal codes, whose sum takes 32 bits: results are 1 / width, and below half a code 0. */
static void test_equal_codes(void)
{
    static const int64_t widths[] = {100, 600, 1030, 3000};

    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int type = WAIO_S8; type <= WAIO_S16; type++) {
            layer_case c = case_of((waio_type)type, 2, widths[w], 0.1f);
            c.highest = c.once = true;
            layer_check(&c);
        }
}

/* Around the width from which a row belongs to a block. */
static void test_long(void)
{
    for (int64_t width = 2047; width <= 2049; width += 2)
        for (int type = WAIO_F32; type <= WAIO_S16; type++) {
            layer_case c = case_of((waio_type)type, 2, width, type == WAIO_S16 ? 0.001f : 0.1f);
            c.once = true;
            layer_check(&c);
        }
}

static void test_scales(void)
{
    static const float scales[] = {1e-5f, 0.003f, 0.05f, 1.0f, 20.0f, 3000.0f};

    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++)
        for (int type = WAIO_F32; type <= WAIO_S16; type++)
            for (int requant = 0; requant < (type == WAIO_S16 ? 4 : 1); requant++) {
                layer_case c = case_of((waio_type)type, 20, 11, scales[s]);
                c.requant = (waio_requant)requant;
                layer_check(&c);
            }
}

/* The same bits under every schedule, for a row of a warp and one of a block. */
static void test_same_bits(void)
{
    static float x[5000], first[5000], got[5000];
    uint32_t seed = 7;

    for (int i = 0; i < 5000; i++)
        x[i] = 4 * device_random_float(&seed);
    for (int rows = 1; rows <= 5; rows += 4)
        for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
            device_use_schedule(schedule);
            float *src = device_copy(x, sizeof x, 0), *dst = device_new(sizeof x, 0);
            CHECK_CUDA(waio_cuda_softmax_f32(dst, src, rows, 5000 / rows, &layer_keep, NULL));
            device_take(schedule ? got : first, dst, sizeof x, 0);
            device_free(src, 0);
            CHECK(!schedule || memcmp(first, got, sizeof x) == 0, "%d rows, schedule %d", rows,
                  schedule);
        }
}

/* Infinities and NaN as in the reference; the others in the row are what they are there. */
static void test_special(void)
{
    static const float rows[][4] = {
        {1, 2, -INFINITY, 3},
        {NAN, 1, 2, 3},
        {1, 2, 3, NAN},
        {INFINITY, 1, 2, 3},
        {-INFINITY, -INFINITY, -INFINITY, -INFINITY},
        {3e38f, -3e38f, 0, 1e-3f},
        {-3e38f, -3e38f, 0, -200},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    waio_shape shape = WAIO_SHAPE(ROWS, 4);
    waio_node node = {.op = WAIO_OP_SOFTMAX, .input_count = 1, .axis = {1}, .clamp = WAIO_NO_CLAMP};
    const float *in = rows[0];
    float want[ROWS * 4], got[ROWS * 4];

    waio_ref_run(&(waio_ref_call){&node, &shape, &shape, &in, want});
    float *src = device_copy(rows, sizeof rows, 0), *dst = device_new(sizeof got, 0);
    CHECK_CUDA(waio_cuda_softmax_f32(dst, src, ROWS, 4, &layer_keep, NULL));
    device_take(got, dst, sizeof got, 0);
    device_free(src, 0);
    for (int i = 0; i < ROWS * 4; i++)
        CHECK(layer_same(want[i], got[i]) || fabsf(want[i] - got[i]) <= 2 * 0x1p-23f * want[i],
              "row %d, element %d: %.9g, expected %.9g", i / 4, i % 4, (double)got[i],
              (double)want[i]);
}

static int take_lost(void)
{
    int value = -1, zero = 0;

    CHECK_CUDA(cudaDeviceSynchronize());
    CHECK_CUDA(cudaMemcpy(&value, lost, sizeof value, cudaMemcpyDeviceToHost));
    CHECK_CUDA(cudaMemcpy(lost, &zero, sizeof zero, cudaMemcpyHostToDevice));
    return value;
}

/* 4,095 largest codes of 8 bits are the last sum that 32 bits hold. */
static void test_overflow(void)
{
    enum { MOST = 4096 };
    waio_cuda_params params[2] = {{1, 0.1f, 0, -128, 127, false},
                                  {1, 1.0f / 256, -128, -128, 127, false}};
    waio_refq_softmax_tables tables;
    int8_t codes[MOST];

    memset(codes, 5, sizeof codes);
    memset(&tables, 0, sizeof tables);
    waio_refq_softmax_fill(&tables, WAIO_S8, 0.1f);
    int8_t *src = device_copy(codes, sizeof codes, 0), *dst = device_new(sizeof codes, 0);
    waio_cuda_softmax_tables *on_device = device_copy(&tables, sizeof tables, 0);
    for (int more = 0; more < 2; more++) {
        CHECK_CUDA(waio_cuda_softmax_q(dst, src, 1, MOST - 1 + more, params, WAIO_REQUANT_DOUBLE,
                                       on_device, lost, NULL));
        CHECK(take_lost() == more, "%d more", more);
        CHECK_CUDA(waio_cuda_softmax_q(dst, src, 1, MOST - 1 + more, params, WAIO_REQUANT_DOUBLE,
                                       on_device, NULL, NULL));
    }
    CHECK_CUDA(waio_cuda_softmax_q(dst, src, 2, MOST / 2, params, WAIO_REQUANT_DOUBLE, on_device,
                                   lost, NULL));
    CHECK(take_lost() == 0, "two short rows");
    device_take(codes, dst, sizeof codes, 0);
    device_free(src, 0);
    device_free(on_device, 0);
}

static void test_refusals(void)
{
    waio_cuda_params params[2] = {{.bytes = 1, .scale = 1}, {.bytes = 1, .scale = 1}};
    float *x = device_new(16, 0);

    CHECK(waio_cuda_softmax_f32(x, x, 0, 4, &layer_keep, NULL) == cudaSuccess, "nothing to do");
    CHECK(waio_cuda_softmax_f32(x, x, 1, 0, &layer_keep, NULL) == cudaErrorInvalidValue, "width 0");
    CHECK(waio_cuda_softmax_f32(x, NULL, 1, 4, &layer_keep, NULL) == cudaErrorInvalidValue,
          "no source");
    CHECK(waio_cuda_softmax_f32(x, x, 1 << 16, 1 << 15, &layer_keep, NULL) == cudaErrorNotSupported,
          "2^31 elements");
    CHECK(waio_cuda_softmax_q(x, x, 1, 4, params, WAIO_REQUANT_DOUBLE, NULL, NULL, NULL) ==
              cudaErrorInvalidValue,
          "no tables");
    device_free(x, 0);
}

int main(void)
{
    const int zero = 0;

    device_begin();
    lost = device_copy(&zero, sizeof zero, 0);
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_widths();
        test_long();
    }
    test_equal_codes();
    test_scales();
    test_same_bits();
    test_special();
    CHECK(take_lost() == 0, "nothing was lost");
    test_overflow();
    test_refusals();
    device_free(lost, 0);
    return device_end();
}
