/* Small integer networks for the tests: values of one scale, codes in and out as 32-bit numbers. */
#ifndef WAIO_TESTS_REFQ_NET_H
#define WAIO_TESTS_REFQ_NET_H

#include <stdlib.h>

#include "backend/binding.h"
#include "backend/cpu/isa.h"
#include "backend/program.h"
#include "check.h"

static inline void refq_set(waio_graph *graph, int id, waio_type type, double scale,
                            double zero_point)
{
    float s = (float)scale;
    int32_t z = (int32_t)zero_point;
    waio_value_params params = {
        .bits = type == WAIO_S8 ? 8 : 16, .count = 1, .scale = &s, .zero_point = &z};
    CHECK_OK(waio_graph_set_type(graph, id, type, &params));
}

/* A graph with an integer input of `shape`, whose batch becomes 1. */
static inline waio_graph *refq_graph(waio_shape shape, waio_type type, double scale,
                                     double zero_point)
{
    waio_graph *graph = waio_graph_new("test");
    int x = -1;

    shape.dim[0] = 1;
    CHECK_OK(waio_graph_add_input(graph, &x, "x", &shape));
    refq_set(graph, x, type, scale, zero_point);
    return graph;
}

/* Appends `node`, reading the input if it names none, with an integer result (F32: a float one). */
static inline int refq_node(waio_graph *graph, waio_node node, waio_type type, double scale,
                            double zero_point)
{
    int y = -1;

    node.name = waio_op_name(node.op);
    if (!node.input_count) {
        node.input_count = 1;
        node.input[0] = graph->input;
    }
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    if (type != WAIO_F32)
        refq_set(graph, y, type, scale, zero_point);
    return y;
}

/* A constant of codes with `count` scales along axis 0. */
static inline int refq_codes(waio_graph *graph, waio_shape shape, waio_type type,
                             const float *scale, int count, const int64_t *codes)
{
    static const int bits[] = {32, 8, 16, 32, 64};
    int32_t *z = calloc((size_t)count, sizeof *z);
    waio_value_params params = {
        .bits = bits[type], .count = count, .scale = scale, .zero_point = z};
    void *out = NULL;
    int id = -1;

    CHECK_OK(waio_graph_add_codes(graph, &id, "c", &shape, type, &params, &out));
    for (int64_t i = 0; i < waio_shape_count(&shape); i++) {
        if (type == WAIO_S8)
            ((int8_t *)out)[i] = (int8_t)codes[i];
        else if (type == WAIO_S16)
            ((int16_t *)out)[i] = (int16_t)codes[i];
        else if (type == WAIO_S32)
            ((int32_t *)out)[i] = (int32_t)codes[i];
        else
            ((int64_t *)out)[i] = codes[i];
    }
    free(z);
    return id;
}

static inline int32_t refq_code(const void *codes, waio_type type, int64_t i)
{
    return type == WAIO_S8 ? ((const int8_t *)codes)[i] : ((const int16_t *)codes)[i];
}

/* Runs `graph` on `backend` for `batch` images; value `output` goes to `y`. */
static inline waio_status refq_run_on(const waio_backend *backend, waio_graph *graph, int output,
                                      int64_t batch, const int32_t *x, int32_t *y)
{
    waio_status st = WAIO_OK;
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace ws = {0};
    const waio_value *in = &graph->value[graph->input], *out = &graph->value[output];

    if (!graph->output_count)
        WAIO_TRY(st, waio_graph_add_output(graph, output));
    WAIO_TRY(st, waio_program_compile(&program, graph, backend, batch, graph->node_count));
    WAIO_TRY(st, waio_float_binding_create(&binding, program));
    WAIO_TRY(st, waio_workspace_create(&ws, program));
    void *to = waio_workspace_value(&ws, program, graph->input);
    for (int64_t i = 0; i < batch * waio_shape_count(&in->shape); i++) {
        if (in->type == WAIO_S8)
            ((int8_t *)to)[i] = (int8_t)x[i];
        else
            ((int16_t *)to)[i] = (int16_t)x[i];
    }
    WAIO_TRY(st, waio_program_run(program, &binding.binding, &ws,
                                  (waio_run_range){0, graph->node_count, false, false}, NULL));
    for (int64_t i = 0; i < batch * waio_shape_count(&out->shape); i++)
        y[i] = refq_code(waio_workspace_value(&ws, program, output), out->type, i);
done:
    waio_workspace_free(&ws);
    waio_float_binding_free(&binding);
    waio_program_free(program);
    return st;
}

/* The cpu backend's kernels give the codes `want`, or fail as the reference did. */
static inline void refq_expect_cpu(waio_graph *graph, int output, int64_t batch, const int32_t *x,
                                   const int32_t *want, waio_status status)
{
    int64_t count = batch * waio_shape_count(&graph->value[output].shape);
    int32_t *y = calloc((size_t)count, sizeof *y);

    for (int isa = 0; isa < WAIO_ISA_COUNT; isa++) {
        if (!waio_isa_present((waio_isa)isa))
            continue;
        setenv("WAIO_CPU_ISA", waio_isa_name((waio_isa)isa), 1);
        waio_status st = refq_run_on(&waio_backend_cpu, graph, output, batch, x, y);
        CHECK(st == status, "cpu, %s: status %d, expected %d", waio_isa_name((waio_isa)isa), st,
              status);
        if (st == WAIO_OK)
            CHECK(memcmp(y, want, (size_t)count * sizeof *y) == 0, "%s on cpu, %s: other codes",
                  graph->name, waio_isa_name((waio_isa)isa));
    }
    unsetenv("WAIO_CPU_ISA");
    free(y);
}

/* Runs `graph` on the reference, and on the cpu backend with all its instructions, which must give
 * the same; value `output` goes to `y`. */
static inline waio_status refq_run(waio_graph *graph, int output, int64_t batch, const int32_t *x,
                                   int32_t *y)
{
    waio_status st = refq_run_on(&waio_backend_ref, graph, output, batch, x, y);

    if (graph->value[output].type == WAIO_S8 || graph->value[output].type == WAIO_S16)
        refq_expect_cpu(graph, output, batch, x, y, st);
    if (st != WAIO_OK) /* its message, not the last one */
        st = refq_run_on(&waio_backend_ref, graph, output, batch, x, y);
    return st;
}

#endif
