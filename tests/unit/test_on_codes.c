/* Float layers on codes (backend.h) with each kind of instructions that this processor has: the
 * reference's float result within rounding, equal bytes on all of them, a fused quantizer equal to
 * one behind, NaN where the reference has it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "backend/ref/ref.h"
#include "nets.h"

enum { CASES = 60, BATCH = 3 };

typedef struct layer {
    waio_graph *graph;
    const waio_node *node;
    waio_shape in[3], out;
    float *x, *w, *bias, *y, *size; /* y: the reference's; size: sums of |products| */
    int8_t *code;
    float *factor;
    waio_on_codes on;
    int64_t products;
} layer;

static void make_node(layer *l, int i)
{
    int h = 1 + net_pick(9), w = 1 + net_pick(9), ic = 1 + net_pick(i % 5 ? 21 : 150);
    int oc = 1 + net_pick(70), k = 1 + net_pick(3), stride = 1 + net_pick(2);
    int pad = k / 2 + (k > 1 ? net_pick(2) : 0), d = 1 + net_pick(2);

    l->graph = waio_graph_new("layer");
    CHECK(l->graph != NULL, "no memory");
    if (i % 4 == 0) {
        net_dense(l->graph, "layer", net_input(l->graph, WAIO_SHAPE(1, ic)), oc);
    } else {
        h = w = h + d * k;
        int x = net_input(l->graph, WAIO_SHAPE(1, h, w, ic));
        net_node(l->graph,
                 (waio_node){.op = WAIO_OP_CONV2D,
                             .input = {x, net_const(l->graph, WAIO_SHAPE(oc, k, k, ic), 1),
                                       net_const(l->graph, WAIO_SHAPE(oc), 0.3f)},
                             .input_count = 3,
                             .clamp = i % 2 ? net_relu : (waio_clamp){-INFINITY, INFINITY},
                             .conv = {{stride, stride}, {d, d}, {pad, pad, pad, pad}, 1}});
    }
    l->node = &l->graph->node[0];
    for (int j = 0; j < 3; j++)
        l->in[j] = waio_batched_shape(l->graph, l->node->input[j], BATCH);
    l->out = waio_batched_shape(l->graph, l->node->output, BATCH);
}

static float *numbers(int64_t count)
{
    float *x = malloc((size_t)count * sizeof *x);
    CHECK(x != NULL, "no memory");
    return x;
}

static void reference(const layer *l, float *y, const float *x, const float *w, const float *b,
                      bool clamp)
{
    waio_node node = *l->node;
    const float *in[3] = {x, w, b};

    if (!clamp)
        node.clamp = (waio_clamp){-INFINITY, INFINITY};
    waio_ref_run(&(waio_ref_call){&node, l->in, &l->out, in, y});
}

/* Codes of 2 to 8 bits, zero points anywhere, a scale a channel. */
static void make_numbers(layer *l)
{
    int64_t nx = waio_shape_count(&l->in[0]), nw = waio_shape_count(&l->in[1]),
            oc = l->in[2].dim[0];
    int span = (1 << (2 + net_pick(7))) - 1, top = (1 << (1 + net_pick(7))) - 1;
    int lo = -net_pick(span + 1);

    l->on.input = (waio_fq){0.01f + waio_rng_unit(&net_rng), (float)lo, (float)(lo + span)};
    l->x = numbers(nx);
    l->w = numbers(nw);
    l->y = numbers(waio_shape_count(&l->out));
    l->size = numbers(waio_shape_count(&l->out));
    l->factor = numbers(oc);
    l->code = malloc((size_t)nw);
    CHECK(l->code != NULL, "no memory");
    l->bias = (float *)l->graph->value[l->node->input[2]].data;
    l->products = nw / oc;
    for (int64_t i = 0; i < nx; i++)
        l->x[i] = (float)(lo + net_pick(span + 1)) * l->on.input.scale;
    for (int64_t c = 0; c < oc; c++) {
        float scale = 0.001f + waio_rng_unit(&net_rng);
        l->factor[c] = l->on.input.scale * scale;
        for (int64_t i = c * l->products; i < (c + 1) * l->products; i++) {
            l->code[i] = (int8_t)(net_pick(2 * top + 1) - top);
            l->w[i] = (float)l->code[i] * scale;
        }
    }
    l->on.factor = l->factor;
    reference(l, l->y, l->x, l->w, l->bias, true);
    float *ax = numbers(nx), *aw = numbers(nw), *ab = numbers(oc);
    for (int64_t i = 0; i < nx; i++)
        ax[i] = fabsf(l->x[i]);
    for (int64_t i = 0; i < nw; i++)
        aw[i] = fabsf(l->w[i]);
    for (int64_t i = 0; i < oc; i++)
        ab[i] = fabsf(l->bias[i]);
    reference(l, l->size, ax, aw, ab, false);
    free(ax);
    free(aw);
    free(ab);
}

