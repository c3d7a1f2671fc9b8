/* Layouts: where the dimensions of an ONNX activation lie in our graph, and reshapes that respect
 * it (see onnx_import.h). */
#include <string.h>

#include "import/onnx_import.h"

int waio_onnx_rank(const waio_onnx *onnx, const waio_onnx_value *value)
{
    if (value->kind == WAIO_ONNX_ACTIVATION)
        return onnx->graph->value[value->id].shape.rank;
    return value->shape.rank;
}

waio_shape waio_onnx_shape(const waio_onnx *onnx, const waio_onnx_value *value)
{
    if (value->kind != WAIO_ONNX_ACTIVATION)
        return value->shape;
    const waio_shape *ours = &onnx->graph->value[value->id].shape;
    waio_shape shape = {.rank = ours->rank};
    for (int i = 0; i < ours->rank; i++)
        shape.dim[i] = ours->dim[value->perm[i]];
    return shape;
}

void waio_onnx_identity(int rank, int perm[WAIO_MAX_RANK])
{
    for (int i = 0; i < rank; i++)
        perm[i] = i;
}

void waio_onnx_channels_last(int rank, int perm[WAIO_MAX_RANK])
{
    waio_onnx_identity(rank, perm);
    for (int i = 1; i < rank; i++)
        perm[i] = i == 1 ? rank - 1 : i - 1;
}

bool waio_onnx_same_perm(const int *a, const int *b, int rank)
{
    return memcmp(a, b, (size_t)rank * sizeof *a) == 0;
}

void waio_onnx_permute(void *dst, const void *src, const waio_shape *src_shape, const int *perm,
                       size_t size)
{
    int rank = src_shape->rank;
    int64_t stride[WAIO_MAX_RANK] = {0}, at[WAIO_MAX_RANK] = {0}, step = 1, from = 0;
    int64_t count = waio_onnx_count(src_shape);
    char *to = dst;

    for (int i = rank - 1; i >= 0; i--) {
        for (int j = 0; j < rank; j++)
            if (perm[j] == i)
                stride[j] = step;
        step *= src_shape->dim[i];
    }
    for (int64_t k = 0; k < count; k++, to += size) {
        memcpy(to, (const char *)src + (size_t)from * size, size);
        for (int i = rank - 1; i >= 0; i--) { /* the next index, last dimension fastest */
            from += stride[i];
            if (++at[i] < src_shape->dim[perm[i]])
                break;
            from -= stride[i] * at[i];
            at[i] = 0;
        }
    }
}

/* True if dimensions above 1 keep their order when dimension i comes from perm[i]. */
static bool keeps_order(const waio_shape *shape, const int *perm)
{
    int last = -1;

    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[perm[i]] > 1) {
            if (perm[i] < last)
                return false;
            last = perm[i];
        }
    return true;
}

/* Dimension i of the new value is dimension perm[i] of the old one. */
static waio_status move_dims(waio_onnx *onnx, int *id, const int *perm)
{
    waio_shape shape = onnx->graph->value[*id].shape;
    waio_node node = {.op = WAIO_OP_TRANSPOSE, .input = {*id}, .input_count = 1};
    int same[WAIO_MAX_RANK] = {0};

    waio_onnx_identity(shape.rank, same);
    if (waio_onnx_same_perm(perm, same, shape.rank))
        return WAIO_OK;
    if (!keeps_order(&shape, perm)) {
        memcpy(node.transpose.perm, perm, (size_t)shape.rank * sizeof *perm);
        return waio_onnx_emit(onnx, id, &node, "transpose");
    }
    node.op = WAIO_OP_RESHAPE;
    node.reshape.shape = shape;
    for (int i = 0; i < shape.rank; i++)
        node.reshape.shape.dim[i] = shape.dim[perm[i]];
    return waio_onnx_emit(onnx, id, &node, "layout");
}

static waio_status reshape_graph_value(waio_onnx *onnx, int *id, const waio_shape *shape)
{
    waio_node node = {.op = WAIO_OP_RESHAPE, .input = {*id}, .input_count = 1};

    if (waio_shape_equal(&onnx->graph->value[*id].shape, shape))
        return WAIO_OK;
    node.reshape.shape = *shape;
    return waio_onnx_emit(onnx, id, &node, NULL);
}

static void moves_to(int rank, const int *from, const int *to, int perm[WAIO_MAX_RANK])
{
    for (int i = 0; i < rank; i++)
        perm[to[i]] = from[i];
}

