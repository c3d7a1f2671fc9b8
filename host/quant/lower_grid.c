/* Grids, and the forms of a value in the lowered graph. */
#include "quant/lowering.h"

#include <float.h>
#include <stdlib.h>

int waio_lower_bits(const waio_lowering *l, int id)
{
    int bits = waio_quantizer_value_bits(l->quantizer, l->request, id);
    return bits == WAIO_F16 ? WAIO_FLOAT : bits;
}

waio_grid waio_grid_of(const waio_lowering *l, int id, int bits)
{
    waio_qparams p = waio_quantizer_value_params(l->quantizer, id, bits);
    bool fills_lane = bits == 8 || bits == 16;

    return (waio_grid){.type = bits <= 8 ? WAIO_S8 : WAIO_S16,
                       .bits = bits,
                       .symmetric = p.lo == -p.hi && !fills_lane,
                       .nothing = p.lo == p.hi,
                       .scale = p.scale,
                       .zero_point = p.zero_point};
}

waio_grid waio_grid_widen(waio_grid grid, waio_type lane)
{
    if (grid.type == lane)
        return grid;
    return (waio_grid){.type = lane, .bits = 16, .scale = grid.scale};
}

static bool same_grid(const waio_grid *a, const waio_grid *b)
{
    return a->type == b->type && a->bits == b->bits && a->symmetric == b->symmetric &&
           a->nothing == b->nothing && a->scale == b->scale && a->zero_point == b->zero_point;
}

static waio_value_params params_of(const waio_grid *grid)
{
    return (waio_value_params){.bits = grid->bits,
                               .symmetric = grid->symmetric,
                               .count = 1,
                               .scale = &grid->scale,
                               .zero_point = &grid->zero_point};
}

waio_status waio_lower_emit(waio_lowering *l, int *id, const waio_node *node, const waio_grid *grid)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_graph_add_node(l->to, id, node));
    if (!grid)
        goto done;
    waio_value_params params = params_of(grid);
    WAIO_TRY(st, waio_graph_set_type(l->to, *id, grid->type, &params));
    if (grid->nothing) /* every code but that of 0 is out of reach */
        l->to->node[l->to->node_count - 1].clamp = (waio_clamp){0, FLT_MIN};
done:
    return st;
}

/* A node of one input and no parameters, named after a value. */
static waio_status convert(waio_lowering *l, int *id, waio_op op, int v, int x,
                           const waio_grid *grid)
{
    waio_node node = {.op = op, .input = {x}, .input_count = 1, .clamp = WAIO_NO_CLAMP};

    node.name = waio_arena_printf(l->arena, "%s/%s", l->from->value[v].name, waio_op_name(op));
    return node.name ? waio_lower_emit(l, id, &node, grid) : WAIO_ENOMEM;
}

waio_status waio_lower_quantize(waio_lowering *l, int *id, int v, int x, const waio_grid *grid)
{
    return convert(l, id, WAIO_OP_QUANTIZE, v, x, grid);
}

static waio_status remember(waio_lowering *l, int v, int id, const waio_grid *grid)
{
    if (l->regrid_count == l->regrid_capacity) {
        int capacity = l->regrid_capacity ? 2 * l->regrid_capacity : 16;
        waio_regrid *grown = realloc(l->regrid, (size_t)capacity * sizeof *grown);
        if (!grown)
            return waio_error(WAIO_ENOMEM, "out of memory");
        l->regrid = grown;
        l->regrid_capacity = capacity;
    }
    l->regrid[l->regrid_count++] = (waio_regrid){v, id, *grid};
    return WAIO_OK;
}

waio_status waio_lower_codes(waio_lowering *l, int *id, int v, const waio_grid *grid)
{
    waio_status st = WAIO_OK;

    *id = l->code[v];
    if (same_grid(&l->grid[v], grid))
        return WAIO_OK;
    for (int i = 0; i < l->regrid_count; i++)
        if (l->regrid[i].value == v && same_grid(&l->regrid[i].grid, grid)) {
            *id = l->regrid[i].id;
            return WAIO_OK;
        }
    WAIO_TRY(st, waio_lower_quantize(l, id, v, l->code[v], grid));
    WAIO_TRY(st, remember(l, v, *id, grid));
done:
    return st;
}

waio_status waio_lower_real(waio_lowering *l, int *id, int v)
{
    waio_status st = WAIO_OK;

    if (l->real[v] < 0)
        WAIO_TRY(st, convert(l, &l->real[v], WAIO_OP_DEQUANTIZE, v, l->code[v], NULL));
    *id = l->real[v];
done:
    return st;
}

void waio_lower_define(waio_lowering *l, int v, int id, const waio_grid *grid)
{
    l->real[v] = grid ? -1 : id;
    l->code[v] = grid ? id : -1;
    if (grid)
        l->grid[v] = *grid;
}
