/* Resize (opset 10 and later) and Upsample (7 to 9). ONNX has many rules for where an output cell
 * lies in the input; the graph has three. The positions that the file's rule gives are compared
 * with those of each of the three, and one that agrees everywhere is taken. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "import/onnx_import.h"

typedef struct rule {
    bool linear;
    char coordinate[32], nearest[32];
} rule;

typedef struct axis {
    int64_t in, out;
    float scale; /* out over in as the file gives it */
} axis;

/* The graph's ways. */
enum { ASYMMETRIC, HALF_PIXEL, ALIGN_CORNERS, WAY_COUNT };

static bool known_coordinate(const char *name)
{
    static const char *const known[] = {"asymmetric",           "half_pixel",
                                        "pytorch_half_pixel",   "align_corners",
                                        "half_pixel_symmetric", "tf_half_pixel_for_nn"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

/* Where output cell `i` lies in the input, by the formulas in ONNX's Resize specification. In
 * float32, since 1 / 0.33333334f is 3 there, and 2.9999999 in double. */
static float position(const char *coordinate, const axis *a, int64_t i)
{
    float x = (float)i, in = (float)a->in, out = (float)a->out;

    if (strcmp(coordinate, "asymmetric") == 0)
        return x / a->scale;
    if (strcmp(coordinate, "align_corners") == 0)
        return a->out > 1 ? x * (in - 1) / (out - 1) : 0;
    if (strcmp(coordinate, "pytorch_half_pixel") == 0 && a->out == 1)
        return 0;
    if (strcmp(coordinate, "tf_half_pixel_for_nn") == 0)
        return (x + 0.5f) / a->scale;
    if (strcmp(coordinate, "half_pixel_symmetric") == 0)
        return in / 2 * (1 - out / (a->scale * in)) + (x + 0.5f) / a->scale - 0.5f;
    return (x + 0.5f) / a->scale - 0.5f;
}

/* The same for way `k` of the graph (see waio_resize_params). */
static double graph_position(int k, const axis *a, int64_t i)
{
    double x = (double)i, in = (double)a->in, out = (double)a->out;

    if (k == ALIGN_CORNERS)
        return a->out > 1 ? x * (in - 1) / (out - 1) : 0;
    return k == HALF_PIXEL ? (x + 0.5) * in / out - 0.5 : x * in / out;
}

static double limited(double x, double size)
{
    return x < 0 ? 0 : x > size - 1 ? size - 1 : x;
}

static double nearest_cell(const rule *r, double x)
{
    if (strcmp(r->nearest, "floor") == 0)
        return floor(x);
    if (strcmp(r->nearest, "ceil") == 0)
        return ceil(x);
    if (strcmp(r->nearest, "round_prefer_ceil") == 0)
        return floor(x + 0.5);
    return ceil(x - 0.5);
}

/* Whether way `k` of the graph's resize agrees with the file's rule on all cells of an axis. */
static bool agrees(const rule *r, const axis *a, int k)
{
    double in = (double)a->in, tolerance = r->linear ? 1e-6 + 2e-7 * in : 0; /* of a float32 */

    for (int64_t i = 0; i < a->out; i++) {
        double file = position(r->coordinate, a, i), graph = graph_position(k, a, i);
        if (!r->linear) {
            file = nearest_cell(r, file);
            graph = floor(k == ASYMMETRIC ? graph : graph + 0.5);
        }
        if (!(fabs(limited(file, in) - limited(graph, in)) <= tolerance))
            return false;
    }
    return true;
}

/* ---- reading the node ---- */

static waio_status read_rule(const waio_onnx *onnx, rule *r, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    char mode[32], policy[32];
    bool old = onnx->opset < 11, antialias = false;

    WAIO_TRY(st, waio_onnx_attr_text(mode, node, "mode", "nearest"));
    WAIO_TRY(st, waio_onnx_attr_text(r->coordinate, node, "coordinate_transformation_mode",
                                     old ? "asymmetric" : "half_pixel"));
    WAIO_TRY(st, waio_onnx_attr_text(r->nearest, node, "nearest_mode",
                                     old ? "floor" : "round_prefer_floor"));
    WAIO_TRY(st, waio_onnx_attr_text(policy, node, "keep_aspect_ratio_policy", "stretch"));
    WAIO_TRY(st, waio_onnx_attr_flag(&antialias, node, "antialias", false));
    r->linear = strcmp(mode, "linear") == 0;
    if (!r->linear && strcmp(mode, "nearest") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "mode \"%s\", supported are nearest and linear", mode);
    if (!known_coordinate(r->coordinate))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "coordinate_transformation_mode \"%s\"", r->coordinate);
    if (strcmp(r->nearest, "floor") != 0 && strcmp(r->nearest, "ceil") != 0 &&
        strcmp(r->nearest, "round_prefer_floor") != 0 &&
        strcmp(r->nearest, "round_prefer_ceil") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "nearest_mode \"%s\"", r->nearest);
    if (antialias || strcmp(policy, "stretch") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "antialias and keep_aspect_ratio_policy are not "
                  "supported");
done:
    return st;
}

/* The list of scales or sizes, from an input or (Upsample before opset 9) an attribute. */
typedef struct targets {
    const float *scales;
    const waio_onnx_value *sizes;
    size_t count;
} targets;

static waio_status read_targets(waio_onnx *onnx, targets *to, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *value = NULL;
    bool is_upsample = strcmp(node->op_type, "Upsample") == 0;
    size_t scales_input = is_upsample || onnx->opset < 11 ? 1 : 2;
    const Onnx__AttributeProto *attr = waio_onnx_attr(node, "scales");

    *to = (targets){0};
    if (is_upsample && attr) {
        to->scales = attr->floats;
        to->count = attr->n_floats;
        return WAIO_OK;
    }
    if (waio_onnx_has_input(node, scales_input)) {
        WAIO_TRY(st, waio_onnx_floats(onnx, node, scales_input, &value));
        to->count = (size_t)waio_onnx_count(&value->shape);
        to->scales = value->floats;
    }
    if (to->count == 0 && !is_upsample && waio_onnx_has_input(node, 3)) {
        WAIO_TRY(st, waio_onnx_ints(onnx, node, 3, &value));
        to->count = (size_t)waio_onnx_count(&value->shape);
        to->sizes = value;
    }
    if (to->count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "neither scales nor sizes");
done:
    return st;
}

static waio_status axis_target(axis *a, const targets *to, size_t i)
{
    if (to->sizes) {
        a->out = to->sizes->ints[i];
        a->scale = (float)a->out / (float)a->in;
    } else {
        float cells = to->scales[i] * (float)a->in;
        a->scale = to->scales[i];
        a->out = cells >= 1 && cells < 65536 ? (int64_t)floorf(cells) : 0;
    }
    if (a->out < 1 || a->out > 65535)
        return waio_error(WAIO_EINPUT, "the new size of dimension %zu is not in 1 to 65535", i);
    return WAIO_OK;
}

static waio_status read_axes(waio_onnx *onnx, axis axes[4], const Onnx__NodeProto *node,
                             const waio_shape *shape)
{
    waio_status st = WAIO_OK;
    targets to;
    const int64_t *list = NULL;
    size_t count = 0;
    unsigned seen = 0;

    for (int i = 0; i < 4; i++)
        axes[i] = (axis){shape->dim[i], shape->dim[i], 1};
    WAIO_TRY(st, read_targets(onnx, &to, node));
    WAIO_TRY(st, waio_onnx_attr_ints(&list, &count, node, "axes"));
    WAIO_TRY(st, waio_onnx_axes(&seen, list, count, 4));
    if (to.count != (list ? count : 4))
        WAIO_FAIL(st, WAIO_EINPUT, "%zu scales or sizes for %zu dimensions", to.count,
                  list ? count : (size_t)4);
    for (size_t i = 0; i < to.count; i++) {
        int dim = (int)i;
        if (list)
            WAIO_TRY(st, waio_onnx_axis(&dim, list[i], 4));
        bool marked = to.sizes && waio_onnx_is_marked(to.sizes, (int64_t)i);
        if (marked && dim > 0)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the new sizes depend on the batch size");
        if (dim == 0 && to.sizes && (marked || to.sizes->ints[i] == onnx->batch))
            continue; /* all of the batch, whatever its size */
        WAIO_TRY(st, axis_target(&axes[dim], &to, i));
    }
    if (axes[0].out != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "resizes the batch");
done:
    return st;
}

waio_status waio_onnx_op_resize(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, out = {.kind = WAIO_ONNX_ACTIVATION};
    waio_node resize = {.op = WAIO_OP_RESIZE, .input_count = 1};
    rule r;
    axis axes[4];
    int k = 0;

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    waio_shape shape = waio_onnx_shape(onnx, x);
    if (shape.rank != 4)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%d dimensions, supported are 4", shape.rank);
    WAIO_TRY(st, read_rule(onnx, &r, node));
    WAIO_TRY(st, read_axes(onnx, axes, node, &shape));
    bool nchw = axes[1].in == axes[1].out;
    const axis *height = &axes[nchw ? 2 : 1], *width = &axes[nchw ? 3 : 2];
    if (!nchw && axes[3].in != axes[3].out)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "resizes more than two dimensions");
    while (k < WAY_COUNT && !(agrees(&r, height, k) && agrees(&r, width, k)))
        k++;
    if (k == WAY_COUNT)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "no resize of ours picks the cells of "
                  "coordinate_transformation_mode \"%s\" and nearest_mode \"%s\" from %" PRId64
                  "x%" PRId64 " to %" PRId64 "x%" PRId64,
                  r.coordinate, r.nearest, height->in, width->in, height->out, width->out);
    resize.resize = (waio_resize_params){.out = {(int)height->out, (int)width->out},
                                         .bilinear = r.linear,
                                         .half_pixel = k == HALF_PIXEL,
                                         .align_corners = k == ALIGN_CORNERS};
    if (nchw)
        waio_onnx_channels_last(4, out.perm);
    else
        waio_onnx_identity(4, out.perm);
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &resize.input[0], x, out.perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, &resize, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}
