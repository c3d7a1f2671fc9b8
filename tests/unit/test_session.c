/* Sessions on the embedded data and a network written here. Every outcome is compared with what
 * the images give when each goes alone through the whole network, nothing shared or kept. */
#include <stdlib.h>
#include "check.h"
#include "open_dataset.h"
#include "tiny_session.h"

/* ---- by hand ---- */

typedef struct alone {
    waio_program *program; /* batch 1 */
    waio_workspace workspace;
    waio_quantizer *quantizer;
} alone;

static alone open_alone(const waio_session *s)
{
    alone a = {0};
    const waio_graph *g = s->model.graph;

    CHECK_OK(waio_program_compile(&a.program, g, s->options.backend, 1, g->node_count));
    CHECK_OK(waio_workspace_create(&a.workspace, a.program));
    CHECK_OK(waio_quantizer_create(&a.quantizer, a.program, &s->roles, &s->ranges,
                                   &s->options.scheme, 1 << 20));
    return a;
}

static void close_alone(alone *a)
{
    waio_quantizer_free(a->quantizer);
    waio_workspace_free(&a->workspace);
    waio_program_free(a->program);
}

/* One image (normalization `raw`) through the whole network; its scores stay in the workspace. */
static const float *run_image(const alone *a, const waio_quant_binding *b,
                              const unsigned char *image, const waio_observer_hook *hook)
{
    const waio_graph *g = waio_program_graph(a->program);
    float *x = waio_workspace_value(&a->workspace, a->program, g->input);
    waio_run_range all = {0, g->node_count, false, false};

    for (int i = 0; i < PIXELS; i++)
        x[i] = b->input_bits == WAIO_FLOAT ? (float)image[i]
               : b->input_bits == WAIO_F16
                   ? waio_round_to_half((float)image[i])
                   : waio_fake_quantize((float)image[i], b->input_quant.fq, WAIO_ROUND_HALF_AWAY);
    CHECK_OK(waio_program_run(a->program, &b->binding, &a->workspace, all, hook));
    return waio_workspace_value(&a->workspace, a->program, g->output[0]);
}

/* First class with the largest score of every image; -1 - class where a score is NaN. */
static void predict_alone(const waio_session *s, const waio_quant_request *r, int *prediction)
{
    alone a = open_alone(s);
    waio_quant_binding b;

    CHECK_OK(waio_quantizer_bind(a.quantizer, r, &b));
    for (int64_t i = 0; i < s->dataset->count; i++) {
        const float *y = run_image(&a, &b, s->dataset->image + i * PIXELS, NULL);
        int best = 0, nan = 0;
        for (int c = 0; c < CLASSES; c++) {
            nan |= isnan(y[c]);
            best = y[c] > y[best] ? c : best;
        }
        prediction[i] = nan ? -1 - best : best;
    }
    waio_quant_binding_free(&b);
    close_alone(&a);
}

/* The session's float predictions are checked by themselves: check_float. */
static void check_outcome(const waio_session *s, const waio_quant_request *r,
                          const waio_outcome *got, const char *what)
{
    int prediction[IMAGES], correct = 0, agree = 0, nan = 0, first = 0, lost = 0, gained = 0;

    predict_alone(s, r, prediction);
    for (int i = 0; i < IMAGES; i++) {
        correct += prediction[i] == s->dataset->label[i];
        agree += prediction[i] == s->float_prediction[i];
        nan += prediction[i] < 0;
        first += prediction[i] == prediction[0];
        int label = s->dataset->label[i], real = s->float_prediction[i];
        lost += real == label && prediction[i] != label;
        gained += real != label && prediction[i] == label;
    }
    CHECK(got->lost == lost && got->gained == gained, "%s: lost %lld, gained %lld, by hand %d, %d",
          what, (long long)got->lost, (long long)got->gained, lost, gained);
    CHECK(got->images == IMAGES && got->correct == correct && got->agree == agree &&
              got->nan_images == nan && got->constant == (first == IMAGES),
          "%s, w=%d a=%d i=%d o=%d first_n=%d: %lld right, %lld agree, by hand %d, %d", what,
          r->bits.w, r->bits.a, r->bits.i, r->bits.o, r->first_n, (long long)got->correct,
          (long long)got->agree, correct, agree);
}

