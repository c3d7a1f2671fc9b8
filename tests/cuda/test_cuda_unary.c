/* Ops with one operand on the GPU's code against the reference: clip, logistic, batch norm; of
 * codes clamp, clip and requantization between all types with every rounding, dequantization,
 * look-up. */
#include "cuda/layer_case.h"

static const int64_t sizes[] = {1, 3, 4, 17, 255, 256, 257, 1023, 1025, 2051};

static layer_case case_of(waio_op op, waio_type type, int64_t count)
{
    return (layer_case){.node = {.op = op, .input_count = 1},
                        .in = {WAIO_SHAPE(1, count)},
                        .out = WAIO_SHAPE(1, count),
                        .type = type};
}

/* ---- floats ---- */

static cudaError_t launch_f32(const layer_case *c, void *dst, const void *const *src,
                              const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    size_t count = layer_count(&c->out);

    (void)params;
    return c->node.op == WAIO_OP_CLIP ? waio_cuda_clip_f32(dst, src[0], count, finish, NULL)
                                      : waio_cuda_logistic_f32(dst, src[0], count, finish, NULL);
}

static void test_f32(int64_t count)
{
    layer_case c = case_of(WAIO_OP_CLIP, WAIO_F32, count);

    c.launch = launch_f32;
    c.special = true;
    layer_check(&c);
    for (float spread = 1e-3f; spread < 1e3f; spread *= 33) {
        c = case_of(WAIO_OP_LOGISTIC, WAIO_F32, count);
        c.launch = launch_f32;
        c.bound = LAYER_OF_RESULT;
        c.eps = 2;
        c.spread = spread;
        c.special = spread > 1;
        layer_check(&c);
    }
}

static cudaError_t launch_batch_norm(const layer_case *c, void *dst, const void *const *src,
                                     const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_batch_norm layer = {
        waio_shape_count(&c->out), c->out.dim[1], src[1], src[2], src[3], src[4], c->node.epsilon};

    (void)params;
    return waio_cuda_batch_norm_f32(dst, src[0], &layer, finish, NULL);
}

static double batch_norm_terms(const layer_case *c, float *const *src, size_t i)
{
    size_t ch = i % (size_t)c->out.dim[1];
    double factor = src[1][ch] / sqrt((double)src[4][ch] + (double)c->node.epsilon);
    return fabs(((double)src[0][i] - (double)src[3][ch]) * factor) + fabs((double)src[2][ch]);
}

/* Epsilon is what makes all variances positive. */
static void test_batch_norm(int64_t rows, int64_t channels)
{
    layer_case c = {.node = {.op = WAIO_OP_BATCH_NORM, .input_count = 5, .epsilon = 100.5f},
                    .in = {WAIO_SHAPE(rows, channels)},
                    .out = WAIO_SHAPE(rows, channels),
                    .bound = LAYER_OF_TERMS,
                    .terms = batch_norm_terms,
                    .eps = 3,
                    .spread = 100,
                    .launch = launch_batch_norm};

    for (int i = 1; i < 5; i++)
        c.in[i] = WAIO_SHAPE(channels);
    layer_check(&c);
}

/* ---- codes ---- */

static cudaError_t launch_clip(const layer_case *c, void *dst, const void *const *src,
                               const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    (void)finish;
    return waio_cuda_clip_q(dst, src[0], layer_count(&c->out), &params[0], &params[1], c->requant,
                            NULL);
}

static cudaError_t launch_requantize(const layer_case *c, void *dst, const void *const *src,
                                     const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    (void)finish;
    return waio_cuda_requantize_q(dst, src[0], layer_count(&c->out), &params[0], &params[1],
                                  c->requant, NULL);
}

/* The reference's codes of every code from the lowest, in device memory. */
static void *table_of(const layer_case *c)
{
    int64_t count = c->type == WAIO_S8 ? 256 : 65536;
    size_t bytes = waio_type_bytes(c->type);
    char *codes = malloc((size_t)count * bytes), *table = malloc((size_t)count * bytes);
    layer_case all = *c;

    for (int64_t i = 0; i < count; i++) {
        if (c->type == WAIO_S8)
            ((int8_t *)codes)[i] = (int8_t)(i - 128);
        else
            ((int16_t *)(void *)codes)[i] = (int16_t)(i - 32768);
    }
    all.in[0] = all.out = WAIO_SHAPE(1, count);
    waio_refq_tensor in = layer_tensor(&all, 0, codes), out = layer_tensor(&all, 1, NULL);
    CHECK_OK(waio_refq_run(&(waio_refq_call){
        .node = &c->node, .requant = c->requant, .in = &in, .out = out, .result = table}));
    void *on_device = device_copy(table, (size_t)count * bytes, 0);
    free(codes);
    free(table);
    return on_device;
}

static cudaError_t launch_look_up(const layer_case *c, void *dst, const void *const *src,
                                  const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    void *table = table_of(c);

    (void)finish;
    cudaError_t error =
        waio_cuda_look_up_q(dst, src[0], layer_count(&c->out), params[0].bytes, table, NULL);
    CHECK_CUDA(cudaDeviceSynchronize());
    device_free(table, 0);
    return error;
}

static void test_codes(int64_t count)
{
    static const float scale[][2] = {{0.1f, 0.1f}, {0.02f, 0.7f}, {0.9f, 0.004f}, {0.031f, 0.03f}};
    static const int32_t zero_point[][2] = {{0, 0}, {-128, 127}, {127, -128}, {3, 3}};

    for (int type = WAIO_S8; type <= WAIO_S16; type++)
        for (int p = 0; p < 16; p++) {
            layer_case c = case_of(p % 2 ? WAIO_OP_CLIP : WAIO_OP_QUANTIZE, (waio_type)type, count);
            c.launch = p % 2 ? launch_clip : launch_requantize;
            c.requant = (waio_requant)(p / 4);
            memcpy(c.scale, scale[p % 4], sizeof scale[0]);
            if (type == WAIO_S8)
                memcpy(c.zero_point, zero_point[(p + p / 4) % 4], sizeof zero_point[0]);
            layer_check(&c);
        }
}

