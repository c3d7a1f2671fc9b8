/* SQuant's rounding of a whole network's weights, timed: bench_squant WEIGHTS VALUES BITS THREADS
 * RUNS. scripts/bench_squant.py writes WEIGHTS: the number of layers, then for each its channels,
 * positions and inputs (64 bits each) and its weights, (channels, positions, inputs) floats. VALUES
 * receives the quantized weights in the same order. A line a run: seconds, and seconds of processor
 * time of all threads, for ranges, rounding and values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/weights.h"
#include "util/clock.h"
#include "util/file.h"

typedef struct layer {
    waio_squant_shape shape;
    const float *weight;
    int64_t count;
} layer;

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static waio_status read_layers(layer *out, int64_t layers, const unsigned char *at,
                               const unsigned char *end)
{
    for (int64_t i = 0; i < layers; i++) {
        int64_t dim[3];
        if (end - at < (ptrdiff_t)sizeof dim)
            return waio_error(WAIO_EINPUT, "layer %lld: the file ends", (long long)i);
        memcpy(dim, at, sizeof dim);
        at += sizeof dim;
        for (int k = 0; k < 3; k++)
            if (dim[k] < 1 || dim[k] > 1 << 20)
                return waio_error(WAIO_EINPUT, "layer %lld: a dimension of %lld", (long long)i,
                                  (long long)dim[k]);
        int64_t count = dim[0] * dim[1] * dim[2];
        if ((end - at) / (ptrdiff_t)sizeof(float) < count)
            return waio_error(WAIO_EINPUT, "layer %lld: the file ends", (long long)i);
        out[i] = (layer){{dim[0], dim[1], dim[2]}, (const float *)(const void *)at, count};
        at += (size_t)count * sizeof(float);
    }
    return WAIO_OK;
}

static waio_status run_once(const layer *l, int64_t layers, int bits, int threads, FILE *values)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    waio_rounder rounder = {.threads = threads};
    waio_scheme scheme;
    float *out = NULL;
    int64_t most = 0;

    WAIO_TRY(st, waio_scheme_read(&scheme, waio_preset_find("squant")));
    for (int64_t i = 0; i < layers; i++)
        most = l[i].count > most ? l[i].count : most;
    out = malloc((size_t)most * sizeof *out);
    if (!out || !arena)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < layers; i++) {
        waio_weight_scales scales;
        WAIO_TRY(st, waio_quantize_layer(out, &scales, l[i].weight, &l[i].shape, bits, &scheme,
                                         NULL, &rounder, arena));
        if (values && fwrite(out, sizeof *out, (size_t)l[i].count, values) != (size_t)l[i].count)
            WAIO_FAIL(st, WAIO_EINPUT, "the values cannot be written");
    }
done:
    free(out);
    waio_arena_free(arena);
    return st;
}

static waio_status bench(char **argument)
{
    waio_status st = WAIO_OK;
    int bits = atoi(argument[2]), threads = atoi(argument[3]), runs = atoi(argument[4]);
    waio_arena *arena = waio_arena_new();
    unsigned char *data = NULL;
    size_t size = 0;
    layer *l = NULL;
    int64_t layers = 0;
    FILE *values = NULL;

    if (bits < WAIO_MIN_BITS || bits > WAIO_MAX_BITS || threads < 1 || runs < 1)
        WAIO_FAIL(st, WAIO_EUSAGE, "BITS 2 to 16, THREADS and RUNS from 1");
    WAIO_TRY(st, waio_file_read(&data, &size, argument[0], arena));
    if (size < sizeof layers)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: the file ends", argument[0]);
    memcpy(&layers, data, sizeof layers);
    if (layers < 1 || layers > 10000)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %lld layers", argument[0], (long long)layers);
    WAIO_NEW(st, l, arena, (size_t)layers);
    WAIO_TRY(st, read_layers(l, layers, data + sizeof layers, data + size));
    values = fopen(argument[1], "wb");
    if (!values)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: cannot be written", argument[1]);
    WAIO_TRY(st, run_once(l, layers, bits, threads, values)); /* warms up */
    for (int run = 0; run < runs; run++) {
        double start = waio_clock(), own = processor_seconds();
        WAIO_TRY(st, run_once(l, layers, bits, threads, NULL));
        printf("%.6f %.6f\n", waio_clock() - start, processor_seconds() - own);
    }
done:
    if (values && fclose(values) != 0 && st == WAIO_OK)
        st = waio_error(WAIO_EINPUT, "%s: cannot be written", argument[1]);
    waio_arena_free(arena);
    return st;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: bench_squant WEIGHTS VALUES BITS THREADS RUNS\n");
        return 2;
    }
    if (bench(argv + 1) == WAIO_OK)
        return 0;
    fprintf(stderr, "bench_squant: %s\n", waio_error_message());
    return 2;
}
