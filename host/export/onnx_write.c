#include "export/onnx_write.h"
waio_status waio_onnx_write(unsigned char **data, size_t *size, const waio_graph *graph)
{
    (void)data;
    (void)size;
    (void)graph;
    return waio_error(WAIO_EUNSUPPORTED, "not yet");
}
