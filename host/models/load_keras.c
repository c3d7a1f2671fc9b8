/* Weights by the names of layers. Names that Keras counts up (conv2d_17) depend on what else the
 * process had built: such a family is matched in order where a name is missing. The classifier has
 * other names in every file: its layers are those that the trunk leaves over, in order. */
#include <stdlib.h>
#include <string.h>

#include "import/weight_file.h"
#include "models/load_weights.h"
#include "tensor/permute.h"

/* A layer of the file: a run of its entries. */
typedef struct source {
    const char *name;
    int first, count;
    bool used;
} source;

typedef struct matcher {
    waio_build *build;
    const char *path;
    waio_weight_file *file;
    source *source; /* sorted by name */
    int source_count;
    source **of; /* per layer of the build; NULL: none */
} matcher;

/* Length of "conv2d" in "conv2d_17", and 17; of the whole name, and 0, without a number. */
static size_t split_number(const char *name, int *number)
{
    const char *underline = strrchr(name, '_');

    *number = 0;
    if (!underline || !underline[1] || strspn(underline + 1, "0123456789") != strlen(underline + 1))
        return strlen(name);
    *number = atoi(underline + 1);
    return (size_t)(underline - name);
}

static bool same_family(const char *a, const char *b)
{
    int number;
    size_t n = split_number(a, &number);

    return split_number(b, &number) == n && strncmp(a, b, n) == 0;
}

/* ---- who is who ---- */

static waio_status list_sources(matcher *m)
{
    int entries = waio_weight_file_count(m->file);
    waio_status st = WAIO_OK;

    WAIO_NEW(st, m->source, m->build->arena, (size_t)entries);
    WAIO_NEW(st, m->of, m->build->arena, (size_t)m->build->layer_count);
    for (int i = 0; i < entries; i++) {
        const char *layer = waio_weight_file_entry(m->file, i)->layer;
        source *last = m->source_count ? &m->source[m->source_count - 1] : NULL;
        if (last && strcmp(last->name, layer) == 0)
            last->count++;
        else
            m->source[m->source_count++] = (source){.name = layer, .first = i, .count = 1};
    }
done:
    return st;
}

static source *find_source(const matcher *m, const char *name)
{
    for (int i = 0; i < m->source_count; i++)
        if (strcmp(m->source[i].name, name) == 0)
            return &m->source[i];
    return NULL;
}

static void use(matcher *m, int layer, source *s)
{
    m->of[layer] = s;
    if (s)
        s->used = true;
}

/* The member of `name`'s family in the file that has `rank` members with a lower number. */
static source *by_rank(const matcher *m, const char *name, int rank)
{
    for (int i = 0; i < m->source_count; i++) {
        int number, other, below = 0;
        if (!same_family(m->source[i].name, name))
            continue;
        split_number(m->source[i].name, &number);
        for (int k = 0; k < m->source_count; k++)
            if (same_family(m->source[k].name, name)) {
                split_number(m->source[k].name, &other);
                below += other < number;
            }
        if (below == rank)
            return &m->source[i];
    }
    return NULL;
}

static int family_in_file(const matcher *m, const char *name)
{
    int count = 0;

    for (int i = 0; i < m->source_count; i++)
        count += same_family(m->source[i].name, name);
    return count;
}

/* Sizes of the family of `name` among the trunk's layers; how many of them stand in front of layer
 * `at`; whether the file has all of their names. */
static int family_in_trunk(const matcher *m, const char *name, int at, int *rank, bool *all_there)
{
    int count = 0;

    *rank = 0;
    *all_there = true;
    for (int i = 0; i < m->build->layer_count; i++) {
        const waio_layer *layer = &m->build->layer[i];
        if (layer->head || !same_family(layer->name, name))
            continue;
        count++;
        *rank += i < at;
        *all_there = *all_there && find_source(m, layer->name);
    }
    return count;
}

