#include "models/load_weights.h"

waio_status waio_load_weights(waio_trained *trained, waio_build *b, const char *path)
{
    *trained = WAIO_UNTRAINED;
    for (int i = 0; i < b->layer_count && !path; i++)
        waio_layer_draw(&b->layer[i], b->graph, (uint64_t)b->params->seed);
    return WAIO_OK;
}
