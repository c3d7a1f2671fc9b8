/* The thesis's experiment 6: an identity network of one dense layer at 8 bits, fed right and fed
 * raw. What is computed is what `engine: integer` computes: calibrated, lowered, run on codes. */
#ifndef WAIO_SWEEP_RAW_FEED_H
#define WAIO_SWEEP_RAW_FEED_H

#include "backend/backend.h"
#include "tensor/qparams.h"

/* One byte through the network. */
typedef struct waio_raw_feed_byte {
    int code;         /* of the byte, by scale and zero point */
    int answer;       /* the network's answer to that code, a code */
    double value;     /* what the answer stands for */
    int raw_code;     /* the byte taken for a code as it is */
    int raw_answer;   /* the answer to that */
    double seen;      /* the number that the network takes the raw code for */
    double raw_value; /* what its answer stands for */
} waio_raw_feed_byte;

typedef struct waio_raw_feed {
    waio_qparams input, output; /* of the calibrated network */
    waio_raw_feed_byte byte[256];
} waio_raw_feed;

/* The network calibrated on the bytes `from` to `to` (0 <= from <= to <= 255), asked for all 256.
 */
waio_status waio_raw_feed_run(waio_raw_feed *out, int from, int to, const waio_backend *backend);

#endif
