/* Effective bits: verification passes where every tensor holds what it claims, and names the tensor
 * that does not. The faults are planted: hand-made numbers, and backends that only claim to
 * quantize. */
#include "check.h"
#include "quant/weights.h"
#include "tiny_session.h"

/* ---- counting ---- */

static int64_t levels_of(const float *data, int64_t count, int64_t blocks, int64_t limit)
{
    int64_t levels = -1;
    CHECK_OK(waio_count_levels(&levels, data, count, blocks, limit));
    return levels;
}

static void counting(void)
{
    static const float data[] = {1, 2, 2, 1, 5, 6, 7, 8}, zeros[] = {0.0f, -0.0f, 0, 0};
    static const float close[] = {1, 1.0000001f, 1.0000002f, 1}, one = 3;
    float many[1000];

    CHECK(levels_of(data, 8, 1, 100) == 6, "one block");
    CHECK(levels_of(data, 8, 2, 100) == 4, "the worst of two blocks, in any place");
    CHECK(levels_of(data, 8, 4, 100) == 2 && levels_of(data, 8, 8, 100) == 1, "small blocks");
    CHECK(levels_of(data, 8, 1, 3) == 4, "counting ends at limit + 1");
    CHECK(levels_of(zeros, 4, 1, 9) == 1, "-0 is 0");
    CHECK(levels_of(close, 4, 1, 9) == 3, "neighbouring floats are two levels");
    CHECK(levels_of(&one, 1, 1, 1) == 1 && levels_of(&one, 0, 1, 1) == 0, "one number, none");
    for (int i = 0; i < 1000; i++)
        many[i] = (float)(i * 7 % 256) * 0.1f;
    CHECK(levels_of(many, 1000, 1, 256) == 256, "just as many as 8 bits allow");
    many[999] = 0.15f;
    CHECK(levels_of(many, 1000, 1, 256) == 257, "one more");
    many[3] = 1;
    many[700] = 0.15f;
    CHECK(levels_of(many, 1000, 2, 256) > 250, "two blocks");
}

/* What weights hold at `bits` bits: never more levels than allowed, and with enough numbers not
 * less than half of them. */
static void levels_of_weights(void)
{
    enum { CHANNELS = 4, EACH = 4096 };
    static float w[CHANNELS * EACH], out[CHANNELS * EACH];
    waio_arena *arena = waio_arena_new();
    waio_rng rng = {6};

    for (int i = 0; i < CHANNELS * EACH; i++)
        w[i] = (waio_rng_unit(&rng) - 0.3f) * (float)(1 + i / EACH);
    for (int k = 0; k < 8; k++) {
        int bits = 2 + k / 4 * 6; /* 2 and 8 */
        waio_scheme scheme = {.per_channel = k % 2,
                              .weights = k % 4 / 2 ? WAIO_SYMMETRIC : WAIO_ASYMMETRIC};
        waio_weight_scales scales;
        CHECK_OK(waio_quantize_weights(out, &scales, w, CHANNELS * EACH, CHANNELS, bits, &scheme,
                                       arena));
        int64_t most = INT64_C(1) << bits, blocks = scheme.per_channel ? CHANNELS : 1;
        int64_t levels = levels_of(out, CHANNELS * EACH, blocks, 1000);
        most -= scheme.weights == WAIO_SYMMETRIC;
        CHECK(levels <= most && levels > most / 2, "%d bits: %lld levels", bits, (long long)levels);
    }
    waio_arena_free(arena);
}

/* ---- what holds ---- */

/* In order of execution: mul and pool (I), c1 .. fc1 (A: 8 nodes with concat, mean and reshape),
 * fc2, add and softmax (O). */
static void good_configurations(void)
{
    static const struct {
        waio_quant_request request;
        int tensors;
    } row[] = {
        {{{4, 4, 4, 4}, 0, NULL}, TINY_LAYERS + 1 + TINY_NODES},
        {{{2, 3, 8, 5}, 0, NULL}, TINY_LAYERS + 1 + TINY_NODES},
        {{{16, 16, 16, 16}, 0, NULL}, TINY_LAYERS + 1 + TINY_NODES},
        {{{8, 6, 32, 8}, 0, NULL}, 4 + 7 + 3},       /* not c1's weights, x, mul, pool */
        {{{32, 32, 8, 32}, 0, NULL}, 1 + 3},         /* c1's weights, x, mul, pool */
        {{{8, WAIO_F16, 32, WAIO_F16}, 0, NULL}, 3}, /* weights of c2, c3, fc1 */
        {{{32, 32, 32, 4}, 0, NULL}, 1 + 3},         /* fc2's weights, fc2, add, softmax */
        {{{32, 32, 32, 32}, 0, NULL}, 0},
        {{{4, 4, 4, 4}, 1, NULL}, 4 + 1 + 1 + 6 + 3}, /* pool and c1 are read at the border */
        {{{4, 4, 4, 4}, 2, NULL}, 3 + 1 + 4 + 3},     /* concat is read at the border */
        {{{4, 4, 4, 4}, 4, NULL}, 1 + 1 + 3},         /* fc2, fc1 at the border */
        {{{4, 4, 4, 4}, 5, NULL}, 0},
    };
    waio_session *s = open_tiny(16, 2);

    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        int tensors = -1;
        CHECK_OK(waio_session_verify(s, &row[k].request, &tensors));
        CHECK(tensors == row[k].tensors, "row %zu: %d tensors, expected %d", k, tensors,
              row[k].tensors);
    }
    waio_session_close(s);
}

