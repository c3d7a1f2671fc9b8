/* The memory plan: values that live at the same time never share a byte. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>

#include "graph/memplan.h"
#include "util/rng.h"

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* The most bytes that live in one step: no plan can do with less. */
static size_t peak(const waio_lifetime *item, int count, int steps)
{
    size_t top = 0;

    for (int s = 0; s < steps; s++) {
        size_t alive = 0;
        for (int i = 0; i < count; i++)
            alive += item[i].first <= s && s <= item[i].last ? rounded(item[i].bytes) : 0;
        top = alive > top ? alive : top;
    }
    return top;
}

static void check_pair(const waio_lifetime *a, const waio_lifetime *b)
{
    bool in_time = a->first <= b->last && b->first <= a->last;
    bool in_memory = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
    CHECK(!(in_time && in_memory), "steps %d-%d at %zu+%zu and %d-%d at %zu+%zu", a->first, a->last,
          a->offset, a->bytes, b->first, b->last, b->offset, b->bytes);
}

static void check_plan(const waio_lifetime *item, int count, int steps, size_t total)
{
    size_t sum = 0;

    for (int i = 0; i < count; i++) {
        sum += rounded(item[i].bytes);
        CHECK(item[i].offset % 64 == 0, "offset %zu", item[i].offset);
        CHECK(item[i].bytes == 0 || item[i].offset + item[i].bytes <= total, "past the end");
        for (int j = 0; j < i && item[i].bytes; j++)
            if (item[j].bytes)
                check_pair(&item[i], &item[j]);
    }
    size_t least = peak(item, count, steps);
    CHECK(total <= sum, "%zu bytes for values of %zu", total, sum);
    CHECK(total >= least, "%zu bytes, yet %zu live at once", total, least);
}

enum { MOST = 60, STEPS = 40 };

static int random_lifetimes(waio_lifetime *item, uint64_t seed)
{
    waio_rng rng = {seed};
    int count = (int)waio_rng_below(&rng, MOST + 1);

    for (int i = 0; i < count; i++) {
        int first = (int)waio_rng_below(&rng, STEPS);
        int length = (int)waio_rng_below(&rng, waio_rng_below(&rng, 4) ? 4 : STEPS);
        size_t bytes = waio_rng_below(&rng, 10) ? (size_t)waio_rng_below(&rng, 5000) : 0;
        item[i] = (waio_lifetime){.bytes = bytes,
                                  .first = first,
                                  .last = first + length < STEPS ? first + length : STEPS - 1};
    }
    return count;
}

/* Plans need not be the best, but they are within a few per cent of what no plan can beat. */
static void random_plans(void)
{
    double sum = 0, least = 0;
    waio_lifetime item[MOST] = {0}, again[MOST] = {0};
    size_t total = 0, total_again = 0;

    for (uint64_t seed = 1; seed <= 2000; seed++) {
        int count = random_lifetimes(item, seed);
        CHECK_OK(waio_memplan(item, count, &total));
        check_plan(item, count, STEPS, total);
        sum += (double)total;
        least += (double)peak(item, count, STEPS);
        random_lifetimes(again, seed);
        CHECK_OK(waio_memplan(again, count, &total_again));
        bool equal = total == total_again;
        for (int i = 0; i < count; i++)
            equal = equal && item[i].offset == again[i].offset;
        CHECK(equal, "seed %d: two plans differ", (int)seed);
    }
    printf("bytes above the peak: %.1f %%\n", 100 * (sum / least - 1));
    CHECK(sum <= 1.05 * least, "%.1f %% above the peak", 100 * (sum / least - 1));
}

/* A chain needs its two largest neighbours, whatever its length. */
static void a_chain_takes_turns(void)
{
    waio_lifetime item[20];
    size_t total = 0;

    for (int i = 0; i < 20; i++)
        item[i] = (waio_lifetime){.bytes = 1000, .first = i, .last = i + 1};
    CHECK_OK(waio_memplan(item, 20, &total));
    CHECK(total == 2 * rounded(1000), "%zu bytes", total);
}

static void small_plans(void)
{
    waio_lifetime one = {.bytes = 1, .first = 3, .last = 3}, none = {.first = 0, .last = 9};
    size_t total = 99;

    CHECK_OK(waio_memplan(&one, 1, &total));
    CHECK(total == 64 && one.offset == 0, "one byte takes %zu at %zu", total, one.offset);
    CHECK_OK(waio_memplan(&none, 1, &total));
    CHECK(total == 0, "nothing takes %zu", total);
    CHECK_OK(waio_memplan(&none, 0, &total));
    CHECK(total == 0, "no items take %zu", total);
}

int main(void)
{
    small_plans();
    a_chain_takes_turns();
    random_plans();
    return waio_check_result();
}
