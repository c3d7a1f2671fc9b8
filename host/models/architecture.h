/* Networks that are built here rather than read: a name and its parameters,
 *
 *     resnet50:input=128,classes=37,head=thesis,weights=resnet50.h5
 *
 * parameters behind the first colon, with a comma or a colon between them (a YAML list in brackets
 * ends an item at a comma: write a colon there, or quotes). Without a file of weights, and for a
 * head that the file lacks, weights are drawn at random. */
#ifndef WAIO_MODELS_ARCHITECTURE_H
#define WAIO_MODELS_ARCHITECTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/graph.h"
#include "util/arena.h"
#include "util/status.h"

struct waio_build;

typedef enum waio_head { WAIO_HEAD_PLAIN, WAIO_HEAD_THESIS } waio_head;

typedef struct waio_architecture_params {
    int64_t height, width; /* input=128 or input=128x96 */
    int64_t classes;
    waio_head head;
    int64_t hidden[2]; /* hidden=1024x600: the thesis's head */
    double alpha;      /* width=0.25: MobileNets */
    bool cifar_stem;   /* stem=cifar: for images of 32x32 */
    int64_t seed;
    const char *weights; /* NULL: random */
    bool trunk_only;     /* top=skip: of the file, not its classifier */
} waio_architecture_params;

typedef struct waio_architecture {
    const char *name, *summary;
    void (*build)(struct waio_build *b); /* build.h */
    int input, classes;                  /* without more */
    int least;                           /* input that it can still take */
    bool has_head, has_width, has_stem;
} waio_architecture;

/* Ends in a row without a name. */
extern const waio_architecture waio_architectures[];

/* The architecture whose name stands in front of the first colon of `text`; NULL: none. */
const waio_architecture *waio_architecture_find(const char *text);

/* The parameters of `text`, defaults where it says nothing. WAIO_EUSAGE with what is allowed. */
waio_status waio_architecture_parse(waio_architecture_params *params,
                                    const waio_architecture *architecture, const char *text,
                                    waio_arena *arena);
/* `text` with the file of weights without its folder: how rows call the network. */
const char *waio_architecture_label(const char *text, waio_arena *arena);
/* All that decides the network's numbers but the weights' bytes, one form for all spellings. */
const char *waio_architecture_text(const waio_architecture *architecture,
                                   const waio_architecture_params *params, waio_arena *arena);

/* What of a network is trained. */
typedef enum waio_trained { WAIO_UNTRAINED, WAIO_TRAINED_TRUNK, WAIO_TRAINED } waio_trained;

/* Builds the network, not optimized; the caller frees it. `weights_path`: the file of weights where
 * it was found, NULL: none; WAIO_EINPUT names the layer, the expected and the found shape. */
waio_status waio_architecture_build(waio_graph **out, waio_trained *trained,
                                    const waio_architecture *architecture,
                                    const waio_architecture_params *params,
                                    const char *weights_path);

#endif
