/* Running an integer conv2d or dense: strips of rows, in them chunks of output pixels, for each
 * chunk pairs of blocks of output channels. */
#include <inttypes.h>

#include "backend/cpu/int_depthwise.h"
#include "util/simd.h"

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t init_bytes(const waio_int_conv *c)
{
    size_t channels = (size_t)waio_int_blocks(c) * WAIO_INT_LANES;
    return rounded(channels * (c->wide ? sizeof(int64_t) : sizeof(int32_t)));
}

static size_t sum_count(void)
{
    return (size_t)WAIO_INT_CHUNK * WAIO_INT_SUM_ROW;
}

size_t waio_int_conv_scratch_bytes(const waio_int_conv *c)
{
    if (c->by_vectors)
        return waio_int_depthwise_scratch_bytes(c->by_vectors);
    size_t strip = (size_t)(c->in_rows * c->row_bytes) + WAIO_INT_SLACK;
    size_t more = c->wide ? sizeof(int64_t) : c->w_apart ? sizeof(int32_t) : 0;
    size_t sums = sum_count() * (sizeof(int32_t) + more);

    return init_bytes(c) + sums + rounded(strip);
}

static waio_int_scratch scratch_of(const waio_int_conv *c, void *memory)
{
    char *at = memory;
    waio_int_scratch s = {.init = memory, .init_64 = memory};

    at += init_bytes(c);
    s.sum = (int32_t *)(void *)at;
    at += sum_count() * sizeof(int32_t);
    s.sum_64 = (int64_t *)(void *)at;
    s.x_sum = (int32_t *)(void *)at;
    at += sum_count() * (c->wide ? sizeof(int64_t) : c->w_apart ? sizeof(int32_t) : 0);
    s.strip = (uint8_t *)at;
    return s;
}

static int64_t bias_of(const waio_int_conv *c, const waio_kernel_args *args, int64_t o)
{
    if (c->bias_type == WAIO_F32)
        return 0;
    return c->bias_type == WAIO_S32 ? ((const int32_t *)args->input[2])[o]
                                    : ((const int64_t *)args->input[2])[o];
}

/* What every sum of a channel begins with: bias, and what x + 128 is too much. */
static void set_init(const waio_int_run *run)
{
    const waio_int_conv *c = run->conv;
    const int32_t *taken =
        (const int32_t *)((const char *)run->args->input[1] + waio_int_all_bytes(c));

    for (int64_t o = 0; o < c->oc; o++) {
        int64_t at = o / c->per_group * c->group_blocks * WAIO_INT_LANES + o % c->per_group;
        int64_t bias = bias_of(c, run->args, o);
        if (c->on_codes) { /* x - lo is packed: sum x w = sum (x - lo) w + lo sum w */
            uint32_t less = (uint32_t) - (int32_t)run->args->on_codes->input.lo;
            run->scratch.init[at] = (int32_t)(less * (uint32_t)taken[at]);
            continue;
        }
        if (c->wide)
            run->scratch.init_64[at] = bias;
        else
            run->scratch.init[at] = (int32_t)((uint32_t)bias + (uint32_t)taken[at]);
    }
}

void waio_int_sum_part(const waio_int_run *run, const waio_int_chunk *chunk, const waio_tile *tile)
{
    const waio_int_conv *c = run->conv;
    waio_tile t = *tile;

    t.x_pixel = c->stride[1] * c->ic * c->bytes;
    t.pixels = chunk->row_pixels;
    for (int64_t r = 0; r < chunk->rows; r++) {
        c->tile(&t);
        t.x += c->stride[0] * c->row_bytes;
        t.sum += chunk->row_pixels * WAIO_INT_SUM_ROW;
    }
}

/* Sums of x + 128 over each pixel's operand in `group`. */
static void sum_x(const waio_int_run *run, const waio_int_chunk *chunk, int group)
{
    const waio_int_conv *c = run->conv;
    static const int32_t zeros[WAIO_INT_LANES];
    waio_tile tile = {.x = chunk->x + waio_int_block_x(c, group, 0),
                      .segment = c->segment,
                      .segments = c->segments,
                      .steps = c->steps,
                      .w = (const uint8_t *)run->args->input[1] +
                           (size_t)waio_int_blocks(c) * waio_int_block_bytes(c),
                      .init = zeros,
                      .sum = run->scratch.x_sum,
                      .blocks = 1};

    waio_int_sum_part(run, chunk, &tile);
}

/* sum -= zero * x_sum for the 16 channels of each pixel. */
WAIO_SIMD static void take_zero(int32_t *restrict sum, const int32_t *restrict x_sum,
                                int64_t pixels, uint32_t zero)
{
    for (int64_t p = 0; p < pixels; p++, sum += WAIO_INT_SUM_ROW, x_sum += WAIO_INT_SUM_ROW)
        for (int i = 0; i < WAIO_INT_LANES; i++)
            sum[i] = (int32_t)((uint32_t)sum[i] - zero * (uint32_t)x_sum[i]);
}

