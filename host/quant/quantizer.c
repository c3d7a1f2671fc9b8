#include "quant/quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/binding.h"

/* Inputs that the weights of a layer are kept for: any, and each of the bit widths to 8 for which
 * scales had to be widened (README.md, Eq. 6). */
enum { ANY_INPUT = 0, INPUTS = 8 + 1 };
enum { ENTRIES = (WAIO_FLOAT + 1) * INPUTS }; /* of a node */

/* One layer's weights at one bit width. */
typedef struct bank_entry {
    void *packed, *packed_codes; /* for floats, for codes; either may be NULL */
    size_t bytes;                /* of both */
    bool no_codes;     /* values are not code times scale, or codes have more than 8 bits */
    int64_t magnitude; /* the largest sum |code| of a channel */
    waio_weight_scales scales;
    float *bias;       /* that goes with the weights; NULL: the layer has none */
    waio_arena *arena; /* of the scales and the bias */
    int users;         /* bindings that hold it */
} bank_entry;

/* Ranges at one number of bits, where they depend on it. */
typedef struct bit_ranges {
    bool known;
    float *min, *max; /* per value */
} bit_ranges;

struct waio_quantizer {
    const waio_program *program;
    const waio_graph *graph;
    const waio_roles *roles;
    waio_scheme scheme;
    waio_arena *arena;
    waio_range_groups groups;
    bool have_ranges;
    const waio_ranges *ranges;
    bit_ranges *at; /* per bits to WAIO_MAX_BITS; NULL: rule MINMAX */
    const float *const *mean;
    int threads;
    int *weighted_before; /* per node: layers with weights before it */
    bank_entry *bank;     /* per node, bit width (0 .. WAIO_FLOAT) and input */
    size_t bank_bytes, keep_bytes;
};

/* What a binding owns besides its arena: the bank entries that it keeps alive. */
typedef struct binding_owner {
    waio_arena *arena;
    const waio_program *program;
    bank_entry **used;
    int used_count;
} binding_owner;

waio_status waio_quantizer_create(waio_quantizer **out, const waio_program *program,
                                  const waio_roles *roles, const waio_ranges *ranges,
                                  const waio_scheme *scheme, size_t keep_bytes)
{
    waio_status st = WAIO_OK;
    waio_quantizer *q = calloc(1, sizeof *q);

    if (!q || !(q->arena = waio_arena_new()))
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    q->program = program;
    q->graph = waio_program_graph(program);
    q->roles = roles;
    q->scheme = *scheme;
    q->keep_bytes = keep_bytes;
    q->threads = 1;
    q->have_ranges = ranges != NULL;
    q->ranges = ranges;
    if (ranges)
        WAIO_TRY(st, waio_range_groups_create(&q->groups, q->graph, ranges, q->arena));
    if (ranges && ranges->rule != WAIO_RANGE_MINMAX)
        WAIO_NEW(st, q->at, q->arena, WAIO_MAX_BITS + 1);
    for (int bits = WAIO_MIN_BITS; q->at && bits <= WAIO_MAX_BITS; bits++) {
        WAIO_NEW(st, q->at[bits].min, q->arena, (size_t)q->graph->value_count);
        WAIO_NEW(st, q->at[bits].max, q->arena, (size_t)q->graph->value_count);
    }
    WAIO_NEW(st, q->weighted_before, q->arena, (size_t)q->graph->node_count + 1);
    WAIO_NEW(st, q->bank, q->arena, (size_t)q->graph->node_count * ENTRIES);
    for (int n = 0, weighted = 0; n < q->graph->node_count; n++) {
        q->weighted_before[n] = weighted;
        weighted += waio_op_weighted(q->graph->node[n].op);
    }
    *out = q;
    q = NULL;
done:
    waio_quantizer_free(q);
    return st;
}

void waio_quantizer_set_threads(waio_quantizer *q, int threads)
{
    q->threads = threads;
}

void waio_quantizer_set_means(waio_quantizer *q, const float *const *mean)
{
    q->mean = mean;
}