static void check_float(const waio_session *s)
{
    int prediction[IMAGES];

    predict_alone(s, &(waio_quant_request){{32, 32, 32, 32}, 0, NULL}, prediction);
    for (int i = 0; i < IMAGES; i++)
        CHECK(prediction[i] == s->float_prediction[i], "float: image %d is %d, by hand %d", i,
              s->float_prediction[i], prediction[i]);
}

/* ---- sharing ---- */

/* Passes one after the other, so that kept outputs are made, used, made anew, and passed over. */
static void sharing(void)
{
    enum { HEADS = 2 };
    static const int heads[2][HEADS] = {{3, WAIO_F16}, {32, 6}};
    static const struct {
        int w, a, i, first_n;
        bool keep;
        int kept; /* bits of the first layer whose outputs are there behind the pass */
    } row[] = {
        {6, 5, 4, 0, true, 4},   {3, 6, 4, 0, true, 4},          {4, 32, 4, 0, false, 4},
        {8, 4, 8, 0, false, 4},  {8, 4, 8, 0, true, 8},          {32, 6, 4, 0, true, 4},
        {5, 6, 4, 1, true, 32},  {5, 4, 32, 0, true, 32},        {5, 4, 6, 2, true, 32},
        {4, 5, 6, 4, true, 32},  {4, 5, 6, 5, true, 32},         {4, 4, 4, 6, true, 32},
        {4, 4, 32, 3, true, 32}, {6, WAIO_F16, 16, 0, true, 16}, {WAIO_F16, 16, 16, 0, true, 16},
        {5, 6, 4, 0, true, 4},   {12, 3, WAIO_F16, 0, true, 17}, {12, 3, 4, 0, false, 17},
    };
    waio_session *s = open_tiny(7, 2);

    CHECK(s->model.graph->node_count == TINY_NODES, "%d nodes", s->model.graph->node_count);
    CHECK(s->first_bits == -1, "nothing is kept yet");
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        waio_quant_request request[HEADS];
        waio_outcome outcome[HEADS];
        for (int h = 0; h < HEADS; h++)
            request[h] = (waio_quant_request){
                {row[k].w, row[k].a, row[k].i, heads[k % 2][h]}, row[k].first_n, NULL};
        CHECK_OK(waio_session_pass(s, request, HEADS, row[k].keep, outcome, NULL));
        CHECK(s->first_bits == row[k].kept, "pass %zu: outputs of %d bits are kept", k,
              s->first_bits);
        for (int h = 0; h < HEADS; h++)
            check_outcome(s, &request[h], &outcome[h], "shared");
    }
    const waio_outcome *real = waio_session_float(s);
    check_float(s);
    check_outcome(s, &(waio_quant_request){{32, 32, 32, 32}, 0, NULL}, real, "float");
    CHECK(real->agree == IMAGES, "the float network agrees with itself");
    waio_session_close(s);
}

/* Nodes left in float by name, also the first layer, between passes whose outputs are kept. */
static void left_in_float(void)
{
    waio_session *s = open_tiny(7, 2);
    bool in_float[TINY_NODES];
    waio_outcome outcome;

    for (int k = 0; k < 2 * TINY_NODES; k++) {
        for (int n = 0; n < TINY_NODES; n++)
            in_float[n] = (n == k % TINY_NODES) == (k < TINY_NODES);
        waio_quant_request plain = {{4, 4, 3, 4}, 0, NULL}, r = {{4, 4, 3, 4}, 0, in_float};
        CHECK_OK(waio_session_pass(s, &plain, 1, true, &outcome, NULL));
        check_outcome(s, &plain, &outcome, "nothing in float");
        CHECK_OK(waio_session_pass(s, &r, 1, true, &outcome, NULL));
        check_outcome(s, &r, &outcome, k < TINY_NODES ? "one node in float" : "all but one");
    }
    memset(in_float, true, sizeof in_float);
    CHECK_OK(waio_session_integer(s, &(waio_quant_request){{4, 4, 3, 4}, 0, in_float},
                                  WAIO_REQUANT_TFLITE, false, &outcome, NULL));
    CHECK(outcome.agree == IMAGES, "all in float: %lld images as the float network sees them",
          (long long)outcome.agree);
    waio_session_close(s);
}