bool waio_onnx_would_move(const waio_onnx *onnx, const waio_onnx_value *value, const int *perm)
{
    const waio_shape *shape = &onnx->graph->value[value->id].shape;
    int moves[WAIO_MAX_RANK] = {0};

    moves_to(shape->rank, value->perm, perm, moves);
    return value->flat || !keeps_order(shape, moves);
}

/* Does now what the flattening of an image put off. */
static waio_status settle_flat(waio_onnx *onnx, waio_onnx_value *value)
{
    waio_status st = WAIO_OK;
    waio_graph *graph = onnx->graph;
    const waio_onnx_flat *flat = value->flat;
    int id = value->id;

    if (!flat)
        return WAIO_OK;
    waio_shape flattened = graph->value[id].shape;
    int producer = waio_graph_producer(graph, id);
    const waio_node *reshape = producer < 0 ? NULL : &graph->node[producer];
    if (reshape && reshape->op == WAIO_OP_RESHAPE &&
        waio_shape_equal(&graph->value[reshape->input[0]].shape, &flat->shape))
        id = reshape->input[0]; /* and the reshape dies, if nothing else reads it */
    else
        WAIO_TRY(st, reshape_graph_value(onnx, &id, &flat->shape));
    WAIO_TRY(st, move_dims(onnx, &id, flat->perm));
    WAIO_TRY(st, reshape_graph_value(onnx, &id, &flattened));
    value->id = id;
    value->flat = NULL;
done:
    return st;
}

waio_status waio_onnx_in_layout(waio_onnx *onnx, int *id, waio_onnx_value *value, const int *perm)
{
    waio_status st = WAIO_OK;
    int moves[WAIO_MAX_RANK] = {0}, rank = 0;

    WAIO_TRY(st, settle_flat(onnx, value));
    rank = waio_onnx_rank(onnx, value);
    *id = value->id;
    if (waio_onnx_same_perm(value->perm, perm, rank))
        return WAIO_OK;
    if (value->has_other && waio_onnx_same_perm(value->other_perm, perm, rank)) {
        *id = value->other_id;
        return WAIO_OK;
    }
    moves_to(rank, value->perm, perm, moves);
    WAIO_TRY(st, move_dims(onnx, id, moves));
    value->has_other = true;
    value->other_id = *id;
    memcpy(value->other_perm, perm, (size_t)rank * sizeof *perm);
done:
    return st;
}

/* ---- reshape ----
 *
 * The dimensions above 1 of both shapes, in ONNX's order, fall into groups of equal product:
 * (8, 3, 5) to (4, 2, 15) into 8 = 4 x 2 and 3 x 5 = 15. Groups may lie in any order in our graph;
 * only inside of a group must the numbers follow ONNX's order. */

typedef struct grouping {
    int in_count, out_count;
    int in[WAIO_MAX_RANK], out[WAIO_MAX_RANK];             /* ONNX dimensions above 1 */
    int in_group[WAIO_MAX_RANK], out_group[WAIO_MAX_RANK]; /* of each of them */
    int group_count;
    int order[WAIO_MAX_RANK]; /* groups as they lie in our graph */
} grouping;

static void list_dims(const waio_shape *shape, int dims[WAIO_MAX_RANK], int *count)
{
    *count = 0;
    for (int i = 1; i < shape->rank; i++)
        if (shape->dim[i] > 1)
            dims[(*count)++] = i;
}

static void find_groups(grouping *g, const waio_shape *in, const waio_shape *out)
{
    int j = 0;

    list_dims(in, g->in, &g->in_count);
    list_dims(out, g->out, &g->out_count);
    g->group_count = 0;
    for (int i = 0; i < g->in_count; g->group_count++) {
        int64_t a = in->dim[g->in[i]], b = out->dim[g->out[j]];
        g->in_group[i++] = g->group_count;
        g->out_group[j++] = g->group_count;
        while (a != b) { /* the counts are equal, so neither side ends before the other */
            if (a < b) {
                a *= in->dim[g->in[i]];
                g->in_group[i++] = g->group_count;
            } else {
                b *= out->dim[g->out[j]];
                g->out_group[j++] = g->group_count;
            }
        }
    }
}

