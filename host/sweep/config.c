#include "sweep/config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/resize.h"
#include "sweep/suspects.h"

waio_config waio_config_default(void)
{
    return (waio_config){
        .split = "test",
        .preprocess = "raw",
        .method = "ptq",
        .mapping = "quantized_bits",
        .bits = {32, 32, 32, 32},
        .suspects = "0",
        .feed = "quantized",
        .engine = "simulate",
        .requant = "tflite",
        .calibration_images = 256,
        .calibration_seed = 1,
        .calibration_split = "train",
        .seed = 1,
    };
}

waio_config waio_config_of_suite(const waio_suite *suite)
{
    waio_config config = waio_config_default();

    config.split = suite->split;
    config.images = suite->images;
    config.preprocess = suite->preprocess;
    config.resize = suite->resize;
    config.metric = suite->metric;
    config.difficult = suite->difficult;
    config.method = suite->method.name;
    config.range = suite->method.range;
    config.granularity = suite->method.granularity;
    config.weights = suite->method.weights;
    config.activations = suite->method.activations;
    config.rounding = suite->method.rounding;
    config.weight_range = suite->method.weight_range;
    config.equalize = suite->method.equalize;
    config.absorb = suite->method.absorb;
    config.correction = suite->method.correction;
    config.mapping = suite->mapping;
    config.feed = suite->feed;
    config.engine = suite->engine;
    config.requant = suite->requant;
    config.calibration_images = suite->calibration.images;
    config.calibration_seed = suite->calibration.seed;
    config.calibration_split = suite->calibration.split;
    config.seed = suite->seed;
    return config;
}

bool waio_config_is_float(const waio_config *config)
{
    return !waio_config_is_file(config) && config->bits.w == WAIO_FLOAT &&
           config->bits.a == WAIO_FLOAT && config->bits.i == WAIO_FLOAT &&
           config->bits.o == WAIO_FLOAT;
}

bool waio_config_is_file(const waio_config *config)
{
    return strcmp(config->method, "file") == 0;
}

const char *waio_config_engine(const waio_config *config)
{
    return waio_config_is_float(config)  ? "simulate"
           : waio_config_is_file(config) ? "integer"
                                         : config->engine;
}

bool waio_config_is_integer(const waio_config *config)
{
    return strcmp(waio_config_engine(config), "simulate") != 0;
}

/* ---- choices ---- */

static void choose(const char **word, const char *own)
{
    if (own)
        *word = own;
}

waio_scheme_words waio_config_words(const waio_config *c)
{
    const waio_scheme_words *preset = waio_preset_find(c->method);
    waio_scheme_words words = preset ? *preset : *waio_preset_find("ptq");

    if (waio_config_is_integer(c))
        words.weights = "symmetric";
    choose(&words.granularity, c->granularity);
    choose(&words.weights, c->weights);
    choose(&words.activations, c->activations);
    choose(&words.rounding, c->rounding);
    choose(&words.weight_range, c->weight_range);
    choose(&words.range, c->range);
    choose(&words.equalize, c->equalize);
    choose(&words.absorb, c->absorb);
    choose(&words.correction, c->correction);
    return words;
}

bool waio_config_calibrates(const waio_config *config)
{
    waio_scheme_words words = waio_config_words(config);
    waio_scheme scheme;

    if (waio_suspects_auto(config->suspects))
        return true;
    return waio_scheme_read(&scheme, &words) != WAIO_OK || waio_scheme_calibrates(&scheme);
}

/* Leaves NULL what is the method's own anyway, so that a text need not say it. */
static void drop_defaults(waio_config *c)
{
    const waio_scheme_words *preset = waio_preset_find(c->method);
    const char **word[] = {&c->rounding, &c->weight_range, &c->equalize, &c->absorb,
                           &c->correction};
    const char *own[] = {preset->rounding, preset->weight_range, preset->equalize, preset->absorb,
                         preset->correction};

    for (int i = 0; i < 5; i++)
        if (*word[i] && strcmp(*word[i], own[i]) == 0)
            *word[i] = NULL;
}

/* ---- fields: one row each, for writing and reading ---- */

typedef enum field_kind {
    FIELD_NAME,
    FIELD_CHOICE,
    FIELD_RESIZE,
    FIELD_BITS,
    FIELD_COUNT,
    FIELD_SUSPECTS
} field_kind;

/* Configurations whose text leaves a field out, since it says nothing there. */
enum {
    NOT_FLOAT = 1,
    NOT_FILE = 2,
    NOT_SIMULATE = 4,
    NOT_DATA_FREE = 8,
    NOT_DETECTION = 16,
    QUANTIZING = NOT_FLOAT | NOT_FILE,
    CALIBRATING = QUANTIZING | NOT_DATA_FREE
};

