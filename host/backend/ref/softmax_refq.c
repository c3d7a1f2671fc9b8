/* Integer softmax as the desktop runtime has it: a table of 256 floats, t[k] = exp(-s * (255 - k)),
 * looked up by distance from the row's largest code; the output is 1/256 with zero point -128. */
#include <math.h>

#include "backend/ref/refq.h"

void waio_refq_softmax(const waio_refq_call *call)
{
    int64_t width = call->out.shape.dim[call->out.shape.rank - 1];
    int64_t rows = waio_shape_count(&call->out.shape) / width;
    float table[256];

    for (int k = 0; k < 256; k++)
        table[k] = expf(-call->in[0].params.scale[0] * (float)(255 - k));
    for (int64_t r = 0; r < rows; r++) {
        int32_t top = -128;
        float sum = 0;
        for (int64_t i = 0; i < width; i++) {
            int32_t code = waio_refq_code(&call->in[0], r * width + i);
            top = code > top ? code : top;
        }
        for (int64_t i = 0; i < width; i++)
            sum += table[255 - top + waio_refq_code(&call->in[0], r * width + i)];
        float inverse = 1.0f / (sum / 256.0f);
        for (int64_t i = 0; i < width; i++) {
            float t = table[255 - top + waio_refq_code(&call->in[0], r * width + i)];
            waio_refq_store(call, r * width + i,
                            waio_clampi((int32_t)roundf(t * inverse) - 128, -128, 127));
        }
    }
}
