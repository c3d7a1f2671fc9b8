/* Inside of the lowering: grids that codes lie on, and the forms that a value has in the lowered
 * graph. For lower.c, lower_grid.c and lower_weights.c. */
#ifndef WAIO_QUANT_LOWERING_H
#define WAIO_QUANT_LOWERING_H

#include "quant/lower.h"

typedef struct waio_grid {
    waio_type type; /* S8 or S16: the lane */
    int bits;
    bool symmetric; /* the lowest code is left out */
    bool nothing;   /* holds the number 0 alone */
    float scale;
    int32_t zero_point;
} waio_grid;

/* A value on a grid that is not its own. */
typedef struct waio_regrid {
    int value, id;
    waio_grid grid;
} waio_regrid;

typedef struct waio_lowering {
    const waio_quantizer *quantizer;
    const waio_quant_request *request;
    const waio_graph *from;
    waio_graph *to;
    waio_arena *arena;
    int boundary;
    int *real, *code; /* per value of `from`: its float and its integer form in `to`, -1: none */
    waio_grid *grid;  /* of `code` */
    waio_regrid *regrid;
    int regrid_count, regrid_capacity;
} waio_lowering;

/* Bits that activation `id` has: 2 to 16, or 32. */
int waio_lower_bits(const waio_lowering *l, int id);

/* The grid that the quantizer gives value `id` at `bits` bits. */
waio_grid waio_grid_of(const waio_lowering *l, int id, int bits);
/* The same numbers in a lane that is as wide or wider: S8 codes become q - z in S16. */
waio_grid waio_grid_widen(waio_grid grid, waio_type lane);

/* Appends `node`, whose inputs are values of `to`; its output has codes on `grid` (NULL: float). */
waio_status waio_lower_emit(waio_lowering *l, int *id, const waio_node *node,
                            const waio_grid *grid);
/* Appends a quantize node from value `x` of `to`, named after value `v` of `from`. */
waio_status waio_lower_quantize(waio_lowering *l, int *id, int v, int x, const waio_grid *grid);

/* Value `v` of `from` as codes on `grid`, converted if it has another; it must have codes. */
waio_status waio_lower_codes(waio_lowering *l, int *id, int v, const waio_grid *grid);
/* Value `v` of `from` as float. */
waio_status waio_lower_real(waio_lowering *l, int *id, int v);
/* Says that `id` of `to` is value `v`, in codes on `grid` or (NULL) in float. */
void waio_lower_define(waio_lowering *l, int v, int id, const waio_grid *grid);

/* Constant operand `v` of node `n` of `from`, in float: the numbers that a binding has. */
waio_status waio_lower_real_operand(waio_lowering *l, int *id, int v, int n);
/* The same as codes of its own grid at `bits` bits in `lane`; `grid` receives it. */
waio_status waio_lower_code_operand(waio_lowering *l, int *id, int v, int bits, waio_type lane);

/* Weight and bias of node `n` of `from` into inputs 1 and 2 of `node`: in float with the numbers
 * that a binding has, or as codes for activations on the grid `x`. */
waio_status waio_lower_real_weights(waio_lowering *l, waio_node *node, int n);
waio_status waio_lower_code_weights(waio_lowering *l, waio_node *node, int n, const waio_grid *x);

#endif
