/* Trained networks of MLPerf Tiny through the complete backend over the device double: ResNet-8 on
 * CIFAR-10's test images, MobileNetV1 0.25 on noise (on codes: the int8 file; lowered per channel,
 * a bias of the float one fills 32 bits and the reference refuses the sum). On codes every value of
 * every node equals the reference's; simulated, classes are the reference's and scores as near as
 * `waio check` asks. Needs WAIO_TEST_MODELS (pretrainedResnet.h5, vww_96.h5,
 * vww_96_int8.tflite) and WAIO_DATA. */
#include "check/compare.h"
#include "check/tolerance.h"
#include "cuda_double/double_compare.h"
#include "models/models.h"
#include "sweep/config.h"
#include "sweep/session_internal.h"
#include "util/file.h"
#include "util/rng.h"

enum { FEW = 6, NOISE = 2 };

enum { REQUESTS = 2 };
static const waio_quant_request of_resnet[REQUESTS] = {{{8, 8, 8, 8}, 0, NULL},
                                                       {{8, 16, 8, 8}, 0, NULL}};
static const waio_quant_request of_mobilenet[REQUESTS] = {{{8, 8, 8, 8}, 0, NULL},
                                                          {{4, 6, 8, 8}, 0, NULL}};

static const waio_backend *cuda;

/* ---- ResNet-8: sessions on real images ---- */

static waio_session *open_on(const waio_backend *backend, const char *path, int64_t batch,
                             int threads)
{
    waio_session *session = NULL;
    waio_session_options options = {.backend = backend,
                                    .data_dir = getenv("WAIO_DATA"),
                                    .batch = batch,
                                    .threads = threads,
                                    .memory = INT64_C(1) << 30};
    waio_config config = waio_config_default();

    config.images = FEW;
    config.calibration_images = FEW;
    CHECK_OK(waio_config_session_options(&options, &config));
    CHECK_OK(waio_session_open(&session, path, "cifar10", &options, NULL));
    return session;
}

static void same_outcome(const waio_outcome *got, const waio_outcome *want, const char *engine)
{
    CHECK(got->correct == want->correct && got->agree == want->agree && got->fallbacks == 0,
          "%s: %lld correct, %lld agree, the reference has %lld and %lld; %d nodes on it", engine,
          (long long)got->correct, (long long)got->agree, (long long)want->correct,
          (long long)want->agree, got->fallbacks);
}

static void check_codes(waio_session *ref, const waio_quant_request *request)
{
    waio_graph *lowered = NULL;
    const waio_graph *graph = ref->model.graph;

    CHECK_OK(waio_session_lower(ref, &lowered, request, WAIO_REQUANT_TFLITE));
    if (!lowered)
        return;
    waio_fill_input(ref->program, ref->dataset, &ref->input_table, &ref->workspace[0], NULL, 0, 3);
    double_check_integer(
        lowered, cuda, waio_workspace_value(&ref->workspace[0], ref->program, graph->input), 3, 0);
    waio_graph_free(lowered);
}

static void test_resnet(const char *path)
{
    waio_session *ref = open_on(&waio_backend_ref, path, 3, 1), *own = open_on(cuda, path, 2, 2);
    waio_outcome want, got;

    for (int i = 0; ref && own && i < REQUESTS; i++) {
        CHECK_OK(waio_session_integer(ref, &of_resnet[i], WAIO_REQUANT_TFLITE, false, &want, NULL));
        CHECK_OK(waio_session_integer(own, &of_resnet[i], WAIO_REQUANT_TFLITE, false, &got, NULL));
        same_outcome(&got, &want, "integer");
        CHECK_OK(waio_session_pass(ref, &of_resnet[i], 1, false, &want, NULL));
        CHECK_OK(waio_session_pass(own, &of_resnet[i], 1, false, &got, NULL));
        same_outcome(&got, &want, "simulate");
        CHECK(memcmp(ref->last_prediction, own->last_prediction,
                     FEW * sizeof *ref->last_prediction) == 0,
              "simulate: other classes");
        check_codes(ref, &of_resnet[i]);
    }
    waio_session_close(own);
    waio_session_close(ref);
}

/* ---- MobileNet ---- */