static void drop(waio_quantizer *q, bank_entry *entry)
{
    q->bank_bytes -= entry->bytes;
    int n = (int)((entry - q->bank) / ENTRIES);

    if (entry->packed)
        waio_program_release(q->program, n, entry->packed);
    if (entry->packed_codes)
        waio_program_release(q->program, n, entry->packed_codes);
    waio_arena_free(entry->arena);
    *entry = (bank_entry){0};
}

void waio_quantizer_free(waio_quantizer *q)
{
    if (!q)
        return;
    for (int i = 0; q->bank && i < q->graph->node_count * ENTRIES; i++)
        drop(q, &q->bank[i]);
    waio_arena_free(q->arena);
    free(q);
}

/* ---- who gets which bits ---- */

int waio_quantizer_boundary(const waio_quantizer *q, const waio_quant_request *request)
{
    int n = 0;
    if (request->first_n == 0)
        return 0;
    while (n < q->graph->node_count &&
           (q->weighted_before[n] < request->first_n || !waio_op_weighted(q->graph->node[n].op)))
        n++;
    return n;
}

bool waio_quantizer_in_float(const waio_quantizer *q, const waio_quant_request *request, int n)
{
    return (request->real && request->real[n]) || n < waio_quantizer_boundary(q, request);
}

static int role_bits(const waio_precision *bits, waio_role role)
{
    return role == WAIO_ROLE_I ? bits->i : role == WAIO_ROLE_O ? bits->o : bits->a;
}

int waio_quantizer_weight_bits(const waio_quantizer *q, const waio_quant_request *request, int n)
{
    if (waio_quantizer_in_float(q, request, n))
        return WAIO_FLOAT;
    if (n == q->roles->first_weighted)
        return request->bits.i;
    return n == q->roles->last_weighted ? request->bits.o : request->bits.w;
}

/* Whether a quantized node, from `boundary` on, reads value `id`. */
static bool read_from(const waio_graph *graph, const bool *real, int id, int boundary)
{
    for (int n = boundary; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count && !(real && real[n]); i++)
            if (graph->node[n].input[i] == id)
                return true;
    return false;
}

int waio_quantizer_value_bits(const waio_quantizer *q, const waio_quant_request *request, int id)
{
    int boundary = waio_quantizer_boundary(q, request);
    int producer = waio_graph_producer(q->graph, id);
    const bool *real = request->real;
    bool in_prefix = producer < boundary && boundary > 0;
    bool from_float = real && (producer < 0 || real[producer]); /* the image is no node's */

    if ((in_prefix || from_float) && !read_from(q->graph, real, id, boundary))
        return WAIO_FLOAT;
    return role_bits(&request->bits, q->roles->value[id]);
}

int waio_quantizer_input_bits(const waio_quantizer *q, const waio_quant_request *request, int n)
{
    if (waio_quantizer_in_float(q, request, n))
        return WAIO_FLOAT;
    return waio_quantizer_value_bits(q, request, q->graph->node[n].input[0]);
}

int waio_quantizer_operand_bits(const waio_quantizer *q, const waio_quant_request *request, int id)
{
    for (int n = 0; request->real && n < q->graph->node_count; n++)
        for (int i = 0; request->real[n] && i < q->graph->node[n].input_count; i++)
            if (q->graph->node[n].input[i] == id) /* an operand has one reader */
                return WAIO_FLOAT;
    return role_bits(&request->bits, q->roles->value[id]);
}

const waio_graph *waio_quantizer_graph(const waio_quantizer *q)
{
    return q->graph;
}

const waio_scheme *waio_quantizer_scheme(const waio_quantizer *q)
{
    return &q->scheme;
}

/* ---- activations ---- */

