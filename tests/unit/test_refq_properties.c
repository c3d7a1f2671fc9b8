/* What integer kernels promise beyond single numbers: they follow the float op within rounding on
 * every op case, saturate, notice overflow, and keep codes that need no change. */
#include "check/float_run.h"
#include "check/opcases.h"
#include "refq_net.h"

/* ---- every op case against its float twin ---- */

static float number_of(const waio_value *value, const void *codes, int64_t i)
{
    const waio_value_params *p = &value->params;
    int64_t per = waio_shape_count(&value->shape) / (p->count > 1 ? p->count : 1);
    int c = p->count > 1 ? (int)(i / per) : 0; /* scales run along axis 0 */
    double code = value->type == WAIO_S8    ? ((const int8_t *)codes)[i]
                  : value->type == WAIO_S16 ? ((const int16_t *)codes)[i]
                  : value->type == WAIO_S32 ? ((const int32_t *)codes)[i]
                                            : (double)((const int64_t *)codes)[i];
    return (float)((code - p->zero_point[c]) * (double)p->scale[c]);
}

/* The node over floats: quantize and dequantize, which float networks do not have, become clips,
 * and all end where the codes of the result do. */
static waio_node twin_node(const waio_node *of, const waio_value *result)
{
    waio_node node = *of;
    const waio_value_params *p = &result->params;

    if (node.op == WAIO_OP_QUANTIZE || node.op == WAIO_OP_DEQUANTIZE)
        node.op = WAIO_OP_CLIP;
    if (result->type != WAIO_F32) {
        float lo = (float)(waio_params_lo(p) - p->zero_point[0]) * p->scale[0];
        float hi = (float)(waio_params_hi(p) - p->zero_point[0]) * p->scale[0];
        node.clamp =
            (waio_clamp){waio_clampf(node.clamp.lo, lo, hi), waio_clampf(node.clamp.hi, lo, hi)};
    }
    return node;
}

/* The same nodes over the numbers that the codes mean. Ids stay: values are added in their order.
 */
static waio_graph *float_twin(const waio_graph *of)
{
    waio_graph *graph = waio_graph_new("twin");
    int id = -1;

    for (int v = 0, n = 0; v < of->value_count; v++) {
        const waio_value *value = &of->value[v];
        float *data = NULL;
        if (v == of->input) {
            CHECK_OK(waio_graph_add_input(graph, &id, "x", &value->shape));
        } else if (value->codes) {
            CHECK_OK(waio_graph_add_const(graph, &id, "c", &value->shape, &data));
            for (int64_t i = 0; i < waio_shape_count(&value->shape); i++)
                data[i] = number_of(value, value->codes, i);
        } else {
            waio_node node = twin_node(&of->node[n++], value);
            CHECK_OK(waio_graph_add_node(graph, &id, &node));
        }
        CHECK(id == v, "value %d became %d", v, id);
    }
    CHECK_OK(waio_graph_add_output(graph, of->output[0]));
    return graph;
}

/* Largest distance in codes between the integer result and the float one. */
static double distance(const waio_float_run *q, const waio_float_run *f, const waio_value *y,
                       int id)
{
    const void *codes = waio_float_run_value(q, id);
    double worst = 0;

    for (size_t i = 0; i < waio_float_run_count(q, id); i++) {
        double want = (double)waio_float_run_value(f, id)[i];
        if (y->type == WAIO_F32) {
            worst = fmax(worst, fabs(want - (double)waio_float_run_value(q, id)[i]));
            continue;
        }
        const waio_value_params *p = &y->params;
        want = want / (double)p->scale[0] + p->zero_point[0];
        worst = fmax(worst, fabs(refq_code(codes, y->type, (int64_t)i) - want));
    }
    return worst;
}

/* Half a code for the result's rounding, as much for each operand that is computed, more where a
 * product makes it larger, and up to one for multipliers of 16 bits: 3. Bilinear resizing moves by
 * steps rounded to 1/1024 cells, so that its position is off by up to 1/2048 cells a step. */
static double allowed(const waio_node *node, waio_op_fill fill)
{
    double codes = fill == WAIO_FILL_S8 ? 255 : 65535;

    if (node->op == WAIO_OP_RESIZE && node->resize.bilinear)
        return 3 + codes * (node->resize.out[0] + node->resize.out[1]) / 2048;
    return 3;
}

