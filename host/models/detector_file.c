#include "models/detector_file.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "util/file.h"

/* ---- values ---- */

static waio_status number(double *out, const cJSON *item, const char *key, double least,
                          double most)
{
    double x = cJSON_IsNumber(item) ? item->valuedouble : NAN;

    if (!(x >= least && x <= most))
        return waio_error(WAIO_EINPUT, "\"%s\": expected a number from %g to %g", key, least, most);
    *out = x;
    return WAIO_OK;
}

static waio_status whole(int *out, const cJSON *item, const char *key, int least, int most)
{
    double x = 0;
    waio_status st = number(&x, item, key, least, most);

    if (st == WAIO_OK && x != floor(x))
        return waio_error(WAIO_EINPUT, "\"%s\": expected a whole number", key);
    *out = (int)x;
    return st;
}

static waio_status real(float *out, const cJSON *item, const char *key, double least, double most)
{
    double x = 0;
    waio_status st = number(&x, item, key, least, most);

    *out = (float)x;
    return st;
}

static waio_status truth(bool *out, const cJSON *item, const char *key)
{
    *out = cJSON_IsTrue(item);
    return cJSON_IsBool(item) ? WAIO_OK
                              : waio_error(WAIO_EINPUT, "\"%s\": expected true or false", key);
}

/* A list of `least` to `most` numbers. */
static waio_status reals(float *out, int *count, const cJSON *item, const char *key, int least,
                         int most)
{
    waio_status st = WAIO_OK;
    const cJSON *one = NULL;

    *count = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : -1;
    if (*count < least || *count > most)
        return waio_error(WAIO_EINPUT, "\"%s\": expected a list of %d to %d numbers", key, least,
                          most);
    cJSON_ArrayForEach(one, item) WAIO_TRY(st, real(out++, one, key, 1e-6, 1e6));
done:
    return st;
}

static waio_status unknown(const cJSON *item, const char *known)
{
    return waio_error(WAIO_EINPUT, "unknown key \"%.60s\"; there are: %s", item->string, known);
}

/* ---- anchors ---- */

/* [19, 10, ...], or [[19, 25], ...]: height and width. */
static waio_status read_maps(waio_anchor_plan *plan, const cJSON *list)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL;

    plan->maps = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (plan->maps < 1 || plan->maps > WAIO_DETECTOR_MAPS)
        return waio_error(WAIO_EINPUT, "\"maps\": expected a list of 1 to %d sizes",
                          WAIO_DETECTOR_MAPS);
    int m = 0;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *height = item, *width = item;
        if (cJSON_GetArraySize(item) == 2) {
            height = cJSON_GetArrayItem(item, 0);
            width = cJSON_GetArrayItem(item, 1);
        }
        WAIO_TRY(st, whole(&plan->height[m], height, "maps", 1, 4096));
        WAIO_TRY(st, whole(&plan->width[m], width, "maps", 1, 4096));
        m++;
    }
done:
    return st;
}

static waio_status read_scales(waio_anchor_plan *plan, const cJSON *item)
{
    float scale[2] = {0};
    int count = 0;
    waio_status st = reals(scale, &count, item, "scales", 2, 2);

    plan->least_scale = scale[0];
    plan->most_scale = scale[1];
    return st;
}

static waio_status read_kind(waio_anchor_plan *plan, const cJSON *item)
{
    const char *word = cJSON_GetStringValue(item);

    if (!word || (strcmp(word, "ssd") != 0 && strcmp(word, "multiscale") != 0))
        return waio_error(WAIO_EINPUT, "\"kind\": expected \"ssd\" or \"multiscale\"");
    plan->kind = strcmp(word, "ssd") == 0 ? WAIO_ANCHORS_SSD : WAIO_ANCHORS_MULTISCALE;
    return WAIO_OK;
}