static waio_status match_trunk(matcher *m)
{
    for (int i = 0; i < m->build->layer_count; i++) {
        const waio_layer *layer = &m->build->layer[i];
        bool all_there;
        int rank;

        if (layer->head)
            continue;
        int count = family_in_trunk(m, layer->name, i, &rank, &all_there);
        if (all_there)
            use(m, i, find_source(m, layer->name));
        else if (count > 1 && family_in_file(m, layer->name) == count)
            use(m, i, by_rank(m, layer->name, rank));
        if (!m->of[i])
            return waio_error(WAIO_EINPUT,
                              "layer \"%s\" is not among the %d layers with weights in the file "
                              "(\"%s\" to \"%s\")",
                              layer->name, m->source_count, m->source[0].name,
                              m->source[m->source_count - 1].name);
    }
    return WAIO_OK;
}

static int compare_sources(const void *a, const void *b)
{
    const source *x = *(source *const *)a, *y = *(source *const *)b;
    int number_x, number_y;

    split_number(x->name, &number_x);
    split_number(y->name, &number_y);
    return same_family(x->name, y->name) ? number_x - number_y : strcmp(x->name, y->name);
}

/* The classifier: what is left over in the file, in order, against ours. */
static waio_status match_head(matcher *m, waio_trained *trained)
{
    source **rest = NULL;
    int rest_count = 0, ours = 0;
    waio_status st = WAIO_OK;

    *trained = WAIO_TRAINED_TRUNK;
    WAIO_NEW(st, rest, m->build->arena, (size_t)m->source_count);
    for (int i = 0; i < m->source_count; i++)
        if (!m->source[i].used)
            rest[rest_count++] = &m->source[i];
    for (int i = 0; i < m->build->layer_count; i++)
        ours += m->build->layer[i].head;
    if (m->build->params->trunk_only || rest_count == 0)
        return WAIO_OK;
    if (rest_count != ours)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "behind the trunk the file has %d layer%s with weights (\"%s\"...), the network "
                  "has %d: another head=..., or top=skip for the trunk alone",
                  rest_count, rest_count == 1 ? "" : "s", rest[0]->name, ours);
    qsort(rest, (size_t)rest_count, sizeof(source *), compare_sources);
    for (int i = 0, k = 0; i < m->build->layer_count; i++)
        if (m->build->layer[i].head)
            use(m, i, rest[k++]);
    *trained = WAIO_TRAINED;
done:
    return st;
}

/* ---- numbers ---- */

/* Names in the order in which Keras makes them. */
static const char *weight_name(waio_layer_kind kind, int index)
{
    static const char *const norm[] = {"gamma", "beta", "moving_mean", "moving_variance"};

    if (kind == WAIO_LAYER_NORM)
        return norm[index];
    return index ? "bias" : kind == WAIO_LAYER_DEPTHWISE ? "depthwise_kernel" : "kernel";
}

static bool wants(const matcher *m, const waio_layer *layer, int index)
{
    int id = layer->constant[index];
    return id >= 0 && !m->build->graph->value[id].implied;
}

/* Which weight of `layer` an entry is; -1: none. */
static int index_of(const matcher *m, const waio_layer *layer, const waio_weight_entry *entry)
{
    int place = entry->place;

    for (int i = 0; i < WAIO_LAYER_MOST; i++) {
        if (!wants(m, layer, i))
            continue;
        const char *name = weight_name(layer->kind, i);
        bool keras3 = i == 0 && entry->weight && strcmp(entry->weight, "kernel") == 0;
        if (entry->weight ? strcmp(entry->weight, name) == 0 || keras3 : place-- == 0)
            return i;
    }
    return -1;
}

/* The shape of a weight as Keras keeps it, and how ours is made from that. */
static waio_shape keras_shape(const waio_layer *layer, int index, const waio_shape *ours,
                              int perm[4])
{
    static const int conv[4] = {3, 0, 1, 2}, depthwise[4] = {2, 0, 1, 3}, dense[4] = {1, 0, 2, 3};
    static const int same[4] = {0, 1, 2, 3};
    const int64_t *d = ours->dim;
    bool kernel = index == 0 && layer->kind != WAIO_LAYER_NORM;
    const int *from = !kernel                               ? same
                      : layer->kind == WAIO_LAYER_CONV      ? conv
                      : layer->kind == WAIO_LAYER_DEPTHWISE ? depthwise
                                                            : dense;

    memcpy(perm, from, 4 * sizeof *perm);
    if (from == conv)
        return WAIO_SHAPE(d[1], d[2], d[3], d[0]);
    if (from == depthwise)
        return WAIO_SHAPE(d[1], d[2], d[0], 1);
    return from == dense ? WAIO_SHAPE(d[1], d[0]) : *ours;
}