/* The range of a value's group at `bits` bits; found out when it is first asked for. */
static void range_at(const waio_quantizer *q, int id, int bits, bool symmetric, float *min,
                     float *max)
{
    if (q->at && !q->at[bits].known) {
        waio_range_groups_at(q->at[bits].min, q->at[bits].max, &q->groups, q->graph, q->ranges,
                             bits, symmetric);
        q->at[bits].known = true;
    }
    *min = q->at ? q->at[bits].min[id] : q->groups.min[id];
    *max = q->at ? q->at[bits].max[id] : q->groups.max[id];
}

waio_qparams waio_quantizer_value_params(const waio_quantizer *q, int id, int bits)
{
    bool symmetric = q->scheme.activations == WAIO_SYMMETRIC ||
                     (q->scheme.activations == WAIO_SYMMETRY_AUTO && bits > 8);
    float min = 0, max = 0;

    range_at(q, id, bits, symmetric, &min, &max);
    if (q->groups.fixed[q->groups.group[id]]) {
        /* [0, 1): scale 2^-bits from the lowest code, or 2^-(bits-1) around 0. */
        if (symmetric) {
            int32_t top = (1 << (bits - 1)) - 1;
            return (waio_qparams){ldexpf(1, 1 - bits), 0, -top, top};
        }
        int32_t half = 1 << (bits - 1);
        return (waio_qparams){ldexpf(1, -bits), -half, -half, half - 1};
    }
    if (!(min <= max))
        min = max = 0; /* never observed */
    return symmetric ? waio_qparams_symmetric(min, max, bits)
                     : waio_qparams_asymmetric(min, max, bits);
}

static waio_value_quant value_quant(const waio_quantizer *q, int id, int bits)
{
    waio_value_quant quant = {.rounding = q->scheme.rounding};

    if (bits == WAIO_F16) {
        quant.enabled = quant.half = true;
    } else if (waio_bits_quantized(bits)) {
        waio_qparams params = waio_quantizer_value_params(q, id, bits);
        quant.enabled = true;
        quant.fq = waio_qparams_fq(&params);
    }
    return quant;
}

static bool same_grid(const waio_value_quant *a, const waio_value_quant *b)
{
    return a->enabled && b->enabled && a->half == b->half &&
           (a->half ||
            (a->fq.scale == b->fq.scale && a->fq.lo == b->fq.lo && a->fq.hi == b->fq.hi));
}

/* Outputs of ops that only move numbers are on the grid already if all inputs are. */
static bool already_on_grid(const waio_node *node, const waio_value_quant *quant)
{
    bool on_grid = waio_op_moves(node);
    for (int i = 0; i < node->input_count; i++)
        on_grid = on_grid && same_grid(&quant[node->input[i]], &quant[node->output]);
    return on_grid;
}

/* Quantizers of all values. `quant` gets the ones behind their node, the boundary list those of the
 * float prefix that quantized nodes read. */
static waio_status bind_values(waio_quantizer *q, const waio_quant_request *request,
                               waio_quant_binding *out, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = q->graph;
    int boundary = waio_quantizer_boundary(q, request);
    waio_value_quant *quant = NULL, *all = NULL, *list = NULL;
    int *ids = NULL;

    WAIO_NEW(st, quant, arena, (size_t)graph->value_count);
    WAIO_NEW(st, all, arena, (size_t)graph->value_count);
    WAIO_NEW(st, list, arena, (size_t)graph->value_count);
    WAIO_NEW(st, ids, arena, (size_t)graph->value_count);
    out->binding.quant = quant;
    out->binding.boundary = boundary;
    out->binding.boundary_value = ids;
    out->binding.boundary_quant = list;
    int input_bits = waio_quantizer_value_bits(q, request, graph->input);
    all[graph->input] = value_quant(q, graph->input, input_bits);
    if (boundary == 0) {
        out->input_bits = input_bits;
        out->input_quant = all[graph->input];
        if (waio_bits_quantized(input_bits))
            out->input_params = waio_quantizer_value_params(q, graph->input, input_bits);
    } else {
        out->input_bits = WAIO_FLOAT;
        if (all[graph->input].enabled) {
            ids[out->binding.boundary_count] = graph->input;
            list[out->binding.boundary_count++] = all[graph->input];
        }
    }
    for (int n = 0; n < graph->node_count; n++) {
        int id = graph->node[n].output;
        all[id] = value_quant(q, id, waio_quantizer_value_bits(q, request, id));
        if (n >= boundary) {
            quant[id] = all[id];
            quant[id].enabled = all[id].enabled && !already_on_grid(&graph->node[n], all);
        } else if (all[id].enabled) {
            ids[out->binding.boundary_count] = id;
            list[out->binding.boundary_count++] = all[id];
        }
    }
done:
    return st;
}

