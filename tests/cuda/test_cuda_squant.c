/* SQuant's rounding on the GPU's code: the codes of the host's loops, weight by weight, and of the
 * runs of the method's authors. Shapes of convolutions, depthwise and dense layers at awkward
 * sizes; ties, zeros, grids that cut much off, one grid for all channels. */
#include <math.h>

#include "cuda/device.h"
#include "kernels/kernels.h"
#include "quant/squant.h"
#include "vectors.h"

static const waio_squant_stages stages[] = {
    {false, false}, {true, false}, {false, true}, {true, true}};

/* Rounds on the device, from `offset` bytes past an aligned address. */
static void round_there(float *code, const float *w, waio_squant_shape s,
                        const waio_squant_grid *grid, int64_t grids, waio_squant_stages stage,
                        size_t offset)
{
    size_t bytes = (size_t)(s.channels * s.positions * s.inputs) * sizeof(float);
    size_t scratch_bytes = waio_cuda_squant_scratch(s);
    float *weight = device_copy(w, bytes, offset), *out = device_new(bytes, offset);
    waio_squant_grid *g = device_copy(grid, (size_t)grids * sizeof *grid, 0);
    void *scratch = device_new(scratch_bytes, 0);

    CHECK_CUDA(waio_cuda_squant(out, scratch, weight, s, g, grids, stage, NULL));
    device_take(code, out, bytes, offset);
    device_free(weight, offset);
    device_free(g, 0);
    device_free(scratch, 0);
}

static void check_same(const float *w, waio_squant_shape s, const waio_squant_grid *grid,
                       int64_t grids, size_t offset, const char *what)
{
    int64_t count = s.channels * s.positions * s.inputs;
    float *want = malloc((size_t)count * sizeof *want), *got = malloc((size_t)count * sizeof *got);

    for (int k = 0; k < 4; k++) {
        int64_t wrong = 0, first = -1;
        CHECK_OK(waio_squant_round(want, w, &s, grid, grids, stages[k], 1));
        round_there(got, w, s, grid, grids, stages[k], offset);
        for (int64_t i = 0; i < count; i++)
            if (!(got[i] == want[i])) {
                first = wrong++ ? first : i;
            }
        CHECK(wrong == 0,
              "%s, %lld x %lld x %lld, stages %d: %lld codes differ; number %lld is %g, not %g",
              what, (long long)s.channels, (long long)s.positions, (long long)s.inputs, k,
              (long long)wrong, (long long)first, wrong ? (double)got[first] : 0,
              wrong ? (double)want[first] : 0);
    }
    free(want);
    free(got);
}

/* ---- random weights ---- */

enum { SPREAD, TIES, ZEROS, CUT, ONE_SIDED, KINDS };

static void fill(float *w, int64_t count, int kind, const waio_squant_grid *g, uint32_t *seed)
{
    for (int64_t i = 0; i < count; i++) {
        float x = device_random_float(seed);
        w[i] = kind == TIES        ? (rintf(x * 12) / 4 + g->offset) / g->inverse
               : kind == ZEROS     ? 0
               : kind == ONE_SIDED ? fabsf(x) * 0.3f + 0.1f
                                   : x;
    }
}

static waio_squant_grid grid_of(int kind, int bits, bool symmetric, int64_t channel)
{
    float reach = kind == CUT ? 0.4f : 1.1f + 0.01f * (float)channel;
    if (kind == ZEROS)
        return waio_squant_grid_of(0, 0, bits, symmetric);
    return waio_squant_grid_of(kind == ONE_SIDED ? 0.1f : -reach, reach, bits, symmetric);
}

static void test_random(waio_squant_shape s, int kind, int bits, bool symmetric, bool one_grid,
                        uint32_t *seed)
{
    static const char *const name[] = {"spread", "ties", "zeros", "cut", "one side"};
    int64_t each = s.positions * s.inputs;
    float *w = malloc((size_t)(s.channels * each) * sizeof *w);
    waio_squant_grid *grid = malloc((size_t)s.channels * sizeof *grid);
    char what[80];

    for (int64_t c = 0; c < s.channels; c++) {
        grid[c] = grid_of(kind, bits, symmetric, one_grid ? 0 : c);
        fill(w + c * each, each, kind, &grid[c], seed);
    }
    snprintf(what, sizeof what, "%s, %d bits, %ssymmetric", name[kind], bits, symmetric ? "" : "a");
    check_same(w, s, grid, one_grid ? 1 : s.channels, one_grid ? 4 : 0, what);
    free(w);
    free(grid);
}

static const waio_squant_shape shapes[] = {
    {1, 1, 1},                           /* one weight */
    {3, 1, 1},  {2, 1, 31}, {1, 1, 257}, /* dense and 1x1 */
    {1, 9, 1},  {5, 9, 1},  {2, 25, 1},  /* depthwise */
    {1, 9, 2},  {3, 9, 33}, {1, 9, 300}, /* more kernels than threads */
    {2, 49, 3}, {1, 2, 7},  {1, 4, 65},  {1, 121, 2},
};
static const int all_bits[] = {2, 3, 4, 5, 6, 7, 8, 16};

