/* Networks by name: the built-in ones, those that are built here (architecture.h), files, and
 * "float:FILE", the float network that a quantized file stands for. A
 * loaded model is imported or built, optimized, and known by the digest of its file, or of its
 * parameters and of its file of weights. */
#ifndef WAIO_MODELS_MODELS_H
#define WAIO_MODELS_MODELS_H

#include "graph/graph.h"
#include "models/architecture.h"
#include "util/status.h"

typedef struct waio_builtin_model {
    const char *name;
    const char *file; /* in the folder of embedded models */
    const char *summary;
} waio_builtin_model;

/* Ends in a row without a name. */
extern const waio_builtin_model waio_builtin_models[];

typedef struct waio_model {
    char name[128]; /* as waio_model_label gives it */
    char sha256[65];
    int64_t bytes;        /* of the file, or of the weights as floats */
    int64_t params;       /* as given, before anything is folded */
    waio_trained trained; /* files: WAIO_TRAINED, since nothing else is known */
    waio_graph *graph;
} waio_model;

/* Where to look for model files, in this order: as given, below `beside` (the suite's folder),
 * below `models_dir` (--models, else WAIO_MODELS), the embedded folder. Either may be NULL. */
typedef struct waio_model_paths {
    const char *beside, *models_dir;
} waio_model_paths;

/* How rows call `name`: without the folders of files. In `arena`; NULL when out of memory. */
const char *waio_model_label(const char *name, waio_arena *arena);

/* The file of `name` in `arena`; WAIO_EINPUT with the places that were looked at. */
waio_status waio_model_locate(const char **path, const char *name, const waio_model_paths *paths,
                              waio_arena *arena);

/* Locates and imports, or builds: the network as the file has it. Free with waio_model_free. */
waio_status waio_model_import(waio_model *model, const char *name, const waio_model_paths *paths);
/* The same, optimized: what everything else runs. */
waio_status waio_model_load(waio_model *model, const char *name, const waio_model_paths *paths);
void waio_model_free(waio_model *model);

#endif