/* A 1x1 convolution is a dense layer behind a global pooling: MobileNet's classifier in Keras. */
static void drop_unit_window(waio_shape *found, const waio_layer *layer, int index)
{
    if (layer->kind == WAIO_LAYER_DENSE && index == 0 && found->rank == 4 && found->dim[0] == 1 &&
        found->dim[1] == 1)
        *found = WAIO_SHAPE(found->dim[2], found->dim[3]);
}

static waio_status read_entry(const matcher *m, const waio_layer *layer, int index,
                              const waio_weight_entry *entry)
{
    waio_shape ours = m->build->graph->value[layer->constant[index]].shape, found;
    char found_text[64], expected_text[64];
    int64_t count = waio_shape_count(&ours);
    float *raw = NULL;
    int perm[4];
    waio_shape expected = keras_shape(layer, index, &ours, perm);
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_weight_file_shape(&found, m->file, entry));
    drop_unit_window(&found, layer, index);
    if (!waio_shape_equal(&found, &expected))
        WAIO_FAIL(st, WAIO_EINPUT, "%s is %s in the file (/%s), expected %s",
                  weight_name(layer->kind, index), waio_shape_text(&found, found_text), entry->path,
                  waio_shape_text(&expected, expected_text));
    if (perm[0] == 0) {
        st = waio_weight_file_read(layer->data[index], count, m->file, entry);
        goto done;
    }
    raw = waio_aligned_calloc((size_t)count * sizeof *raw);
    if (!raw)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_weight_file_read(raw, count, m->file, entry));
    waio_permute(layer->data[index], raw, &expected, perm);
done:
    free(raw);
    return st;
}

static waio_status read_layer(const matcher *m, const waio_layer *layer, const source *s)
{
    waio_status st = WAIO_OK;
    unsigned read = 0;

    for (int i = 0; i < s->count; i++) {
        const waio_weight_entry *entry = waio_weight_file_entry(m->file, s->first + i);
        int index = index_of(m, layer, entry);
        if (index < 0)
            WAIO_FAIL(st, WAIO_EINPUT, "the file has /%s, which this layer does not have",
                      entry->path);
        WAIO_TRY(st, read_entry(m, layer, index, entry));
        read |= 1u << index;
    }
    for (int i = 0; i < WAIO_LAYER_MOST; i++)
        if (wants(m, layer, i) && !(read >> i & 1u))
            WAIO_FAIL(st, WAIO_EINPUT, "the file has no %s for it", weight_name(layer->kind, i));
    for (int64_t i = 0; layer->kind == WAIO_LAYER_NORM && !wants(m, layer, 0) &&
                        i < m->build->graph->value[layer->constant[0]].shape.dim[0];
         i++)
        layer->data[0][i] = 1; /* no gamma */
done:
    if (st != WAIO_OK)
        waio_error_context(st, "layer \"%s\"", layer->name);
    return st;
}

waio_status waio_load_keras(waio_trained *trained, waio_build *build, const char *path)
{
    matcher m = {.build = build, .path = path};
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_weight_file_open(&m.file, path));
    if ((st = list_sources(&m)) == WAIO_OK && (st = match_trunk(&m)) == WAIO_OK)
        st = match_head(&m, trained);
    for (int i = 0; i < build->layer_count && st == WAIO_OK; i++)
        if (m.of[i])
            st = read_layer(&m, &build->layer[i], m.of[i]);
    if (st != WAIO_OK)
        waio_error_context(st, "%s", path);
done:
    waio_weight_file_close(m.file);
    return st;
}
