/* McNemar's exact test: do two classifiers that saw the same images differ? */
#ifndef WAIO_SWEEP_MCNEMAR_H
#define WAIO_SWEEP_MCNEMAR_H

#include <stdint.h>

/* Of the images on which exactly one of two classifiers is right, `lost` are those of the first and
 * `gained` those of the second. If they are equally good, `lost` is binomial of lost + gained
 * trials at 1/2; the result is the two-sided probability of a split at least as uneven,
 * min(1, 2 P(X <= min(lost, gained))): exact, no normal approximation, no correction (McNemar 1947;
 * Agresti, Categorical Data Analysis, 11.1). 1 where both are 0. Any counts from 0 to 2^52; below
 * the smallest double it is 0. */
double waio_mcnemar(int64_t lost, int64_t gained);

#endif
