/* e^x in float, the same on every device and on the CPU: no library function, whose results differ.
 * x = n ln 2 + r with |r| <= ln(2) / 2; e^r is its series to the 7th power, off by 6e-9 of itself
 * there. Off by at most 1 eps of the result, or of the smallest subnormal. */
#ifndef WAIO_KERNELS_EXP_CUH
#define WAIO_KERNELS_EXP_CUH

#include "kernels/portable.cuh"

/* e^(x + rest): x <= 0 or NaN, which stays NaN; rest is below an eps of x. */
static __device__ __forceinline__ float waio_exp_f32(float x, float rest)
{
    const float ln2 = 0x1.62e43p-1f, ln2_rest = -0x1.05c61p-29f;

    if (x < -104.0f) /* less than half of the smallest subnormal */
        return 0.0f;
    float n = rintf(x * 1.44269504f);
    float r = fmaf(n, -ln2_rest, fmaf(n, -ln2, x)) + rest;
    float y = fmaf(r, 1.0f / 5040, 1.0f / 720);
    y = fmaf(y, r, 1.0f / 120);
    y = fmaf(y, r, 1.0f / 24);
    y = fmaf(y, r, 1.0f / 6);
    y = fmaf(y, r, 0.5f);
    y = fmaf(y, r, 1.0f);
    y = fmaf(y, r, 1.0f);
    /* Times 2^n in two normal steps: the second one rounds a subnormal, once. */
    int power = __float2int_rn(n), half = power / 2;
    return y * __int_as_float((half + 127) << 23) * __int_as_float((power - half + 127) << 23);
}

#endif
