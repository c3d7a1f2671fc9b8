/* oneDNN 2.x and 3.x behind one set of names: memory descriptors are structs in 2.x and handles in
 * 3.x, and 2.x makes a primitive from an operation descriptor. Float32 forward inference only. */
#ifndef WAIO_BACKEND_CPU_DNNL_COMPAT_H
#define WAIO_BACKEND_CPU_DNNL_COMPAT_H

#include <dnnl.h>
#include <stdbool.h>
#include <string.h>

#include "util/status.h"

#define DNNL_TRY(st, call)                                                                         \
    do {                                                                                           \
        dnnl_status_t dnnl_st_ = (call);                                                           \
        if (dnnl_st_ != dnnl_success)                                                              \
            WAIO_FAIL(st,                                                                          \
                      dnnl_st_ == dnnl_out_of_memory   ? WAIO_ENOMEM                               \
                      : dnnl_st_ == dnnl_unimplemented ? WAIO_EUNSUPPORTED                         \
                                                       : WAIO_EINTERNAL,                           \
                      "oneDNN: %s failed with status %d", #call, (int)dnnl_st_);                   \
    } while (0)

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t waio_md;
typedef const_dnnl_memory_desc_t waio_md_view;
#else
typedef dnnl_memory_desc_t *waio_md;
typedef const dnnl_memory_desc_t *waio_md_view;
#endif

/* Everything that a convolution or dense primitive is made from. The arrays follow oneDNN's
 * logical order: source (N,C,H,W) or (N,C), weight ([G,]O,I[,H,W]), destination alike. */
typedef struct waio_dnnl_problem {
    bool convolution;
    int rank, weight_rank;
    dnnl_dims_t src, weight, dst;
    dnnl_dims_t src_strides, weight_strides, dst_strides;
    dnnl_dims_t stride, dilation, pad_before, pad_after; /* dilation: 0 is dense */
    bool bias;
} waio_dnnl_problem;

/* The primitive and the layout that it wants its weight in. */
waio_status waio_dnnl_create(dnnl_primitive_t *primitive, waio_md *weight_md, size_t *scratch,
                             dnnl_engine_t engine, const waio_dnnl_problem *problem);

/* A descriptor of float32 with the given strides (`strides` NULL: any layout). */
static inline dnnl_status_t waio_md_create(waio_md *md, int rank, const dnnl_dims_t dims,
                                           const dnnl_dims_t strides);
static inline void waio_md_destroy(waio_md md);
static inline size_t waio_md_bytes(waio_md_view md);

#if DNNL_VERSION_MAJOR >= 3

static inline dnnl_status_t waio_md_create(waio_md *md, int rank, const dnnl_dims_t dims,
                                           const dnnl_dims_t strides)
{
    if (strides)
        return dnnl_memory_desc_create_with_strides(md, rank, dims, dnnl_f32, strides);
    return dnnl_memory_desc_create_with_tag(md, rank, dims, dnnl_f32, dnnl_format_tag_any);
}

static inline waio_md waio_md_clone(waio_md_view md)
{
    waio_md copy = NULL;
    return dnnl_memory_desc_clone(&copy, md) == dnnl_success ? copy : NULL;
}

static inline void waio_md_destroy(waio_md md)
{
    if (md)
        dnnl_memory_desc_destroy(md);
}

#else

#include <stdlib.h>

static inline dnnl_status_t waio_md_create(waio_md *md, int rank, const dnnl_dims_t dims,
                                           const dnnl_dims_t strides)
{
    *md = calloc(1, sizeof **md);
    if (!*md)
        return dnnl_out_of_memory;
    if (strides)
        return dnnl_memory_desc_init_by_strides(*md, rank, dims, dnnl_f32, strides);
    return dnnl_memory_desc_init_by_tag(*md, rank, dims, dnnl_f32, dnnl_format_tag_any);
}

static inline waio_md waio_md_clone(waio_md_view md)
{
    waio_md copy = malloc(sizeof *copy);
    if (copy)
        *copy = *md;
    return copy;
}

static inline void waio_md_destroy(waio_md md)
{
    free(md);
}

#endif

static inline size_t waio_md_bytes(waio_md_view md)
{
    return dnnl_memory_desc_get_size(md);
}

#endif
