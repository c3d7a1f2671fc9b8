/* The table of op test cases: one- or few-node graphs at awkward sizes, for every op of ops.def (an
 * op without a list of cases does not link, an empty list does not compile). The op in question is
 * the last node; constants are filled, the input is filled by waio_op_case_input. */
#ifndef WAIO_CHECK_OPCASES_H
#define WAIO_CHECK_OPCASES_H

#include "graph/graph.h"
#include "util/rng.h"

typedef struct waio_op_case {
    waio_graph *graph;
    int64_t batch;
    /* Filled with whole numbers so small that every sum and product is a float: any order of
     * summation gives the same result and backends must be equal. Else: real numbers. */
    bool exact;
    waio_rng rng;
} waio_op_case;

int waio_op_case_count(waio_op op);
/* Builds case `index` of `op`. An op whose results are never exact gives `exact` false even if it
 * was asked for. Free with waio_op_case_free; on failure there is nothing to free. */
waio_status waio_op_case_build(waio_op_case *out, waio_op op, int index, bool exact);
void waio_op_case_free(waio_op_case *c);
/* The next numbers for the graph's input. */
void waio_op_case_input(waio_op_case *c, float *data, size_t count);

/* The last node in words: "1x7x9x3 * 16x3x3x3 > 1x7x9x16 /1x1 dil 1x1 pad 1,1,1,1 groups 1 [0,6]",
 * which is x and weight, the result, and the parameters. */
enum { WAIO_OP_CASE_TEXT = 120 };
void waio_op_case_text(char text[WAIO_OP_CASE_TEXT], const waio_graph *graph);

#endif
