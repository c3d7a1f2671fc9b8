#include "sweep/suite_keys.h"

#include <limits.h>
#include <string.h>

#include "sweep/suite.h"

#define AT(field) .offset = offsetof(waio_suite, field)

/* clang-format off */
const waio_suite_key waio_suite_key_table[WAIO_SUITE_KEYS] = {
    {"name", WAIO_KEY_NAME, true, AT(name)},
    {"task", WAIO_KEY_WORD, false, AT(task), NULL, {"classification", "detection"}},
    {"models", WAIO_KEY_TEXTS, true, AT(models)},
    {"datasets", WAIO_KEY_TEXTS, true, AT(datasets)},
    {"split", WAIO_KEY_WORD, false, AT(split), "test",
        {"test", "train", "val", "trainval", "all"}},
    {"images", WAIO_KEY_NUMBER, false, AT(images), "0", .least = 0, .most = 1000000000},
    {"preprocess", WAIO_KEY_WORD, false, AT(preprocess), "raw",
        {"raw", "unit", "u8", "tf", "caffe", "torch"}},
    {"resize", WAIO_KEY_RESIZE, false, AT(resize), NULL},
    {"metric", WAIO_KEY_WORD, false, AT(metric), NULL, {"map_coco", "ap50", "voc07", "voc10"}},
    {"difficult", WAIO_KEY_WORD, false, AT(difficult), NULL, {"count", "ignore"}},
    {.path = "method", .kind = WAIO_KEY_GROUP},
    {"method.name", WAIO_KEY_WORD, false, AT(method.name), "ptq",
        {"ptq", "ptq_mse", "squant", "dfq", "file"}},
    {"method.range", WAIO_KEY_WORD, false, AT(method.range), NULL,
        {"minmax", "mse", "p99", "p99.9", "p99.99", "kl", "batchnorm", "noise"}},
    {"method.granularity", WAIO_KEY_WORD, false, AT(method.granularity), NULL,
        {"channel", "layer"}},
    {"method.weights", WAIO_KEY_WORD, false, AT(method.weights), NULL,
        {"symmetric", "asymmetric"}},
    {"method.activations", WAIO_KEY_WORD, false, AT(method.activations), NULL,
        {"auto", "symmetric", "asymmetric"}},
    {"method.rounding", WAIO_KEY_WORD, false, AT(method.rounding), NULL,
        {"nearest", "squant", "squant_e", "squant_k", "squant_c"}},
    {"method.weight_range", WAIO_KEY_WORD, false, AT(method.weight_range), NULL,
        {"minmax", "mse", "p99", "p99.9", "p99.99"}},
    {"method.equalize", WAIO_KEY_WORD, false, AT(method.equalize), NULL, {"off", "on"}},
    {"method.absorb", WAIO_KEY_WORD, false, AT(method.absorb), NULL, {"off", "on"}},
    {"method.correction", WAIO_KEY_WORD, false, AT(method.correction), NULL,
        {"off", "analytic", "empirical"}},
    {"mapping", WAIO_KEY_WORD, false, AT(mapping), "quantized_bits", {"quantized_bits"}},
    {.path = "precision", .kind = WAIO_KEY_GROUP, .required = true}, /* not for method file */
    {"precision.W", WAIO_KEY_BITS, true, AT(W)},
    {"precision.A", WAIO_KEY_BITS, true, AT(A)},
    {"precision.I", WAIO_KEY_BITS, true, AT(I)},
    {"precision.O", WAIO_KEY_BITS, true, AT(O)},
    {"precision.couple", WAIO_KEY_TEXTS, false, AT(couple)}, /* of the four above */
    {"first_n", WAIO_KEY_NUMBERS, false, AT(first_n), "0", .least = 0, .most = 1000},
    {"suspects", WAIO_KEY_SUSPECTS, false, AT(suspects), "none"},
    {"feed", WAIO_KEY_WORD, false, AT(feed), "quantized", {"quantized", "raw"}},
    {"engine", WAIO_KEY_WORD, false, AT(engine), "simulate",
        {"simulate", "integer", "both"}},
    {"requant", WAIO_KEY_WORD, false, AT(requant), "tflite",
        {"tflite", "double", "single", "float"}},
    {.path = "calibration", .kind = WAIO_KEY_GROUP},
    {"calibration.images", WAIO_KEY_NUMBER, false, AT(calibration.images), "256",
        .least = 1, .most = 1000000},
    {"calibration.seed", WAIO_KEY_NUMBER, false, AT(calibration.seed), "1",
        .least = 0, .most = INT_MAX},
    {"calibration.split", WAIO_KEY_WORD, false, AT(calibration.split), "train",
        {"test", "train", "val", "trainval", "all"}},
    {"seed", WAIO_KEY_NUMBER, false, AT(seed), "1", .least = 0, .most = INT_MAX},
};
/* clang-format on */

const char *waio_suite_key_name(const waio_suite_key *key)
{
    const char *dot = strchr(key->path, '.');
    return dot ? dot + 1 : key->path;
}

bool waio_suite_key_in(const waio_suite_key *key, const char *group)
{
    size_t n = strlen(group);
    if (n == 0)
        return !strchr(key->path, '.');
    return strncmp(key->path, group, n) == 0 && key->path[n] == '.';
}

const waio_suite_key *waio_suite_key_find(const char *group, const char *name)
{
    for (int i = 0; i < WAIO_SUITE_KEYS; i++) {
        const waio_suite_key *key = &waio_suite_key_table[i];
        if (waio_suite_key_in(key, group) && strcmp(waio_suite_key_name(key), name) == 0)
            return key;
    }
    return NULL;
}
