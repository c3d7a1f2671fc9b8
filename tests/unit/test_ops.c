/* Every op case on the cpu backend against the reference, and what a kernel must not depend on: the
 * place of an image in the batch and the other images. */
#include "check.h"

#include <stdlib.h>

#include "check/check.h"
#include "check/compare.h"
#include "check/float_run.h"
#include "check/opcases.h"

static void every_op_has_cases(void)
{
    for (int op = 0; op < WAIO_OP_COUNT; op++)
        CHECK(waio_op_case_count((waio_op)op) > 0, "%s", waio_op_name((waio_op)op));
}

/* Batch norms are folded before anything is quantized; every other case has both integer forms. */
static void every_op_has_integer_cases(void)
{
    for (int op = 0; op < WAIO_OP_COUNT; op++)
        for (int index = 0; index < waio_op_case_count((waio_op)op); index++)
            for (int fill = WAIO_FILL_S8; fill < WAIO_FILL_COUNT; fill++) {
                waio_op_case c = {0};
                CHECK_OK(waio_op_case_build(&c, (waio_op)op, index, (waio_op_fill)fill));
                CHECK(c.fill == (op == WAIO_OP_BATCH_NORM ? WAIO_FILL_REAL : (waio_op_fill)fill),
                      "case %d of %s", index, waio_op_name((waio_op)op));
                waio_op_case_free(&c);
            }
}

static void cpu_agrees_with_ref(void)
{
    int failed = -1;

    CHECK_OK(waio_check_ops(&waio_backend_cpu, stdout, &failed));
    CHECK(failed == 0, "%d cases differ", failed);
    CHECK_OK(waio_check_ops(&waio_backend_ref, NULL, &failed));
    CHECK(failed == 0, "%d cases differ from themselves", failed);
}

/* The comparison must be able to fail: a backend that returns zeros fails nearly all cases. */
static void null_is_found_out(void)
{
    int failed = 0;

    CHECK_OK(waio_check_ops(&waio_backend_null, NULL, &failed));
    CHECK(failed > 1300, "only %d cases differ", failed);
}

/* ---- independence of the batch ---- */

typedef struct slices {
    size_t in, in_bytes, out_bytes; /* per image: numbers and what they take */
    int last;                       /* value id of the op's result */
} slices;

static slices slices_of(const waio_graph *graph)
{
    int last = graph->node[graph->node_count - 1].output;
    const waio_value *x = &graph->value[graph->input], *y = &graph->value[last];
    size_t in = (size_t)waio_shape_count(&x->shape), out = (size_t)waio_shape_count(&y->shape);

    return (slices){in, in * waio_type_bytes(x->type), out * waio_type_bytes(y->type), last};
}

static const char *result_of(const waio_float_run *run, const slices *s)
{
    return (const char *)waio_float_run_value(run, s->last);
}

static const waio_op_fill fills[] = {WAIO_FILL_REAL, WAIO_FILL_S8, WAIO_FILL_S16,
                                     WAIO_FILL_S8_EXTREME, WAIO_FILL_S16_EXTREME};
enum { FILLS = sizeof fills / sizeof *fills };

/* Image 0 of a first batch stands at `at` among others in a second batch: equal bytes come out. */
static void check_position(const waio_float_run *run, const slices *s, waio_op_case *c,
                           const char *text, int64_t batch, int64_t at)
{
    char *x = waio_aligned_calloc((size_t)batch * s->in_bytes), *image = calloc(s->in, 4);
    char *first = calloc(s->out_bytes, 1);

    waio_op_case_input(c, x, (size_t)batch * s->in);
    memcpy(image, x, s->in_bytes);
    CHECK_OK(waio_float_run_whole(run, x));
    memcpy(first, result_of(run, s), s->out_bytes);
    waio_op_case_input(c, x, (size_t)batch * s->in);
    memcpy(x + (size_t)at * s->in_bytes, image, s->in_bytes);
    CHECK_OK(waio_float_run_whole(run, x));
    CHECK(memcmp(first, result_of(run, s) + (size_t)at * s->out_bytes, s->out_bytes) == 0,
          "%s: image 0 of %lld gives other bytes at place %lld", text, (long long)batch,
          (long long)at);
    free(x);
    free(image);
    free(first);
}

static void check_case_positions(waio_op op, int index, waio_op_fill fill, int64_t batch)
{
    waio_op_case c = {0};
    waio_float_run run = {0};
    char text[WAIO_OP_CASE_TEXT];

    CHECK_OK(waio_op_case_build(&c, op, index, fill));
    CHECK_OK(waio_float_run_create(&run, c.graph, &waio_backend_cpu, batch, 0));
    waio_op_case_text(text, c.graph);
    slices s = slices_of(c.graph);
    check_position(&run, &s, &c, text, batch, batch - 1);
    check_position(&run, &s, &c, text, batch, batch / 2);
    waio_float_run_free(&run);
    waio_op_case_free(&c);
}

static void images_do_not_depend_on_the_batch(void)
{
    static const int64_t batches[] = {2, 7, 16, 33};

    for (int op = 0; op < WAIO_OP_COUNT; op++)
        for (int index = 0; index < waio_op_case_count((waio_op)op); index++)
            for (int b = 0; b < 4 * FILLS; b++)
                check_case_positions((waio_op)op, index, fills[b / 4], batches[b % 4]);
}

/* oneDNN sums in one order whatever the size of the batch, from AVX2 on: the last, shorter batch of
 * a test set counts like the others. */