static waio_status read_anchors(waio_anchor_plan *plan, const cJSON *object,
                                const waio_shape *image)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL;

    *plan = (waio_anchor_plan){.kind = WAIO_ANCHORS_SSD,
                               .ratios = 5,
                               .ratio = {1, 2, 0.5f, 3, 0.3333f},
                               .least_scale = 0.2f,
                               .most_scale = 0.95f,
                               .reduce_first = true,
                               .first_level = 3,
                               .octaves = 2,
                               .anchor_scale = 4,
                               .image_height = (int)image->dim[1],
                               .image_width = (int)image->dim[2]};
    cJSON_ArrayForEach(item, object)
    {
        const char *key = item->string;
        if (strcmp(key, "kind") == 0)
            WAIO_TRY(st, read_kind(plan, item));
        else if (strcmp(key, "maps") == 0)
            WAIO_TRY(st, read_maps(plan, item));
        else if (strcmp(key, "ratios") == 0)
            WAIO_TRY(st, reals(plan->ratio, &plan->ratios, item, key, 1, WAIO_DETECTOR_RATIOS));
        else if (strcmp(key, "scales") == 0)
            WAIO_TRY(st, read_scales(plan, item));
        else if (strcmp(key, "reduce_first") == 0)
            WAIO_TRY(st, truth(&plan->reduce_first, item, key));
        else if (strcmp(key, "first_level") == 0)
            WAIO_TRY(st, whole(&plan->first_level, item, key, 0, 12));
        else if (strcmp(key, "octaves") == 0)
            WAIO_TRY(st, whole(&plan->octaves, item, key, 1, 8));
        else if (strcmp(key, "scale") == 0)
            WAIO_TRY(st, real(&plan->anchor_scale, item, key, 1e-3, 1e3));
        else
            WAIO_TRY(st, unknown(item, "kind, maps, ratios, scales, reduce_first, first_level, "
                                       "octaves, scale"));
    }
    if (plan->maps == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "\"maps\" is missing: the sizes of the feature maps");
done:
    return st == WAIO_OK ? st : waio_error_context(st, "anchors");
}

/* ---- the rest ---- */

static waio_status read_suppression(waio_detector *d, const cJSON *object)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, object)
    {
        const char *key = item->string;
        if (strcmp(key, "fast") == 0)
            WAIO_TRY(st, truth(&d->fast, item, key));
        else if (strcmp(key, "score") == 0)
            WAIO_TRY(st, real(&d->least_score, item, key, 0, 1));
        else if (strcmp(key, "iou") == 0)
            WAIO_TRY(st, real(&d->most_overlap, item, key, 1e-6, 1));
        else if (strcmp(key, "per_class") == 0)
            WAIO_TRY(st, whole(&d->most_per_class, item, key, 1, 100000));
        else if (strcmp(key, "most") == 0)
            WAIO_TRY(st, whole(&d->most, item, key, 1, 100000));
        else if (strcmp(key, "clip") == 0)
            WAIO_TRY(st, truth(&d->clip, item, key));
        else
            WAIO_TRY(st, unknown(item, "fast, score, iou, per_class, most, clip"));
    }
done:
    return st == WAIO_OK ? st : waio_error_context(st, "suppression");
}

/* The name of a set, or the names themselves. */
static waio_status read_labels(waio_detector *d, const cJSON *item, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const cJSON *one = NULL;
    const char **label = NULL;
    const char *set = cJSON_GetStringValue(item);
    int count = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : 0, i = 0;

    d->label_set = NULL;
    d->label = NULL;
    if (set) {
        d->label_set = waio_arena_strdup(arena, set);
        return d->label_set ? WAIO_OK : WAIO_ENOMEM;
    }
    if (count != d->classes)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "\"labels\": %d names, expected one for each of the %d classes, or the name of a "
                  "set",
                  count, d->classes);
    WAIO_NEW(st, label, arena, (size_t)count);
    cJSON_ArrayForEach(one, item)
    {
        const char *name = cJSON_GetStringValue(one);
        if (!name)
            WAIO_FAIL(st, WAIO_EINPUT, "\"labels\": entry %d is no text", i);
        if (!(label[i++] = waio_arena_strdup(arena, name)))
            return WAIO_ENOMEM;
    }
    d->label = label;
done:
    return st;
}

/* One name a line, in a file beside the model; the background's line may stand in front. "???", as
 * TensorFlow's label maps write it, is no name. */
static waio_status read_label_file(waio_detector *d, const cJSON *item, const char *beside,
                                   waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const char *name = cJSON_GetStringValue(item), **label = NULL, *folder = NULL, *path = NULL;
    unsigned char *text = NULL;
    size_t size = 0;
    int count = 0;

    if (!name)
        return waio_error(WAIO_EINPUT, "\"label_file\": expected the name of a file");
    if (!(folder = waio_path_dir(arena, beside)) || !(path = waio_path_join(arena, folder, name)))
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_read(&text, &size, path, arena));
    WAIO_NEW(st, label, arena, (size_t)d->columns);
    for (char *save = NULL, *line = strtok_r((char *)text, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save), count++)
        if (count < d->columns)
            label[count] = strcmp(line, "???") == 0 ? "" : line;
    if (count != d->columns && count != d->classes)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %d names, expected one for each of the %d classes%s", path,
                  count, d->classes, d->first_class ? ", or one more in front" : "");
    d->label_set = NULL;
    d->label = label + (count - d->classes);
done:
    return st;
}

