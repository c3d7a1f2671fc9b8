/* The wrappers of kernels/ptx.cuh against plain loops over whole matrices: what lane and register
 * hold which element is written here once more, from NVIDIA's PTX ISA. */
#include "cuda/device.h"

#include "cuda/cuda_ptx.h"

typedef struct shape {
    int number, m, k;
} shape;
static const shape shapes[] = {
    {CUDA_PTX_8X8X16, 8, 16}, {CUDA_PTX_16X8X16, 16, 16}, {CUDA_PTX_16X8X32, 16, 32}};

typedef struct matrices {
    unsigned char a[16][32], b[8][32]; /* rows of A, columns of B */
    int d[16][8];
} matrices;

static int number(unsigned char byte, int is_signed)
{
    return is_signed ? (signed char)byte : byte;
}

static void fill(matrices *x, uint32_t *seed, int extreme)
{
    static const unsigned char ends[] = {0x80, 0x7f, 0xff, 0x00};

    for (int i = 0; i < 16 * 32; i++)
        x->a[i / 32][i % 32] =
            (unsigned char)(extreme ? ends[device_random(seed) % 4] : device_random(seed));
    for (int i = 0; i < 8 * 32; i++)
        x->b[i / 32][i % 32] =
            (unsigned char)(extreme ? ends[device_random(seed) % 4] : device_random(seed));
    for (int i = 0; i < 16 * 8; i++) /* near both ends of int32: sums wrap */
        x->d[i / 8][i % 8] = extreme ? (i % 2 ? INT32_MAX : INT32_MIN) : (int)device_random(seed);
}

/* Registers of all lanes from whole matrices; k of register byte e of A's register r: 16 (r / 2) +
 * 4 t + e, its row g + 8 (r % 2); B's column g. */
static void to_registers(const matrices *x, unsigned a[32][4], unsigned b[32][2], int d[32][4])
{
    for (int lane = 0; lane < 32; lane++) {
        int g = lane / 4, t = lane % 4;
        for (int r = 0; r < 4; r++) {
            memcpy(&a[lane][r], &x->a[g + 8 * (r % 2)][16 * (r / 2) + 4 * t], 4);
            d[lane][r] = x->d[g + 8 * (r / 2)][2 * t + r % 2];
        }
        for (int r = 0; r < 2; r++)
            memcpy(&b[lane][r], &x->b[g][16 * r + 4 * t], 4);
    }
}

static void test_mma(shape s, int a_signed, int b_signed, const matrices *x)
{
    unsigned a[32][4], b[32][2];
    int d[32][4], got[32][4], wrong = 0;

    to_registers(x, a, b, d);
    int *dd = device_copy(d, sizeof d, 0);
    unsigned *da = device_copy(a, sizeof a, 0), *db = device_copy(b, sizeof b, 0);
    CHECK_CUDA(cuda_ptx_mma(s.number, a_signed, b_signed, dd, da, db));
    device_take(got, dd, sizeof got, 0);
    device_free(da, 0);
    device_free(db, 0);
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++) {
            int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            unsigned want = (unsigned)x->d[row][column];
            for (int k = 0; row < s.m && k < s.k; k++)
                want +=
                    (unsigned)(number(x->a[row][k], a_signed) * number(x->b[column][k], b_signed));
            wrong += got[lane][i] != (int)want;
        }
    CHECK(wrong == 0, "%dx8x%d, signs %d %d: %d sums wrong", s.m, s.k, a_signed, b_signed, wrong);
}

static void test_ldmatrix(int count, uint32_t *seed)
{
    unsigned char bytes[32][16];
    unsigned got[32 * 4];
    int wrong = 0;

    for (int i = 0; i < 512; i++)
        bytes[i / 16][i % 16] = (unsigned char)device_random(seed);
    void *src = device_copy(bytes, sizeof bytes, 0);
    unsigned *dst = device_new(32 * (size_t)count * 4, 0);
    CHECK_CUDA(cuda_ptx_ldmatrix(count, dst, src));
    device_take(got, dst, 32 * (size_t)count * 4, 0);
    device_free(src, 0);
    for (int lane = 0; lane < 32; lane++)
        for (int j = 0; j < count; j++)
            wrong += memcmp(&got[count * lane + j], &bytes[8 * j + lane / 4][4 * (lane % 4)], 4);
    CHECK(wrong == 0, "x%d: wrong", count);
}

