/* McNemar's exact test: do two classifiers that saw the same images differ? Of the images that only
 * one of them has right, `b` and `c` fall to either; without a difference each falls as a coin
 * does. p = min(1, 2 P(X <= min(b, c))), X binomial of b + c and 1/2. */
#ifndef WAIO_SWEEP_MCNEMAR_H
#define WAIO_SWEEP_MCNEMAR_H

#include <stdint.h>

/* 1 where b = c, so also where no image tells the two apart. `b` and `c` are at least 0. */
double waio_mcnemar_p(int64_t b, int64_t c);

#endif