static bool batch_size_should_not_matter(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

static void check_batch_sizes(waio_op op, int index, waio_op_fill fill)
{
    static const int64_t batches[] = {1, 2, 5, 16, 33};
    waio_op_case c = {0};
    char text[WAIO_OP_CASE_TEXT];

    CHECK_OK(waio_op_case_build(&c, op, index, fill));
    waio_op_case_text(text, c.graph);
    slices s = slices_of(c.graph);
    char *x = waio_aligned_calloc(33 * s.in_bytes), *first = calloc(s.out_bytes, 1);
    waio_op_case_input(&c, x, 33 * s.in);
    for (int b = 0; b < 5; b++) {
        waio_float_run run = {0};
        CHECK_OK(waio_float_run_create(&run, c.graph, &waio_backend_cpu, batches[b], 0));
        CHECK_OK(waio_float_run_whole(&run, x));
        if (b == 0)
            memcpy(first, result_of(&run, &s), s.out_bytes);
        CHECK(memcmp(first, result_of(&run, &s), s.out_bytes) == 0,
              "%s: other bytes in a batch of %lld", text, (long long)batches[b]);
        waio_float_run_free(&run);
    }
    free(x);
    free(first);
    waio_op_case_free(&c);
}

static void images_do_not_depend_on_the_batch_size(void)
{
    if (!batch_size_should_not_matter())
        return;
    for (int op = 0; op < WAIO_OP_COUNT; op++)
        for (int index = 0; index < waio_op_case_count((waio_op)op); index++)
            for (int f = 0; f < FILLS; f++)
                check_batch_sizes((waio_op)op, index, fills[f]);
}

/* ---- NaN: a network that has gone wrong must not look right ---- */

static waio_status run_with_nan(const waio_backend *backend, waio_op_case *c, bool *found)
{
    waio_status st = WAIO_OK;
    waio_float_run run = {0};
    slices s = slices_of(c->graph);
    float *x = calloc(s.in, sizeof *x);

    waio_op_case_input(c, x, s.in);
    for (size_t i = 0; i < s.in; i++)
        x[i] = NAN;
    WAIO_TRY(st, waio_float_run_create(&run, c->graph, backend, 1, 0));
    WAIO_TRY(st, waio_float_run_whole(&run, x));
    *found = false;
    for (size_t i = 0; i < s.out_bytes / sizeof(float); i++)
        *found = *found || isnan(waio_float_run_value(&run, s.last)[i]);
done:
    waio_float_run_free(&run);
    free(x);
    return st;
}

/* An integer code cannot hold NaN: it becomes the code of 0, so that nothing comes out of the cases
 * of dequantize, and those of quantize end in codes. */

static void nan_goes_through_every_op(void)
{
    char text[WAIO_OP_CASE_TEXT];

    for (int op = 0; op < WAIO_OP_COUNT; op++)
        for (int index = 0; index < waio_op_case_count((waio_op)op); index++) {
            waio_op_case c = {0};
            bool ref = false, cpu = false;
            if (op == WAIO_OP_QUANTIZE)
                continue;
            CHECK_OK(waio_op_case_build(&c, (waio_op)op, index, WAIO_FILL_REAL));
            waio_op_case_text(text, c.graph);
            CHECK_OK(run_with_nan(&waio_backend_ref, &c, &ref));
            CHECK_OK(run_with_nan(&waio_backend_cpu, &c, &cpu));
            bool kept = op != WAIO_OP_DEQUANTIZE;
            CHECK(ref == kept, "%s %s: NaN on ref", waio_op_name((waio_op)op), text);
            CHECK(cpu == kept, "%s %s: NaN on cpu", waio_op_name((waio_op)op), text);
            waio_op_case_free(&c);
        }
}

/* ---- the comparison itself ---- */

static void bounds_are_what_they_say(void)
{
    const float want[] = {1, -2, 0}, near[] = {1.0000001f, -2, 0}, nan[] = {1, NAN, 0};
    waio_bound equal = {WAIO_BOUND_EQUAL_NUMBERS, 0}, value = {WAIO_BOUND_OF_VALUE, 2};
    waio_bound largest = {WAIO_BOUND_OF_LARGEST, 2}, nmse = {WAIO_BOUND_NMSE, 1e-13};

    CHECK(waio_compare(want, want, 3, equal) == 0, "equal numbers");
    CHECK(isinf(waio_compare(near, want, 3, equal)), "one eps apart is not equal");
    CHECK(waio_compare(near, want, 3, value) == 0.5, "one eps of 1 is half of 2 eps");
    CHECK(waio_compare(near, want, 3, largest) == 0.25, "and a quarter of 2 eps of 2");
    CHECK(waio_compare(near, want, 3, nmse) < 1, "2.8e-15 is less than 1e-13");
    CHECK(isinf(waio_compare(nan, want, 3, equal)) && isinf(waio_compare(nan, want, 3, value)) &&
              isinf(waio_compare(nan, want, 3, nmse)),
          "NaN on one side");
    CHECK(waio_compare(nan, nan, 3, value) == 0, "NaN on both sides");
}

int main(void)
{
    every_op_has_cases();
    every_op_has_integer_cases();
    bounds_are_what_they_say();
    cpu_agrees_with_ref();
    null_is_found_out();
    images_do_not_depend_on_the_batch();
    images_do_not_depend_on_the_batch_size();
    nan_goes_through_every_op();
    return waio_check_result();
}
