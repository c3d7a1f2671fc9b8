/* From an image's bytes to the numbers of the network's input: normalization, channel order, input
 * quantization, raw bytes. */
#include "check.h"
#include "tiny_session.h"

/* Byte `x`, whose number is `number`, in an input of `bits` bits. */
static float fed(const waio_quant_binding *b, waio_feed feed, int bits, int x, float number)
{
    const waio_qparams *p = &b->input_params;
    int code = bits <= 8 && x > 127 ? x - 256 : x;
    int top = bits <= 16 ? (1 << (bits - 1)) - 1 : 0, low = bits > 8 ? -top : -top - 1;

    if (bits == WAIO_FLOAT)
        return number;
    if (bits == WAIO_F16)
        return waio_round_to_half(number);
    if (feed == WAIO_FEED_QUANTIZED)
        return waio_fake_quantize(number, b->input_quant.fq, WAIO_ROUND_HALF_AWAY);
    code = code < low ? low : code > top ? top : code;
    return (float)(code - p->zero_point) * p->scale;
}

static void feeds(void)
{
    static const char *const pre[] = {"raw", "tf", "caffe"};

    for (int k = 0; k < 6; k++) {
        waio_session_options options = tiny_session_options(7, 1);
        options.preprocess = pre[k / 2];
        options.feed = k % 2 ? WAIO_FEED_RAW : WAIO_FEED_QUANTIZED;
        waio_session *s = open_model(tiny_model, &options);
        CHECK_OK(waio_session_calibrate(s));
        for (int bits = 2; bits <= WAIO_FLOAT; bits += bits == WAIO_F16 ? 15 : 1) {
            waio_quant_request request = {{32, 32, bits, 32}, 0, NULL};
            waio_quant_binding b;
            waio_input_table table, plain;
            CHECK_OK(waio_quantizer_bind(s->quantizer, &request, &b));
            CHECK_OK(waio_preprocess_table(&plain, pre[k / 2], 3));
            waio_input_numbers(&table, s, &b);
            for (int c = 0; c < 3; c++)
                for (int x = 0; x < 256; x++) {
                    float want = fed(&b, options.feed, bits, x, plain.value[c][x]);
                    CHECK(table.value[c][x] == want, "%s, %d bits: byte %d is %g, not %g",
                          pre[k / 2], bits, x, (double)table.value[c][x], (double)want);
                }
            CHECK(memcmp(table.source, plain.source, 3 * sizeof *plain.source) == 0, "channels");
            waio_quant_binding_free(&b);
        }
        waio_session_close(s);
    }
}

/* Raw bytes ruin a network, except where the input is float. */
static void raw_feed_in_a_pass(void)
{
    waio_session_options options = tiny_session_options(0, 2);
    waio_outcome right, raw, real;

    options.backend = &waio_backend_cpu;
    waio_session *good = open_model("shapes_resnet8", &options);
    options.feed = WAIO_FEED_RAW;
    waio_session *bad = open_model("shapes_resnet8", &options);
    waio_quant_request request = {{32, 32, 8, 32}, 0, NULL}, plain = {{8, 8, 32, 8}, 0, NULL};
    CHECK_OK(waio_session_pass(good, &request, 1, false, &right, NULL));
    CHECK_OK(waio_session_pass(bad, &request, 1, false, &raw, NULL));
    CHECK_OK(waio_session_pass(bad, &plain, 1, false, &real, NULL));
    CHECK(right.correct > 50 && raw.correct < 40 && real.correct > 50, "%lld, %lld, %lld right",
          (long long)right.correct, (long long)raw.correct, (long long)real.correct);
    waio_session_close(good);
    waio_session_close(bad);
}

/* Image `i` of the workspace's batch against bytes, through the table's channels. */
static bool holds_image(const waio_session *s, const waio_input_table *table, int i,
                        const unsigned char *image)
{
    int input = s->model.graph->input;
    const float *x = waio_workspace_value(&s->workspace[0], s->program, input) + i * PIXELS;
    bool same = true;

    for (int k = 0; k < PIXELS; k++) {
        int channel = strcmp(s->options.preprocess, "caffe") == 0 ? 2 - k % 3 : k % 3;
        same = same && x[k] == table->value[k % 3][image[k / 3 * 3 + channel]];
    }
    return same;
}

/* Images in a row or by index, and zeros where the batch has none. */
static void filling(void)
{
    static const int64_t index[] = {9, 4, 4, 59, 0, 17};

    for (int caffe = 0; caffe < 2; caffe++) {
        waio_session_options options = tiny_session_options(5, 1);
        options.preprocess = caffe ? "caffe" : "torch";
        waio_session *s = open_model(tiny_model, &options);
        const waio_dataset *d = s->dataset;
        const waio_input_table *table = &s->input_table;
        const float *x = waio_workspace_value(&s->workspace[0], s->program, s->model.graph->input);
        waio_fill_input(s->program, d, table, &s->workspace[0], index, 1, 5);
        for (int i = 0; i < 5; i++)
            CHECK(holds_image(s, table, i, d->image + index[1 + i] * PIXELS), "image %d", i);
        waio_fill_input(s->program, d, table, &s->workspace[0], NULL, 57, 3);
        for (int i = 0; i < 3; i++)
            CHECK(holds_image(s, table, i, d->image + (57 + i) * PIXELS), "image %d", 57 + i);
        for (int k = 3 * PIXELS; k < 5 * PIXELS; k++)
            CHECK(x[k] == 0, "number %d behind the last image", k);
        waio_session_close(s);
    }
}

int main(void)
{
    if (!tiny_begin())
        return 77;
    feeds();
    raw_feed_in_a_pass();
    filling();
    tiny_end();
    return waio_check_result();
}