static void test_copy(int bytes, int threads, uint32_t *seed)
{
    size_t pieces = 2 * (size_t)threads, total = pieces * (size_t)bytes;
    unsigned char *x = malloc(total), *got = malloc(total);
    unsigned *valid = malloc(pieces * sizeof *valid);
    int wrong = 0;

    for (size_t i = 0; i < total; i++)
        x[i] = (unsigned char)device_random(seed);
    for (size_t i = 0; i < pieces; i++)
        valid[i] = device_random(seed) % ((unsigned)bytes + 1);
    void *src = device_copy(x, total, 0), *dst = device_new(total, 0);
    unsigned *lengths = device_copy(valid, pieces * sizeof *valid, 0);
    CHECK_CUDA(cuda_ptx_copy(bytes, threads, dst, src, lengths));
    device_take(got, dst, total, 0);
    for (size_t i = 0; i < total; i++)
        wrong += got[i] != (i % (size_t)bytes < valid[i / (size_t)bytes] ? x[i] : 0);
    CHECK(wrong == 0, "%d bytes by %d threads: %d bytes wrong", bytes, threads, wrong);
    if (bytes == 16) {
        dst = device_new(total / 2, 0);
        CHECK_CUDA(cuda_ptx_copy_whole(threads, dst, src, lengths));
        device_take(got, dst, total / 2, 0);
        wrong = 0;
        for (size_t i = 0; i < total / 2; i++)
            wrong += got[i] != (valid[i / 16] == 16 ? x[i] : 0);
        CHECK(wrong == 0, "whole copies: %d bytes wrong", wrong);
    }
    device_free(src, 0);
    device_free(lengths, 0);
    free(x);
    free(got);
    free(valid);
}

static int dot(unsigned a, unsigned b, int sum, int a_signed, int b_signed)
{
    unsigned result = (unsigned)sum;
    for (int i = 0; i < 4; i++)
        result += (unsigned)(number((unsigned char)(a >> 8 * i), a_signed) *
                             number((unsigned char)(b >> 8 * i), b_signed));
    return (int)result;
}

static void test_bytes(uint32_t *seed)
{
    enum { COUNT = 1000 };
    unsigned a[COUNT], b[COUNT];
    int sum[COUNT], got[COUNT][5], wrong = 0;

    for (int i = 0; i < COUNT; i++) {
        a[i] = i % 5 ? device_random(seed) : 0x80808080u;
        b[i] = i % 7 ? device_random(seed) : i % 2 ? 0xffffffffu : 0x80808080u;
        sum[i] = i % 3 ? (int)device_random(seed) : INT32_MAX;
    }
    int *dst = device_new(sizeof got, 0), *sums = device_copy(sum, sizeof sum, 0);
    unsigned *da = device_copy(a, sizeof a, 0), *db = device_copy(b, sizeof b, 0);
    CHECK_CUDA(cuda_ptx_bytes(dst, da, db, sums, COUNT));
    device_take(got, dst, sizeof got, 0);
    device_free(da, 0);
    device_free(db, 0);
    device_free(sums, 0);
    for (int i = 0; i < COUNT; i++) {
        const unsigned char *byte[2] = {(unsigned char *)&a[i], (unsigned char *)&b[i]};
        for (int s = 0; s < 4; s++)
            wrong += got[i][s] != dot(a[i], b[i], sum[i], s < 2, s % 2 == 0);
        for (int n = 0; n < 4; n++) {
            unsigned nibble = (unsigned)sum[i] >> 4 * n & 15;
            unsigned char chosen = byte[nibble / 4 % 2][nibble % 4];
            if (nibble & 8)
                chosen = chosen & 0x80 ? 0xff : 0;
            wrong += ((unsigned)got[i][4] >> 8 * n & 0xff) != chosen;
        }
    }
    CHECK(wrong == 0, "%d results wrong", wrong);
}

static void test_all(uint32_t *seed)
{
    for (int round = 0; round < 3; round++)
        for (int s = 0; s < 3; s++)
            for (int signs = 0; signs < 4; signs++) {
                matrices x;
                fill(&x, seed, round == 1);
                test_mma(shapes[s], signs & 1, signs >> 1, &x);
            }
    for (int count = 1; count <= 4; count *= 2)
        test_ldmatrix(count, seed);
    for (int bytes = 4; bytes <= 16; bytes *= 2)
        for (int threads = 1; threads <= 96; threads += 19)
            test_copy(bytes, threads, seed);
    test_bytes(seed);
}

int main(void)
{
    uint32_t seed = 7;

    device_begin();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_all(&seed);
    }
    return device_end();
}