static void simulate(float *scores, int64_t count, double_quantized *q,
                     const waio_quant_request *request, const float *x)
{
    waio_quant_binding binding;
    const waio_graph *g = waio_program_graph(q->program);
    waio_run_range all = {0, g->node_count, false, false};
    int64_t inputs = waio_shape_count(&g->value[g->input].shape) * NOISE;

    CHECK_OK(waio_quantizer_bind(q->quantizer, request, &binding));
    float *in = waio_workspace_value(&q->workspace, q->program, g->input);
    for (int64_t i = 0; i < inputs; i++)
        in[i] = waio_fake_quantize(x[i], binding.input_quant.fq, binding.input_quant.rounding);
    CHECK_OK(waio_program_run(q->program, &binding.binding, &q->workspace, all, NULL));
    CHECK_OK(waio_workspace_fetch(&q->workspace, q->program, g->output[0]));
    memcpy(scores, waio_workspace_value(&q->workspace, q->program, g->output[0]),
           (size_t)count * sizeof *scores);
    waio_quant_binding_free(&binding);
}

static void test_mobilenet(const char *path)
{
    waio_model model = {0};
    double_quantized ref = {0}, own = {0};
    float want[2 * NOISE], got[2 * NOISE];

    CHECK_OK(waio_model_load(&model, path, &(waio_model_paths){NULL, NULL}));
    if (!model.graph)
        return;
    net_rng.state = 3;
    float *x = double_images(model.graph, NOISE);
    int64_t inputs = waio_shape_count(&model.graph->value[model.graph->input].shape) * NOISE;
    for (int64_t i = 0; i < inputs; i++)
        x[i] = fabsf(x[i]); /* as it was trained: pixels from 0 to 1 */
    double_quantize(&ref, model.graph, &waio_backend_ref, x, NOISE);
    double_quantize(&own, model.graph, cuda, x, NOISE);
    CHECK(waio_program_fallbacks(own.program) == 0, "nodes on the reference");
    for (int i = 0; i < REQUESTS; i++) {
        simulate(want, 2 * NOISE, &ref, &of_mobilenet[i], x);
        simulate(got, 2 * NOISE, &own, &of_mobilenet[i], x);
        double nmse = waio_nmse(got, want, 2 * NOISE);
        CHECK(nmse <= WAIO_BOUND_NETWORK_QUANTIZED, "simulate: nmse %g", nmse);
        for (int n = 0; n < NOISE; n++)
            CHECK((got[2 * n] > got[2 * n + 1]) == (want[2 * n] > want[2 * n + 1]),
                  "simulate: another class");
    }
    double_quantized_free(&ref);
    double_quantized_free(&own);
    free(x);
    waio_model_free(&model);
}

/* The file has codes of 8 bits: random ones come in. */
static void test_mobilenet_codes(const char *path)
{
    waio_model model = {0};

    CHECK_OK(waio_model_load(&model, path, &(waio_model_paths){NULL, NULL}));
    if (!model.graph)
        return;
    int64_t inputs = waio_shape_count(&model.graph->value[model.graph->input].shape) * NOISE;
    float *codes = malloc((size_t)inputs); /* bytes; double_run takes its input so */
    waio_rng rng = {7};
    CHECK(model.graph->value[model.graph->input].type == WAIO_S8, "the input is not of 8 bits");
    for (int64_t i = 0; i < inputs; i++)
        ((int8_t *)codes)[i] = (int8_t)(waio_rng_below(&rng, 256) - 128);
    double_check_integer(model.graph, cuda, codes, NOISE, 0);
    free(codes);
    waio_model_free(&model);
}

int main(void)
{
    const char *models = getenv("WAIO_TEST_MODELS"), *data = getenv("WAIO_DATA");
    char resnet[512], mobilenet[512], codes[512], batch[512];

    snprintf(resnet, sizeof resnet, "%.400s/pretrainedResnet.h5", models ? models : "");
    snprintf(mobilenet, sizeof mobilenet, "%.400s/vww_96.h5", models ? models : "");
    snprintf(codes, sizeof codes, "%.400s/vww_96_int8.tflite", models ? models : "");
    snprintf(batch, sizeof batch, "%.400s/cifar-10-batches-bin/test_batch.bin", data ? data : "");
    if (!waio_file_exists(resnet) || !waio_file_exists(mobilenet) || !waio_file_exists(codes) ||
        !waio_file_exists(batch)) {
        fprintf(stderr, "skipped: WAIO_TEST_MODELS lacks pretrainedResnet.h5, vww_96.h5 or "
                        "vww_96_int8.tflite, or "
                        "WAIO_DATA no cifar-10-batches-bin\n");
        return 77;
    }
    cuda = double_backend();
    if (!cuda)
        return 1;
    test_resnet(resnet);
    test_mobilenet(mobilenet);
    test_mobilenet_codes(codes);
    double_live live = double_left();
    CHECK(live.device_bytes == 0 && live.pinned_bytes == 0 && live.objects == 0,
          "left: %zu bytes, %zu pinned, %d objects", live.device_bytes, live.pinned_bytes,
          live.objects);
    return waio_check_result();
}
