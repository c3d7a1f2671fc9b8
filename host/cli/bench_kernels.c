#include "cli/bench_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/plugin.h"
#include "models/models.h"
#include "util/csv.h"

enum { MOST_LAYERS = 128, SMALL_LAYERS = 12 };

static const struct {
    const char *name, *title;
} networks[] = {{"resnet50:input=128", "ResNet50@128"},
                {"mobilenet_v1:input=128", "MobileNetV1@128"}};

/* ---- shapes of layers ---- */

static waio_conv_shape shape_of(const waio_graph *graph, const waio_node *node)
{
    const waio_conv_params *p = &node->conv;
    const int64_t *x = graph->value[node->input[0]].shape.dim;
    const int64_t *w = graph->value[node->input[1]].shape.dim;
    const int64_t *y = graph->value[node->output].shape.dim;

    return (waio_conv_shape){.images = 1,
                             .ih = (int32_t)x[1],
                             .iw = (int32_t)x[2],
                             .ic = (int32_t)x[3],
                             .oh = (int32_t)y[1],
                             .ow = (int32_t)y[2],
                             .oc = (int32_t)y[3],
                             .kh = (int32_t)w[1],
                             .kw = (int32_t)w[2],
                             .stride = {p->stride[0], p->stride[1]},
                             .dilation = {p->dilation[0], p->dilation[1]},
                             .pad = {p->pad[0], p->pad[1]},
                             .groups = p->groups};
}

/* The different convolutions of a network, each with its number. */
static int collect(waio_bench_layer *layer, int count, const waio_graph *graph, const char *title)
{
    int first = count;

    for (int n = 0; n < graph->node_count && count < MOST_LAYERS; n++) {
        if (graph->node[n].op != WAIO_OP_CONV2D)
            continue;
        waio_bench_layer l = {title, 1, shape_of(graph, &graph->node[n])};
        int i = first;
        while (i < count && memcmp(&layer[i].shape, &l.shape, sizeof l.shape) != 0)
            i++;
        if (i < count)
            layer[i].repeats++;
        else
            layer[count++] = l;
    }
    return count;
}

static waio_status collect_layers(waio_bench_layer *layer, int *count)
{
    waio_status st = WAIO_OK;

    *count = 0;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        waio_model model = {0};
        WAIO_TRY(st, waio_model_load(&model, networks[i].name, &(waio_model_paths){NULL, NULL}));
        *count = collect(layer, *count, model.graph, networks[i].title);
        waio_model_free(&model);
    }
done:
    return st;
}

/* ---- rows ---- */

typedef struct view {
    FILE *csv; /* NULL: none */
    const char *device;
    int rows, wrong;
} view;

static void show_limits(void *payload, const waio_bench_limits *l)
{
    view *v = payload;

    v->device = l->device;
    printf("# %s\n# limits: ", l->device);
    if (l->bytes_per_second > 0)
        printf("%.0f GB/s (%d bit at %.2f GHz), ", 1e-9 * l->bytes_per_second, l->bus_bits,
               1e-9 * l->memory_clock);
    else
        printf("memory not known, ");
    if (l->int8_per_second > 0)
        printf("%.0f int8 TOP/s (%d multiply-adds a multiprocessor and clock, %.2f GHz)\n",
               1e-12 * l->int8_per_second, l->products, 1e-9 * l->clock);
    else
        printf("tensor cores not known\n");
    printf("%-22s %-62s %10s %8s %8s %7s %7s  %-13s %8s %s\n", "# kernel", "shape", "us", "GB/s",
           "TOP/s", "limit", "share %", "peer", "us", "results");
}

static double share_of(const waio_kernel_time *t)
{
    return t->seconds > 0 ? 100 * t->limit_seconds / t->seconds : 0;
}

static void put_number(FILE *out, double value)
{
    char text[32];

    waio_real_text(text, value);
    fprintf(out, ",%s", text);
}