static bool same_outcome(const waio_outcome *a, const waio_outcome *b)
{
    return a->images == b->images && a->correct == b->correct && a->agree == b->agree &&
           a->nan_images == b->nan_images && a->constant == b->constant &&
           a->size_bytes == b->size_bytes;
}

/* Batches and threads change nothing: not the ranges, not one prediction. The reference adds up in
 * one order whatever the batch is. */
static void batches_and_threads(void)
{
    static const int batch[] = {1, 7, 16, 64, 0}, threads[] = {1, 2, 3, 1, 3};
    waio_quant_request request[] = {{{5, 5, 6, 8}, 0, NULL}, {{5, 5, 6, 3}, 0, NULL}};
    waio_outcome one[2], other[2];
    waio_session *first = open_tiny(1, 1);

    CHECK_OK(waio_session_pass(first, request, 2, false, one, NULL));
    for (int k = 0; k < 5; k++) {
        waio_session *s = open_tiny(batch[k], threads[k]);
        CHECK_OK(waio_session_pass(s, request, 2, k % 2, other, NULL));
        for (int i = 0; i < 2; i++)
            CHECK(same_outcome(&one[i], &other[i]), "batch %d, %d threads: %lld right, not %lld",
                  batch[k], threads[k], (long long)other[i].correct, (long long)one[i].correct);
        for (int v = 0; v < s->ranges.count; v++)
            CHECK(s->ranges.min[v] == first->ranges.min[v] &&
                      s->ranges.max[v] == first->ranges.max[v],
                  "batch %d, %d threads: range of value %d", batch[k], threads[k], v);
        CHECK(memcmp(s->float_prediction, first->float_prediction,
                     IMAGES * sizeof *s->float_prediction) == 0,
              "batch %d, %d threads: float predictions", batch[k], threads[k]);
        waio_session_close(s);
    }
    waio_session_close(first);
}

/* Libraries may add up in another order for another batch: few images may change. */
static void batches_of_a_library(void)
{
    enum { MAY_CHANGE = 2 };
    waio_quant_request request = {{4, 5, 8, 8}, 0, NULL};
    waio_outcome outcome[3];

    for (int k = 0; k < 3; k++) {
        waio_session_options options = tiny_session_options((int[]){1, 7, 16}[k], 1 + k);
        options.backend = &waio_backend_cpu;
        waio_session *s = open_model("shapes_resnet8", &options);
        CHECK_OK(waio_session_pass(s, &request, 1, true, &outcome[k], NULL));
        CHECK(outcome[k].correct > IMAGES / 2, "only %lld right", (long long)outcome[k].correct);
        CHECK(llabs(outcome[k].correct - outcome[0].correct) <= MAY_CHANGE &&
                  llabs(outcome[k].agree - outcome[0].agree) <= MAY_CHANGE,
              "other batch: %lld right, not %lld", (long long)outcome[k].correct,
              (long long)outcome[0].correct);
        waio_session_close(s);
    }
}

/* ---- calibration ---- */

static void observe(void *payload, int id, const float *data, int64_t count)
{
    waio_ranges_observe(payload, id, data, count);
}

