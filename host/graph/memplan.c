#include "graph/memplan.h"

#include <stdbool.h>
#include <stdlib.h>

enum { ALIGN = 64 };

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static int by_size(const void *a, const void *b)
{
    const waio_lifetime *x = *(waio_lifetime *const *)a, *y = *(waio_lifetime *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : 1;
}

static bool overlap_in_time(const waio_lifetime *a, const waio_lifetime *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which `item` meets none of the `placed` ones that live when it does. */
static size_t lowest_fit(waio_lifetime *const *placed, int count, const waio_lifetime *item)
{
    size_t offset = 0;
    bool moved = true;

    while (moved) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const waio_lifetime *other = placed[i];
            bool clash = overlap_in_time(other, item) &&
                         offset < other->offset + rounded(other->bytes) &&
                         other->offset < offset + rounded(item->bytes);
            if (clash) {
                offset = other->offset + rounded(other->bytes);
                moved = true;
            }
        }
    }
    return offset;
}

waio_status waio_memplan(waio_lifetime *item, int count, size_t *total)
{
    waio_lifetime **order = malloc((size_t)(count ? count : 1) * sizeof(waio_lifetime *));
    int used = 0;

    if (!order)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int i = 0; i < count; i++)
        if (item[i].bytes)
            order[used++] = &item[i];
    qsort(order, (size_t)used, sizeof(waio_lifetime *), by_size);
    *total = 0;
    for (int i = 0; i < used; i++) {
        order[i]->offset = lowest_fit(order, i, order[i]);
        size_t end = order[i]->offset + rounded(order[i]->bytes);
        *total = end > *total ? end : *total;
    }
    free(order);
    return WAIO_OK;
}