/* ---- weights, biases, constant operands ---- */

static bank_entry *entry_of(waio_quantizer *q, int n, int bits, int input)
{
    return &q->bank[n * ENTRIES + bits * INPUTS + input];
}

static void make_room(waio_quantizer *q)
{
    int entries = q->graph->node_count * ENTRIES;
    for (int i = 0; i < entries && q->bank_bytes > q->keep_bytes; i++)
        if (q->bank[i].bytes && q->bank[i].users == 0)
            drop(q, &q->bank[i]);
}

/* Whether the bias of node `n` has 32 bits at the scale of input times weight. */
static bool bias_of_32_bits(const waio_quantizer *q, int n, int bits, int input_bits)
{
    return q->graph->node[n].input_count == 3 && waio_bits_quantized(bits) && input_bits <= 8 &&
           !waio_scheme_float_bias(&q->scheme);
}

/* Eq. 6: to `least`, per scale, the one that a bias needs whose code would be beyond 2^30, else 0;
 * whether there is one. NULL: only asks. */
static bool wider_scales(const waio_quantizer *q, int n, int input_bits,
                         const waio_weight_scales *scales, const float *bias, float *least)
{
    int id = q->graph->node[n].input[0];
    double in = (double)waio_quantizer_value_params(q, id, input_bits).scale;
    int64_t channels = q->graph->value[q->graph->node[n].input[2]].shape.dim[0];
    bool found = false;

    for (int64_t c = 0; c < channels; c++) {
        int k = scales->count == 1 ? 0 : (int)c;
        double size = fabs((double)bias[c]), most = INT32_MAX / 2.0;
        if (size / (in * (double)scales->scale[k]) <= most)
            continue;
        found = true;
        if (least)
            least[k] = fmaxf(least[k], (float)(size / most / in));
    }
    return found;
}

/* The weights of node `n`; no scale lies below `least` (NULL: any). */
static waio_status layer_values(const waio_quantizer *q, int n, int bits, float *values,
                                waio_weight_scales *scales, const float *least, waio_arena *arena)
{
    const waio_value *weight = &q->graph->value[q->graph->node[n].input[1]];
    waio_squant_shape shape = waio_layer_shape(&weight->shape);
    waio_rounder rounder = {waio_program_node_backend(q->program, n)->squant, q->threads};

    return waio_quantize_layer(values, scales, weight->data, &shape, bits, &q->scheme, least,
                               &rounder, arena);
}

waio_status waio_quantizer_weight_values(const waio_quantizer *q, int n, int bits, int input_bits,
                                         float **values, waio_weight_scales *scales,
                                         waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_value *weight = &q->graph->value[q->graph->node[n].input[1]];
    int64_t count = waio_shape_count(&weight->shape);
    float *bias = NULL, *least = NULL;

    *values = malloc((size_t)count * sizeof **values);
    if (!*values)
        return waio_error(WAIO_ENOMEM, "out of memory");
    if (bits == WAIO_FLOAT) {
        memcpy(*values, weight->data, (size_t)count * sizeof **values);
        return WAIO_OK;
    }
    WAIO_TRY(st, layer_values(q, n, bits, *values, scales, NULL, arena));
    if (!bias_of_32_bits(q, n, bits, input_bits))
        goto done;
    WAIO_NEW(st, bias, arena, (size_t)weight->shape.dim[0]);
    WAIO_NEW(st, least, arena, (size_t)scales->count);
    waio_quantizer_bias(q, n, *values, bias);
    if (wider_scales(q, n, input_bits, scales, bias, least))
        WAIO_TRY(st, layer_values(q, n, bits, *values, scales, least, arena));
done:
    return st;
}

