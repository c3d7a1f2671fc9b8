#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "check/compare.h"
#include "check/float_run.h"
#include "check/opcases.h"

typedef struct case_result {
    waio_bound bound;
    double share;
    const char *runs_on;
} case_result;

static waio_status compare_runs(case_result *result, waio_op_case *c, const waio_float_run *want,
                                const waio_float_run *got)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = c->graph;
    int last = graph->node_count - 1, id = graph->node[last].output;
    void *x = waio_aligned_calloc(waio_float_run_bytes(want, graph->input));

    if (!x)
        return WAIO_ENOMEM;
    waio_op_case_input(c, x, waio_float_run_count(want, graph->input));
    WAIO_TRY(st, waio_float_run_whole(want, x));
    WAIO_TRY(st, waio_float_run_whole(got, x));
    WAIO_TRY(st, waio_float_run_fetch(got, id));
    result->bound = c->fill == WAIO_FILL_REAL ? waio_bound_of(graph, &graph->node[last])
                                              : (waio_bound){WAIO_BOUND_EQUAL_NUMBERS, 0};
    const float *a = waio_float_run_value(got, id), *b = waio_float_run_value(want, id);
    if (graph->value[id].type == WAIO_F32)
        result->share = waio_compare(a, b, waio_float_run_count(want, id), result->bound);
    else
        result->share = memcmp(a, b, waio_float_run_bytes(want, id)) == 0 ? 0 : INFINITY;
    result->runs_on = waio_program_node_backend(got->program, last)->name;
done:
    free(x);
    return st;
}

static waio_status run_case(case_result *result, waio_op_case *c, const waio_backend *backend)
{
    waio_status st = WAIO_OK;
    waio_float_run want = {0}, got = {0};

    WAIO_TRY(st, waio_float_run_create(&want, c->graph, &waio_backend_ref, c->batch, 0));
    WAIO_TRY(st, waio_float_run_create(&got, c->graph, backend, c->batch, 0));
    WAIO_TRY(st, compare_runs(result, c, &want, &got));
done:
    waio_float_run_free(&want);
    waio_float_run_free(&got);
    return st;
}

static void print_case(FILE *out, const waio_op_case *c, const case_result *r)
{
    const waio_node *node = &c->graph->node[c->graph->node_count - 1];
    char text[WAIO_OP_CASE_TEXT];

    waio_op_case_text(text, c->graph);
    fprintf(out, "%-10s %-78s %5lld %-5s %-7s %-7s %9.3g  %s\n", waio_op_name(node->op), text,
            (long long)c->batch, waio_op_fill_name(c->fill), r->runs_on,
            waio_bound_name(r->bound.kind), r->share, r->share <= 1 ? "ok" : "DIFFERS");
}

static waio_status check_case(const waio_backend *backend, waio_op op, int index, waio_op_fill fill,
                              FILE *out, int *failed)
{
    waio_status st = WAIO_OK;
    waio_op_case c = {0};
    case_result result = {0};

    WAIO_TRY(st, waio_op_case_build(&c, op, index, fill));
    if (c.fill == fill) {
        WAIO_TRY(st, run_case(&result, &c, backend));
        *failed += !(result.share <= 1);
        if (out)
            print_case(out, &c, &result);
    }
done:
    if (st != WAIO_OK)
        waio_error_context(st, "case %d of %s", index, waio_op_name(op));
    waio_op_case_free(&c);
    return st;
}

waio_status waio_check_ops(const waio_backend *backend, FILE *out, int *failed)
{
    waio_status st = WAIO_OK;

    *failed = 0;
    if (out)
        fprintf(out,
                "# %s against ref; share: of the bound that is used\n%-10s %-78s %5s %-5s %-7s "
                "%-7s %9s\n",
                backend->name, "op", "case", "batch", "fill", "runs on", "bound", "share");
    for (int op = 0; op < WAIO_OP_COUNT; op++)
        for (int index = 0; index < waio_op_case_count((waio_op)op); index++)
            for (int fill = 0; fill < WAIO_FILL_COUNT; fill++)
                WAIO_TRY(st,
                         check_case(backend, (waio_op)op, index, (waio_op_fill)fill, out, failed));
done:
    return st;
}
