#include "models/architecture.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/build.h"
#include "models/load_weights.h"

/* clang-format off */
const waio_architecture waio_architectures[] = {
    /* name, what it is, builder, input, classes, smallest input, head, width, stem */
    {"mobilenet_v1", "MobileNetV1 of Keras", waio_build_mobilenet_v1, 224, 1000, 1, true, true, true},
    {"mobilenet_v2", "MobileNetV2 of Keras", waio_build_mobilenet_v2, 224, 1000, 1, true, true, false},
    {"mobilenet_v2_torch", "MobileNetV2 of torchvision", waio_build_mobilenet_v2_torch, 224, 1000, 1, true, true, false},
    {"resnet50", "ResNet50 of Keras (v1)", waio_build_resnet50, 224, 1000, 1, true, false, true},
    {"resnet50_torch", "ResNet50 of torchvision (v1.5)", waio_build_resnet50_torch, 224, 1000, 1, true, false, true},
    {"inception_v3", "InceptionV3 of Keras", waio_build_inception_v3, 299, 1000, 75, true, false, true},
    {"inception_v3_torch", "InceptionV3 of torchvision", waio_build_inception_v3_torch, 299, 1000, 75, true, false, true},
    {"ssd_mobilenet_v2", "SSD detector on MobileNetV2", waio_build_ssd_mobilenet_v2, 320, 20, 1, false, false, false},
    {"ssd_mobilenet_v2_fpnlite", "SSD detector on MobileNetV2 with a feature pyramid", waio_build_ssd_mobilenet_v2_fpnlite, 320, 20, 1, false, false, false},
    {0},
};
/* clang-format on */

enum { MOST_INPUT = 8192, MOST_UNITS = 1 << 16 };

const waio_architecture *waio_architecture_find(const char *text)
{
    size_t n = strcspn(text, ":");

    for (const waio_architecture *a = waio_architectures; a->name; a++)
        if (strlen(a->name) == n && strncmp(a->name, text, n) == 0)
            return a;
    return NULL;
}

/* ---- parameters ---- */

static waio_status set_number(int64_t *out, const char *key, const char *text, int64_t least,
                              int64_t most)
{
    char *end = NULL;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (end == text || *end || errno || *out < least || *out > most)
        return waio_error(WAIO_EUSAGE,
                          "%s=%s; expected a whole number from %" PRId64 " to %" PRId64, key, text,
                          least, most);
    return WAIO_OK;
}

/* "128x96", or one number for both. */
static waio_status set_pair(int64_t *first, int64_t *second, const char *key, const char *text,
                            int64_t most, bool single, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    char *copy = waio_arena_strdup(arena, text), *x = copy ? strchr(copy, 'x') : NULL;

    if (!copy)
        return WAIO_ENOMEM;
    if (!x && !single)
        return waio_error(WAIO_EUSAGE, "%s=%s; expected two numbers, as in %s=1024x600", key, text,
                          key);
    if (x)
        *x = '\0';
    WAIO_TRY(st, set_number(first, key, copy, 1, most));
    WAIO_TRY(st, set_number(second, key, x ? x + 1 : copy, 1, most));
done:
    return st;
}

static waio_status set_word(int *out, const char *key, const char *text, const char *const word[2])
{
    for (int i = 0; i < 2; i++)
        if (strcmp(text, word[i]) == 0) {
            *out = i;
            return WAIO_OK;
        }
    return waio_error(WAIO_EUSAGE, "%s=%s; there are: %s, %s", key, text, word[0], word[1]);
}

static waio_status set_alpha(double *out, const char *text)
{
    char *end = NULL;

    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= 0.03125 && *out <= 8))
        return waio_error(WAIO_EUSAGE, "width=%s; expected a number from 0.03125 to 8", text);
    return WAIO_OK;
}

static waio_status set_flag(bool *out, const char *key, const char *text, const char *no,
                            const char *yes)
{
    int index = 0;
    waio_status st = set_word(&index, key, text, (const char *const[]){no, yes});

    *out = index;
    return st;
}

typedef enum key { INPUT, CLASSES, SEED, WEIGHTS, TOP, HEAD, HIDDEN, WIDTH, STEM, KEYS } key;
static const char *const key_name[KEYS] = {"input", "classes", "seed",  "weights", "top",
                                           "head",  "hidden",  "width", "stem"};

static bool takes(const waio_architecture *a, key k)
{
    if (k == HEAD || k == HIDDEN)
        return a->has_head;
    return k == WIDTH ? a->has_width : k == STEM ? a->has_stem : true;
}

static waio_status unknown_key(const waio_architecture *a, const char *text)
{
    char known[128] = "";

    for (key k = 0; k < KEYS; k++)
        if (takes(a, k)) {
            strncat(known, known[0] ? ", " : "", sizeof known - strlen(known) - 1);
            strncat(known, key_name[k], sizeof known - strlen(known) - 1);
        }
    return waio_error(WAIO_EUSAGE, "%s: \"%s\" is not KEY=VALUE with a known key; there are: %s",
                      a->name, text, known);
}

