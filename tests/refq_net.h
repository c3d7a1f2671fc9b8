/* Small integer networks for the tests: values of one scale, codes in and out as 32-bit numbers. */
#ifndef WAIO_TESTS_REFQ_NET_H
#define WAIO_TESTS_REFQ_NET_H

#include <stdlib.h>

#include "backend/binding.h"
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

/* Runs `graph` on the reference for `batch` images; value `output` goes to `y`. */
static inline waio_status refq_run(waio_graph *graph, int output, int64_t batch, const int32_t *x,
                                   int32_t *y)
{
    waio_status st = WAIO_OK;
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace ws = {0};
    const waio_value *in = &graph->value[graph->input], *out = &graph->value[output];

    if (!graph->output_count)
        WAIO_TRY(st, waio_graph_add_output(graph, output));
    WAIO_TRY(st,
             waio_program_compile(&program, graph, &waio_backend_ref, batch, graph->node_count));
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

#endif
