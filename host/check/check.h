/* Compares a backend with the reference: op by op over the table of opcases.h, and network by
 * network, layer by layer. */
#ifndef WAIO_CHECK_CHECK_H
#define WAIO_CHECK_CHECK_H

#include <stdio.h>

#include "backend/program.h"

/* Runs every op case on `backend` and on ref; a line a case with the share of the bound used goes
 * to `out` (NULL: nothing). `failed` receives the number of cases outside of their bound. */
waio_status waio_check_ops(const waio_backend *backend, FILE *out, int *failed);

typedef struct waio_check_args {
    const waio_backend *backend;
    int64_t images; /* random ones, run as one batch */
    uint64_t seed;
    const waio_value_quant *quant; /* per value, or NULL: float activations */
    FILE *out;                     /* a line a layer, or NULL */
} waio_check_args;

typedef struct waio_network_report {
    bool agreed; /* every layer and the outputs are inside their bounds */
    /* Layer by layer, each given the reference's inputs: */
    int departed, worst; /* first node outside of its bound (-1: none); node nearest to it */
    double departed_share, worst_share;
    int64_t quantized, steps_off; /* quantized numbers; those one step apart, each on a tie */
    /* End to end: */
    double output_nmse; /* the worst output's */
    /* Rows of the first output whose largest number stands elsewhere; those of them where the
     * reference's two largest are further apart than rounding explains. */
    int64_t top1_differ, top1_wrong;
    int fallbacks;
} waio_network_report;

/* Compares `args->backend` with ref on `graph`, whose weights stay float. */
waio_status waio_check_network(const waio_graph *graph, const waio_check_args *args,
                               waio_network_report *report);

/* A quantizer of `bits` bits for every computed value, from the least and largest number that
 * `images` random images give it: asymmetric, half away from zero. Release with free(). */
waio_status waio_check_quantizers(waio_value_quant **quant, const waio_graph *graph, int bits,
                                  int64_t images, uint64_t seed);

#endif
