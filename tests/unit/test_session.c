/* Sessions on the embedded network and data: sharing changes nothing, verification notices a
 * quantizer that does not quantize, bad fits are refused. */
#include <stdlib.h>

#include "check.h"
#include "sweep/config.h"
#include "sweep/session_internal.h"
#include "util/file.h"

static waio_session_options options_of(const waio_backend *backend, int threads)
{
    waio_session_options options = {.backend = backend,
                                    .data_dir = BUILD_DIR "/data",
                                    .threads = threads,
                                    .memory = INT64_C(1) << 30};
    waio_config config = waio_config_default();

    config.images = 90; /* no multiple of any batch */
    config.calibration_images = 20;
    CHECK_OK(waio_config_session_options(&options, &config));
    return options;
}

static waio_session *open_shapes(const waio_backend *backend, int threads, int64_t batch)
{
    waio_session *session = NULL;
    waio_session_options options = options_of(backend, threads);

    options.batch = batch;
    CHECK_OK(waio_session_open(&session, "shapes_resnet8", "shapes", &options, NULL));
    return session;
}

static bool same(const waio_outcome *a, const waio_outcome *b)
{
    return a->images == b->images && a->correct == b->correct && a->agree == b->agree &&
           a->nan_images == b->nan_images && a->size_bytes == b->size_bytes;
}

/* Outcomes of the requests, each alone, in a session of its own. */
static void alone(const waio_quant_request *request, int count, waio_outcome *outcome, int threads)
{
    for (int k = 0; k < count; k++) {
        waio_session *session = open_shapes(&waio_backend_cpu, threads, 0);
        CHECK_OK(waio_session_pass(session, &request[k], 1, false, &outcome[k], NULL));
        waio_session_close(session);
    }
}

static void test_sharing(void)
{
    enum { COUNT = 4 };
    static const int heads[COUNT] = {4, 6, 16, 32};
    waio_quant_request a[COUNT], b[COUNT];
    waio_outcome apart[COUNT], together[COUNT];
    waio_session *session = open_shapes(&waio_backend_cpu, 2, 0);

    for (int k = 0; k < COUNT; k++) {
        a[k] = (waio_quant_request){{5, 4, 6, heads[k]}, 0};
        b[k] = (waio_quant_request){{3, 6, 6, heads[k]}, 0};
    }
    CHECK_OK(waio_session_pass(session, a, COUNT, true, together, NULL));
    alone(a, COUNT, apart, 1);
    for (int k = 0; k < COUNT; k++)
        CHECK(same(&apart[k], &together[k]), "O=%d: %lld right alone, %lld in one pass", heads[k],
              (long long)apart[k].correct, (long long)together[k].correct);
    /* The second pass takes the first layer's outputs from the first one. */
    CHECK(session->first_bits == 6, "the first layer's outputs were not kept");
    CHECK_OK(waio_session_pass(session, b, COUNT, true, together, NULL));
    alone(b, COUNT, apart, 3);
    for (int k = 0; k < COUNT; k++)
        CHECK(same(&apart[k], &together[k]), "O=%d: %lld right alone, %lld with kept outputs",
              heads[k], (long long)apart[k].correct, (long long)together[k].correct);
    /* With a float prefix the same I means other first outputs. */
    waio_quant_request first = {{5, 4, 6, 8}, 2};
    CHECK_OK(waio_session_pass(session, &first, 1, true, together, NULL));
    alone(&first, 1, apart, 2);
    CHECK(same(apart, together), "first_n=2: %lld right alone, %lld shared",
          (long long)apart[0].correct, (long long)together[0].correct);
    CHECK(apart[0].correct > 45, "only %lld of 90 right", (long long)apart[0].correct);
    waio_session_close(session);
}

/* A backend that claims to quantize. */
static void no_quantizer(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    (void)fq;
    (void)rounding;
    if (dst != src)
        memcpy(dst, src, count * sizeof *dst);
}

static void test_verify(void)
{
    waio_backend lying = waio_backend_cpu;
    waio_quant_request request[] = {
        {{4, 4, 4, 4}, 0}, {{8, 8, 32, 8}, 0}, {{8, 6, 8, 8}, 2}, {{32, 32, 8, 32}, 0}};
    int tensors = 0;
    waio_session *session = open_shapes(&waio_backend_cpu, 1, 0);

    for (int k = 0; k < 4; k++) {
        CHECK_OK(waio_session_verify(session, &request[k], &tensors));
        CHECK(tensors >= 2, "only %d tensors were looked at", tensors);
    }
    waio_session_close(session);
    lying.fake_quantize = no_quantizer;
    session = open_shapes(&lying, 1, 0);
    CHECK_FAILS(waio_session_verify(session, &request[0], &tensors), WAIO_EINTERNAL,
                "more than the 16 levels of 4 bits");
    waio_session_close(session);
}

static void test_feed(void)
{
    waio_session_options options = options_of(&waio_backend_cpu, 1);
    waio_quant_request request = {{32, 32, 8, 32}, 0};
    waio_session *session = NULL;
    waio_quant_binding binding;
    waio_input_table table;

    options.feed = WAIO_FEED_RAW;
    CHECK_OK(waio_session_open(&session, "shapes_resnet8", "shapes", &options, NULL));
    CHECK_OK(waio_session_calibrate(session));
    CHECK_OK(waio_quantizer_bind(session->quantizer, &request, &binding));
    waio_input_numbers(&table, session, &binding);
    const waio_qparams *p = &binding.input_params;
    for (int x = 0; x < 256; x++) {
        int code = x < 128 ? x : x - 256;
        CHECK(table.value[1][x] == p->scale * (float)(code - p->zero_point), "byte %d is %g", x,
              (double)table.value[1][x]);
    }
    waio_quant_binding_free(&binding);
    waio_session_close(session);
}

static void test_refusals(void)
{
    waio_session_options options = options_of(&waio_backend_cpu, 1);
    waio_session *session = NULL;

    options.memory = 1 << 20;
    CHECK_FAILS(waio_session_open(&session, "shapes_resnet8", "shapes", &options, NULL),
                WAIO_ENOMEM, "the budget is 1 MiB");
    options = options_of(&waio_backend_cpu, 1);
    options.images = 3000;
    CHECK_FAILS(waio_session_open(&session, "shapes_resnet8", "shapes", &options, NULL),
                WAIO_EINPUT, "has 2000");
    waio_interrupt();
    options.images = 90;
    CHECK_FAILS(waio_session_open(&session, "shapes_resnet8", "shapes", &options, NULL),
                WAIO_EINTERRUPTED, "interrupted");
}

int main(void)
{
    if (!waio_file_exists(BUILD_DIR "/data/shapes-batches-bin/test_batch.bin")) {
        fprintf(stderr, "skipped: the build has not drawn the shapes data set\n");
        return 77;
    }
    test_sharing();
    test_verify();
    test_feed();
    test_refusals(); /* the last: an interrupt stays */
    return waio_check_result();
}