void waio_quantizer_bias(const waio_quantizer *q, int n, const float *values, float *bias)
{
    const waio_node *node = &q->graph->node[n];
    const waio_value *weight = &q->graph->value[node->input[1]];
    waio_squant_shape s = waio_layer_shape(&weight->shape);
    const float *mean = q->mean ? q->mean[node->input[0]] : NULL;
    int64_t each = s.channels / (node->op == WAIO_OP_CONV2D ? node->conv.groups : 1);

    memcpy(bias, q->graph->value[node->input[2]].data, (size_t)s.channels * sizeof *bias);
    for (int64_t c = 0; mean && c < s.channels; c++) {
        const float *x = mean + c / each * s.inputs;
        double shift = 0;
        for (int64_t k = c * s.positions * s.inputs; k < (c + 1) * s.positions * s.inputs; k++)
            shift += ((double)values[k] - (double)weight->data[k]) * (double)x[k % s.inputs];
        bias[c] = (float)((double)bias[c] - shift);
    }
}

/* The codes of a layer's values; `no_codes` where there are none of 8 bits. */
static void find_codes(bank_entry *entry, int8_t *code, const float *values, int64_t count,
                       int64_t channels)
{
    int64_t each = count / channels;

    for (int64_t c = 0; c < channels; c++) {
        float scale = entry->scales.scale[entry->scales.count == 1 ? 0 : c];
        int64_t magnitude = 0;
        for (int64_t i = c * each; i < (c + 1) * each; i++) {
            float k = roundf(values[i] / scale);
            if (!(fabsf(k) <= 127) || k * scale != values[i]) {
                entry->no_codes = true;
                return;
            }
            code[i] = (int8_t)k;
            magnitude += abs(code[i]);
        }
        entry->magnitude = magnitude > entry->magnitude ? magnitude : entry->magnitude;
    }
}

static waio_status pack_codes(waio_quantizer *q, bank_entry *entry, int n, const float *values)
{
    waio_status st = WAIO_OK;
    const waio_shape *shape = &q->graph->value[q->graph->node[n].input[1]].shape;
    int64_t count = waio_shape_count(shape);
    int8_t *code = malloc((size_t)count);
    size_t bytes = 0;

    if (!code)
        return waio_error(WAIO_ENOMEM, "out of memory");
    find_codes(entry, code, values, count, shape->dim[0]);
    if (entry->no_codes)
        goto done;
    WAIO_TRY(st, waio_program_pack_codes(q->program, n, &entry->packed_codes, &bytes, code));
    entry->bytes += bytes;
    q->bank_bytes += bytes;
done:
    free(code);
    return st;
}

static waio_status pack_floats(waio_quantizer *q, bank_entry *entry, int n, const float *values)
{
    waio_status st = WAIO_OK;
    size_t bytes = 0;

    WAIO_TRY(st, waio_program_pack(q->program, n, &entry->packed, &bytes, values));
    entry->bytes += bytes;
    q->bank_bytes += bytes;
done:
    return st;
}

static bool codes_fit(const bank_entry *entry, const waio_value_quant *input)
{
    int64_t most = (int64_t)fmaxf(-input->fq.lo, input->fq.hi);
    return entry->packed_codes && entry->magnitude * most <= INT32_MAX;
}

/* Has the layer's weights for inputs of `input_bits` bits packed: as codes, if an input on the grid
 * `input` (NULL: it is not of at most 8 bits) and the weights allow it; else as floats. */
