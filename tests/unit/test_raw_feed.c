/* The thesis's experiment 6 by hand: the identity at 8 bits, fed right and raw. */
#include "sweep/raw_feed.h"

#include "check.h"

/* Bytes 103 to 150: the range is [0, 150], so scale 150/255, zero point -128. */
static void by_hand(const waio_backend *backend)
{
    waio_raw_feed r;

    CHECK_OK(waio_raw_feed_run(&r, 103, 150, backend));
    CHECK(fabs((double)r.input.scale - 150.0 / 255) < 1e-6, "scale %g", (double)r.input.scale);
    CHECK(r.input.zero_point == -128, "zero point %d", r.input.zero_point);
    for (int x = 0; x <= 150; x++) {
        const waio_raw_feed_byte *b = &r.byte[x];
        /* The nearest code; every tenth byte lies on a tie, which a scale in float32 decides. */
        CHECK(fabs(b->code + 128 - x * 1.7) <= 0.5 + 1e-5, "byte %d: code %d", x, b->code);
        CHECK(fabs(b->value - x) <= 150.0 / 255, "byte %d is answered with %g", x, b->value);
    }
    CHECK(r.byte[103].code == 47 && r.byte[150].code == 127, "%d, %d", r.byte[103].code,
          r.byte[150].code);
    /* Fed raw: byte 103 is taken for (103 + 128) x 150 / 255 = 135.88, byte 128 for 0. */
    CHECK(fabs(r.byte[103].seen - 135.882) < 1e-2, "%g", r.byte[103].seen);
    CHECK(fabs(r.byte[103].raw_value - 135.882) <= 150.0 / 255, "%g", r.byte[103].raw_value);
    CHECK(r.byte[127].raw_value > 149 && fabs(r.byte[128].raw_value) <= 150.0 / 255,
          "127 is answered with %g, 128 with %g", r.byte[127].raw_value, r.byte[128].raw_value);
    CHECK(r.byte[200].raw_code == -56, "%d", r.byte[200].raw_code);
}

/* Calibrated on all bytes the codes are x - 128: raw feeding is then half a turn of all bytes. */
static void whole_range(void)
{
    waio_raw_feed r;

    CHECK_OK(waio_raw_feed_run(&r, 0, 255, &waio_backend_ref));
    for (int x = 0; x < 256; x++) {
        CHECK(r.byte[x].code == x - 128, "byte %d: code %d", x, r.byte[x].code);
        CHECK(fabs(r.byte[x].raw_value - (x + 128) % 256) <= 1, "byte %d: %g", x,
              r.byte[x].raw_value);
    }
}

int main(void)
{
    by_hand(&waio_backend_ref);
    by_hand(&waio_backend_cpu);
    whole_range();
    return waio_check_result();
}
