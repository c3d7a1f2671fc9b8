#include "tensor/shape.h"

#include <inttypes.h>
#include <stdio.h>

int64_t waio_shape_count(const waio_shape *shape)
{
    const int64_t limit = INT64_C(1) << 40;
    int64_t n = 1;

    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1 || shape->dim[i] > limit / n)
            return -1;
        n *= shape->dim[i];
    }
    return n;
}

bool waio_shape_equal(const waio_shape *a, const waio_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

char *waio_shape_text(const waio_shape *shape, char text[64])
{
    size_t used = 0;

    snprintf(text, 64, "scalar");
    for (int i = 0; i < shape->rank && used < 64; i++) {
        int n = snprintf(text + used, 64 - used, "%s%" PRId64, i ? "x" : "", shape->dim[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

bool waio_shape_broadcast(waio_shape *out, const waio_shape *a, const waio_shape *b)
{
    waio_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};

    for (int i = 0; i < result.rank; i++) {
        int ia = i - (result.rank - a->rank), ib = i - (result.rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia];
        int64_t db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return false;
        result.dim[i] = da == 1 ? db : da;
    }
    *out = result;
    return true;
}