static waio_status fill_entry(waio_quantizer *q, bank_entry *entry, int n, int bits, int input_bits,
                              const waio_value_quant *input)
{
    waio_status st = WAIO_OK;
    float *values = NULL;
    bool fresh = !entry->arena;
    bool want = input && bits <= 8 && !entry->no_codes && waio_program_takes_codes(q->program, n);

    if (want ? entry->packed_codes && (codes_fit(entry, input) || entry->packed)
             : entry->packed != NULL)
        return WAIO_OK;
    if (fresh) {
        make_room(q);
        entry->arena = waio_arena_new();
    }
    if (!entry->arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_quantizer_weight_values(q, n, bits, input_bits, &values, &entry->scales,
                                              entry->arena));
    if (fresh && q->graph->node[n].input_count == 3) {
        int64_t channels = q->graph->value[q->graph->node[n].input[2]].shape.dim[0];
        WAIO_NEW(st, entry->bias, entry->arena, (size_t)channels);
        waio_quantizer_bias(q, n, values, entry->bias);
    }
    if (want && !entry->packed_codes)
        WAIO_TRY(st, pack_codes(q, entry, n, values));
    if (!entry->packed && !(want && codes_fit(entry, input)))
        WAIO_TRY(st, pack_floats(q, entry, n, values));
done:
    free(values);
    if (st != WAIO_OK && fresh)
        drop(q, entry);
    return st;
}

/* The weights of node `n` for an input of `input_bits` bits. */
static waio_status find_entry(waio_quantizer *q, bank_entry **entry, int n, int bits,
                              int input_bits, const waio_value_quant *input)
{
    waio_status st = WAIO_OK;

    *entry = entry_of(q, n, bits, ANY_INPUT);
    WAIO_TRY(st, fill_entry(q, *entry, n, bits, WAIO_FLOAT, input));
    if (!bias_of_32_bits(q, n, bits, input_bits) ||
        !wider_scales(q, n, input_bits, &(*entry)->scales, (*entry)->bias, NULL))
        goto done;
    *entry = entry_of(q, n, bits, input_bits);
    WAIO_TRY(st, fill_entry(q, *entry, n, bits, input_bits, input));
done:
    return st;
}

double waio_quantizer_bias_code(float bias, float scale, int input_bits)
{
    double limit = input_bits <= 8 ? 2147483647.0 : 9007199254740992.0;
    double code = round((double)bias / (double)scale);
    return code < -limit ? -limit : code > limit ? limit : code;
}

/* Bias at the scale of input times weight, as TensorFlow Lite's int8 and 16x8 networks have it. */
static void quantize_bias(const waio_quantizer *q, float *bias, int64_t count,
                          const waio_node *node, const waio_weight_scales *scales, int input_bits)
{
    float input_scale = waio_quantizer_value_params(q, node->input[0], input_bits).scale;

    for (int64_t c = 0; c < count; c++) {
        float scale = input_scale * scales->scale[scales->count == 1 ? 0 : c];
        bias[c] = (float)(waio_quantizer_bias_code(bias[c], scale, input_bits) * (double)scale);
    }
}

static waio_status bind_weighted(waio_quantizer *q, const waio_quant_request *request,
                                 waio_quant_binding *out, const void **constant, int n)
{
    waio_status st = WAIO_OK;
    binding_owner *owner = out->owned;
    const waio_node *node = &q->graph->node[n];
    int bits = waio_quantizer_weight_bits(q, request, n);
    int input_bits = waio_quantizer_input_bits(q, request, n);
    waio_value_quant input = value_quant(q, node->input[0], input_bits);
    bool on_grid = waio_bits_quantized(input_bits) && input_bits <= 8;
    bank_entry *entry = NULL;
    float *bias = NULL;

    WAIO_TRY(st, find_entry(q, &entry, n, bits, input_bits, on_grid ? &input : NULL));
    entry->users++;
    owner->used[owner->used_count++] = entry;
    constant[node->input[1]] = entry->packed;
    if (on_grid && codes_fit(entry, &input)) {
        int64_t channels = q->graph->value[node->input[1]].shape.dim[0];
        float *factor = NULL;
        WAIO_NEW(st, factor, owner->arena, (size_t)channels);
        for (int64_t c = 0; c < channels; c++)
            factor[c] = input.fq.scale * entry->scales.scale[entry->scales.count == 1 ? 0 : c];
        ((waio_on_codes *)out->binding.on_codes)[n] = (waio_on_codes){input.fq, factor};
        constant[node->input[1]] = entry->packed_codes;
    }
    if (node->input_count < 3 || (!q->mean && !waio_bits_quantized(bits)))
        goto done;
    int64_t count = q->graph->value[node->input[2]].shape.dim[0];
    WAIO_NEW(st, bias, owner->arena, (size_t)count);
    memcpy(bias, entry->bias, (size_t)count * sizeof *bias);
    if (waio_bits_quantized(bits) && waio_bits_quantized(input_bits) &&
        !waio_scheme_float_bias(&q->scheme))
        quantize_bias(q, bias, count, node, &entry->scales, input_bits);
    constant[node->input[2]] = bias;
done:
    return st;
}