typedef struct field {
    const char *key;
    field_kind kind;
    size_t offset;
    const char *allowed; /* FIELD_CHOICE: the words, each with a space behind it */
    int64_t least, most; /* FIELD_COUNT */
    int left_out;        /* of which configurations' text */
} field;

/* clang-format off */
#define AT(member) offsetof(waio_config, member)
static const field fields[] = {
    {"model", FIELD_NAME, AT(model), NULL, 0, 0, 0},
    {"data", FIELD_NAME, AT(dataset), NULL, 0, 0, 0},
    {"split", FIELD_CHOICE, AT(split), "test train val trainval all ", 0, 0, 0},
    {"images", FIELD_COUNT, AT(images), NULL, 0, 1000000000, 0},
    {"pre", FIELD_CHOICE, AT(preprocess), "raw unit u8 tf caffe torch ", 0, 0, 0},
    {"resize", FIELD_RESIZE, AT(resize), NULL, 0, 0, 0},
    {"metric", FIELD_CHOICE, AT(metric), "map_coco ap50 voc07 voc10 ", 0, 0, NOT_DETECTION},
    {"difficult", FIELD_CHOICE, AT(difficult), "count ignore ", 0, 0, NOT_DETECTION},
    {"method", FIELD_CHOICE, AT(method), "ptq ptq_mse squant dfq float file ", 0, 0, 0},
    {"range", FIELD_CHOICE, AT(range), "minmax mse p99 p99.9 p99.99 kl batchnorm noise ", 0, 0, QUANTIZING},
    {"gran", FIELD_CHOICE, AT(granularity), "channel layer ", 0, 0, QUANTIZING},
    {"wsym", FIELD_CHOICE, AT(weights), "symmetric asymmetric ", 0, 0, QUANTIZING},
    {"asym", FIELD_CHOICE, AT(activations), "auto symmetric asymmetric ", 0, 0, QUANTIZING},
    {"wround", FIELD_CHOICE, AT(rounding), "nearest squant squant_e squant_k squant_c ", 0, 0, QUANTIZING},
    {"wrange", FIELD_CHOICE, AT(weight_range), "minmax mse p99 p99.9 p99.99 ", 0, 0, QUANTIZING},
    {"equalize", FIELD_CHOICE, AT(equalize), "off on ", 0, 0, QUANTIZING},
    {"absorb", FIELD_CHOICE, AT(absorb), "off on ", 0, 0, QUANTIZING},
    {"correct", FIELD_CHOICE, AT(correction), "off analytic empirical ", 0, 0, QUANTIZING},
    {"map", FIELD_CHOICE, AT(mapping), "quantized_bits ", 0, 0, QUANTIZING},
    {"w", FIELD_BITS, AT(bits.w), NULL, 0, 0, NOT_FILE},
    {"a", FIELD_BITS, AT(bits.a), NULL, 0, 0, NOT_FILE},
    {"i", FIELD_BITS, AT(bits.i), NULL, 0, 0, NOT_FILE},
    {"o", FIELD_BITS, AT(bits.o), NULL, 0, 0, NOT_FILE},
    {"first_n", FIELD_COUNT, AT(first_n), NULL, 0, 1000, QUANTIZING},
    {"suspects", FIELD_SUSPECTS, AT(suspects), NULL, 0, 0, QUANTIZING},
    {"feed", FIELD_CHOICE, AT(feed), "quantized raw ", 0, 0, QUANTIZING},
    {"calib", FIELD_COUNT, AT(calibration_images), NULL, 1, 1000000, CALIBRATING},
    {"cseed", FIELD_COUNT, AT(calibration_seed), NULL, 0, INT32_MAX, CALIBRATING},
    {"csplit", FIELD_CHOICE, AT(calibration_split), "train test val trainval all ", 0, 0, CALIBRATING},
    {"engine", FIELD_CHOICE, AT(engine), "simulate integer both ", 0, 0, 0},
    {"requant", FIELD_CHOICE, AT(requant), "tflite double single float ", 0, 0, NOT_FLOAT | NOT_SIMULATE},
    {"seed", FIELD_COUNT, AT(seed), NULL, 0, INT32_MAX, 0},
};
/* clang-format on */
enum { FIELDS = sizeof fields / sizeof *fields };

/* `text` with each `from` as `to`; at most one of them grows. */
static char *replace_all(waio_arena *arena, const char *text, const char *from, const char *to)
{
    char *out = waio_arena_alloc(arena, strlen(text) * strlen(to) + 1), *at = out;

    while (out && *text) {
        bool hit = strncmp(text, from, strlen(from)) == 0;
        size_t n = hit ? strlen(to) : 1;
        memcpy(at, hit ? to : text, n);
        at += n;
        text += hit ? strlen(from) : 1;
    }
    return out;
}

