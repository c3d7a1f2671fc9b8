/* Images widened to whole chunks and arranged by blocks of 2x2 pixels, from codes and from floats.
 */
#include "cuda/device.h"

#include "kernels/kernels.h"

/* What must stand at element j of new pixel (y, x) of image n; dense codes in `code`. */
static int32_t expected(const waio_cuda_arrangement *h, const int32_t *code, int64_t n, int y,
                        int x, int64_t j)
{
    int64_t pixel = j / h->ic, iy = y * h->block + pixel / h->block,
            ix = x * h->block + pixel % h->block;

    if (pixel >= h->block * h->block)
        return 0;
    if (iy >= h->ih || ix >= h->iw)
        return h->zero_point;
    return code[((n * h->ih + iy) * h->iw + ix) * h->ic + j % h->ic];
}

static void compare(const waio_cuda_arrangement *h, const int32_t *code, const void *got, int bytes)
{
    int oh = (h->ih + h->block - 1) / h->block, ow = (h->iw + h->block - 1) / h->block;
    int64_t at = 0, wrong = 0;

    for (int64_t n = 0; n < h->images; n++)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++)
                for (int64_t j = 0; j < h->pitch; j++, at++)
                    wrong += expected(h, code, n, y, x, j) !=
                             (bytes == 2 ? ((const int16_t *)got)[at] : ((const int8_t *)got)[at]);
    CHECK(wrong == 0, "%dx%dx%d, block %d, %d bytes: %lld wrong", h->ih, h->iw, h->ic, h->block,
          bytes, (long long)wrong);
}

static void test(waio_cuda_arrangement h, int bytes, int rounding, uint32_t *seed)
{
    size_t count = (size_t)(h.images * h.ih * h.iw * h.ic);
    size_t out = (size_t)h.images * (size_t)((h.ih + h.block - 1) / h.block) *
                 (size_t)((h.iw + h.block - 1) / h.block) * (size_t)h.pitch * (size_t)bytes;
    float *x = malloc(count * sizeof *x), lo = bytes == 2 ? -32768.0f : -128.0f;
    int32_t *code = malloc(count * sizeof *code);
    void *codes = malloc(count * (size_t)bytes), *got = malloc(out);
    waio_cuda_grid grid = {
        {0.25f, lo - (float)h.zero_point, -lo - 1 - (float)h.zero_point}, h.zero_point, rounding};

    for (size_t i = 0; i < count; i++) {
        x[i] = (float)((int32_t)device_random(seed) % 300) * 0.125f;
        code[i] = waio_quantize_code(x[i], grid.fq, grid.zero_point, rounding);
        if (bytes == 2)
            ((int16_t *)codes)[i] = (int16_t)code[i];
        else
            ((int8_t *)codes)[i] = (int8_t)code[i];
    }
    void *floats = device_copy(x, count * sizeof *x, 0);
    void *src = device_copy(codes, count * (size_t)bytes, 0);
    for (int from_floats = 0; from_floats < 2; from_floats++) {
        void *dst = device_new(out, 0);
        cudaError_t error;
        if (bytes == 2)
            error = from_floats ? waio_cuda_quantize_arrange_qs16(dst, floats, h, grid, NULL)
                                : waio_cuda_arrange_qs16(dst, src, h, NULL);
        else
            error = from_floats ? waio_cuda_quantize_arrange_qs8(dst, floats, h, grid, NULL)
                                : waio_cuda_arrange_qs8(dst, src, h, NULL);
        CHECK_CUDA(error);
        device_take(got, dst, out, 0);
        compare(&h, code, got, bytes);
    }
    device_free(floats, 0);
    device_free(src, 0);
    free(x);
    free(code);
    free(codes);
    free(got);
}

static void test_refusals(void)
{
    waio_cuda_arrangement good = {1, 2, 2, 3, 2, 16, 0}, bad = good;
    int8_t *p = device_new(64, 0);

#define REFUSED(dst, src, change)                                                                  \
    do {                                                                                           \
        bad = good;                                                                                \
        change;                                                                                    \
        CHECK(waio_cuda_arrange_qs8(dst, src, bad, NULL) == cudaErrorInvalidValue, #change);       \
    } while (0)
    REFUSED(p, p, bad.pitch = 20);
    REFUSED(p, p, bad.ic = 5);
    REFUSED(p, p, bad.block = 3);
    REFUSED(p, p, bad.images = 0);
    REFUSED(p + 8, p, (void)0);
    REFUSED(NULL, p, (void)0);
    REFUSED(p, NULL, (void)0);
#undef REFUSED
    device_free(p, 0);
}

int main(void)
{
    static const int channels[] = {1, 2, 3, 4, 15, 16, 17};
    uint32_t seed = 31;

    device_begin();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        for (int block = 1; block <= 2; block++)
            for (int c = 0; c < 7; c++)
                for (int bytes = 1; bytes <= 2; bytes++) {
                    int64_t numbers = (int64_t)channels[c] * block * block * bytes;
                    int64_t pitch = ((numbers + 15) / 16 + c % 2) * 16 / bytes;
                    test(
                        (waio_cuda_arrangement){2, 7 - c % 2, 9 + c, channels[c], block, pitch, -3},
                        bytes, c % 2, &seed);
                }
    }
    test_refusals();
    return device_end();
}