static waio_status set_key(waio_architecture_params *p, key k, const char *value, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int head = 0;

    switch (k) {
    case INPUT:
        return set_pair(&p->height, &p->width, "input", value, MOST_INPUT, true, arena);
    case CLASSES:
        return set_number(&p->classes, "classes", value, 1, MOST_UNITS);
    case SEED:
        return set_number(&p->seed, "seed", value, 0, INT32_MAX);
    case WEIGHTS:
        p->weights = waio_arena_strdup(arena, value);
        return !p->weights ? WAIO_ENOMEM
               : *value    ? WAIO_OK
                           : waio_error(WAIO_EUSAGE, "weights= needs a file");
    case TOP:
        return set_flag(&p->trunk_only, "top", value, "load", "skip");
    case HEAD:
        st = set_word(&head, "head", value, (const char *const[]){"plain", "thesis"});
        p->head = (waio_head)head;
        return st;
    case HIDDEN:
        return set_pair(&p->hidden[0], &p->hidden[1], "hidden", value, MOST_UNITS, false, arena);
    case WIDTH:
        return set_alpha(&p->alpha, value);
    default:
        return set_flag(&p->cifar_stem, "stem", value, "imagenet", "cifar");
    }
}

static waio_status set_item(waio_architecture_params *p, unsigned *seen, const waio_architecture *a,
                            char *item, waio_arena *arena)
{
    char *equals = strchr(item, '=');

    if (!equals)
        return unknown_key(a, item);
    *equals = '\0';
    for (key k = 0; k < KEYS; k++) {
        if (strcmp(item, key_name[k]) != 0 || !takes(a, k))
            continue;
        if (*seen >> k & 1u)
            return waio_error(WAIO_EUSAGE, "%s: %s is given twice", a->name, item);
        *seen |= 1u << k;
        waio_status st = set_key(p, k, equals + 1, arena);
        return st == WAIO_OK ? st : waio_error_context(st, "%s", a->name);
    }
    *equals = '=';
    return unknown_key(a, item);
}

/* Where the next parameter begins: a comma or colon with KEY= behind it, so that the name of a file
 * may hold both. */
static char *next_item(char *text)
{
    for (char *at = text; *at; at++) {
        if (*at != ',' && *at != ':')
            continue;
        size_t n = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");
        if (strncmp(text, "weights=", 8) != 0 || (n > 0 && at[1 + n] == '='))
            return at;
    }
    return NULL;
}

waio_status waio_architecture_parse(waio_architecture_params *params, const waio_architecture *a,
                                    const char *text, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    unsigned seen = 0;
    char *item = waio_arena_strdup(arena, text);

    *params = (waio_architecture_params){
        .classes = a->classes, .hidden = {1024, 600}, .alpha = 1, .seed = 1};
    if (!item)
        return WAIO_ENOMEM;
    item = strchr(item, ':');
    while (item) {
        char *next = next_item(++item);
        if (next)
            *next = '\0';
        WAIO_TRY(st, set_item(params, &seen, a, item, arena));
        item = next;
    }
    if (!(seen >> INPUT & 1u))
        params->height = params->width = params->cifar_stem ? 32 : a->input;
    if (seen >> HIDDEN & 1u && params->head != WAIO_HEAD_THESIS)
        WAIO_FAIL(st, WAIO_EUSAGE, "%s: hidden=... belongs to head=thesis", a->name);
    if (params->trunk_only && !params->weights)
        WAIO_FAIL(st, WAIO_EUSAGE, "%s: top=skip belongs to weights=FILE", a->name);
    int least = params->cifar_stem ? 1 : a->least;
    if (params->height < least || params->width < least)
        WAIO_FAIL(st, WAIO_EUSAGE, "%s: input=%" PRId64 "x%" PRId64 "; expected at least %d",
                  a->name, params->height, params->width, least);
done:
    return st;
}

const char *waio_architecture_label(const char *text, waio_arena *arena)
{
    static const char file_key[] = "weights=";
    char *label = waio_arena_strdup(arena, text), *at = label ? strchr(label, ':') : NULL;

    while (at && strncmp(++at, file_key, strlen(file_key)) != 0)
        at = next_item(at);
    if (!at)
        return label;
    char *value = at + strlen(file_key), *end = next_item(at), *base = value;
    for (char *c = value; *c && c != end; c++)
        if (*c == '/')
            base = c + 1;
    memmove(value, base, strlen(base) + 1);
    return label;
}

const char *waio_architecture_text(const waio_architecture *a, const waio_architecture_params *p,
                                   waio_arena *arena)
{
    return waio_arena_printf(arena,
                             "%s:input=%" PRId64 "x%" PRId64 ",classes=%" PRId64
                             ",head=%s,hidden=%" PRId64 "x%" PRId64 ",width=%.17g,stem=%s,"
                             "seed=%" PRId64 ",top=%s",
                             a->name, p->height, p->width, p->classes,
                             p->head == WAIO_HEAD_THESIS ? "thesis" : "plain", p->hidden[0],
                             p->hidden[1], p->alpha, p->cifar_stem ? "cifar" : "imagenet", p->seed,
                             p->trunk_only ? "skip" : "load");
}

/* ---- building ---- */

waio_status waio_architecture_build(waio_graph **out, waio_trained *trained,
                                    const waio_architecture *architecture,
                                    const waio_architecture_params *params,
                                    const char *weights_path)
{
    waio_build b = {.params = params};
    waio_status st = WAIO_OK;

    *out = NULL;
    *trained = WAIO_UNTRAINED;
    b.arena = waio_arena_new();
    b.graph = waio_graph_new(architecture->name);
    if (!b.arena || !b.graph)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    architecture->build(&b);
    WAIO_TRY(st, b.st);
    WAIO_TRY(st, waio_load_weights(trained, &b, weights_path));
    *out = b.graph;
    b.graph = NULL;
done:
    if (st != WAIO_OK)
        waio_error_context(st, "%s", architecture->name);
    waio_graph_free(b.graph);
    if (b.arena)
        waio_arena_free(b.arena);
    free(b.layer);
    return st;
}