static void write_csv(const view *v, const waio_kernel_time *t)
{
    waio_csv_put(v->csv, v->device);
    fputc(',', v->csv);
    waio_csv_put(v->csv, t->kernel);
    fputc(',', v->csv);
    waio_csv_put(v->csv, t->shape);
    put_number(v->csv, 1e6 * t->seconds);
    put_number(v->csv, 1e-9 * t->bytes / t->seconds);
    put_number(v->csv, 1e-12 * t->operations / t->seconds);
    fprintf(v->csv, ",%s", t->limit);
    put_number(v->csv, 1e6 * t->limit_seconds);
    put_number(v->csv, share_of(t));
    fputc(',', v->csv);
    waio_csv_put(v->csv, t->peer);
    put_number(v->csv, t->peer ? 1e6 * t->peer_seconds : NAN);
    fprintf(v->csv, ",%lld,%lld\n", (long long)t->checked, (long long)t->wrong);
    fflush(v->csv);
}

static void show_row(void *payload, const waio_kernel_time *t)
{
    view *v = payload;

    printf("%-22s %-62s %10.2f %8.1f %8.2f %7s %7.1f  ", t->kernel, t->shape, 1e6 * t->seconds,
           1e-9 * t->bytes / t->seconds, 1e-12 * t->operations / t->seconds, t->limit, share_of(t));
    if (t->peer)
        printf("%-13s %8.2f ", t->peer, 1e6 * t->peer_seconds);
    else
        printf("%-13s %8s ", "-", "-");
    if (t->wrong)
        printf("WRONG: %lld of %lld\n", (long long)t->wrong, (long long)t->checked);
    else
        printf("right (%lld)\n", (long long)t->checked);
    fflush(stdout);
    v->rows++;
    v->wrong += t->wrong > 0;
    if (v->csv)
        write_csv(v, t);
}

/* ---- all ---- */

static waio_status open_csv(view *v, const char *path)
{
    v->csv = fopen(path, "w");
    if (!v->csv)
        return waio_error(WAIO_EIO, "%s cannot be written", path);
    fprintf(v->csv, "device,kernel,shape,microseconds,gb_per_s,top_per_s,limit,limit_us,share_pct,"
                    "peer,peer_us,checked,wrong\n");
    return WAIO_OK;
}

static waio_status close_csv(view *v, const char *path)
{
    bool broken = ferror(v->csv) != 0;

    if (fclose(v->csv) != 0 || broken)
        return waio_error(WAIO_EIO, "writing %s failed", path);
    return WAIO_OK;
}

waio_status waio_bench_kernels(int *wrong, const waio_kernels_request *request)
{
    waio_status st = WAIO_OK;
    static waio_bench_layer layer[MOST_LAYERS];
    view v = {0};
    const waio_backend *cuda = NULL;
    waio_kernel_bench bench = {.small = request->small,
                               .only = request->only,
                               .batch = request->batch,
                               .layer = layer,
                               .begin = show_limits,
                               .row = show_row,
                               .payload = &v};

    WAIO_TRY(st, waio_backend_find(&cuda, "cuda")); /* before the networks are built */
    WAIO_TRY(st, collect_layers(layer, &bench.layer_count));
    if (request->small && bench.layer_count > SMALL_LAYERS) { /* both ends: ResNet, MobileNet */
        memmove(layer + SMALL_LAYERS / 2, layer + bench.layer_count - SMALL_LAYERS / 2,
                SMALL_LAYERS / 2 * sizeof *layer);
        bench.layer_count = SMALL_LAYERS;
    }
    if (request->out)
        WAIO_TRY(st, open_csv(&v, request->out));
    WAIO_TRY(st, waio_plugin_cuda_bench(&bench));
    if (v.rows == 0)
        WAIO_FAIL(st, WAIO_EUSAGE, "--only %s: no kernel has that in its name", request->only);
done:
    if (v.csv) {
        waio_status closed = close_csv(&v, request->out);
        st = st == WAIO_OK ? closed : st;
    }
    *wrong = v.wrong;
    return st;
}
