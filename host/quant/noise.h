/* Ranges of activations by what an image of noise makes of the network, as SQuant's authors set
 * them: so many standard deviations around 0 for the bits. */
#ifndef WAIO_QUANT_NOISE_H
#define WAIO_QUANT_NOISE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct waio_noise {
    struct waio_noise_sums {
        int64_t count;
        double sum, squares;
    } all, positive;
    float min, max;
} waio_noise;

/* Nothing seen yet. */
waio_noise waio_noise_new(void);
/* In order: the last digits of sums depend on it. */
void waio_noise_observe(waio_noise *noise, const float *data, int64_t count);

/* The sample's standard deviation; of the positive numbers alone where none is negative. */
double waio_noise_deviation(const waio_noise *noise);
/* [0, a] where nothing is negative, with a = N deviations; else [-a, a], a = N / 1.25 deviations. N
 * is 25 at 8 bits, 14 at 6, 12 at 4 (published), 19 at 7, 13 at 5, 12 below and 25 above. Below 6
 * bits a is at most the largest number seen. */
void waio_noise_range(const waio_noise *noise, int bits, float *min, float *max);

#endif