/* Constant operands of other ops are tensors of the activations' kind with their own range, or the
 * range of the group that they belong to. */
static waio_status bind_operands(waio_quantizer *q, const waio_quant_request *request,
                                 waio_quant_binding *out, const void **constant, int n)
{
    waio_status st = WAIO_OK;
    const waio_node *node = &q->graph->node[n];
    waio_arena *arena = ((binding_owner *)out->owned)->arena;

    for (int i = 0; i < node->input_count; i++) {
        int id = node->input[i];
        const waio_value *value = &q->graph->value[id];
        int bits = role_bits(&request->bits, q->roles->value[id]);
        float *values = NULL;
        if (!value->data || bits == WAIO_FLOAT || waio_quantizer_in_float(q, request, n))
            continue;
        int64_t count = waio_shape_count(&value->shape);
        waio_value_quant quant = value_quant(q, id, bits);
        WAIO_NEW(st, values, arena, (size_t)count);
        for (int64_t k = 0; k < count; k++)
            values[k] = quant.half ? waio_round_to_half(value->data[k])
                                   : waio_fake_quantize(value->data[k], quant.fq, quant.rounding);
        constant[id] = values;
    }
done:
    return st;
}

/* ---- sizes ---- */

/* Bytes of a tensor of `count` numbers at `bits` with `scales` scales. */
static int64_t tensor_bytes(int64_t count, int bits, int64_t scales, bool asymmetric)
{
    if (bits == WAIO_FLOAT)
        return 4 * count;
    if (bits == WAIO_F16)
        return 2 * count;
    int64_t total = count * bits + scales * (32 + (asymmetric ? bits : 0));
    return (total + 7) / 8;
}

static int64_t network_bytes(const waio_quantizer *q, const waio_quant_request *request)
{
    int64_t bytes = 0;
    const waio_graph *graph = q->graph;

    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        int bits = waio_quantizer_value_bits(q, request, node->output);
        if (waio_bits_quantized(bits))
            bytes += tensor_bytes(
                0, bits, 1, waio_quantizer_value_params(q, node->output, bits).zero_point != 0);
        if (!waio_op_weighted(node->op)) {
            bytes += 4 * waio_node_params(graph, node);
            continue;
        }
        const waio_shape *weight = &graph->value[node->input[1]].shape;
        bytes += tensor_bytes(waio_shape_count(weight), waio_quantizer_weight_bits(q, request, n),
                              q->scheme.per_channel ? weight->dim[0] : 1,
                              q->scheme.weights == WAIO_ASYMMETRIC);
        bytes += node->input_count == 3 ? 4 * weight->dim[0] : 0;
    }
    int input_bits = waio_quantizer_value_bits(q, request, graph->input);
    if (waio_bits_quantized(input_bits))
        bytes +=
            tensor_bytes(0, input_bits, 1,
                         waio_quantizer_value_params(q, graph->input, input_bits).zero_point != 0);
    return bytes;
}

/* ---- binding ---- */

