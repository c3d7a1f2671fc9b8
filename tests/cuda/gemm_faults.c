/* gemm_faults SIGN...: the matrix product and the convolution with one fault in their text
 * (gemm_faults.cmake), and by which signs it must show under every schedule: wrong (outputs), race,
 * wait (async bytes read too early), bounds, uninitialised, traffic (banks of shared memory). With
 * "nothing" there must be none. */
#include "cuda/layer.h"

typedef struct signs {
    int64_t wrong;
    long report[EMULATOR_REPORTS];
    double banks; /* of 16-byte reads and writes, the worst */
} signs;

static void add_case(signs *s, const layer_case *k, uint32_t seed)
{
    layer made = layer_make(k, &seed), *l = &made;
    unsigned flags = 0;
    int64_t first, written;

    layer_set_run(l);
    unsigned char *want = calloc((size_t)(l->pixels_out * k->shape.oc), (size_t)l->y_bytes);
    unsigned char *got = malloc(layer_output_bytes(l));
    layer_expect(l, want);
    CHECK_CUDA(layer_run(l, false, got, &flags));
    s->wrong += layer_wrong(l, got, want, &first, &written);
    s->wrong += written != 0;
    free(want);
    free(got);
    layer_free(l);
}

/* Ends of rows, columns and k inside tiles, six stages of k; padding around an image. */
static signs signs_of(void)
{
    layer_case product = {.shape = waio_conv_of_gemm(70, 40, 349),
                          .dense = true,
                          .rounding = WAIO_REQUANT_DOUBLE,
                          .bias_bits = 32};
    layer_case image = {.shape = {1, 5, 6, 20, 5, 6, 13, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
                        .rounding = WAIO_REQUANT_DOUBLE,
                        .x_zero = 100,
                        .y_extra = 3,
                        .bias_bits = 32};
    signs s = {0};

    emulator_check(1);
    add_case(&s, &product, 5);
    add_case(&s, &image, 6);
    for (int i = 0; i < EMULATOR_REPORTS; i++)
        s.report[i] = emulator_report_count((emulator_report)i);
    for (int write = 0; write < 2; write++) {
        double ratio = emulator_traffic_ratio((emulator_traffic){EMULATOR_SHARED, write, 16, 1});
        s.banks = ratio > s.banks ? ratio : s.banks;
    }
    return s;
}

static bool has(const signs *s, const char *name)
{
    static const char *const reports[] = {"bounds", "uninitialised", "race", "wait"};
    bool any = s->wrong > 0 || s->banks > 1;

    for (int i = 0; i < EMULATOR_REPORTS; i++) {
        if (strcmp(name, reports[i]) == 0)
            return s->report[i] > 0;
        any = any || s->report[i] > 0;
    }
    if (strcmp(name, "wrong") == 0)
        return s->wrong > 0;
    if (strcmp(name, "traffic") == 0)
        return s->banks > 1.5;
    return strcmp(name, "nothing") == 0 && !any;
}

int main(int argc, char **argv)
{
    for (int schedule = 0; schedule < 3; schedule++) {
        device_use_schedule(schedule);
        signs s = signs_of();
        fprintf(stderr,
                "schedule %d: %lld wrong; bounds %ld, uninitialised %ld, race %ld, wait %ld; "
                "banks %.2f\n",
                schedule, (long long)s.wrong, s.report[EMULATOR_OUT_OF_BOUNDS],
                s.report[EMULATOR_UNINITIALISED], s.report[EMULATOR_RACE],
                s.report[EMULATOR_BEFORE_WAIT], s.banks);
        for (int i = 1; i < argc; i++)
            CHECK(has(&s, argv[i]), "%s: not so", argv[i]);
    }
    return waio_check_result();
}