static void check_twin(waio_op op, int index, waio_op_fill fill)
{
    waio_op_case c = {0};
    waio_float_run q = {0}, f = {0};
    char text[WAIO_OP_CASE_TEXT];

    CHECK_OK(waio_op_case_build(&c, op, index, fill));
    waio_op_case_text(text, c.graph);
    waio_graph *twin = float_twin(c.graph);
    CHECK_OK(waio_float_run_create(&q, c.graph, &waio_backend_ref, c.batch, 0));
    CHECK_OK(waio_float_run_create(&f, twin, &waio_backend_ref, c.batch, 0));
    const waio_value *x = &c.graph->value[c.graph->input];
    size_t count = waio_float_run_count(&q, c.graph->input);
    void *codes = waio_aligned_calloc(waio_float_run_bytes(&q, c.graph->input));
    float *numbers = calloc(count, sizeof *numbers);
    waio_op_case_input(&c, codes, count);
    for (size_t i = 0; i < count; i++)
        numbers[i] = number_of(x, codes, (int64_t)i);
    CHECK_OK(waio_float_run_whole(&q, codes));
    CHECK_OK(waio_float_run_whole(&f, numbers));
    int id = c.graph->output[0];
    double worst = distance(&q, &f, &c.graph->value[id], id);
    double most = allowed(&c.graph->node[c.graph->node_count - 1], fill);
    CHECK(worst <= most, "%s %s %s: %.2f codes apart", waio_op_name(op), text,
          waio_op_fill_name(fill), worst);
    free(numbers);
    free(codes);
    waio_float_run_free(&q);
    waio_float_run_free(&f);
    waio_graph_free(twin);
    waio_op_case_free(&c);
}

static void integers_follow_floats(void)
{
    for (int op = 0; op < WAIO_OP_COUNT; op++)
        for (int index = 0; index < waio_op_case_count((waio_op)op); index++)
            for (int fill = WAIO_FILL_S8; fill <= WAIO_FILL_S16; fill++)
                if (op != WAIO_OP_BATCH_NORM)
                    check_twin((waio_op)op, index, (waio_op_fill)fill);
}

/* ---- sums and their limits ---- */

/* A dense layer of one output over `inputs` equal codes `x` (zero point `z`) and weights `w`. */
static waio_status sum_of(int32_t *y, int64_t inputs, waio_type type, int32_t x, int32_t z,
                          int64_t w, double output_scale, int64_t bias)
{
    float one = 1;
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, inputs), type, 1, z);
    int64_t *codes = calloc((size_t)inputs, sizeof *codes);
    int32_t *codes_in = calloc((size_t)inputs, sizeof *codes_in);
    waio_node node = {.op = WAIO_OP_DENSE, .input_count = 3, .clamp = WAIO_NO_CLAMP};

    for (int64_t i = 0; i < inputs; i++) {
        codes[i] = w;
        codes_in[i] = x;
    }
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(1, inputs), WAIO_S8, &one, 1, codes);
    node.input[2] =
        refq_codes(graph, WAIO_SHAPE(1), type == WAIO_S8 ? WAIO_S32 : WAIO_S64, &one, 1, &bias);
    int id = refq_node(graph, node, type, output_scale, 0);
    waio_status st = refq_run(graph, id, 1, codes_in, y);
    free(codes);
    free(codes_in);
    waio_graph_free(graph);
    return st;
}

static void sums_do_not_overflow_unnoticed(void)
{
    const double scale = 33554432; /* 2^25 */
    int32_t y = 0;

    /* 65,793 products of -128 * 255 are the most that 32 bits hold. */
    CHECK_OK(sum_of(&y, 65793, WAIO_S8, 127, -128, -128, scale, 0));
    CHECK(y == -64, "%d", y);
    CHECK_FAILS(sum_of(&y, 65794, WAIO_S8, 127, -128, -128, scale, 0), WAIO_EUNSUPPORTED,
                "a sum of -2147516160 is more than its accumulator holds");
    CHECK_OK(sum_of(&y, 65793, WAIO_S8, 127, -128, -128, scale, -128));
    CHECK_FAILS(sum_of(&y, 65793, WAIO_S8, 127, -128, -128, scale, -129), WAIO_EUNSUPPORTED,
                "accumulator");
    /* Beyond, as long as the sums themselves fit. */
    CHECK_OK(sum_of(&y, 200000, WAIO_S8, 100, 0, 50, scale, 0));
    CHECK(y == 30, "%d", y);
    CHECK_OK(sum_of(&y, 70000, WAIO_S16, 32767, 0, -128, 1 << 24, 0));
    CHECK(y == -17499, "%d", y);
    CHECK_OK(sum_of(&y, 3, WAIO_S16, 1, 0, 1, 1 << 30, INT64_C(1) << 44));
    CHECK(y == 16384, "%d", y);
    CHECK_FAILS(sum_of(&y, 3, WAIO_S16, 1, 0, 1, 1 << 30, INT64_C(1) << 47), WAIO_EUNSUPPORTED,
                "accumulator");
}

static void sums_saturate(void)
{
    int32_t y = 0;

    CHECK_OK(sum_of(&y, 100, WAIO_S8, 127, -128, 127, 1, 0));
    CHECK(y == 127, "%d", y);
    CHECK_OK(sum_of(&y, 100, WAIO_S8, 127, -128, -127, 1, 0));
    CHECK(y == -128, "%d", y);
    CHECK_OK(sum_of(&y, 100, WAIO_S16, -32768, 0, 127, 1, 0));
    CHECK(y == -32768, "%d", y);
}