/* A name with its percent signs and spaces written as %25 and %20. */
static char *escape(waio_arena *arena, const char *name)
{
    char *text = replace_all(arena, name, "%", "%25");
    return text ? replace_all(arena, text, " ", "%20") : NULL;
}

static char *unescape(waio_arena *arena, const char *text)
{
    char *name = replace_all(arena, text, "%20", " ");
    return name ? replace_all(arena, name, "%25", "%") : NULL;
}

static const char *field_text(const waio_config *config, const field *f, waio_arena *arena)
{
    const char *base = (const char *)config + f->offset;

    switch (f->kind) {
    case FIELD_NAME:
        return escape(arena, *(const char *const *)base);
    case FIELD_CHOICE:
    case FIELD_RESIZE:
    case FIELD_SUSPECTS:
        return *(const char *const *)base;
    case FIELD_BITS:
        return waio_bits_text(*(const int *)base);
    default:
        return waio_arena_printf(arena, "%" PRId64, *(const int64_t *)base);
    }
}

static bool is_missing(const waio_config *config, const field *f)
{
    return f->kind == FIELD_CHOICE && !*(const char *const *)((const char *)config + f->offset);
}

bool waio_config_detects(const waio_config *config)
{
    const waio_dataset_kind *kind = NULL;

    return config->dataset && waio_dataset_find(&kind, config->dataset) == WAIO_OK &&
           kind->detection;
}

const char *waio_config_metric(const waio_config *config)
{
    if (!waio_config_detects(config))
        return "accuracy";
    return config->metric ? config->metric : "map_coco";
}

const char *waio_config_difficult(const waio_config *config)
{
    const char *metric = waio_config_metric(config);

    if (config->difficult)
        return config->difficult;
    return strncmp(metric, "voc", 3) == 0 ? "ignore" : "count";
}

const char *waio_config_resize(const waio_config *config)
{
    const waio_dataset_kind *kind = NULL;

    if (config->resize)
        return config->resize;
    if (!config->dataset || waio_dataset_find(&kind, config->dataset) != WAIO_OK)
        return "pil-bilinear";
    return kind->resize;
}

const char *waio_config_text(const waio_config *config, waio_arena *arena)
{
    waio_config c = *config;
    const char *text = "";
    int kind = (waio_config_is_float(config) ? NOT_FLOAT : 0) |
               (waio_config_is_file(config) ? NOT_FILE : 0) |
               (waio_config_is_integer(config) ? 0 : NOT_SIMULATE) |
               (waio_config_calibrates(config) ? 0 : NOT_DATA_FREE) |
               (waio_config_detects(config) ? 0 : NOT_DETECTION);
    waio_scheme_words words = waio_config_words(config);

    if (kind & NOT_FLOAT)
        c.method = "float";
    else if (!(kind & NOT_FILE))
        drop_defaults(&c);
    c.resize = waio_config_resize(config);
    c.metric = waio_config_metric(config);
    c.difficult = waio_config_difficult(config);
    c.range = words.range;
    c.granularity = words.granularity;
    c.weights = words.weights;
    c.activations = words.activations;
    c.engine = waio_config_engine(config);
    for (int i = 0; i < FIELDS && text; i++) {
        if ((fields[i].left_out & kind) || is_missing(&c, &fields[i]))
            continue;
        const char *value = field_text(&c, &fields[i], arena);
        if (!value)
            return NULL;
        text =
            waio_arena_printf(arena, "%s%s%s=%s", text, text[0] ? " " : "", fields[i].key, value);
    }
    return text;
}

static waio_status set_choice(const char **out, const field *f, const char *value,
                              waio_arena *arena)
{
    size_t n = strlen(value);

    for (const char *word = f->allowed; *word; word += strcspn(word, " ") + 1)
        if (n > 0 && strcspn(word, " ") == n && strncmp(word, value, n) == 0) {
            *out = waio_arena_strdup(arena, value);
            return *out ? WAIO_OK : WAIO_ENOMEM;
        }
    return waio_error(WAIO_EUSAGE, "%s=%s; there are: %s", f->key, value, f->allowed);
}

/* The canonical text of the pipeline. */
static waio_status set_resize(const char **out, const char *value, waio_arena *arena)
{
    waio_resize resize;
    char text[WAIO_RESIZE_TEXT];
    waio_status st = waio_resize_parse(&resize, value);

    if (st != WAIO_OK)
        return st;
    *out = waio_arena_strdup(arena, waio_resize_text(text, &resize));
    return *out ? WAIO_OK : WAIO_ENOMEM;
}

