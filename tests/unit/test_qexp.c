/* Exponential and reciprocal in fixed point against the real ones. */
#include <math.h>

#include "check.h"
#include "kernels/qexp.h"

/* What the series leaves out, (1/8)^5 / 120, next to e^(-1/8); and the roundings of the steps. */
#define RELATIVE 2.9e-7
#define ABSOLUTE (8 * 0x1p-31)

static void test_exp(void)
{
    double worst = 0;

    for (int64_t x = 0; x > -(INT64_C(1) << 31); x -= 4099) {
        double want = exp(ldexp((double)x, -26));
        double got = ldexp(waio_exp_of_negative((int32_t)x), -31);
        double share = fabs(got - want) / (RELATIVE * want + ABSOLUTE);
        worst = share > worst ? share : worst;
    }
    CHECK(worst <= 1, "off by %g of the bound", worst);
    CHECK(waio_exp_of_negative(0) == INT32_MAX, "e^0");
    CHECK(waio_exp_of_negative(INT32_MIN) == 0, "e^-32 is %d", waio_exp_of_negative(INT32_MIN));
}

static void test_reciprocal(void)
{
    double worst = 0;

    for (int64_t x = 0; x <= INT32_MAX; x += 1021) {
        double want = 1 / (1 + ldexp((double)x, -31));
        double got = ldexp(waio_reciprocal_of_one_plus((int32_t)x), -31);
        worst = fmax(worst, fabs(got - want) / ABSOLUTE);
    }
    CHECK(worst <= 1, "off by %g of the bound", worst);
    CHECK(waio_reciprocal_of_one_plus(0) == INT32_MAX, "1 / 1 is the largest number there is");
}

int main(void)
{
    test_exp();
    test_reciprocal();
    return waio_check_result();
}