static void run(const layer *l, const char *isa, const waio_fq *fq, float *y)
{
    waio_kernel *k = NULL;
    void *packed = NULL;
    size_t bytes = 0;

    setenv("WAIO_CPU_ISA", isa, 1);
    CHECK_OK(waio_backend_cpu.create(&k, l->graph, l->node, BATCH));
    if (!waio_backend_cpu.takes_codes(k)) {
        memset(y, 0, (size_t)waio_shape_count(&l->out) * sizeof *y);
        waio_backend_cpu.destroy(k);
        return;
    }
    CHECK_OK(waio_backend_cpu.pack_codes(k, &packed, &bytes, l->code));
    size_t scratch = (waio_backend_cpu.scratch_bytes(k) + 127) / 64 * 64;
    void *memory = aligned_alloc(64, scratch);
    memset(memory, 0xA5, scratch); /* what it holds does not matter */
    const void *in[3] = {l->x, packed, l->bias};
    CHECK_OK(waio_backend_cpu.run(k, &(waio_kernel_args){.input = in,
                                                         .output = y,
                                                         .scratch = memory,
                                                         .clamp_follows = fq != NULL,
                                                         .quantizer = fq,
                                                         .on_codes = &l->on}));
    free(memory);
    free(packed);
    waio_backend_cpu.destroy(k);
}

/* The sum of codes is exact, its result has 4 roundings. The reference rounds each product and each
 * partial sum, and the factors' products are rounded: (products + 6) half units of the sum of
 * sizes. */
static void check_layer(int i, int *taken)
{
    layer l = {0};
    float *first = NULL, *y = NULL, *fused = NULL;

    make_node(&l, i);
    make_numbers(&l);
    int64_t n = waio_shape_count(&l.out);
    first = numbers(n);
    y = numbers(n);
    fused = numbers(n);
    run(&l, "portable", NULL, first);
    for (int64_t j = 0; j < n; j++)
        *taken += first[j] != 0;
    bool floats = i % 4 && l.out.dim[1] * l.out.dim[2] < 4 && l.in[1].dim[1] > 1;
    for (int64_t j = 0; !floats && j < n; j++) {
        double bound = (double)(l.products + 6) * 0x1p-24 * (double)l.size[j];
        CHECK(fabs((double)first[j] - (double)l.y[j]) <= bound, "case %d at %d: %g, not %g (%g)", i,
              (int)j, (double)first[j], (double)l.y[j], bound);
    }
    waio_fq fq = {l.factor[0] * 7, -3, 90}; /* without a clamp below it */
    for (int isa = 0; isa < WAIO_ISA_COUNT; isa++) {
        if (!waio_isa_present((waio_isa)isa))
            continue;
        run(&l, waio_isa_name((waio_isa)isa), NULL, y);
        CHECK(memcmp(y, first, (size_t)n * sizeof *y) == 0, "case %d: %s differs", i,
              waio_isa_name((waio_isa)isa));
        if (!waio_clamp_is_none(l.node->clamp) || floats)
            continue;
        run(&l, waio_isa_name((waio_isa)isa), &fq, fused);
        waio_backend_cpu.fake_quantize(y, y, (size_t)n, fq, 0);
        CHECK(memcmp(y, fused, (size_t)n * sizeof *y) == 0, "case %d: fused differs", i);
    }
    l.x[net_pick((int)waio_shape_count(&l.in[0]))] = NAN;
    reference(&l, l.y, l.x, l.w, l.bias, true);
    for (int isa = 0; !floats && isa < WAIO_ISA_COUNT; isa++) {
        if (!waio_isa_present((waio_isa)isa))
            continue;
        run(&l, waio_isa_name((waio_isa)isa), NULL, y);
        for (int64_t j = 0; j < n; j++)
            CHECK(isnan(y[j]) == isnan(l.y[j]), "case %d: NaN at %d", i, (int)j);
    }
    free(first), free(y), free(fused);
    free(l.x), free(l.w), free(l.y), free(l.size), free(l.factor), free(l.code);
    waio_graph_free(l.graph);
}

int main(void)
{
    int taken = 0;

    setenv("WAIO_CPU_INT8", "on", 1);
    net_rng.state = 7;
    for (int i = 0; i < CASES; i++)
        check_layer(i, &taken);
    CHECK(taken > 0, "nothing ran on codes");
    return waio_check_result();
}
