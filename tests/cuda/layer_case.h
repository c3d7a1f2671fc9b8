/* One layer on the CUDA kernels' own source and on the reference: codes must be equal; floats
 * within a bound, and whatever is fused behind them must do exactly what it does alone. Every case
 * runs on aligned memory and one element off it, with guards behind the result. */
#ifndef WAIO_TESTS_CUDA_LAYER_CASE_H
#define WAIO_TESTS_CUDA_LAYER_CASE_H

#include "cuda/device.h"

#include "backend/ref/ref.h"
#include "backend/ref/refq.h"
#include "kernels/kernels.h"

enum { LAYER_INPUTS = 6 };

/* What a float may be off by, in `eps` of: */
typedef enum layer_bound {
    LAYER_EXACT,
    LAYER_OF_RESULT,
    LAYER_OF_SIZES,   /* what the reference makes of the inputs' absolute values */
    LAYER_OF_LARGEST, /* the inputs' largest absolute value */
    LAYER_OF_TERMS    /* what layer_case.terms makes of the inputs */
} layer_bound;

typedef struct layer_case layer_case;
struct layer_case {
    waio_node node; /* op, parameters, input_count */
    waio_shape in[LAYER_INPUTS], out;
    waio_type type; /* of all tensors */
    waio_requant requant;
    bool u8;
    float scale[LAYER_INPUTS + 1]; /* of the inputs, then of the result, as below */
    int32_t zero_point[LAYER_INPUTS + 1];
    layer_bound bound;
    double eps;
    double (*terms)(const layer_case *c, float *const *src, size_t i);
    float spread; /* floats lie in (-spread, spread) */
    bool special; /* some are infinite or NaN */
    bool highest; /* all codes are the highest */
    bool once;    /* large ones: aligned, without the finishes */
    cudaError_t (*launch)(const layer_case *c, void *dst, const void *const *src,
                          const waio_cuda_finish *finish, const waio_cuda_params *params);
};

static inline waio_cuda_shape layer_shape(const waio_shape *shape)
{
    waio_cuda_shape of = {.rank = shape->rank};
    memcpy(of.dim, shape->dim, sizeof of.dim);
    return of;
}

static inline size_t layer_count(const waio_shape *shape)
{
    return (size_t)waio_shape_count(shape);
}

/* ---- inputs ---- */

static inline void layer_fill_f32(float *x, size_t count, const layer_case *c, uint32_t *seed)
{
    static const float special[] = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, 1e-42f, 3e38f};

    for (size_t i = 0; i < count; i++) {
        x[i] = device_random_float(seed) * c->spread;
        if (c->special && device_random(seed) % 8 == 0)
            x[i] = special[device_random(seed) % (sizeof special / sizeof *special)];
    }
}

/* A quarter of the codes are the extremes. */
static inline void layer_fill_codes(void *codes, size_t count, waio_type type, bool highest,
                                    uint32_t *seed)
{
    int32_t half = type == WAIO_S8 ? 128 : 32768;

    for (size_t i = 0; i < count; i++) {
        uint32_t draw = device_random(seed);
        int32_t code = (int32_t)(draw >> 8) % (2 * half) - half;
        code = highest || draw % 8 == 1 ? half - 1 : draw % 8 == 0 ? -half : code;
        if (type == WAIO_S8)
            ((int8_t *)codes)[i] = (int8_t)code;
        else
            ((int16_t *)codes)[i] = (int16_t)code;
    }
}

/* ---- on the device ---- */

/* Runs the case's kernel; `dst` is host memory. */
static inline void layer_run(const layer_case *c, void *dst, void *const *src, bool aligned,
                             const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    size_t bytes = waio_type_bytes(c->type), offset = aligned ? 0 : bytes;
    void *x[LAYER_INPUTS];
    void *y = device_new(layer_count(&c->out) * bytes, offset);

    for (int i = 0; i < c->node.input_count; i++)
        x[i] = device_copy(src[i], layer_count(&c->in[i]) * bytes, offset);
    CHECK_CUDA(c->launch(c, y, (const void *const *)x, finish, params));
    device_take(dst, y, layer_count(&c->out) * bytes, offset);
    for (int i = 0; i < c->node.input_count; i++)
        device_free(x[i], offset);
}

/* ---- floats ---- */

