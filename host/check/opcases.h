/* The table of op test cases: one- or few-node graphs at awkward sizes, for every op of ops.def (an
 * op without a list of cases does not link, an empty list does not compile). The op in question is
 * the last node; constants are filled, the input is filled by waio_op_case_input. */
#ifndef WAIO_CHECK_OPCASES_H
#define WAIO_CHECK_OPCASES_H

#include "graph/graph.h"
#include "util/rng.h"

/* What a case is filled with. */
typedef enum waio_op_fill {
    WAIO_FILL_REAL,
    /* Whole numbers so small that every sum and product is a float: any order of summation gives
     * the same result and backends must be equal. */
    WAIO_FILL_EXACT,
    /* Integer values: s8 codes with s8 weights, s16 codes with s8 weights. Backends must be equal.
     */
    WAIO_FILL_S8,
    WAIO_FILL_S16,
    /* The same with everything that a kernel may trip over: zero points at the ends, the lowest and
     * highest codes alone, biases near overflow, factors from 2^-30 to above 1, every rounding,
     * 16-bit weights, 32-bit sums of 16-bit codes. Their results say nothing about the float
     * network. */
    WAIO_FILL_S8_EXTREME,
    WAIO_FILL_S16_EXTREME,
    WAIO_FILL_COUNT
} waio_op_fill;

typedef struct waio_op_case {
    waio_graph *graph;
    int64_t batch;
    waio_op_fill fill;
    bool extreme; /* WAIO_FILL_S8_EXTREME or WAIO_FILL_S16_EXTREME */
    bool exact; /* for the builders: WAIO_FILL_EXACT is asked for; they clear it if it cannot be */
    waio_rng rng;
} waio_op_case;

int waio_op_case_count(waio_op op);
const char *waio_op_fill_name(waio_op_fill fill);
/* Builds case `index` of `op`. An op that has no exact results or no integer form (batch_norm)
 * gives WAIO_FILL_REAL whatever was asked for. Free with waio_op_case_free; on failure there is
 * nothing to free. */
waio_status waio_op_case_build(waio_op_case *out, waio_op op, int index, waio_op_fill fill);
void waio_op_case_free(waio_op_case *c);
/* The next `count` numbers or codes for the graph's input, of its type. */
void waio_op_case_input(waio_op_case *c, void *data, size_t count);

/* The last node in words: "1x7x9x3 * 16x3x3x3 > 1x7x9x16 /1x1 dil 1x1 pad 1,1,1,1 groups 1 [0,6]",
 * which is x and weight, the result, and the parameters. */
enum { WAIO_OP_CASE_TEXT = 120 };
void waio_op_case_text(char text[WAIO_OP_CASE_TEXT], const waio_graph *graph);

#endif