static waio_status set_count(int64_t *out, const field *f, const char *value)
{
    char *end = NULL;
    int64_t number = strtoll(value, &end, 10);

    if (end == value || *end || number < f->least || number > f->most)
        return waio_error(WAIO_EUSAGE,
                          "%s=%s; expected a whole number from %" PRId64 " to %" PRId64, f->key,
                          value, f->least, f->most);
    *out = number;
    return WAIO_OK;
}

static waio_status set_field(waio_config *config, const field *f, const char *value,
                             waio_arena *arena)
{
    char *base = (char *)config + f->offset;

    switch (f->kind) {
    case FIELD_NAME:
        if (!value[0])
            return waio_error(WAIO_EUSAGE, "%s= needs a name", f->key);
        *(const char **)base = unescape(arena, value);
        return *(const char **)base ? WAIO_OK : WAIO_ENOMEM;
    case FIELD_CHOICE:
        return set_choice((const char **)base, f, value, arena);
    case FIELD_RESIZE:
        return set_resize((const char **)base, value, arena);
    case FIELD_SUSPECTS:
        return waio_suspects_parse((const char **)base, value, arena);
    case FIELD_BITS:
        if (waio_bits_parse((int *)base, value) != WAIO_OK)
            return waio_error_context(WAIO_EUSAGE, "%s=%s", f->key, value);
        return WAIO_OK;
    default:
        return set_count((int64_t *)base, f, value);
    }
}

waio_status waio_config_set(waio_config *config, const char *assignment, waio_arena *arena)
{
    const char *equals = strchr(assignment, '=');
    char known[512] = "";

    for (int i = 0; i < FIELDS; i++) {
        if (equals && strlen(fields[i].key) == (size_t)(equals - assignment) &&
            strncmp(fields[i].key, assignment, (size_t)(equals - assignment)) == 0)
            return set_field(config, &fields[i], equals + 1, arena);
        strncat(known, i ? " " : "", sizeof known - strlen(known) - 1);
        strncat(known, fields[i].key, sizeof known - strlen(known) - 1);
    }
    return waio_error(WAIO_EUSAGE, "\"%s\" is not KEY=VALUE with a known key; there are: %s",
                      assignment, known);
}

waio_status waio_config_session_options(waio_session_options *options, const waio_config *config)
{
    options->split = config->split;
    options->from_file = waio_config_is_file(config);
    options->images = config->images;
    options->preprocess = config->preprocess;
    options->resize = config->resize;
    options->metric = config->metric;
    options->ignore_difficult = strcmp(waio_config_difficult(config), "ignore") == 0;
    options->seed = config->seed;
    options->feed = strcmp(config->feed, "raw") == 0 ? WAIO_FEED_RAW : WAIO_FEED_QUANTIZED;
    options->calibration_split = config->calibration_split;
    options->calibration_images = config->calibration_images;
    options->calibration_seed = config->calibration_seed;
    waio_scheme_words words = waio_config_words(config);
    return waio_scheme_read(&options->scheme, &words);
}

waio_quant_request waio_config_request(const waio_config *config)
{
    return (waio_quant_request){.bits = config->bits, .first_n = (int)config->first_n};
}

waio_status waio_config_resolve(waio_quant_request *request, const waio_config *config,
                                waio_session *session, waio_arena *arena)
{
    *request = waio_config_request(config);
    if (waio_config_is_float(config) || waio_config_is_file(config))
        return WAIO_OK;
    return waio_suspects_resolve(request, config->suspects, session, arena);
}

waio_requant waio_config_requant(const waio_config *config)
{
    waio_requant requant = WAIO_REQUANT_TFLITE;
    waio_status st = waio_requant_parse(&requant, config->requant); /* one of the allowed words */

    return st == WAIO_OK ? requant : WAIO_REQUANT_TFLITE;
}

waio_status waio_config_run(waio_outcome *outcome, const waio_config *config, waio_session *session,
                            bool keep_first, const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    waio_quant_request request;
    waio_arena *arena = NULL;

    if (waio_config_is_float(config)) {
        *outcome = *waio_session_float(session);
        return WAIO_OK;
    }
    arena = waio_arena_new();
    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_config_resolve(&request, config, session, arena));
    if (waio_config_is_integer(config))
        WAIO_TRY(st, waio_session_integer(session, &request, waio_config_requant(config),
                                          strcmp(waio_config_engine(config), "both") == 0, outcome,
                                          progress));
    else
        WAIO_TRY(st, waio_session_pass(session, &request, 1, keep_first, outcome, progress));
done:
    waio_arena_free(arena);
    return st;
}
