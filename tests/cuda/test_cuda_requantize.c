/* Codes to codes on the GPU's code: every rounding, every pair of types, extreme codes and
 * multipliers; equal to the rules of qmath.h. */
#include "cuda/device.h"

#include "kernels/kernels.h"

static const size_t sizes[] = {1, 3, 4, 5, 255, 1025, 2051};
static const int source_bits[] = {8, 16, 32}, result_bits[] = {8, 16};
static const double multipliers[] = {1,      0.5,     1.0 / 3, 0.0078125, 1.5,   255.0 / 256,
                                     3.9999, 0x1p-31, 0x1p-20, 12345.678, 1e-30, 0x1.fffffep29};

static int32_t code_of(const void *data, int bits, size_t i)
{
    return bits == 8    ? ((const int8_t *)data)[i]
           : bits == 16 ? ((const int16_t *)data)[i]
                        : ((const int32_t *)data)[i];
}

/* Codes of `bits` bits: ends, neighbours of 0, halves of powers of two, and any. */
static void fill(void *data, int bits, size_t count, uint32_t *seed)
{
    int32_t top = bits == 32 ? INT32_MAX : (1 << (bits - 1)) - 1;

    for (size_t i = 0; i < count; i++) {
        int32_t ends[] = {-top - 1, top, 0, -1, 1}, code;
        switch (device_random(seed) % 4) {
        case 0:
            code = ends[device_random(seed) % 5];
            break;
        case 1:
            code = (int32_t)((1u << device_random(seed) % (uint32_t)bits) / 2 * 3);
            break;
        default:
            code = (int32_t)device_random(seed) >> (32 - bits);
        }
        if (bits == 8)
            ((int8_t *)data)[i] = (int8_t)code;
        else if (bits == 16)
            ((int16_t *)data)[i] = (int16_t)code;
        else
            ((int32_t *)data)[i] = code;
    }
}

static void test_one(int src_bits, int dst_bits, size_t count, size_t offset, waio_cuda_requant r,
                     uint32_t *seed)
{
    size_t src_bytes = (size_t)src_bits / 8, dst_bytes = (size_t)dst_bits / 8, wrong = 0;
    void *x = malloc(count * src_bytes), *y = malloc(count * dst_bytes);

    fill(x, src_bits, count, seed);
    void *src = device_copy(x, count * src_bytes, offset * src_bytes);
    void *dst = device_new(count * dst_bytes, offset * dst_bytes);
    CHECK_CUDA(waio_cuda_requantize(dst, dst_bits, src, src_bits, count, r, NULL));
    device_take(y, dst, count * dst_bytes, offset * dst_bytes);
    device_free(src, offset * src_bytes);
    for (size_t i = 0; i < count; i++) {
        int32_t moved = waio_multiply_by_quantized(code_of(x, src_bits, i) - r.src_zero_point,
                                                   r.multiplier, r.real, r.rounding);
        wrong += code_of(y, dst_bits, i) != waio_finish_code(moved, r.dst_zero_point, r.lo, r.hi);
    }
    CHECK(wrong == 0, "%zu of %zu wrong: %d to %d bits, rounding %d, M %g", wrong, count, src_bits,
          dst_bits, (int)r.rounding, r.real);
    free(x);
    free(y);
}

static void test_types(int src_bits, int dst_bits, size_t count, uint32_t *seed)
{
    static const waio_requant roundings[] = {WAIO_REQUANT_TFLITE, WAIO_REQUANT_DOUBLE,
                                             WAIO_REQUANT_SINGLE, WAIO_REQUANT_FLOAT};
    int32_t top = (1 << (dst_bits - 1)) - 1;

    for (int k = 0; k < 4; k++)
        for (size_t m = 0; m < sizeof multipliers / sizeof *multipliers; m++) {
            int narrow = (int)m % 2; /* a clamp, as that of ReLU, and other zero points */
            waio_cuda_requant r = {waio_multiplier_of(multipliers[m]),
                                   multipliers[m],
                                   roundings[k],
                                   src_bits == 32 ? 0
                                   : narrow       ? -(1 << (src_bits - 1))
                                                  : 5,
                                   narrow ? -top - 1 : 3,
                                   narrow ? -5 : -top - 1,
                                   top};
            test_one(src_bits, dst_bits, count, m % 3 == 0, r, seed);
        }
}

int main(void)
{
    uint32_t seed = 11;

    device_begin();
    for (int schedule = 0; schedule < DEVICE_FEW_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int i = 0; i < 3; i++)
                for (int o = 0; o < 2; o++)
                    test_types(source_bits[i], result_bits[o], sizes[s], &seed);
    }
    CHECK(waio_cuda_requantize(NULL, 8, NULL, 64, 0, (waio_cuda_requant){0}, NULL) ==
              cudaErrorInvalidValue,
          "64 bits are no source");
    return device_end();
}
