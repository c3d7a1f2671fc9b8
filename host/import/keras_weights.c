/* Where a layer's numbers stand in the file. Each layer of the outermost model has a group with an
 * attribute weight_names, in the order in which the layer made its weights. The layers of a model
 * that is used as a layer share that model's group, first what is trained and then what is not; a
 * layer's own are those called ".../LAYER/...", in order. */
#include <stdlib.h>
#include <string.h>

#include "import/keras_layers.h"
#include "tensor/permute.h"

/* Length of "sub/conv" in "sub/conv/kernel:0". */
static size_t folder_length(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? (size_t)(slash - name) : 0;
}

/* How well `folder` (of `length`) ends like `path`: 2 for each last part in which they agree, as
 * for "x/sub/conv" and "y/sub/conv", and 1 more if nothing of the folder is left. */
static int likeness(const char *folder, size_t length, const char *path)
{
    size_t other = strlen(path);
    int score = 0;

    while (length > 0 && other > 0 && folder[length - 1] == path[other - 1]) {
        length--;
        other--;
        if ((length == 0 || folder[length - 1] == '/') && (other == 0 || path[other - 1] == '/'))
            score += length == 0 ? 3 : 2;
    }
    return score;
}

/* Parts of a layer's own name: it may hold slashes itself. */
static int own_parts(const char *name)
{
    int parts = 1;
    for (; *name; name++)
        parts += *name == '/';
    return parts;
}

/* Picks from a shared group what belongs to `layer`. */
static waio_status pick_own(waio_keras_layer *layer, char **all, int count, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int best = 2 * own_parts(layer->name);
    const char *folder = NULL; /* of those taken so far */

    WAIO_NEW(st, layer->weight, arena, (size_t)count);
    layer->weight_count = 0;
    for (int i = 0; i < count; i++) {
        size_t length = folder_length(all[i]);
        int score = likeness(all[i], length, layer->path);
        if (score < best)
            continue;
        if (score > best || !folder) {
            best = score;
            folder = all[i];
            layer->weight_count = 0;
        } else if (folder_length(folder) != length || strncmp(folder, all[i], length) != 0) {
            WAIO_FAIL(st, WAIO_EINPUT, "both %s and %s could be its weights", folder, all[i]);
        }
        layer->weight[layer->weight_count++] = all[i];
    }
done:
    return st;
}

static waio_status group_of(const char **out, const waio_keras_call *call)
{
    const waio_keras_file *file = call->file;

    *out = waio_arena_printf(file->arena, "%s%s%s", file->weights_root,
                             *file->weights_root ? "/" : "", call->layer->top->name);
    return *out ? WAIO_OK : WAIO_ENOMEM;
}

static waio_status find_weights(waio_keras_call *call)
{
    waio_keras_layer *layer = call->layer, *top = layer->top;
    waio_arena *arena = call->file->arena;
    const char *group;
    waio_status st = WAIO_OK;
    bool there;

    if (!top->weight) {
        WAIO_TRY(st, group_of(&group, call));
        WAIO_TRY(st, waio_h5_has_group(&there, call->file->h5, group));
        if (!there)
            WAIO_FAIL(st, WAIO_EINPUT, "the file has no group /%s with its weights", group);
        WAIO_TRY(st, waio_h5_strings(&top->weight, &top->weight_count, call->file->h5, group,
                                     "weight_names", arena));
    }
    if (!layer->weight)
        WAIO_TRY(st, pick_own(layer, top->weight, top->weight_count, arena));
done:
    return st;
}

/* ---- reading ---- */

static waio_status check_shape(const waio_keras_call *call, const waio_keras_weight *weight,
                               const char *group, const char *dataset)
{
    char found_text[64], expected_text[64];
    waio_shape found;
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_h5_shape(&found, call->file->h5, group, dataset));
    if (!waio_shape_equal(&found, &weight->shape))
        WAIO_FAIL(st, WAIO_EINPUT, "%s is %s, expected %s", weight->name,
                  waio_shape_text(&found, found_text),
                  waio_shape_text(&weight->shape, expected_text));
done:
    return st;
}

static waio_shape constant_shape(const waio_keras_weight *weight)
{
    waio_shape shape = {.rank = weight->shape.rank};

    if (weight->constant_shape.rank > 0)
        return weight->constant_shape;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = weight->shape.dim[weight->perm[i]];
    return shape;
}

waio_status waio_keras_read_weight(int *id, waio_keras_call *call, const waio_keras_weight *weight)
{
    waio_keras_layer *layer = call->layer;
    waio_shape shape = constant_shape(weight);
    int64_t count = waio_shape_count(&shape);
    const char *group, *name;
    float *data, *raw = NULL;
    waio_status st = WAIO_OK;

    if (layer->constant[weight->index] >= 0) {
        *id = layer->constant[weight->index];
        return WAIO_OK;
    }
    WAIO_TRY(st, find_weights(call));
    if (layer->weight_count != weight->expected_count)
        WAIO_FAIL(st, WAIO_EINPUT, "the file has %d weights for it, expected %d",
                  layer->weight_count, weight->expected_count);
    WAIO_TRY(st, group_of(&group, call));
    WAIO_TRY(st, check_shape(call, weight, group, layer->weight[weight->index]));
    name = waio_keras_join(call, weight->name);
    raw = waio_aligned_calloc((size_t)count * sizeof *raw);
    if (!name || !raw) {
        st = WAIO_ENOMEM;
        goto done;
    }
    WAIO_TRY(st, waio_h5_floats(raw, count, call->file->h5, group, layer->weight[weight->index]));
    WAIO_TRY(st, waio_graph_add_const(call->file->graph, id, name, &shape, &data));
    waio_permute(data, raw, &weight->shape, weight->perm);
    layer->constant[weight->index] = *id;
done:
    free(raw);
    return st;
}
