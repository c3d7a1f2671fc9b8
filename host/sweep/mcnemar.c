/* The largest term of the tail by Stirling's formula with its error (C. Loader, Fast and Accurate
 * Computation of Binomial Probabilities, 2000), which stays exact where logarithms of factorials
 * would cancel; the other terms by their ratios, each smaller than the one before. */
#include "sweep/mcnemar.h"

#include <math.h>

/* log n! less Stirling's formula. */
static double stirling_error(double n)
{
    if (n < 16)
        return lgamma(n + 1) - (n + 0.5) * log(n) + n - 0.5 * log(2 * 3.14159265358979323846);
    double s = 1 / (n * n);
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - s / 1680) * s) * s) / n;
}

/* The probability of k heads in n throws, k <= n / 2. */
static double binomial_half(double n, double k)
{
    double half = n / 2, d = (half - k) / half;

    if (k == 0)
        return exp2(-n);
    double apart = half * ((1 + d) * log1p(d) + (1 - d) * log1p(-d));
    return exp(stirling_error(n) - stirling_error(k) - stirling_error(n - k) - apart) *
           sqrt(n / (2 * 3.14159265358979323846 * k * (n - k)));
}

double waio_mcnemar_p(int64_t b, int64_t c)
{
    double least = (double)(b < c ? b : c), n = (double)b + (double)c;
    double sum = 0, term = 1;

    if (b == c)
        return 1;
    for (double k = least; k >= 0 && term > sum * 1e-17; k--) {
        sum += term;
        term *= k / (n - k + 1);
    }
    return fmin(1, 2 * sum * binomial_half(n, least));
}