static void narrow_chunk(const waio_int_run *run, const waio_int_chunk *chunk, int group, int block,
                         int blocks)
{
    const waio_int_conv *c = run->conv;
    size_t block_bytes = waio_int_block_bytes(c);
    int at = group * c->group_blocks + block;
    waio_tile tile = {.x = chunk->x + waio_int_block_x(c, group, block),
                      .segment = c->segment,
                      .segments = c->segments,
                      .steps = c->steps,
                      .w = (const uint8_t *)run->args->input[1] + (size_t)at * block_bytes,
                      .w_block = (ptrdiff_t)block_bytes,
                      .init = run->scratch.init + at * WAIO_INT_LANES,
                      .sum = run->scratch.sum,
                      .blocks = blocks};

    waio_int_sum_part(run, chunk, &tile);
    for (int b = 0; b < blocks; b++) {
        int64_t first = (block + b) * WAIO_INT_LANES, left = c->per_group - first;
        int64_t to = chunk->y_pixel * c->oc + group * c->per_group + first;
        waio_int_rows rows = {.sum = run->scratch.sum + b * WAIO_INT_LANES,
                              .pixels = chunk->rows * chunk->row_pixels,
                              .block = at + b,
                              .channels = (int)(left < WAIO_INT_LANES ? left : WAIO_INT_LANES),
                              .y = (char *)run->args->output +
                                   to * (int64_t)waio_type_bytes(c->requant.type),
                              .y_pixel = c->oc};
        if (c->w_apart)
            take_zero(run->scratch.sum + b * WAIO_INT_LANES, run->scratch.x_sum, rows.pixels,
                      (uint32_t)c->w_zero);
        if (c->on_codes)
            waio_int_codes_finish(c, run->args, &rows, group * c->per_group + first);
        else
            waio_int_requant_rows(&c->requant, &rows);
    }
}

static void run_chunk(waio_int_run *run, const waio_int_chunk *chunk)
{
    const waio_int_conv *c = run->conv;

    for (int g = 0; g < c->groups; g++) {
        if (c->w_apart)
            sum_x(run, chunk, g);
        for (int b = 0; b < c->group_blocks; b += 2) {
            int blocks = c->group_blocks - b < 2 ? 1 : 2;
            if (c->wide)
                waio_int_wide_chunk(run, chunk, g, b, blocks);
            else
                narrow_chunk(run, chunk, g, b, blocks);
        }
    }
}

static void run_flat(waio_int_run *run)
{
    const waio_int_conv *c = run->conv;

    for (int64_t p = 0; p < c->ow; p += c->strip_rows) {
        int64_t count = c->ow - p < c->strip_rows ? c->ow - p : c->strip_rows;
        waio_int_prepare_flat(run, p, count);
        run_chunk(run, &(waio_int_chunk){run->scratch.strip, 1, count, p});
    }
}

/* Rows [oy, oy + rows) of image `n`, whose input is in the strip. */
static void run_strip(waio_int_run *run, int64_t n, int64_t oy, int64_t rows)
{
    const waio_int_conv *c = run->conv;
    int64_t width = c->ow < WAIO_INT_CHUNK ? c->ow : WAIO_INT_CHUNK;
    int64_t together = c->ow < WAIO_INT_CHUNK ? WAIO_INT_CHUNK / c->ow : 1;

    for (int64_t r = 0; r < rows; r += together)
        for (int64_t x = 0; x < c->ow; x += width) {
            waio_int_chunk chunk = {.x = run->scratch.strip + r * c->stride[0] * c->row_bytes +
                                         x * c->stride[1] * c->ic * c->bytes,
                                    .rows = rows - r < together ? rows - r : together,
                                    .row_pixels = c->ow - x < width ? c->ow - x : width,
                                    .y_pixel = (n * c->oh + oy + r) * c->ow + x};
            run_chunk(run, &chunk);
        }
}

static void run_images(waio_int_run *run)
{
    const waio_int_conv *c = run->conv;
    int64_t window = (c->kh - 1) * c->dilation[0] + 1;

    for (int64_t n = 0; n < c->images; n++)
        for (int64_t oy = 0; oy < c->oh; oy += c->strip_rows) {
            int64_t rows = c->oh - oy < c->strip_rows ? c->oh - oy : c->strip_rows;
            waio_int_prepare_rows(run, n, oy * c->stride[0] - c->pad[0],
                                  (rows - 1) * c->stride[0] + window);
            run_strip(run, n, oy, rows);
        }
}

waio_status waio_int_conv_run(const waio_int_conv *conv, const waio_kernel_args *args)
{
    if (conv->by_vectors) {
        waio_int_depthwise_run(conv, args);
        return WAIO_OK;
    }
    waio_int_run run = {.conv = conv, .args = args, .scratch = scratch_of(conv, args->scratch)};

    set_init(&run);
    if (conv->flat)
        run_flat(&run);
    else
        run_images(&run);
    if (run.nan)
        waio_int_codes_spread_nan(conv, args);
    if (run.lost)
        return waio_error(WAIO_EUNSUPPORTED,
                          "node \"%s\" (%s): a sum of %" PRId64
                          " is more than its accumulator holds",
                          conv->node->name, waio_op_name(conv->node->op), run.lost);
    return WAIO_OK;
}
