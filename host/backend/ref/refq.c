#include "backend/ref/refq.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

bool waio_refq_wanted(const waio_graph *graph, const waio_node *node)
{
    bool wanted = graph->value[node->output].type != WAIO_F32;
    for (int i = 0; i < node->input_count; i++)
        wanted = wanted || graph->value[node->input[i]].type != WAIO_F32;
    return wanted;
}

waio_refq_limits waio_refq_output_limits(const waio_refq_call *call)
{
    const waio_value_params *p = &call->out.params;
    int32_t lo = waio_params_lo(p), hi = waio_params_hi(p), z = p->zero_point[0];
    waio_clamp clamp = call->node->clamp;

    return (waio_refq_limits){waio_bound_code(clamp.lo, p->scale[0], z, lo, hi),
                              waio_bound_code(clamp.hi, p->scale[0], z, lo, hi)};
}

int32_t waio_refq_narrow(const waio_refq_call *call, int64_t sum)
{
    if (sum < INT32_MIN || sum > INT32_MAX) {
        *call->lost = sum;
        return sum < 0 ? INT32_MIN : INT32_MAX;
    }
    return (int32_t)sum;
}

int waio_refq_sum_bits(waio_type x, waio_type w, const waio_type *bias)
{
    bool narrow = (x == WAIO_S8 && w == WAIO_S8) || (bias && *bias == WAIO_S32);
    return narrow ? 32 : 64;
}

/* The node's clamp behind ops that only move or look up codes, and behind dequantize. */
static void clamp_result(const waio_refq_call *call)
{
    int64_t count = waio_shape_count(&call->out.shape);
    waio_clamp clamp = call->node->clamp;

    if (call->out.type == WAIO_F32) {
        float *y = call->result;
        for (int64_t i = 0; i < count; i++)
            y[i] = waio_clampf(y[i], clamp.lo, clamp.hi);
        return;
    }
    waio_refq_limits limits = waio_refq_output_limits(call);
    waio_refq_tensor out = call->out;
    out.data = call->result;
    for (int64_t i = 0; i < count; i++)
        waio_refq_store(call, i, waio_clampi(waio_refq_code(&out, i), limits.lo, limits.hi));
}

waio_status waio_refq_run(const waio_refq_call *call)
{
    typedef void (*run)(const waio_refq_call *);
    static const run table[WAIO_OP_COUNT] = {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) waio_refq_##name,
#include "graph/ops.def"
#undef WAIO_OP_DEF
    };
    waio_refq_call with = *call;
    int64_t lost = 0;

    with.lost = &lost;
    table[call->node->op](&with);
    if (lost)
        return waio_error(WAIO_EUNSUPPORTED,
                          "node \"%s\" (%s): a sum of %" PRId64
                          " is more than its accumulator holds",
                          call->node->name, waio_op_name(call->node->op), lost);
    if (!waio_clamp_is_none(call->node->clamp))
        clamp_result(call);
    return WAIO_OK;
}

void waio_refq_batch_norm(const waio_refq_call *call)
{
    (void)call;
    assert(!"waio_refq_check refuses it");
}