waio_status waio_quantizer_check(const waio_quantizer *q, const waio_quant_request *request)
{
    const waio_precision *bits = &request->bits;
    bool wants_ranges = waio_bits_quantized(bits->a) || waio_bits_quantized(bits->i) ||
                        waio_bits_quantized(bits->o);
    if (wants_ranges && !q->have_ranges)
        return waio_error(WAIO_EUSAGE, "quantized activations need calibrated ranges");
    return WAIO_OK;
}

waio_status waio_quantizer_bind(waio_quantizer *q, const waio_quant_request *request,
                                waio_quant_binding *out)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    binding_owner *owner = NULL;
    const void **constant = NULL;

    *out = (waio_quant_binding){0};
    if (!arena)
        return WAIO_ENOMEM;
    WAIO_NEW(st, owner, arena, 1);
    *owner = (binding_owner){.arena = arena, .program = q->program};
    out->owned = owner;
    WAIO_NEW(st, owner->used, arena, (size_t)q->graph->node_count);
    WAIO_TRY(st, waio_quantizer_check(q, request));
    WAIO_NEW(st, constant, arena, (size_t)q->graph->value_count);
    out->binding.constant = constant;
    waio_on_codes *on_codes = NULL;
    WAIO_NEW(st, on_codes, arena, (size_t)q->graph->node_count);
    out->binding.on_codes = on_codes;
    WAIO_TRY(st, bind_values(q, request, out, arena));
    for (int n = 0; n < q->graph->node_count; n++)
        WAIO_TRY(st, waio_op_weighted(q->graph->node[n].op)
                         ? bind_weighted(q, request, out, constant, n)
                         : bind_operands(q, request, out, constant, n));
    WAIO_TRY(st, waio_binding_place(&out->binding, q->program));
    out->size_bytes = network_bytes(q, request);
done:
    if (st != WAIO_OK) {
        if (out->owned)
            waio_quant_binding_free(out);
        else
            waio_arena_free(arena);
    }
    return st;
}

void waio_quant_binding_free(waio_quant_binding *binding)
{
    binding_owner *owner = binding->owned;

    if (!owner)
        return;
    for (int i = 0; i < owner->used_count; i++)
        owner->used[i]->users--;
    waio_binding_unplace(&binding->binding, owner->program);
    waio_arena_free(owner->arena);
    *binding = (waio_quant_binding){0};
}

waio_status waio_quantizer_verify_weights(waio_quantizer *q, const waio_quant_request *request,
                                          int *tensors)
{
    waio_status st = WAIO_OK;
    bank_entry scratch = {0};
    float *values = NULL;

    for (int n = 0; n < q->graph->node_count; n++) {
        const waio_node *node = &q->graph->node[n];
        int bits = waio_op_weighted(node->op) ? waio_quantizer_weight_bits(q, request, n) : 32;
        int64_t levels = 0;
        if (!waio_bits_quantized(bits))
            continue;
        const waio_shape *shape = &q->graph->value[node->input[1]].shape;
        scratch.arena = waio_arena_new();
        if (!scratch.arena)
            return WAIO_ENOMEM;
        WAIO_TRY(st,
                 waio_quantizer_weight_values(q, n, bits, waio_quantizer_input_bits(q, request, n),
                                              &values, &scratch.scales, scratch.arena));
        WAIO_TRY(st,
                 waio_count_levels(&levels, values, waio_shape_count(shape),
                                   q->scheme.per_channel ? shape->dim[0] : 1, INT64_C(1) << bits));
        if (levels > INT64_C(1) << bits)
            WAIO_FAIL(st, WAIO_EINTERNAL,
                      "the weights of %s hold more than the %d levels of %d "
                      "bits",
                      node->name, 1 << bits, bits);
        ++*tensors;
        free(values);
        waio_arena_free(scratch.arena);
        values = NULL;
        scratch = (bank_entry){0};
    }
done:
    free(values);
    waio_arena_free(scratch.arena);
    return st;
}
