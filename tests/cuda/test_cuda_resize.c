/* Nearest and bilinear resize on the GPU's code against the reference: every position rule, larger
 * and smaller, one cell, codes at their ends, uint8 files' rounding. */
#include "cuda/layer_case.h"

static waio_cuda_resize layer_of(const layer_case *c)
{
    const waio_resize_params *p = &c->node.resize;
    const int64_t *in = c->in[0].dim;

    return (waio_cuda_resize){
        in[0],       in[1],         in[2],           in[3], {p->out[0], p->out[1]},
        p->bilinear, p->half_pixel, p->align_corners};
}

static cudaError_t launch(const layer_case *c, void *dst, const void *const *src,
                          const waio_cuda_finish *finish, const waio_cuda_params *params)
{
    waio_cuda_resize layer = layer_of(c);

    if (c->type == WAIO_F32)
        return waio_cuda_resize_f32(dst, src[0], &layer, finish, NULL);
    return waio_cuda_resize_q(dst, src[0], &layer, &params[1], c->requant, NULL);
}

static layer_case case_of(waio_type type, waio_shape in, waio_resize_params p)
{
    layer_case c = {.node = {.op = WAIO_OP_RESIZE, .input_count = 1, .resize = p},
                    .in = {in},
                    .out = in,
                    .type = type,
                    .bound = p.bilinear ? LAYER_OF_LARGEST : LAYER_EXACT,
                    .eps = 8,
                    .special = !p.bilinear,
                    .scale = {0.03f, 0.03f},
                    .zero_point = {type == WAIO_S8 ? -7 : 0, type == WAIO_S8 ? -7 : 0},
                    .launch = launch};

    c.out.dim[1] = p.out[0];
    c.out.dim[2] = p.out[1];
    return c;
}

/* All position rules, types and roundings. */
static void test_size(waio_shape in, int height, int width)
{
    for (int rule = 0; rule < 8; rule++)
        for (int type = WAIO_F32; type <= WAIO_S16; type++)
            for (int way = 0; way < (type == WAIO_F32 ? 1 : type == WAIO_S8 ? 3 : 2); way++) {
                waio_resize_params p = {{height, width}, rule & 1, rule & 2, rule & 4};
                layer_case c = case_of((waio_type)type, in, p);
                c.requant = way ? WAIO_REQUANT_SINGLE : WAIO_REQUANT_DOUBLE;
                c.u8 = way == 2;
                layer_check(&c);
            }
}

static void test_sizes(void)
{
    test_size(WAIO_SHAPE(2, 3, 5, 3), 6, 10);
    test_size(WAIO_SHAPE(2, 3, 5, 4), 7, 3);
    test_size(WAIO_SHAPE(1, 1, 1, 1), 3, 17);
    test_size(WAIO_SHAPE(1, 17, 13, 1), 1, 1);
    test_size(WAIO_SHAPE(1, 2, 31, 8), 2, 30);
    test_size(WAIO_SHAPE(3, 4, 4, 17), 5, 4);
}

/* One long side, on which every position rule has many remainders; it needs 64 bits. */
static void test_long_sides(void)
{
    static const int sides[][2] = {{997, 1511}, {1511, 997}, {60001, 40000}};

    for (size_t s = 0; s < sizeof sides / sizeof *sides; s++)
        for (int rule = 0; rule < 8; rule++)
            for (int type = WAIO_F32; type <= WAIO_S8; type++) {
                waio_resize_params p = {{1, sides[s][1]}, rule & 1, rule & 2, rule & 4};
                layer_case c = case_of((waio_type)type, WAIO_SHAPE(1, 1, sides[s][0], 1), p);
                c.u8 = rule == 3;
                c.once = true;
                layer_check(&c);
            }
}

static void test_refusals(void)
{
    waio_cuda_resize layer = {1, 2, 2, 1, {2, 2}, true, false, false};
    float *x = device_new(16, 0), *y = device_new(16, 0);

    CHECK(waio_cuda_resize_f32(y, NULL, &layer, &layer_keep, NULL) == cudaErrorInvalidValue,
          "no source");
    layer.out[0] = 0;
    CHECK(waio_cuda_resize_f32(y, x, &layer, &layer_keep, NULL) == cudaErrorInvalidValue,
          "no rows");
    layer.out[0] = (1 << 20) + 1;
    CHECK(waio_cuda_resize_f32(y, x, &layer, &layer_keep, NULL) == cudaErrorNotSupported,
          "too many rows");
    layer.out[0] = 1 << 19;
    layer.batch = 1 << 12;
    CHECK(waio_cuda_resize_f32(y, x, &layer, &layer_keep, NULL) == cudaErrorNotSupported,
          "2^31 and more elements");
    device_free(x, 0);
    device_free(y, 0);
}

int main(void)
{
    device_begin();
    for (int schedule = 0; schedule < DEVICE_FEW_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_sizes();
    }
    test_long_sides();
    test_refusals();
    return device_end();
}