static const waio_cuda_finish layer_keep = {-INFINITY, INFINITY, WAIO_CUDA_KEEP, {1, 0, 0}, 0};

static inline float layer_finish(float y, const waio_cuda_finish *f)
{
    y = waio_clampf(y, f->lo, f->hi);
    return f->quantizer == WAIO_CUDA_FAKE_QUANTIZE ? waio_fake_quantize(y, f->fq, f->rounding)
           : f->quantizer == WAIO_CUDA_HALF        ? waio_round_to_half(y)
                                                   : y;
}

static inline bool layer_same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

/* What each result may be off by goes to `allowed`. */
static inline void layer_allow(const layer_case *c, float *const *src, const float *want,
                               float *allowed)
{
    const double eps = 0x1p-23;
    float largest = 0, *sizes[LAYER_INPUTS] = {0};
    size_t count = layer_count(&c->out);

    for (int i = 0; i < c->node.input_count; i++) {
        size_t n = layer_count(&c->in[i]);
        sizes[i] = malloc(n * sizeof(float));
        for (size_t k = 0; k < n; k++) {
            sizes[i][k] = fabsf(src[i][k]);
            largest = fmaxf(largest, sizes[i][k]);
        }
    }
    waio_ref_run(&(waio_ref_call){&c->node, c->in, &c->out, (const float *const *)sizes, allowed});
    for (size_t i = 0; i < count; i++) {
        double of = c->bound == LAYER_OF_RESULT  ? fabsf(want[i])
                    : c->bound == LAYER_OF_SIZES ? allowed[i]
                    : c->bound == LAYER_OF_TERMS ? c->terms(c, src, i)
                                                 : largest;
        allowed[i] = c->bound == LAYER_EXACT ? 0 : (float)(c->eps * eps * of + 0x1p-149);
    }
    for (int i = 0; i < c->node.input_count; i++)
        free(sizes[i]);
}

static inline void layer_compare_f32(const layer_case *c, float *const *src, const float *got,
                                     bool aligned)
{
    size_t count = layer_count(&c->out), wrong = 0, first = 0;
    float *want = malloc(count * sizeof *want), *allowed = malloc(count * sizeof *allowed);

    waio_ref_run(&(waio_ref_call){&c->node, c->in, &c->out, (const float *const *)src, want});
    layer_allow(c, src, want, allowed);
    for (size_t i = count; i-- > 0;)
        if (!layer_same(got[i], want[i]) && !(fabsf(got[i] - want[i]) <= allowed[i])) {
            wrong++;
            first = i;
        }
    CHECK(wrong == 0, "%s f32: %zu of %zu wrong, first %zu: %.9g, expected %.9g%s",
          waio_op_name(c->node.op), wrong, count, first, (double)got[first], (double)want[first],
          aligned ? "" : ", unaligned");
    free(want);
    free(allowed);
}

/* The quantizers behind results must be what they are alone. */
static inline void layer_check_finishes(const layer_case *c, void *const *src, const float *plain,
                                        bool aligned)
{
    const float s = c->spread / 100;
    const waio_cuda_finish finishes[] = {
        {0, c->spread / 2, WAIO_CUDA_KEEP, {1, 0, 0}, 0},
        {-INFINITY, INFINITY, WAIO_CUDA_FAKE_QUANTIZE, {s, -128, 127}, WAIO_ROUND_HALF_AWAY},
        {-s, INFINITY, WAIO_CUDA_FAKE_QUANTIZE, {s * 8, -3, 12}, WAIO_ROUND_HALF_EVEN},
        {-INFINITY, c->spread / 3, WAIO_CUDA_HALF, {1, 0, 0}, 0},
    };
    size_t count = layer_count(&c->out);
    float *got = malloc(count * sizeof *got);

    for (size_t f = 0; f < sizeof finishes / sizeof *finishes; f++) {
        size_t wrong = 0;
        layer_run(c, got, src, aligned, &finishes[f], NULL);
        for (size_t i = 0; i < count; i++)
            wrong += !layer_same(got[i], layer_finish(plain[i], &finishes[f]));
        CHECK(wrong == 0, "%s with finish %zu: %zu of %zu wrong", waio_op_name(c->node.op), f,
              wrong, count);
    }
    free(got);
}

