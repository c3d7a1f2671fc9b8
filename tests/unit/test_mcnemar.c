/* The exact test against probabilities that were summed in whole numbers of any size (Python's, for
 * each count all of its terms), and against sums made here for small counts. */
#include <math.h>

#include "check.h"
#include "sweep/mcnemar.h"

static const struct {
    int64_t lost, gained;
    double p;
} known[] = {
    {0, 0, 1},
    {1, 0, 1},
    {2, 0, 0.5},
    {5, 1, 0.21875},
    {10, 2, 0.03857421875},
    {12, 20, 0.21532714972272515},
    {59, 6, 4.964650327128617e-12},
    {101, 121, 0.20213432065995873},
    {15, 16, 1},
    {14, 30, 0.022628841205914796},
    {0, 15, 6.103515625e-05},
    {0, 16, 3.0517578125e-05},
    {0, 1022, 4.450147717014403e-308},
    {500, 400, 0.0009564441369189461},
    {1000, 1100, 0.030720707864242296},
    {5000, 5200, 0.04878796312682245},
    {4000, 6000, 1.7404316412268784e-89},
    {20000, 20300, 0.13637447838816746},
    {99800, 100700, 0.04467310076304792},
    {10, 1000, 5.359574874624727e-281},
};

static void known_values(void)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double p = waio_mcnemar(known[i].lost, known[i].gained);
        double swapped = waio_mcnemar(known[i].gained, known[i].lost);
        CHECK(fabs(p - known[i].p) <= 1e-11 * known[i].p, "%lld, %lld: %.17g, exactly %.17g",
              (long long)known[i].lost, (long long)known[i].gained, p, known[i].p);
        CHECK(p == swapped, "both sides are alike: %.17g, %.17g", p, swapped);
    }
    CHECK(waio_mcnemar(0, 1100) == 0, "too small for a double");
    CHECK(waio_mcnemar(0, 1000000000000) == 0, "far too small");
    CHECK(waio_mcnemar(2251799813685248, 2251799813685248) == 1, "even");
    double p = waio_mcnemar(1000000000000, 1000000000001);
    CHECK(p > 0.999999 && p <= 1, "nearly even, large: %.17g", p);
    /* Here the normal distribution is exact to 7 digits: 2 Phi(-(d - 1) / sqrt n). */
    double z = (2000000.0 - 1) / sqrt(1e12);
    p = waio_mcnemar(499999000000, 500001000000);
    CHECK(fabs(p / erfc(z / sqrt(2)) - 1) < 1e-6, "large: %.9g, normal %.9g", p, erfc(z / sqrt(2)));
}

/* All sums of 53 bits are exact. */
static void small_sums(void)
{
    for (int n = 1; n <= 50; n++) {
        double choose = 1, sum = 0;
        for (int k = 0; 2 * k <= n; k++) {
            sum += choose;
            double p = fmin(1, ldexp(2 * sum, -n)), got = waio_mcnemar(k, n - k);
            CHECK(fabs(got - p) <= 1e-13 * p, "%d, %d: %.17g, exactly %.17g", k, n - k, got, p);
            choose = choose * (n - k) / (k + 1);
        }
    }
}

int main(void)
{
    known_values();
    small_sums();
    return waio_check_result();
}
