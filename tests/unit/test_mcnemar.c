/* McNemar's exact test against sums of whole numbers, computed elsewhere (Python's fractions), and
 * its behaviour where counts are large. */
#include <math.h>

#include "check.h"
#include "sweep/mcnemar.h"

static const struct {
    int64_t b, c;
    double p;
} cases[] = {
    {0, 0, 1.0},
    {0, 1, 1.0},
    {1, 0, 1.0},
    {0, 5, 0.0625},
    {1, 9, 0.021484375},
    {10, 3, 0.09228515625},
    {30, 50, 0.03299261842647618},
    {59, 41, 0.08862608011406758},
    {49, 51, 0.9204107626128213},
    {0, 60, 1.734723475976807e-18},
    {100, 160, 0.00023894190306814023},
    {500, 600, 0.0028195449914364275},
    {1000, 1000, 1.0},
    {5000, 4700, 0.0023966033625776252},
    {50000, 50600, 0.05895199586854771},
    {1, 1000, 9.351301457402253e-299},
    {0, 1000, 1.8665272370064378e-301},
    {0, 2000, 0.0},
};

static void exact(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double p = waio_mcnemar_p(cases[i].b, cases[i].c);
        CHECK(fabs(p - cases[i].p) <= 1e-9 * cases[i].p, "%lld and %lld: %.17g, expected %.17g",
              (long long)cases[i].b, (long long)cases[i].c, p, cases[i].p);
        CHECK(p == waio_mcnemar_p(cases[i].c, cases[i].b), "%zu: the order counts", i);
    }
}

/* With many images the binomial is a normal: erfc(z / sqrt 2), z with a continuity correction. */
static void large(void)
{
    static const int64_t sum[] = {1000000, 1000000000, 1000000000000};

    for (size_t i = 0; i < sizeof sum / sizeof *sum; i++)
        for (int sd = 1; sd <= 4; sd++) {
            int64_t apart = (int64_t)(sd * sqrt((double)sum[i])) / 2 * 2;
            int64_t b = (sum[i] - apart) / 2, c = (sum[i] + apart) / 2;
            double z = ((double)apart - 1) / sqrt((double)sum[i]);
            double want = erfc(z / sqrt(2)), p = waio_mcnemar_p(b, c);
            CHECK(fabs(p - want) < 0.002 * want, "%lld and %lld: %.9g, a normal gives %.9g",
                  (long long)b, (long long)c, p, want);
        }
    CHECK(waio_mcnemar_p(0, INT64_C(1) << 40) == 0, "certain");
    CHECK(waio_mcnemar_p(INT64_C(1) << 40, INT64_C(1) << 40) == 1, "no difference");
}

int main(void)
{
    exact();
    large();
    return waio_check_result();
}