static void order_groups(grouping *g, const int *perm)
{
    int first[WAIO_MAX_RANK];

    for (int k = 0; k < g->group_count; k++) {
        first[k] = WAIO_MAX_RANK;
        for (int i = 0; i < g->in_count; i++)
            if (g->in_group[i] == k && perm[g->in[i]] < first[k])
                first[k] = perm[g->in[i]];
    }
    for (int k = 0; k < g->group_count; k++) {
        int at = k;
        for (; at > 0 && first[g->order[at - 1]] > first[k]; at--)
            g->order[at] = g->order[at - 1];
        g->order[at] = k;
    }
}

/* Lists dimensions: the batch, those of size 1, then the others group by group. */
static void dims_in_order(const grouping *g, const waio_shape *shape, const int *dims,
                          const int *group, int count, int list[WAIO_MAX_RANK])
{
    int n = 0;

    list[n++] = 0;
    for (int i = 1; i < shape->rank; i++)
        if (shape->dim[i] == 1)
            list[n++] = i;
    for (int k = 0; k < g->group_count; k++)
        for (int i = 0; i < count; i++)
            if (group[i] == g->order[k])
                list[n++] = dims[i];
}

/* The layout of the result: a usual one if the numbers already stand so, else `list` as it is. */
static void choose_layout(const waio_shape *target, const int *list, int perm[WAIO_MAX_RANK])
{
    int listed[WAIO_MAX_RANK] = {0}, usual[WAIO_MAX_RANK] = {0}, moves[WAIO_MAX_RANK] = {0};
    waio_shape ours = {.rank = target->rank};

    for (int i = 0; i < target->rank; i++) {
        listed[list[i]] = i;
        ours.dim[i] = target->dim[list[i]];
    }
    memcpy(perm, listed, sizeof listed);
    for (int try = target->rank == 4 ? 0 : 1; try < 2; try++) {
        if (try == 0)
            waio_onnx_channels_last(target->rank, usual);
        else
            waio_onnx_identity(target->rank, usual);
        moves_to(target->rank, listed, usual, moves);
        if (keeps_order(&ours, moves)) {
            memcpy(perm, usual, sizeof usual);
            return;
        }
    }
}

waio_status waio_onnx_reshape_to(waio_onnx *onnx, waio_onnx_value *out, waio_onnx_value *value,
                                 const waio_shape *target)
{
    waio_status st = WAIO_OK;
    grouping g = {0};
    int list[WAIO_MAX_RANK] = {0}, moves[WAIO_MAX_RANK] = {0};
    waio_shape in, ours = {.rank = target->rank};

    WAIO_TRY(st, settle_flat(onnx, value));
    in = waio_onnx_shape(onnx, value);
    find_groups(&g, &in, target);
    order_groups(&g, value->perm);
    dims_in_order(&g, &in, g.in, g.in_group, g.in_count, list);
    for (int i = 0; i < in.rank; i++)
        moves[i] = value->perm[list[i]];
    *out = (waio_onnx_value){.kind = WAIO_ONNX_ACTIVATION, .id = value->id};
    const waio_shape *now = &onnx->graph->value[out->id].shape;
    if (!keeps_order(now, moves) && target->rank == 2) {
        waio_onnx_flat *flat = NULL;
        WAIO_NEW(st, flat, onnx->arena, 1);
        flat->shape = *now;
        memcpy(flat->perm, moves, sizeof moves);
        out->flat = flat;
    } else if (!keeps_order(now, moves)) {
        WAIO_TRY(st, move_dims(onnx, &out->id, moves));
    }
    dims_in_order(&g, target, g.out, g.out_group, g.out_count, list);
    choose_layout(target, list, out->perm);
    for (int i = 0; i < target->rank; i++)
        ours.dim[out->perm[i]] = target->dim[i];
    WAIO_TRY(st, reshape_graph_value(onnx, &out->id, &ours));
done:
    return st;
}

void waio_onnx_flat_columns(const waio_onnx_flat *flat, int64_t *columns)
{
    waio_shape shape = flat->shape;
    int64_t stride[WAIO_MAX_RANK] = {0}, at[WAIO_MAX_RANK] = {0}, step = 1, from = 0;
    int64_t count = waio_shape_count(&shape);

    for (int i = shape.rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= shape.dim[i];
    }
    for (int64_t k = 0; k < count; k++) {
        columns[k] = from;
        for (int i = shape.rank - 1; i >= 0; i--) {
            int d = flat->perm[i];
            from += stride[d];
            if (++at[d] < shape.dim[d])
                break;
            from -= stride[d] * at[d];
            at[d] = 0;
        }
    }
}
