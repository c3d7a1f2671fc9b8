#include "sweep/mcnemar.h"

#include <math.h>

/* ln n! - (ln sqrt(2 pi n) + n ln n - n), n > 0: what Stirling's formula leaves out. As a series it
 * is small and exact where ln n! itself would have lost its digits. */
static double stirling_error(double n)
{
    double factorial = 1;

    if (n > 15) {
        double s = 1 / (n * n);
        return (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s / 1188)))) / n;
    }
    for (double k = 2; k <= n; k++)
        factorial *= k;
    return log(factorial) - (0.5 * log(2 * M_PI * n) + n * log(n) - n);
}

/* ln of the probability of k among n at 1/2: Stirling's formula for the three factorials, whose
 * large terms leave n / 2 [(1 - d) ln(1 - d) + (1 + d) ln(1 + d)] at d = (n - 2k) / n. */
static double log_probability(double n, double k)
{
    double d = (n - 2 * k) / n;

    if (k == 0)
        return -n * M_LN2;
    return stirling_error(n) - stirling_error(k) - stirling_error(n - k) +
           0.5 * log(n / (2 * M_PI * k * (n - k))) -
           n / 2 * ((1 - d) * log1p(-d) + (1 + d) * log1p(d));
}

double waio_mcnemar(int64_t lost, int64_t gained)
{
    double n = (double)lost + (double)gained, k = (double)(lost < gained ? lost : gained);
    double sum = 1, term = 1;

    if (lost == gained)
        return 1;
    /* P(X = i - 1) = P(X = i) i / (n - i + 1), from the largest term down. */
    for (double i = k; i > 0 && term > 1e-18 * sum; i--) {
        term *= i / (n - i + 1);
        sum += term;
    }
    return fmin(1, 2 * exp(log_probability(n, k)) * sum);
}