static void test_shapes(uint32_t *seed)
{
    int turn = 0;

    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int kind = 0; kind < KINDS; kind++, turn++)
            test_random(shapes[k], kind, all_bits[(turn + turn / 8) % 8], turn % 3 == 0,
                        turn % 4 == 1, seed);
}

/* Every number of bits, whole layers. */
static void test_layers(uint32_t *seed)
{
    for (size_t b = 0; b < sizeof all_bits / sizeof *all_bits; b++) {
        test_random((waio_squant_shape){4, 9, 20}, SPREAD, all_bits[b], false, false, seed);
        test_random((waio_squant_shape){2, 1, 500}, SPREAD, all_bits[b], true, true, seed);
    }
#ifndef WAIO_TEST_CHECKED
    test_random((waio_squant_shape){2, 9, 512}, SPREAD, 4, false, false, seed);
    test_random((waio_squant_shape){1, 1, 25088}, CUT, 3, true, false, seed);
#endif
}

/* ---- the authors' runs ---- */

static int64_t place(waio_squant_shape s, int64_t e)
{
    int64_t p = e % s.positions, i = e / s.positions % s.inputs;
    return (e / (s.positions * s.inputs) * s.positions + p) * s.inputs + i;
}

static int run_vector(const cJSON *row)
{
    const cJSON *weights = cJSON_GetObjectItem(row, "weights");
    const cJSON *dims = cJSON_GetObjectItem(row, "shape");
    const cJSON *codes = cJSON_GetObjectItem(row, "codes");
    const char *mode = cJSON_GetStringValue(cJSON_GetObjectItem(row, "mode"));
    waio_squant_shape s = {(int64_t)vectors_at(dims, 0), 1, (int64_t)vectors_at(dims, 1)};
    int count = cJSON_GetArraySize(weights), bits = (int)vectors_number(row, "bits");
    bool both = strcmp(mode, "squant") == 0;
    float w[256], code[256];
    waio_squant_grid grid[8];

    for (int i = 2; i < cJSON_GetArraySize(dims); i++)
        s.positions *= (int64_t)vectors_at(dims, i);
    CHECK(count <= 256 && s.channels <= 8 && count == cJSON_GetArraySize(codes), "odd vector");
    for (int e = 0; e < count; e++)
        w[place(s, e)] = (float)vectors_at(weights, e);
    for (int64_t c = 0; c < s.channels; c++) {
        float min = INFINITY, max = -INFINITY;
        for (int64_t i = 0; i < count / s.channels; i++) {
            min = fminf(min, w[c * (count / s.channels) + i]);
            max = fmaxf(max, w[c * (count / s.channels) + i]);
        }
        grid[c] = waio_squant_grid_of(min, max, bits, false);
    }
    round_there(code, w, s, grid, s.channels,
                (waio_squant_stages){both || strcmp(mode, "squant-k") == 0,
                                     both || strcmp(mode, "squant-c") == 0},
                0);
    for (int e = 0; e < count; e++)
        CHECK((double)code[place(s, e)] == vectors_at(codes, e), "%s: code %d is %g, expected %g",
              cJSON_GetStringValue(cJSON_GetObjectItem(row, "name")), e, (double)code[place(s, e)],
              vectors_at(codes, e));
    return 1;
}

static void test_vectors(void)
{
    static const char *const file[] = {"squant_conv.json", "squant_linear_dw_pw.json",
                                       "squant_edge.json"};
    int seen = 0;

    for (int f = 0; f < 3; f++) {
        cJSON *json = vectors_read(file[f]);
        const cJSON *row;
        cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "cases")) seen += run_vector(row);
        cJSON_Delete(json);
    }
    CHECK(seen == 21, "%d vectors were read", seen);
}

/* ---- refusals ---- */

static void test_refusals(void)
{
    float *x = device_new(64, 0);
    waio_squant_grid *g = device_new(sizeof *g, 0);
    waio_squant_shape one = {1, 4, 1};

    CHECK(waio_cuda_squant(NULL, x, x, one, g, 1, stages[3], NULL) == cudaErrorInvalidValue,
          "no codes");
    CHECK(waio_cuda_squant(x, NULL, x, one, g, 1, stages[3], NULL) == cudaErrorInvalidValue,
          "no scratch");
    CHECK(waio_cuda_squant(x, x, x, one, g, 2, stages[3], NULL) == cudaErrorInvalidValue,
          "two grids for one channel");
    CHECK(waio_cuda_squant(NULL, NULL, NULL, (waio_squant_shape){0, 9, 3}, NULL, 1, stages[3],
                           NULL) == cudaSuccess,
          "nothing to do");
    CHECK(waio_cuda_squant(x, x, x, (waio_squant_shape){1, 9, WAIO_SQUANT_EXACT / 8}, g, 1,
                           stages[3], NULL) == cudaErrorNotSupported,
          "more weights than sums are exact for");
    CHECK(waio_cuda_squant_scratch((waio_squant_shape){7, 1, 100}) == 0, "1x1 takes no scratch");
    device_free(x, 0);
    device_free(g, 0);
}

int main(void)
{
    uint32_t seed = 71;

    device_begin();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_shapes(&seed);
        test_vectors();
    }
    test_layers(&seed);
    test_refusals();
    return device_end();
}
