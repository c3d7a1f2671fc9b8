/* Sessions on the backend cuda over the device double: the embedded networks on a handful of images
 * in both engines, several workers at once, kept first layers; and a device without room for the
 * batch that was asked for. */
#include "cuda_double/double_compare.h"
#include "tiny_session.h"

enum { FEW = 5 };

static const waio_backend *cuda;

static waio_session *open_on(const waio_backend *backend, const char *model, int64_t batch,
                             int threads)
{
    waio_session_options options = tiny_session_options(batch, threads);

    options.backend = backend;
    options.images = FEW;
    options.calibration_images = FEW;
    return open_model(model, &options);
}

static void compare_outcomes(const waio_outcome *got, const waio_outcome *want, const char *model)
{
    CHECK(got->correct == want->correct && got->agree == want->agree &&
              got->nan_images == want->nan_images && got->images == want->images,
          "%s: %lld of %lld correct, %lld agree; the reference has %lld and %lld", model,
          (long long)got->correct, (long long)got->images, (long long)got->agree,
          (long long)want->correct, (long long)want->agree);
    CHECK(got->fallbacks == 0, "%s: %d nodes on the reference", model, got->fallbacks);
}

/* The codes of the reference's own quantized network, value by value. */
static void check_codes(waio_session *ref, const waio_quant_request *request)
{
    waio_graph *lowered = NULL;
    const waio_graph *graph = ref->model.graph;

    CHECK_OK(waio_session_lower(ref, &lowered, request, WAIO_REQUANT_TFLITE));
    if (!lowered)
        return;
    waio_fill_input(ref->program, ref->dataset, &ref->input_table, &ref->workspace[0], NULL, 0, 2);
    double_check_integer(
        lowered, cuda, waio_workspace_value(&ref->workspace[0], ref->program, graph->input), 2, 0);
    waio_graph_free(lowered);
}

static void test_model(const char *model, const waio_quant_request *request)
{
    waio_session *ref = open_on(&waio_backend_ref, model, 3, 1);
    waio_session *on_cuda = open_on(cuda, model, 2, 2);
    waio_outcome want, got;

    if (!ref || !on_cuda)
        return;
    compare_outcomes(waio_session_float(on_cuda), waio_session_float(ref), model);
    CHECK_OK(waio_session_integer(ref, request, WAIO_REQUANT_TFLITE, false, &want, NULL));
    CHECK_OK(waio_session_integer(on_cuda, request, WAIO_REQUANT_TFLITE, false, &got, NULL));
    compare_outcomes(&got, &want, model);
    for (int pass = 0; pass < 2; pass++) { /* the second takes the first's first layer */
        CHECK_OK(waio_session_pass(ref, request, 1, true, &want, NULL));
        CHECK_OK(waio_session_pass(on_cuda, request, 1, true, &got, NULL));
        compare_outcomes(&got, &want, model);
        CHECK(memcmp(ref->last_prediction, on_cuda->last_prediction,
                     FEW * sizeof *ref->last_prediction) == 0,
              "%s: other classes in pass %d", model, pass);
    }
    CHECK(on_cuda->first_bits == ref->first_bits, "the first layer was not kept");
    check_codes(ref, request);
    waio_session_close(on_cuda);
    waio_session_close(ref);
}

/* SQuant's rounding on the device: every weight as the reference rounds it, and no others than
 * nearest rounding gives; with no memory there, the host does it. */