static void good_networks(void)
{
    for (int k = 0; k < 4; k++) {
        waio_session_options options = tiny_session_options(0, 2);
        int tensors = 0;
        options.backend = &waio_backend_cpu;
        options.feed = k / 2 ? WAIO_FEED_RAW : WAIO_FEED_QUANTIZED;
        options.scheme.weights = k / 2 ? WAIO_ASYMMETRIC : WAIO_SYMMETRIC;
        options.scheme.per_channel = k % 2;
        waio_session *s = open_model("shapes_resnet8", &options);
        for (int first_n = 0; first_n < 9; first_n += 4) {
            waio_quant_request r = {{3 + k, 5 + k, 6 + k, 4 + k}, first_n, NULL};
            CHECK_OK(waio_session_verify(s, &r, &tensors));
            CHECK(tensors > 4, "only %d tensors", tensors);
        }
        waio_session_close(s);
    }
}

/* ---- what does not ---- */

static size_t lie_count;          /* numbers in the tensors that are lied about; 0: all */
static int lie_only, lie_chances; /* -1: about each of them, else only about this one */

static bool lies(size_t count)
{
    if (count != lie_count)
        return lie_count == 0;
    return lie_only < 0 || lie_only == lie_chances++;
}

static void no_quantizer(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    if (!lies(count))
        waio_backend_ref.fake_quantize(dst, src, count, fq, rounding);
    else if (dst != src)
        memcpy(dst, src, count * sizeof *dst);
}

/* Twice as many levels as there should be. */
static void half_the_step(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    if (lies(count)) {
        fq.scale /= 2;
        fq.lo *= 2;
        fq.hi *= 2;
    }
    waio_backend_ref.fake_quantize(dst, src, count, fq, rounding);
}

typedef void quantize(float *dst, const float *src, size_t count, waio_fq fq, int rounding);

static void check_caught(quantize *lie, waio_quant_request r, const char *message)
{
    waio_backend lying = waio_backend_ref;
    waio_session_options options = tiny_session_options(16, 1);
    int tensors = 0;

    lie_chances = 0;
    lying.name = "lying";
    lying.fake_quantize = lie;
    options.backend = &lying;
    waio_session *s = open_model(tiny_model, &options);
    CHECK_FAILS(waio_session_verify(s, &r, &tensors), WAIO_EINTERNAL, message);
    waio_session_close(s);
}

/* Nodes are named after what was fused into them: r1 is c1 with its relu. */
static void faults_are_found(void)
{
    static const waio_quant_request four = {{4, 4, 4, 4}, 0, NULL},
                                    body = {{32, 6, 32, 32}, 0, NULL};
    static const waio_quant_request head = {{32, 32, 32, 3}, 0, NULL},
                                    first = {{32, 32, 5, 32}, 0, NULL};

    lie_count = 0;
    lie_only = -1;
    check_caught(no_quantizer, four, "more than the 16 levels of 4 bits");
    check_caught(half_the_step, four, "more than the 16 levels of 4 bits");
    check_caught(half_the_step, body, "r1 holds more than the 64 levels of 6 bits");
    check_caught(no_quantizer, head, "fc2 holds more than the 8 levels of 3 bits");
    check_caught(no_quantizer, first, "pool holds more than the 32 levels of 5 bits");
    lie_count = 16 * 8 * 8 * 6;
    check_caught(no_quantizer, four, "r3 holds more than the 16 levels of 4 bits");
    check_caught(half_the_step, body, "r3 holds more than the 64 levels of 6 bits");
    lie_only = (IMAGES - 1) / 16; /* in the last batch alone */
    check_caught(no_quantizer, four, "r3 holds more than the 16 levels of 4 bits");
}

/* A float prefix is quantized at its end: a lie there is found, too. */
static void faults_at_the_border(void)
{
    static const waio_quant_request one = {{32, 4, 4, 32}, 1, NULL},
                                    three = {{32, 4, 32, 32}, 3, NULL};

    lie_count = 16 * 16 * 16 * 4; /* c1, which the second layer reads; c2 is as large */
    lie_only = 0;
    check_caught(no_quantizer, one, "r1 holds more than the 16 levels of 4 bits");
    lie_only = -1;
    lie_count = 16 * 6; /* the means, which the fourth layer reads */
    check_caught(no_quantizer, three, "more than the 16 levels of 4 bits");
}

/* A lie where nothing is quantized is none. */
static void no_false_alarm(void)
{
    waio_backend lying = waio_backend_ref;
    waio_session_options options = tiny_session_options(16, 1);
    int tensors = 0;

    lie_count = 0;
    lying.fake_quantize = no_quantizer;
    options.backend = &lying;
    waio_session *s = open_model(tiny_model, &options);
    CHECK_OK(waio_session_verify(s, &(waio_quant_request){{4, 32, 32, 32}, 0, NULL}, &tensors));
    CHECK(tensors == 3, "%d weights", tensors);
    CHECK_OK(waio_session_verify(s, &(waio_quant_request){{4, 4, 4, 4}, 5, NULL}, &tensors));
    waio_session_close(s);
}

int main(void)
{
    counting();
    levels_of_weights();
    if (!tiny_begin())
        return 77;
    good_configurations();
    good_networks();
    faults_are_found();
    faults_at_the_border();
    no_false_alarm();
    tiny_end();
    return waio_check_result();
}
