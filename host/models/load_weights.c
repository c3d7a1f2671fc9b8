#include "models/load_weights.h"

#include "import/import.h"

static void draw(const waio_build *b, bool head_only)
{
    for (int i = 0; i < b->layer_count; i++)
        if (b->layer[i].head || !head_only)
            waio_layer_draw(&b->layer[i], b->graph, (uint64_t)b->params->seed);
}

waio_status waio_load_weights(waio_trained *trained, waio_build *b, const char *path)
{
    waio_status st = WAIO_OK;
    bool keras = false;

    *trained = WAIO_UNTRAINED;
    if (!path) {
        draw(b, false);
        return WAIO_OK;
    }
    WAIO_TRY(st, waio_import_is_hdf5(&keras, path));
    if (keras)
        WAIO_TRY(st, waio_load_keras(trained, b, path));
    if (*trained != WAIO_TRAINED)
        draw(b, true);
    if (!keras)
        WAIO_TRY(st, waio_load_structure(trained, b, path));
done:
    return st;
}