static void test_logistic(int64_t count)
{
    for (int type = WAIO_S8; type <= WAIO_S16; type++) {
        layer_case c = case_of(WAIO_OP_LOGISTIC, (waio_type)type, count);
        c.launch = launch_look_up;
        c.scale[0] = type == WAIO_S8 ? 0.06f : 0.0003f;
        c.scale[1] = type == WAIO_S8 ? 1.0f / 256 : 1.0f / 32768;
        c.zero_point[0] = type == WAIO_S8 ? 11 : 0;
        c.zero_point[1] = type == WAIO_S8 ? -128 : 0;
        layer_check(&c);
    }
}

/* From one type to the other. */
static void test_retype(bool widen, waio_requant requant)
{
    enum { COUNT = 600 };
    int16_t codes[COUNT], got[COUNT], want[COUNT];
    const float scale[2] = {widen ? 0.05f : 0.0003f, widen ? 0.0002f : 0.04f};
    const int32_t zero[2] = {widen ? -100 : 0, widen ? 0 : 77};
    waio_node node = {.op = WAIO_OP_QUANTIZE, .input_count = 1, .clamp = WAIO_NO_CLAMP};
    waio_refq_tensor t[2];
    waio_cuda_params params[2];
    uint32_t seed = 3;

    for (int i = 0; i < 2; i++) {
        bool s8 = (i == 0) == widen;
        t[i] = (waio_refq_tensor){
            WAIO_SHAPE(1, COUNT),
            s8 ? WAIO_S8 : WAIO_S16,
            {.bits = s8 ? 8 : 16, .count = 1, .scale = &scale[i], .zero_point = &zero[i]},
            codes};
        params[i] = layer_params(&t[i]);
    }
    layer_fill_codes(codes, COUNT, t[0].type, false, &seed);
    CHECK_OK(waio_refq_run(&(waio_refq_call){
        .node = &node, .requant = requant, .in = t, .out = t[1], .result = want}));
    size_t in_bytes = COUNT * waio_type_bytes(t[0].type),
           bytes = COUNT * waio_type_bytes(t[1].type);
    void *src = device_copy(codes, in_bytes, 0), *dst = device_new(bytes, 0);
    CHECK_CUDA(waio_cuda_requantize_q(dst, src, COUNT, &params[0], &params[1], requant, NULL));
    device_take(got, dst, bytes, 0);
    device_free(src, 0);
    CHECK(memcmp(got, want, bytes) == 0, "widen %d, requant %d", widen, (int)requant);
}

/* Every code of 8 bits clamped in place, and as numbers. */
static void test_every_code(void)
{
    const waio_cuda_params params = {1, 0.07f, -3, -20, 100, false};
    waio_cuda_finish finish = {-1, 5, WAIO_CUDA_FAKE_QUANTIZE, {0.3f, -8, 7}, WAIO_ROUND_HALF_EVEN};
    int8_t codes[256], clamped[256];
    float numbers[256];

    for (int i = 0; i < 256; i++)
        codes[i] = (int8_t)(i - 128);
    int8_t *x = device_copy(codes, sizeof codes, 0);
    float *y = device_new(sizeof numbers, 0);
    CHECK_CUDA(waio_cuda_dequantize_q(y, x, 256, &params, &finish, NULL));
    CHECK_CUDA(waio_cuda_clamp_q(x, x, 256, &params, NULL));
    device_take(clamped, x, sizeof clamped, 0);
    device_take(numbers, y, sizeof numbers, 0);
    for (int i = 0; i < 256; i++) {
        CHECK(clamped[i] == waio_clampi(codes[i], -20, 100), "code %d", codes[i]);
        CHECK(layer_same(numbers[i],
                         layer_finish(waio_dequantize_code(codes[i], 0.07f, -3), &finish)),
              "code %d", codes[i]);
    }
}

static void test_refusals(void)
{
    const waio_cuda_params params = {.bytes = 4, .scale = 1};
    float *x = device_new(16, 0);
    waio_cuda_batch_norm layer = {4, 3, x, x, x, x, 1};

    CHECK(waio_cuda_clip_f32(NULL, NULL, 0, &layer_keep, NULL) == cudaSuccess, "nothing to do");
    CHECK(waio_cuda_clip_f32(x, NULL, 1, &layer_keep, NULL) == cudaErrorInvalidValue, "no source");
    CHECK(waio_cuda_clamp_q(x, x, 1, &params, NULL) == cudaErrorInvalidValue, "4 bytes");
    CHECK(waio_cuda_look_up_q(x, x, 1, 1, NULL, NULL) == cudaErrorInvalidValue, "no table");
    CHECK(waio_cuda_batch_norm_f32(x, x, &layer, &layer_keep, NULL) == cudaErrorInvalidValue,
          "4 numbers in 3 channels");
    device_free(x, 0);
}

int main(void)
{
    device_begin();
    for (int schedule = 0; schedule < DEVICE_FEW_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            test_f32(sizes[s]);
            test_codes(sizes[s]);
        }
        for (int64_t channels = 1; channels <= 17; channels++)
            test_batch_norm(31, channels);
    }
    test_logistic(1);
    test_logistic(1025);
    for (int requant = 0; requant < 8; requant++)
        test_retype(requant % 2, (waio_requant)(requant / 2));
    test_every_code();
    test_refusals();
    return device_end();
}