/* The images of the sample, each once, and nothing else. */
static void calibration(void)
{
    waio_session *s = open_tiny(7, 2);
    waio_dataset *sample = NULL;
    waio_selection selection = {.sample = SAMPLE, .seed = (uint64_t)s->options.calibration_seed};
    waio_ranges ranges;
    waio_quant_binding b;

    CHECK_OK(waio_session_calibrate(s));
    alone a = open_alone(s);
    CHECK_OK(waio_ranges_create(&ranges, s->model.graph, s->arena));
    CHECK_OK(
        waio_quantizer_bind(a.quantizer, &(waio_quant_request){{32, 32, 32, 32}, 0, NULL}, &b));
    CHECK_OK(open_dataset(&sample, "shapes", "train", BUILD_DIR "/data", &selection));
    for (int i = 0; i < SAMPLE; i++) {
        const unsigned char *image = sample->image + i * PIXELS;
        run_image(&a, &b, image, &(waio_observer_hook){observe, &ranges});
        for (int k = 0; k < PIXELS; k++)
            observe(&ranges, s->model.graph->input, &(float){image[k]}, 1);
    }
    for (int v = 0; v < ranges.count; v++)
        CHECK(ranges.min[v] == s->ranges.min[v] && ranges.max[v] == s->ranges.max[v],
              "%s: %g .. %g, by hand %g .. %g", s->model.graph->value[v].name,
              (double)s->ranges.min[v], (double)s->ranges.max[v], (double)ranges.min[v],
              (double)ranges.max[v]);
    waio_dataset_close(sample);
    waio_quant_binding_free(&b);
    close_alone(&a);
    waio_session_close(s);
}

/* ---- scores that say nothing ---- */

static void nan_and_constant_scores(void)
{
    waio_quant_request request = {{8, 32, 8, 32}, 0, NULL};
    waio_session_options options = tiny_session_options(16, 1);
    waio_outcome outcome;

    waio_session *s = open_model(tiny_written((tiny_options){32, 10, 3e38f, 5}), &options);
    CHECK(waio_session_float(s)->nan_images > IMAGES / 2, "only %lld images with NaN",
          (long long)waio_session_float(s)->nan_images);
    CHECK_OK(waio_session_pass(s, &request, 1, false, &outcome, NULL));
    check_outcome(s, &request, &outcome, "NaN");
    waio_session_close(s);
    s = open_model(tiny_written((tiny_options){32, 10, 0, 5}), &options);
    CHECK_OK(waio_session_pass(s, &request, 1, false, &outcome, NULL));
    CHECK(outcome.constant && outcome.correct == IMAGES / 10 && outcome.agree == IMAGES,
          "equal scores are class 0: %lld right", (long long)outcome.correct);
    waio_session_close(s);
}

/* ---- memory ---- */

static void memory(void)
{
    waio_session *s = open_tiny(7, 2), *tight = NULL;
    waio_session_options options = tiny_session_options(7, 2);
    waio_quant_request request = {{5, 5, 6, 8}, 0, NULL};
    waio_outcome roomy, narrow;

    CHECK_OK(waio_session_pass(s, &request, 1, true, &roomy, NULL));
    CHECK(s->first_bits == 6, "there is room to keep outputs");
    options.memory = IMAGES * PIXELS + 2 * (int64_t)waio_workspace_bytes(s->program);
    tight = open_model(tiny_model, &options);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(waio_session_pass(tight, &request, 1, true, &narrow, NULL));
        CHECK(tight->first_bits == -1, "there is no room to keep outputs");
        CHECK(same_outcome(&roomy, &narrow), "%lld right, not %lld", (long long)narrow.correct,
              (long long)roomy.correct);
    }
    waio_session_close(s);
    waio_session_close(tight);
    options.memory--;
    CHECK_FAILS(waio_session_open(&s, tiny_model, "shapes", &options, NULL), WAIO_ENOMEM,
                "the budget is 0 MiB (--memory)");
    options.memory = 1 << 20;
    options.threads = 1000;
    CHECK_FAILS(waio_session_open(&s, tiny_model, "shapes", &options, NULL), WAIO_ENOMEM,
                "the budget is 1 MiB (--memory)");
}

/* ---- taking over, refusals ---- */

static void float_of_another(void)
{
    waio_session *s = open_tiny(7, 1);
    waio_session_options options = tiny_session_options(16, 1);

    s->float_outcome.correct = 77; /* a number that no evaluation gives */
    options.float_of = s;
    waio_session *second = open_model(tiny_model, &options);
    CHECK(waio_session_float(second)->correct == 77, "evaluated again");
    CHECK(memcmp(s->float_prediction, second->float_prediction,
                 IMAGES * sizeof *s->float_prediction) == 0,
          "predictions");
    waio_session_close(second);
    options.images = IMAGES - 1;
    second = open_model(tiny_model, &options);
    CHECK(waio_session_float(second)->images == IMAGES - 1, "other images are evaluated");
    waio_session_close(second);
    waio_session_close(s);
}

