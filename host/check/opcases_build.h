/* For the files that hold the rows of the op test cases (opcases_*.c). */
#ifndef WAIO_CHECK_OPCASES_BUILD_H
#define WAIO_CHECK_OPCASES_BUILD_H

#include "check/opcases.h"

/* Rows of one op: `build` appends the nodes of row `index` to c->graph, the op last. */
typedef struct waio_op_case_list {
    int count;
    waio_status (*build)(waio_op_case *c, waio_op op, int index);
} waio_op_case_list;

#define WAIO_OP_DEF(ENUM, name, least, most, weighted)                                             \
    extern const waio_op_case_list waio_op_cases_##name;
#include "graph/ops.def"
#undef WAIO_OP_DEF

#define WAIO_OP_CASES(name, rows, builder)                                                         \
    _Static_assert(sizeof(rows) > 0, #name " has no cases");                                       \
    const waio_op_case_list waio_op_cases_##name = {(int)(sizeof(rows) / sizeof *(rows)), builder}

#define WAIO_RELU                                                                                  \
    {                                                                                              \
        0, INFINITY                                                                                \
    }
#define WAIO_RELU6                                                                                 \
    {                                                                                              \
        0, 6                                                                                       \
    }
#define WAIO_UNIT_CLIP                                                                             \
    {                                                                                              \
        -1, 1                                                                                      \
    }
#define WAIO_NONE                                                                                  \
    {                                                                                              \
        -INFINITY, INFINITY                                                                        \
    }

/* Turns a case of floats into one of integers: `type` for activations, s8 weights with a scale per
 * channel, scales that spread the results over the codes. Its graph is replaced. Cases that have no
 * integer form stay as they are. */
waio_status waio_op_case_quantize(waio_op_case *c, waio_type type);

/* The graph's input. */
waio_status waio_case_x(waio_op_case *c, int *id, waio_shape shape);
/* A constant: whole numbers in [-4, 4], or reals in +-limit. */
waio_status waio_case_const(waio_op_case *c, int *id, waio_shape shape, float limit);
/* Appends `node`, named after its op, and gives its value's id. */
waio_status waio_case_node(waio_op_case *c, int *id, waio_node node);

#endif