static void test_squant(const char *model)
{
    waio_session *there = open_on(cuda, model, 2, 2);
    waio_scheme scheme;
    int layers = 0;

    CHECK_OK(waio_scheme_read(&scheme, waio_preset_find("squant")));
    for (int n = 0; there && n < there->model.graph->node_count; n++) {
        const waio_node *node = &there->model.graph->node[n];
        if (!waio_op_weighted(node->op))
            continue;
        const waio_value *weight = &there->model.graph->value[node->input[1]];
        waio_squant_shape shape = waio_layer_shape(&weight->shape);
        size_t bytes = (size_t)waio_shape_count(&weight->shape) * sizeof(float);
        waio_arena *arena = waio_arena_new();
        float *want = malloc(bytes), *got = calloc(1, bytes), *left = calloc(1, bytes);
        waio_rounder host = {NULL, 1}, device = {cuda->squant, 1};
        waio_weight_scales scales;

        CHECK(cuda->squant != NULL, "the backend rounds nothing");
        CHECK_OK(waio_quantize_layer(want, &scales, weight->data, &shape, 4, &scheme, NULL, &host,
                                     arena));
        long calls = double_here()->calls();
        CHECK_OK(waio_quantize_layer(got, &scales, weight->data, &shape, 4, &scheme, NULL, &device,
                                     arena));
        CHECK(double_here()->calls() > calls, "the device was not asked");
        CHECK(memcmp(want, got, bytes) == 0, "%s, %s: other weights on the device", model,
              node->name);
        double_here()->limit_memory(64);
        CHECK_OK(waio_quantize_layer(left, &scales, weight->data, &shape, 4, &scheme, NULL, &device,
                                     arena));
        double_here()->limit_memory(0);
        CHECK(memcmp(want, left, bytes) == 0, "%s, %s: other weights without room", model,
              node->name);
        layers++;
        free(want);
        free(got);
        free(left);
        waio_arena_free(arena);
    }
    CHECK(layers > 5, "%s: %d layers were rounded", model, layers);
    waio_session_close(there);
}

/* A session by that method: the quantizer asks the device. */
static void test_squant_session(const char *model)
{
    waio_quant_request request = {{4, 8, 8, 8}, 0, NULL};
    waio_session *s[2] = {NULL, NULL};
    waio_outcome outcome[2];
    waio_scheme scheme;

    CHECK_OK(waio_scheme_read(&scheme, waio_preset_find("squant")));
    for (int i = 0; i < 2; i++) {
        waio_session_options options = tiny_session_options(2, 2);
        options.backend = i ? cuda : &waio_backend_ref;
        options.scheme = scheme;
        options.images = FEW;
        s[i] = open_model(model, &options);
        if (s[i])
            CHECK_OK(waio_session_pass(s[i], &request, 1, false, &outcome[i], NULL));
    }
    if (s[0] && s[1]) {
        compare_outcomes(&outcome[1], &outcome[0], model);
        CHECK(memcmp(s[0]->last_prediction, s[1]->last_prediction,
                     FEW * sizeof *s[0]->last_prediction) == 0,
              "%s: other classes by squant", model);
    }
    waio_session_close(s[0]);
    waio_session_close(s[1]);
}

/* Batches are halved until they fit: memory for a little more than two images. */
static void test_small_device(const char *model)
{
    waio_quant_request request = {{8, 8, 8, 8}, 0, NULL};
    waio_session *plain = open_on(&waio_backend_ref, model, 4, 1);
    waio_outcome want, got;

    double_here()->limit_memory((size_t)3 << 19);
    waio_session *s = open_on(cuda, model, 64, 1);
    if (s && plain) {
        int64_t batch = waio_program_batch(s->program);
        CHECK(batch < 64, "batch %lld on a device of 1.5 MiB", (long long)batch);
        CHECK_OK(waio_session_pass(plain, &request, 1, false, &want, NULL));
        CHECK_OK(waio_session_pass(s, &request, 1, false, &got, NULL));
        compare_outcomes(&got, &want, model);
    }
    double_here()->limit_memory(4096);
    waio_session_options options = tiny_session_options(8, 1);
    waio_session *none = NULL;
    options.backend = cuda;
    CHECK_FAILS(waio_session_open(&none, model, "shapes", &options, NULL), WAIO_ENOMEM, "cuda: ");
    double_here()->limit_memory(0);
    waio_session_close(s);
    waio_session_close(plain);
}

int main(void)
{
    if (!tiny_begin())
        return 77;
    cuda = double_backend();
    if (!cuda)
        return 1;
    test_model("shapes_resnet8", &(waio_quant_request){{8, 8, 8, 8}, 0, NULL});
    test_model("shapes_mobilenet", &(waio_quant_request){{8, 16, 8, 8}, 0, NULL});
    test_squant_session("shapes_resnet8");
    if (double_here()) { /* calls of a device cannot be counted, nor its memory taken away */
        test_squant("shapes_resnet8");
        test_squant("shapes_mobilenet");
        test_small_device(tiny_model);
    }
    tiny_end();
    double_live live = double_left();
    CHECK(live.device_bytes == 0 && live.pinned_bytes == 0 && live.objects == 0,
          "left: %zu bytes, %zu pinned, %d objects", live.device_bytes, live.pinned_bytes,
          live.objects);
    return waio_check_result();
}
