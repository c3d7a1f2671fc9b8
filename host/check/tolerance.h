/* How far two backends may be apart, each bound with its reason. `eps` is 2^-23, the distance from
 * 1 to the next float; one rounding errs by at most eps/2 of the result. */
#ifndef WAIO_CHECK_TOLERANCE_H
#define WAIO_CHECK_TOLERANCE_H

#define WAIO_EPS 1.1920928955078125e-7

/* Sums: the normalized mean square error, sum (a-b)^2 / sum b^2, may be (K + 8) * eps^2 for sums
 * of K products. Summing K numbers of random sign one by one in float gives K/24 * eps^2, numbers
 * of one sign K/36 * eps^2; 8 stands for the few roundings that each result has besides. Summands
 * that are all equal err in one direction and go beyond it by a factor of 10 or so: networks whose
 * weights are one number, as some test files have, are no use here. */
#define WAIO_BOUND_SUM(K) (((double)(K) + 8) * WAIO_EPS * WAIO_EPS)

/* Batch norm, per number in eps of the largest result: the difference to the mean, the factor, the
 * product and the sum are rounded, each by half of eps, the first two perhaps when the numbers are
 * up to twice as large as the largest result. */
#define WAIO_BOUND_BATCH_NORM 4.0

/* Softmax, per number in eps of itself: exp of the C library errs by 1 at most, once in the number
 * and once in the sum; the argument x - max, of size up to 20, is rounded to half of eps * 20; the
 * sum of up to 1001 positive numbers errs by sqrt(1001)/2 = 16 if each rounding has its own sign.
 */
#define WAIO_BOUND_SOFTMAX 32.0

/* Logistic, per number in eps of itself: exp errs by 1, the sum and the quotient by 1/2. */
#define WAIO_BOUND_LOGISTIC 4.0

/* Resize, per number in eps of the largest result: two positions, three interpolations. */
#define WAIO_BOUND_RESIZE 8.0

/* Numbers whose difference is below this are equal: results so small are sums of subnormals. */
#define WAIO_BOUND_TINY 1e-37

/* A quantized value may be one step off where the unrounded value lies on a tie, that is, where
 * both backends' values are within this share of a step from it; the layer's own bound says how
 * close they are to each other. 2^-10: sums of 2^12 products differ by some 100 eps of values of up
 * to 128 steps. */
#define WAIO_BOUND_TIE 0x1p-10

/* Whole networks, end to end: NMSE of the output. Every layer adds its own error and passes the
 * earlier ones on, which a trained or well-scaled network neither grows nor shrinks much: 1e-9 is
 * 200 layers of sums of 300 products, each worse than expected by a factor of 1.2. */
#define WAIO_BOUND_NETWORK 1e-9

/* Two backends may name another best class where the reference's two best differ by less than this
 * share of the range of its outputs: the square root of the bound above, over one image. */
#define WAIO_BOUND_MARGIN 1e-4

/* The same for a network with quantized activations, where a value on a tie goes one step up on the
 * one and down on the other backend, and 1/255 of a layer's range is passed on. */
#define WAIO_BOUND_MARGIN_QUANTIZED  0.05
#define WAIO_BOUND_NETWORK_QUANTIZED 1e-2

#endif
