#include "sweep/distributions.h"

#include <inttypes.h>
#include <math.h>

#include "sweep/session_internal.h"
#include "util/csv.h"

enum { BINS = WAIO_DISTRIBUTION_BINS };

/* One tensor's histogram over [min, max]. */
typedef struct shape_of {
    const char *name, *kind;
    int index;
    double min, max;
    double range[2];
    uint64_t count[BINS];
} shape_of;

void waio_distributions_header(FILE *out)
{
    fputs("tensor,kind,index,low,high,count,range_min,range_max\n", out);
}

static void put_number(FILE *out, double value)
{
    char text[32];

    waio_real_text(text, value);
    fprintf(out, ",%s", text);
}

static void put(FILE *out, const shape_of *s)
{
    double width = (s->max - s->min) / BINS;

    for (int i = 0; i < BINS; i++) {
        waio_csv_put(out, s->name);
        fprintf(out, ",%s,%d", s->kind, s->index);
        put_number(out, s->min + i * width);
        put_number(out, s->min + (i + 1) * width);
        fprintf(out, ",%" PRIu64, s->count[i]);
        put_number(out, s->range[0]);
        put_number(out, s->range[1]);
        putc('\n', out);
    }
}

static void count_number(shape_of *s, double x, uint64_t times)
{
    int bin = (int)floor((x - s->min) / (s->max - s->min) * BINS);
    s->count[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin] += times;
}

/* A tensor of one number only gets a range of some width. */
static void set_range(shape_of *s, double min, double max)
{
    s->min = min;
    s->max = max > min ? max : min + fmax(fabs(min) * 1e-3, 1e-6);
}

waio_status waio_distributions_weights(FILE *out, const waio_graph *graph)
{
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        if (!waio_op_weighted(node->op) || graph->value[node->input[1]].type != WAIO_F32)
            continue;
        const waio_value *w = &graph->value[node->input[1]];
        int64_t count = waio_shape_count(&w->shape);
        double min = INFINITY, max = -INFINITY;
        for (int64_t i = 0; i < count; i++) {
            if (!isfinite(w->data[i]))
                return waio_error(WAIO_EINPUT, "%s: weight %" PRId64 " is not finite", node->name,
                                  i);
            min = fmin(min, (double)w->data[i]);
            max = fmax(max, (double)w->data[i]);
        }
        shape_of s = {.name = node->name, .kind = "weights", .index = n, .range = {min, max}};
        set_range(&s, min, max);
        for (int64_t i = 0; i < count; i++)
            count_number(&s, (double)w->data[i], 1);
        put(out, &s);
    }
    return WAIO_OK;
}

static void put_activation(FILE *out, const waio_ranges *ranges, int id, shape_of *s, int bits)
{
    const waio_histogram *h = ranges->histogram[id];
    float low, high;

    waio_ranges_at(ranges, id, bits, false, &low, &high);
    s->range[0] = (double)low;
    s->range[1] = (double)high;
    set_range(s, (double)ranges->min[id], (double)ranges->max[id]);
    for (int i = 0; i < 2 * WAIO_BINS; i++)
        if (h->count[i])
            count_number(s, (i - WAIO_BINS + 0.5) * (double)h->reach / WAIO_BINS, h->count[i]);
    put(out, s);
}

waio_status waio_distributions_activations(FILE *out, waio_session *session, waio_range_rule rule,
                                           int bits)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = session->model.graph;

    WAIO_TRY(st, waio_session_calibrate(session));
    waio_ranges ranges = session->ranges;
    ranges.rule = rule;
    if (!ranges.histogram)
        WAIO_FAIL(st, WAIO_EINTERNAL, "no histograms were taken");
    for (int n = -1; n < graph->node_count; n++) {
        int id = n < 0 ? graph->input : graph->node[n].output;
        shape_of s = {.name = n < 0 ? graph->value[id].name : graph->node[n].name,
                      .kind = "activations",
                      .index = n};
        if (ranges.histogram[id])
            put_activation(out, &ranges, id, &s, bits);
    }
done:
    return st;
}
