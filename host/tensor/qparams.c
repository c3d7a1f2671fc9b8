#include "tensor/qparams.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/* A range of nothing. A step below FLT_MIN has lost digits, and 1 / step may be infinite. */
static const waio_qparams nothing = {1, 0, 0, 0};

waio_qparams waio_qparams_asymmetric(float min, float max, int bits)
{
    assert(bits >= 2 && bits <= 16);
    waio_qparams p = {1, 0, -(1 << (bits - 1)), (1 << (bits - 1)) - 1};
    float low = min < 0 ? min : 0, high = max > 0 ? max : 0;
    float scale = (float)((double)(high - low) / (p.hi - p.lo));

    if (!(scale >= FLT_MIN))
        return nothing;
    p.scale = scale;
    double zero = round(p.lo - (double)low / (double)scale);
    p.zero_point = zero < p.lo ? p.lo : zero > p.hi ? p.hi : (int32_t)zero;
    return p;
}

waio_qparams waio_qparams_symmetric(float min, float max, int bits)
{
    assert(bits >= 2 && bits <= 16);
    int32_t top = (1 << (bits - 1)) - 1;
    waio_qparams p = {1, 0, -top, top};
    float reach = fmaxf(fabsf(min), fabsf(max));
    float scale = (float)((double)reach / top);

    if (!(scale >= FLT_MIN))
        return nothing;
    p.scale = scale;
    return p;
}

waio_fq waio_qparams_fq(const waio_qparams *p)
{
    return (waio_fq){p->scale, (float)(p->lo - p->zero_point), (float)(p->hi - p->zero_point)};
}