/* ---- codes that stay ---- */

static void all_codes(int32_t x[256])
{
    for (int i = 0; i < 256; i++)
        x[i] = i - 128;
}

/* The same scale and zero point in and out: nothing changes, whatever the rounding. */
static void requantizing_to_the_same_is_identity(void)
{
    static const double scales[] = {1, 0.1, 0.0123, 3e-6, 700};
    int32_t x[256], y[256];

    all_codes(x);
    for (int s = 0; s < 5; s++)
        for (int rounding = 0; rounding < 4; rounding++) {
            waio_graph *graph = refq_graph(WAIO_SHAPE(1, 256), WAIO_S8, scales[s], 17);
            int id = refq_node(graph, (waio_node){.op = WAIO_OP_QUANTIZE, .clamp = WAIO_NO_CLAMP},
                               WAIO_S8, scales[s], 17);
            graph->requant = (waio_requant)rounding;
            CHECK_OK(refq_run(graph, id, 1, x, y));
            CHECK(memcmp(x, y, sizeof x) == 0, "scale %g, rule %d", scales[s], rounding);
            waio_graph_free(graph);
        }
}

static void quantizing_undoes_dequantizing(void)
{
    int32_t x[256], y[256];

    all_codes(x);
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 256), WAIO_S8, 0.0123, -77);
    int f = refq_node(graph, (waio_node){.op = WAIO_OP_DEQUANTIZE, .clamp = WAIO_NO_CLAMP},
                      WAIO_F32, 0, 0);
    waio_node back = {
        .op = WAIO_OP_QUANTIZE, .input = {f}, .input_count = 1, .clamp = WAIO_NO_CLAMP};
    int id = refq_node(graph, back, WAIO_S8, 0.0123, -77);
    CHECK_OK(refq_run(graph, id, 1, x, y));
    CHECK(memcmp(x, y, sizeof x) == 0, "codes change on the way through floats");
    waio_graph_free(graph);
}

/* ---- clamps ---- */

/* Ops that only move codes have clamps as well: ReLU6 keeps [z, z + 6 / s]. */
static void moving_ops_clamp(void)
{
    int32_t x[256], y[256];
    waio_node node = {.op = WAIO_OP_RESHAPE, .clamp = {0, 6}};

    node.reshape.shape = WAIO_SHAPE(1, 16, 16);
    all_codes(x);
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 256), WAIO_S8, 0.1, -20);
    int id = refq_node(graph, node, WAIO_S8, 0.1, -20);
    CHECK_OK(refq_run(graph, id, 1, x, y));
    for (int i = 0; i < 256; i++)
        CHECK(y[i] == waio_clampi(x[i], -20, 40), "code %d becomes %d", x[i], y[i]);
    waio_graph_free(graph);
}

/* Fewer bits than the lane has: 4 bits end at -8 and 7. */
static void narrow_codes_saturate(void)
{
    float scale = 1;
    int32_t z = 2, x[256], y[256];
    waio_value_params params = {.bits = 4, .count = 1, .scale = &scale, .zero_point = &z};
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 256), WAIO_S8, 1, 0);
    int id = refq_node(graph, (waio_node){.op = WAIO_OP_QUANTIZE, .clamp = WAIO_NO_CLAMP}, WAIO_S8,
                       1, 0);

    all_codes(x);
    CHECK_OK(waio_graph_set_type(graph, id, WAIO_S8, &params));
    CHECK_OK(refq_run(graph, id, 1, x, y));
    for (int i = 0; i < 256; i++)
        CHECK(y[i] == waio_clampi(x[i] + 2, -8, 7), "code %d becomes %d", x[i], y[i]);
    waio_graph_free(graph);
}

/* Padding that counts is of value 0, which is code z. */
static void counted_padding_is_the_zero_point(void)
{
    const int32_t x[2] = {20, 40};
    int32_t y[2];
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 1, 2, 1), WAIO_S8, 0.5, 4);
    waio_node node = {.op = WAIO_OP_AVG_POOL, .clamp = WAIO_NO_CLAMP};

    node.pool = (waio_pool_params){{2, 2}, {1, 1}, {1, 1, 0, 0}, true};
    int id = refq_node(graph, node, WAIO_S8, 0.5, 4);
    CHECK_OK(refq_run(graph, id, 1, x, y));
    CHECK(y[0] == (20 + 3 * 4) / 4 && y[1] == (20 + 40 + 2 * 4) / 4, "%d, %d", y[0], y[1]);
    waio_graph_free(graph);
}

int main(void)
{
    integers_follow_floats();
    sums_do_not_overflow_unnoticed();
    sums_saturate();
    requantizing_to_the_same_is_identity();
    quantizing_undoes_dequantizing();
    moving_ops_clamp();
    narrow_codes_saturate();
    counted_padding_is_the_zero_point();
    return waio_check_result();
}
