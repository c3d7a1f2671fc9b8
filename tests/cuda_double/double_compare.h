/* A network on codes through the reference and through the backend over the device double. */
#ifndef WAIO_TESTS_DOUBLE_COMPARE_H
#define WAIO_TESTS_DOUBLE_COMPARE_H

#include "cuda_double/double_net.h"

/* What the reference gave. */
typedef struct double_record {
    const waio_graph *graph;
    void **value; /* per value */
    size_t *bytes;
    int compared;
    int fallbacks; /* that the backend must have */
} double_record;

static inline void double_keep(void *payload, int id, const float *data, int64_t count)
{
    double_record *r = payload;

    r->bytes[id] = (size_t)count * waio_type_bytes(r->graph->value[id].type);
    r->value[id] = malloc(r->bytes[id]);
    memcpy(r->value[id], data, r->bytes[id]);
}

/* Softmax and logistic of other than 8 bits compute in floats; their exponentials are not the C
 * library's. */
static inline bool double_same(const double_record *r, int id, const void *data)
{
    const float *got = data, *want = r->value[id];
    size_t count = r->bytes[id] / sizeof *got;

    if (r->graph->value[id].type != WAIO_F32)
        return memcmp(want, data, r->bytes[id]) == 0;
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-6f * fmaxf(fabsf(want[i]), 1)))
            return false;
    return true;
}

static inline void double_compare(void *payload, int id, const float *data, int64_t count)
{
    double_record *r = payload;

    (void)count;
    r->compared++;
    CHECK(double_same(r, id, data), "value %d (%s) of %s differs", id, r->graph->value[id].name,
          r->graph->name);
}

/* Runs `graph` on codes or numbers `x`, with a hook, and once more without: then only the output is
 * looked at, and nothing else comes down. */
static inline void double_run(waio_graph *graph, const waio_backend *backend, const void *x,
                              int64_t images, const waio_observer_hook *hook, double_record *r)
{
    waio_program *program = NULL;
    waio_workspace ws = {0};
    waio_float_binding weights = {0};
    int out = graph->output[0];
    waio_run_range all = {0, graph->node_count, false, false};

    CHECK_OK(waio_program_compile(&program, graph, backend, images, graph->node_count));
    CHECK(waio_program_fallbacks(program) == (backend == &waio_backend_ref ? 0 : r->fallbacks),
          "%s: %d nodes on the reference", graph->name, waio_program_fallbacks(program));
    CHECK_OK(waio_float_binding_create(&weights, program));
    CHECK_OK(waio_workspace_create(&ws, program));
    for (int time = 0; time < 4; time++) { /* more than there are input buffers */
        const waio_value *in = &graph->value[graph->input];
        memcpy(waio_workspace_value(&ws, program, graph->input), x,
               (size_t)waio_shape_count(&in->shape) * images * waio_type_bytes(in->type));
        CHECK_OK(waio_program_run(program, &weights.binding, &ws, all, time ? NULL : hook));
        CHECK_OK(waio_workspace_fetch(&ws, program, out));
        CHECK(double_same(r, out, waio_workspace_value(&ws, program, out)),
              "%s: other output in run %d", graph->name, time);
    }
    waio_workspace_free(&ws);
    waio_float_binding_free(&weights);
    waio_program_free(program);
}

/* Every value of `lowered` on `images` images `x`: the same codes on the reference and on `cuda`.
 */
static inline void double_check_integer(waio_graph *lowered, const waio_backend *cuda,
                                        const float *x, int64_t images, int fallbacks)
{
    size_t values = (size_t)lowered->value_count;
    double_record r = {lowered, calloc(values, sizeof(void *)), calloc(values, sizeof(size_t)), 0,
                       fallbacks};

    double_run(lowered, &waio_backend_ref, x, images, &(waio_observer_hook){double_keep, &r}, &r);
    double_run(lowered, cuda, x, images, &(waio_observer_hook){double_compare, &r}, &r);
    CHECK(r.compared == lowered->node_count, "%d values compared", r.compared);
    for (int v = 0; v < lowered->value_count; v++)
        free(r.value[v]);
    free(r.value);
    free(r.bytes);
}

#endif
