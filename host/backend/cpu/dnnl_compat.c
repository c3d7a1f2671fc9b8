#include "backend/cpu/dnnl_compat.h"

/* The four descriptors of a problem; `bias` only where there is one. */
typedef struct descriptors {
    waio_md src, weight, bias, dst;
} descriptors;

static void descriptors_destroy(descriptors *d)
{
    waio_md_destroy(d->src);
    waio_md_destroy(d->weight);
    waio_md_destroy(d->bias);
    waio_md_destroy(d->dst);
}

static dnnl_status_t descriptors_create(descriptors *d, const waio_dnnl_problem *p)
{
    dnnl_dims_t channels = {p->dst[1]}, one = {1};
    dnnl_status_t ds = waio_md_create(&d->src, p->rank, p->src, p->src_strides);

    if (ds == dnnl_success)
        ds = waio_md_create(&d->weight, p->weight_rank, p->weight, NULL);
    if (ds == dnnl_success)
        ds = waio_md_create(&d->dst, p->rank, p->dst, p->dst_strides);
    if (ds == dnnl_success && p->bias)
        ds = waio_md_create(&d->bias, 1, channels, one);
    return ds;
}

#if DNNL_VERSION_MAJOR >= 3

static dnnl_status_t create_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                               const descriptors *d, const waio_dnnl_problem *p,
                               const_dnnl_primitive_attr_t attr)
{
    if (p->convolution)
        return dnnl_convolution_forward_primitive_desc_create(
            pd, engine, dnnl_forward_inference, dnnl_convolution_direct, d->src, d->weight, d->bias,
            d->dst, p->stride, p->dilation, p->pad_before, p->pad_after, attr);
    return dnnl_inner_product_forward_primitive_desc_create(
        pd, engine, dnnl_forward_inference, d->src, d->weight, d->bias, d->dst, attr);
}

#else

static dnnl_status_t create_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                               const descriptors *d, const waio_dnnl_problem *p,
                               const_dnnl_primitive_attr_t attr)
{
    dnnl_status_t ds;

    if (p->convolution) {
        dnnl_convolution_desc_t desc;
        ds = dnnl_dilated_convolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_convolution_direct, d->src, d->weight, d->bias,
            d->dst, p->stride, p->dilation, p->pad_before, p->pad_after);
        return ds == dnnl_success ? dnnl_primitive_desc_create(pd, &desc, attr, engine, NULL) : ds;
    }
    dnnl_inner_product_desc_t desc;
    ds = dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_inference, d->src, d->weight,
                                              d->bias, d->dst);
    return ds == dnnl_success ? dnnl_primitive_desc_create(pd, &desc, attr, engine, NULL) : ds;
}

#endif

waio_status waio_dnnl_create(dnnl_primitive_t *primitive, waio_md *weight_md, size_t *scratch,
                             const char **implementation, dnnl_engine_t engine,
                             const waio_dnnl_problem *problem)
{
    waio_status st = WAIO_OK;
    descriptors d = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;

    DNNL_TRY(st, descriptors_create(&d, problem));
    DNNL_TRY(st, dnnl_primitive_attr_create(&attr));
    DNNL_TRY(st, dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    DNNL_TRY(st, create_pd(&pd, engine, &d, problem, attr));
    DNNL_TRY(st,
             dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)implementation));
    *weight_md = waio_md_clone(dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
    if (!*weight_md)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    *scratch = waio_md_bytes(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    DNNL_TRY(st, dnnl_primitive_create(primitive, pd));
done:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    descriptors_destroy(&d);
    return st;
}
