#include "quant/squant.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/parallel.h"
#include "util/simd.h"

/* A channel's weights, kernel after kernel. */
typedef struct channel {
    waio_squant_grid grid;
    waio_squant_stages stages;
    int64_t positions, inputs, count;
    float *x, *code, *error;
    float *open[2]; /* priority of a flip down [0] or up [1]; 0: not open */
    uint64_t *order;
} channel;

waio_squant_grid waio_squant_grid_of(float min, float max, int bits, bool symmetric)
{
    float half = (float)(1 << (bits - 1));

    if (symmetric) {
        float top = half - 1, reach = fmaxf(fabsf(min), fabsf(max));
        float scale = (float)((double)reach / top);
        if (!(scale >= FLT_MIN))
            scale = 1;
        return (waio_squant_grid){1.0f / scale, 0, -top, top, scale};
    }
    float inverse = (2 * half - 1) / fmaxf(max - min, 1e-8f);
    return (waio_squant_grid){inverse, waio_round_half_even(inverse * min) + half, -half, half - 1,
                              0};
}

/* ---- the order of flips: the largest priority first, the earlier weight at ties ---- */

static uint64_t order_key(float priority, int64_t index)
{
    uint32_t bits; /* of a number >= 0: they sort as it does */

    memcpy(&bits, &priority, sizeof bits);
    return (uint64_t)bits << 32 | (UINT32_MAX - (uint32_t)index);
}

static int64_t index_of(uint64_t key)
{
    return UINT32_MAX - (uint32_t)key;
}

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

/* Brings the first `most` keys in descending order to the front, the last of them to most - 1
 * (Hoare, Algorithm 65: Find). Keys differ. */
static void select_first(uint64_t *key, int64_t count, int64_t most)
{
    int64_t left = 0, right = count - 1, want = most - 1;

    while (left < right && want >= 0) {
        uint64_t pivot = median(key[left], key[left + (right - left) / 2], key[right]);
        int64_t i = left, j = right;
        while (i <= j) {
            while (key[i] > pivot)
                i++;
            while (key[j] < pivot)
                j--;
            if (i <= j)
                swap(&key[i++], &key[j--]);
        }
        if (want <= j)
            right = j;
        else if (want >= i)
            left = i;
        else
            break;
    }
}

/* ---- stages ---- */

WAIO_SIMD static void round_elements(float *restrict code, float *restrict error,
                                     float *restrict down, float *restrict up,
                                     const float *restrict place, int64_t count, float lo, float hi)
{
    for (int64_t i = 0; i < count; i++) {
        float x = place[i], nearest = waio_round_half_even(x), e = nearest - x;
        code[i] = nearest;
        error[i] = e;
        down[i] = e > 0 && x > lo ? e : 0;
        up[i] = e < 0 && x < hi ? -e : 0;
    }
}

/* The order of additions does not matter: kernels/squant.h. */
WAIO_SIMD static float sum_of_errors(const float *error, int64_t count)
{
    enum { LANES = 8 };
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;

    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += waio_squant_term(error[i + k]);
    for (; i < count; i++)
        sum += waio_squant_term(error[i]);
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return (float)sum;
}

/* Lists the keys of the `most` largest of `count` priorities, and some more. Priorities are spread
 * over [0, 0.5], so that few pass a bar that most likely lets enough pass. */
static int64_t list_largest(uint64_t *order, const float *open, int64_t count, int64_t most)
{
    float bar = 0.5f - 2.0f * (float)(most + 8) / (float)count;
    int64_t listed = 0;

    for (int64_t i = 0; bar > 0 && i < count; i++)
        if (open[i] >= bar)
            order[listed++] = order_key(open[i], i);
    if (listed >= most)
        return listed;
    for (int64_t i = 0; i < count; i++)
        order[i] = order_key(open[i], i);
    return count;
}

/* Flips weights among [first, first + count) until their errors nearly cancel. Returns how many,
 * with the order of flips in c->order: `ahead` entries more than were flipped are right. */
static int64_t cancel_errors(channel *c, int64_t first, int64_t count, float sum, int64_t ahead)
{
    bool up = sum < 0;
    int64_t flips = waio_squant_flips(sum), ordered = flips + ahead;

    flips = flips < count ? flips : count;
    ordered = ordered < count ? ordered : count;
    if (ordered == 0)
        return 0;
    int64_t listed = list_largest(c->order, &c->open[up][first], count, ordered);
    select_first(c->order, listed, flips);
    if (ordered > flips)
        select_first(c->order + flips, listed - flips, ordered - flips);
    for (int64_t k = 0; k < flips; k++) {
        int64_t i = first + index_of(c->order[k]);
        waio_squant_flip flip = waio_squant_flipped(c->x[i], up, c->grid);
        c->code[i] = flip.code;
        c->error[i] = flip.error;
    }
    return flips;
}