static inline void layer_check_f32(const layer_case *c, void *const *src, bool aligned)
{
    float *got = malloc(layer_count(&c->out) * sizeof *got);

    layer_run(c, got, src, aligned, &layer_keep, NULL);
    layer_compare_f32(c, (float *const *)src, got, aligned);
    if (aligned && !c->once)
        layer_check_finishes(c, src, got, aligned);
    free(got);
}

/* ---- codes ---- */

/* Parameters of input `i`; i = input_count: of the result. */
static inline waio_refq_tensor layer_tensor(const layer_case *c, int i, const void *data)
{
    bool out = i == c->node.input_count;
    waio_value_params params = {.bits = c->type == WAIO_S8 ? 8 : 16,
                                .u8 = c->u8,
                                .count = 1,
                                .scale = &c->scale[i],
                                .zero_point = &c->zero_point[i]};
    return (waio_refq_tensor){out ? c->out : c->in[i], c->type, params, data};
}

static inline waio_cuda_params layer_params(const waio_refq_tensor *t)
{
    return (waio_cuda_params){(int)waio_type_bytes(t->type), t->params.scale[0],
                              t->params.zero_point[0],       waio_params_lo(&t->params),
                              waio_params_hi(&t->params),    t->params.u8};
}

static inline void layer_check_codes(const layer_case *c, void *const *src, bool aligned)
{
    size_t count = layer_count(&c->out), bytes = waio_type_bytes(c->type), wrong = 0, first = 0;
    char *got = malloc(count * bytes), *want = malloc(count * bytes);
    waio_refq_tensor in[LAYER_INPUTS + 1];
    waio_cuda_params params[LAYER_INPUTS + 1];
    int n = c->node.input_count;

    for (int i = 0; i <= n; i++) {
        in[i] = layer_tensor(c, i, i < n ? src[i] : NULL);
        params[i] = layer_params(&in[i]);
    }
    waio_refq_call call = {
        .node = &c->node, .requant = c->requant, .in = in, .out = in[n], .result = want};
    waio_refq_limits limits = waio_refq_output_limits(&call);
    params[n].lo = limits.lo;
    params[n].hi = limits.hi;
    CHECK_OK(waio_refq_run(&call));
    layer_run(c, got, src, aligned, NULL, params);
    for (size_t i = count; i-- > 0;)
        if (memcmp(got + i * bytes, want + i * bytes, bytes) != 0) {
            wrong++;
            first = i;
        }
    in[0].data = got;
    in[1].data = want;
    CHECK(wrong == 0, "%s %s, requant %d, u8 %d: %zu of %zu wrong, first %zu: %d, expected %d%s",
          waio_op_name(c->node.op), waio_type_name(c->type), (int)c->requant, c->u8, wrong, count,
          first, waio_refq_code(&in[0], (int64_t)first),
          waio_refq_code(&(waio_refq_tensor){.type = c->type, .data = want}, (int64_t)first),
          aligned ? "" : ", unaligned");
    free(got);
    free(want);
}

/* ---- both ---- */

/* Codes: with and without a clamp. */
static inline void layer_check(layer_case *c)
{
    void *src[LAYER_INPUTS];
    uint32_t seed = (uint32_t)(layer_count(&c->out) * 31 + (size_t)c->node.op + 1);

    if (c->spread == 0)
        c->spread = 10;
    for (int i = 0; i < c->node.input_count; i++) {
        size_t count = layer_count(&c->in[i]);
        src[i] = malloc(count * waio_type_bytes(c->type));
        if (c->type == WAIO_F32)
            layer_fill_f32(src[i], count, c, &seed);
        else
            layer_fill_codes(src[i], count, c->type, c->highest, &seed);
    }
    c->node.clamp = WAIO_NO_CLAMP;
    for (int aligned = c->once ? 1 : 0; aligned < 2; aligned++)
        if (c->type == WAIO_F32) {
            layer_check_f32(c, src, aligned);
        } else {
            c->node.clamp = WAIO_NO_CLAMP;
            layer_check_codes(c, src, aligned);
            c->node.clamp = (waio_clamp){0, 40 * c->scale[c->node.input_count]};
            layer_check_codes(c, src, aligned);
        }
    for (int i = 0; i < c->node.input_count; i++)
        free(src[i]);
}

#endif