/* An output by its number, or by the name of its value. */
static waio_status read_output(int *out, const cJSON *item, const char *key,
                               const waio_graph *graph)
{
    const char *name = cJSON_GetStringValue(item);

    for (int o = 0; name && o < graph->output_count; o++)
        if (strcmp(graph->value[graph->output[o]].name, name) == 0) {
            *out = o;
            return WAIO_OK;
        }
    if (name)
        return waio_error(WAIO_EINPUT, "\"%s\": there is no output \"%.100s\"", key, name);
    return whole(out, item, key, 0, graph->output_count - 1);
}

/* Classes and columns from the outputs, which must have a row for each anchor. */
static waio_status check_outputs(waio_detector *d, const waio_graph *graph)
{
    const waio_shape *box = &graph->value[graph->output[d->boxes]].shape;
    const waio_shape *score = &graph->value[graph->output[d->scores]].shape;
    int64_t count = waio_anchors_count(&d->anchors);
    char text[2][64];

    if (d->boxes == d->scores || waio_shape_count(box) != count * 4 || score->rank < 2 ||
        waio_shape_count(score) % count ||
        score->dim[score->rank - 1] * count != waio_shape_count(score))
        return waio_error(WAIO_EINPUT,
                          "there are %lld anchors; boxes are %s, scores are %s, expected 4 numbers "
                          "and a number for each class an anchor",
                          (long long)count, waio_shape_text(box, text[0]),
                          waio_shape_text(score, text[1]));
    d->columns = (int)score->dim[score->rank - 1];
    d->classes = d->columns - d->first_class;
    if (d->classes < 1)
        return waio_error(WAIO_EINPUT,
                          "there is one score an anchor, and that is the background's");
    return WAIO_OK;
}

static waio_status read_detector(waio_detector *d, const cJSON *root, waio_graph *graph,
                                 const char *path)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL, *labels = NULL, *label_file = NULL;
    bool anchors = graph->detector != NULL, background = d->first_class != 0;
    int count = 0;

    if (!cJSON_IsObject(root) || graph->output_count < 2)
        WAIO_FAIL(st, WAIO_EINPUT, "%s",
                  cJSON_IsObject(root) ? "the network has one output, a detector has two"
                                       : "expected a JSON object");
    cJSON_ArrayForEach(item, root)
    {
        const char *key = item->string;
        if (strcmp(key, "anchors") == 0) {
            WAIO_TRY(st, read_anchors(&d->anchors, item, &graph->value[graph->input].shape));
            anchors = true;
        } else if (strcmp(key, "boxes") == 0) {
            WAIO_TRY(st, read_output(&d->boxes, item, key, graph));
        } else if (strcmp(key, "scores") == 0) {
            WAIO_TRY(st, read_output(&d->scores, item, key, graph));
        } else if (strcmp(key, "code_scale") == 0) {
            WAIO_TRY(st, reals(d->code_scale, &count, item, key, 4, 4));
        } else if (strcmp(key, "background") == 0) {
            WAIO_TRY(st, truth(&background, item, key));
        } else if (strcmp(key, "logits") == 0) {
            WAIO_TRY(st, truth(&d->logits, item, key));
        } else if (strcmp(key, "suppression") == 0) {
            WAIO_TRY(st, read_suppression(d, item));
        } else if (strcmp(key, "labels") == 0) {
            labels = item;
        } else if (strcmp(key, "label_file") == 0) {
            label_file = item;
        } else {
            WAIO_TRY(st, unknown(item, "anchors, boxes, scores, code_scale, background, logits, "
                                       "suppression, labels, label_file"));
        }
    }
    if (!anchors)
        WAIO_FAIL(st, WAIO_EINPUT, "\"anchors\" is missing, and the network's file has none");
    d->first_class = background;
    WAIO_TRY(st, check_outputs(d, graph));
    if (labels)
        WAIO_TRY(st, read_labels(d, labels, graph->arena));
    if (label_file)
        WAIO_TRY(st, read_label_file(d, label_file, path, graph->arena));
done:
    return st;
}

waio_status waio_detector_file_apply(waio_graph *graph, const char *path)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    unsigned char *text = NULL;
    size_t size = 0;
    const char *end = NULL;
    cJSON *root = NULL;
    waio_detector *d = NULL;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_read(&text, &size, path, arena));
    root = cJSON_ParseWithLengthOpts((const char *)text, size + 1, &end, 1);
    if (!root)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: byte %zu: no valid JSON", path,
                  end ? (size_t)(end - (const char *)text) : 0);
    WAIO_NEW(st, d, graph->arena, 1);
    *d = graph->detector ? *graph->detector : waio_detector_default();
    if ((st = read_detector(d, root, graph, path)) != WAIO_OK) {
        waio_error_context(st, "%s", path);
        goto done;
    }
    graph->detector = d;
done:
    cJSON_Delete(root);
    waio_arena_free(arena);
    return st;
}