/* One kernel; leaves one of its weights open to the channel stage: the last that was flipped, to go
 * back, if enough were; else the next in order. */
static void round_kernel(channel *c, int64_t first)
{
    int64_t count = c->positions;
    float sum = sum_of_errors(&c->error[first], count);
    bool up = sum < 0;
    int64_t flips = cancel_errors(c, first, count, sum, 1);
    bool enough = (float)flips >= fabsf(sum);
    int64_t last = count - 1;

    if (enough && flips == 0) { /* the errors cancel exactly: the last in order */
        for (int64_t i = count - 1, least = i; i >= 0; i--)
            if (order_key(c->open[up][first + i], i) <=
                order_key(c->open[up][first + least], least))
                last = least = i;
    } else {
        last = index_of(c->order[enough ? flips - 1 : flips]);
    }
    memset(&c->open[0][first], 0, (size_t)count * sizeof(float));
    memset(&c->open[1][first], 0, (size_t)count * sizeof(float));
    c->open[enough ? !up : up][first + last] = fabsf(c->error[first + last]);
}

static void round_channel(channel *c)
{
    round_elements(c->code, c->error, c->open[0], c->open[1], c->x, c->count, c->grid.lo,
                   c->grid.hi);
    if (c->stages.kernel && c->positions > 1)
        for (int64_t i = 0; i < c->inputs; i++)
            round_kernel(c, i * c->positions);
    if (c->stages.channel)
        cancel_errors(c, 0, c->count, sum_of_errors(c->error, c->count), 0);
    for (int64_t i = 0; i < c->count; i++)
        c->code[i] = waio_clampf(c->code[i], c->grid.lo, c->grid.hi);
}

/* ---- a tensor ---- */

typedef struct tensor {
    float *code;
    const float *weight;
    const waio_squant_shape *shape;
    const waio_squant_grid *grid;
    int64_t grid_count;
    waio_squant_stages stages;
} tensor;

/* Work item: some channels, so that small ones share the memory that is needed. */
enum { ITEM_WEIGHTS = 16384 };

static int64_t item_channels(const waio_squant_shape *s)
{
    int64_t count = ITEM_WEIGHTS / (s->positions * s->inputs);
    return count > 0 ? count : 1;
}

static waio_status round_item(void *payload, int64_t item)
{
    const tensor *t = payload;
    const waio_squant_shape *s = t->shape;
    int64_t count = s->positions * s->inputs, step = item_channels(s), first = item * step;
    float *memory = malloc((size_t)count * (5 * sizeof(float) + sizeof(uint64_t)));
    channel c = {.stages = t->stages, .positions = s->positions, .inputs = s->inputs};

    if (!memory)
        return waio_error(WAIO_ENOMEM, "out of memory");
    c.count = count;
    c.order = (uint64_t *)(void *)memory;
    c.x = memory + 2 * count;
    c.code = memory + 3 * count;
    c.error = memory + 4 * count;
    c.open[0] = memory + 5 * count;
    c.open[1] = memory + 6 * count;
    for (int64_t k = first; k < first + step && k < s->channels; k++) {
        const float *w = t->weight + k * count;
        float *code = t->code + k * count;
        c.grid = t->grid[t->grid_count == 1 ? 0 : k];
        for (int64_t p = 0; p < s->positions; p++)
            for (int64_t i = 0; i < s->inputs; i++)
                c.x[i * s->positions + p] = waio_squant_place(w[p * s->inputs + i], c.grid);
        round_channel(&c);
        for (int64_t p = 0; p < s->positions; p++)
            for (int64_t i = 0; i < s->inputs; i++)
                code[p * s->inputs + i] = c.code[i * s->positions + p];
    }
    free(memory);
    return WAIO_OK;
}

waio_status waio_squant_round(float *code, const float *weight, const waio_squant_shape *shape,
                              const waio_squant_grid *grid, int64_t grid_count,
                              waio_squant_stages stages, int threads)
{
    tensor t = {code, weight, shape, grid, grid_count, stages};
    int64_t step = item_channels(shape);

    return waio_parallel_for(threads, (shape->channels + step - 1) / step, round_item, &t);
}