/* A network of another size gets the images at its size. */
static void other_size(void)
{
    waio_session_options o = tiny_session_options(7, 1);
    waio_session *s = open_model(tiny_written((tiny_options){16, 10, 1, 5}), &o);
    const waio_dataset *d = waio_session_dataset(s);

    CHECK(d->height == 16 && d->width == 16, "%dx%d", d->height, d->width);
    CHECK(strcmp(d->resize, "pil-bilinear") == 0, "%s", d->resize);
    waio_session_close(s);
    o.resize = "tf-bilinear/crop24";
    s = open_model(tiny_written((tiny_options){16, 10, 1, 5}), &o);
    CHECK(strcmp(waio_session_dataset(s)->resize, o.resize) == 0, "%s",
          waio_session_dataset(s)->resize);
    waio_session_close(s);
    s = open_model(tiny_model, &o);
    CHECK(strcmp(waio_session_dataset(s)->resize, "none") == 0, "%s",
          waio_session_dataset(s)->resize);
    waio_session_close(s);
}

static void refused(const char *path, const char *dataset, const waio_session_options *o,
                    waio_status code, const char *part)
{
    waio_session *s = NULL;
    CHECK_FAILS(waio_session_open(&s, path, dataset, o, NULL), code, part);
    CHECK(s == NULL, "a session came back");
}

static void refusals(void)
{
    waio_session_options o = tiny_session_options(7, 1);

    refused(tiny_written((tiny_options){32, 7, 1, 5}), "shapes", &o, WAIO_EINPUT,
            "it has 1 output of 1x7, the data set has 10 classes");
    refused(TEST_DATA_DIR "/small_int8.tflite", "shapes", &o, WAIO_EUNSUPPORTED,
            "is quantized already");
    refused("no_such_model", "shapes", &o, WAIO_EINPUT, "no_such_model");
    refused(tiny_model, "mnist", &o, WAIO_EUSAGE, "there are: shapes, shapes_pets");
    o.preprocess = "none";
    refused(tiny_model, "shapes", &o, WAIO_EUSAGE, "raw, unit, u8, tf, caffe, torch");
    o = tiny_session_options(7, 1);
    o.split = "val";
    refused(tiny_model, "shapes", &o, WAIO_EUSAGE, "test train");
    o = tiny_session_options(7, 1);
    o.images = 3000;
    refused(tiny_model, "shapes", &o, WAIO_EINPUT, "has 2000");
    o = tiny_session_options(7, 1);
    o.calibration_split = "val";
    waio_session *s = open_model(tiny_model, &o);
    waio_outcome outcome;
    CHECK_FAILS(
        waio_session_pass(s, &(waio_quant_request){{8, 8, 8, 8}, 0, NULL}, 1, true, &outcome, NULL),
        WAIO_EUSAGE, "test train");
    waio_session_close(s);
}

static void interrupt(void)
{
    waio_session_options o = tiny_session_options(7, 2);
    waio_session *s = open_tiny(7, 2);
    waio_outcome outcome;

    waio_interrupt();
    CHECK_FAILS(
        waio_session_pass(s, &(waio_quant_request){{8, 8, 8, 8}, 0, NULL}, 1, true, &outcome, NULL),
        WAIO_EINTERRUPTED, "interrupted");
    CHECK(s->first_bits == -1, "outputs of a pass that did not end are not kept");
    waio_session_close(s);
    refused(tiny_model, "shapes", &o, WAIO_EINTERRUPTED, "interrupted");
}

int main(void)
{
    if (!tiny_begin())
        return 77;
    sharing();
    left_in_float();
    batches_and_threads();
    batches_of_a_library();
    calibration();
    nan_and_constant_scores();
    memory();
    float_of_another();
    other_size();
    refusals();
    interrupt(); /* the last: an interrupt stays */
    tiny_end();
    return waio_check_result();
}
