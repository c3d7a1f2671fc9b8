/* Suite files: what a good one gives, and every fault with its line, what is wrong and what is
 * allowed. Broken bytes must end in an error or in a suite whose every value is allowed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "quant/precision.h"
#include "sweep/suite.h"
#include "sweep/suite_keys.h"
#include "sweep/yaml_outline.h"
#include "util/file.h"
#include "util/rng.h"

static char folder[] = "/tmp/waio_test_suite_XXXXXX";
static char path[sizeof folder + 20];
static waio_arena *arena;

static void write_file(const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, size, file) == size, "%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
}

static const char full[] = "# everything\n"
                           "name: thesis-objective-2-ptq\n"
                           "task: classification\n"
                           "models:   [resnet50, mobilenet_v1, nets/inception v3.h5]\n"
                           "datasets:\n"
                           "  - oxford_pets\n"
                           "  - cifar10\n"
                           "split: train\n"
                           "images: 1000\n"
                           "preprocess: torch\n"
                           "method: {name: ptq, range: minmax, granularity: layer,\n"
                           "         weights: asymmetric, activations: symmetric,\n"
                           "         rounding: squant_k, weight_range: p99.9, equalize: on,\n"
                           "         absorb: on, correction: empirical}\n"
                           "mapping: quantized_bits\n"
                           "precision: {W: [8, 2], A: [16], I: [32, \"8\"], O: [f16, 8]}\n"
                           "first_n: [0, 3, 1000]\n"
                           "suspects: [none, auto, \"auto:0.5\", dense+conv 1]\n"
                           "feed: raw\n"
                           "engine: simulate\n"
                           "calibration: {images: 1000000, seed: 0, split: test}\n"
                           "seed: 2147483647\n";
/* Line 4 is the first free one. */
static const char head[] = "name: s\n"
                           "models: [a]\n"
                           "datasets: [d]\n";
static const char bits[] = "precision: {W: [8], A: [8], I: [8], O: [8]}\n"; /* a line more: 5 */

static void test_full(void)
{
    waio_suite s;

    write_file(full, strlen(full));
    CHECK_OK(waio_suite_read(&s, path, arena));
    CHECK(strcmp(s.path, path) == 0 && strcmp(s.name, "thesis-objective-2-ptq") == 0 &&
              strcmp(s.task, "classification") == 0,
          "%s", s.name);
    CHECK(s.models.count == 3 && strcmp(s.models.item[2], "nets/inception v3.h5") == 0, "models");
    CHECK(s.datasets.count == 2 && strcmp(s.datasets.item[1], "cifar10") == 0, "datasets");
    CHECK(strcmp(s.split, "train") == 0 && s.images == 1000 && strcmp(s.preprocess, "torch") == 0,
          "split, images, preprocess");
    CHECK(strcmp(s.method.name, "ptq") == 0 && strcmp(s.method.range, "minmax") == 0 &&
              strcmp(s.method.granularity, "layer") == 0 &&
              strcmp(s.method.weights, "asymmetric") == 0 &&
              strcmp(s.method.activations, "symmetric") == 0 &&
              strcmp(s.method.rounding, "squant_k") == 0 &&
              strcmp(s.method.weight_range, "p99.9") == 0 && strcmp(s.method.equalize, "on") == 0 &&
              strcmp(s.method.absorb, "on") == 0 && strcmp(s.method.correction, "empirical") == 0,
          "method");
    CHECK(s.W.count == 2 && s.W.item[0] == 8 && s.W.item[1] == 2 && s.A.item[0] == 16, "W, A");
    CHECK(s.I.count == 2 && s.I.item[0] == WAIO_FLOAT && s.I.item[1] == 8, "I");
    CHECK(s.O.count == 2 && s.O.item[0] == WAIO_F16 && s.O.item[1] == 8, "O");
    CHECK(s.first_n.count == 3 && s.first_n.item[2] == 1000, "first_n");
    CHECK(s.suspects.count == 4 && strcmp(s.suspects.item[0], "0") == 0 &&
              strcmp(s.suspects.item[2], "auto:0.5") == 0 &&
              strcmp(s.suspects.item[3], "conv%201+dense") == 0,
          "suspects");
    CHECK(strcmp(s.mapping, "quantized_bits") == 0 && strcmp(s.feed, "raw") == 0 &&
              strcmp(s.engine, "simulate") == 0,
          "mapping, feed, engine");
    CHECK(s.calibration.images == 1000000 && s.calibration.seed == 0 &&
              strcmp(s.calibration.split, "test") == 0 && s.seed == 2147483647,
          "calibration, seed");
}

static void test_defaults(void)
{
    waio_suite s;
    char text[400];

    snprintf(text, sizeof text, "%s%s", head, bits);
    write_file(text, strlen(text));
    CHECK_OK(waio_suite_read(&s, path, arena));
    CHECK(!s.task && !s.metric && !s.difficult && strcmp(s.split, "test") == 0 && s.images == 0 &&
              strcmp(s.preprocess, "raw") == 0,
          "task, split, images, preprocess");
    CHECK(strcmp(s.method.name, "ptq") == 0 && !s.method.range && !s.method.granularity &&
              !s.method.weights && !s.method.activations && !s.method.rounding &&
              !s.method.weight_range && !s.method.equalize && !s.method.absorb &&
              !s.method.correction,
          "method");
    CHECK(s.first_n.count == 1 && s.first_n.item[0] == 0, "first_n");
    CHECK(s.suspects.count == 1 && strcmp(s.suspects.item[0], "0") == 0, "suspects");
    CHECK(strcmp(s.feed, "quantized") == 0 && strcmp(s.engine, "simulate") == 0, "feed, engine");
    CHECK(s.calibration.images == 256 && s.calibration.seed == 1 &&
              strcmp(s.calibration.split, "train") == 0 && s.seed == 1,
          "calibration, seed");
}

/* `part` must be in the message right behind "path:line: ". */
static void fails(const char *text, waio_status code, int line, const char *part)
{
    waio_suite s;
    char start[400];

    write_file(text, strlen(text));
    snprintf(start, sizeof start, "%s:%d: %s", path, line, part);
    CHECK_FAILS(waio_suite_read(&s, path, arena), code, start);
}

typedef struct fault {
    const char *lines; /* behind `head` */
    int line;
    const char *part;
} fault;

static const fault in_precision[] = {
    {"precision: {W: [33], A: [8], I: [8], O: [8]}", 4,
     "precision.W: \"33\" is not a precision; there are 2 to 16 bits, 32 (float) and f16"},
    {"precision: {W: [8], A: [1], I: [8], O: [8]}", 4, "precision.A: \"1\" is not a precision"},
    {"precision: {W: [-8], A: [1], I: [8], O: [8]}", 4, "precision.W: \"-8\" is not a"},
    {"precision: {W: [08], A: [1], I: [8], O: [8]}", 4, "precision.W: \"08\" is not a"},
    {"precision: {W: [8.0], A: [1], I: [8], O: [8]}", 4, "precision.W: \"8.0\" is not a"},
    {"precision:\n  W: [8]\n  A: []\n  I: [8]\n  O: [8]", 6,
     "precision.A: the list is empty, so the suite has no rows"},
    {"precision:\n  W: [8]\n  A: [8]\n  I:\n    - 8\n    - 4\n    - 8\n  O: [8]", 10,
     "precision.I: \"8\" is in the list twice"},
    {"precision: {W: [8], A: [8], I: [8]}", 4,
     "the key \"precision.O\" is missing; precision needs W, A, I, O"},
    {"precision: {W: [8], A: [8], I: [8], O: [8], X: [8]}", 4,
     "unknown key \"precision.X\"; known here: W, A, I, O"},
    {"precision: {W: 8, A: [8], I: [8], O: [8]}", 4,
     "precision.W: a single value where a list is expected, as in [8, 32]"},
    {"precision: {W: [[8]], A: [8], I: [8], O: [8]}", 4, "precision.W: a list inside the list"},
    {"precision: {W: {a: 8}, A: [8], I: [8], O: [8]}", 4,
     "precision.W: a mapping where a list is expected"},
    {"precision: {couple: [W, X], W: [8], A: [8], I: [8], O: [8]}", 4,
     "precision.couple: \"X\" is not allowed; allowed: W, A, I, O"},
    {"precision: {couple: [W], W: [8], A: [8], I: [8], O: [8]}", 4,
     "precision.couple: one list alone; name at least two"},
    {"precision: {couple: [W, W], W: [8], A: [8], I: [8], O: [8]}", 4,
     "precision.couple: \"W\" is in the list twice"},
    {"precision: {couple: W, W: [8], A: [8], I: [8], O: [8]}", 4,
     "precision.couple: a single value where a list is expected"},
    {"precision:\n  couple:\n    - W\n    - A\n  W: [8, 4]\n  A: [8]\n  I: [8]\n  O: [8]", 7,
     "precision.couple: W has 2 values and A has 1; lists that go together are of one length"},
    {"precision:\n  couple: [W, O]\n  W: [8, 8, 8]\n  A: [8]\n  I: [8]\n  O: [8, 4, 8]", 6,
     "precision.W: \"8\" and what is coupled with it is in the lists twice"},
    {"precision:\n  couple: [W, A]\n  W: [8, 8]\n  A: [8, 4]\n  I: [8, 8]\n  O: [8]", 8,
     "precision.I: \"8\" is in the list twice"},
    {"precision: [8, 8, 8, 8]", 4, "precision: a list where a mapping is expected"},
    {"precision:", 4, "precision: a single value where a mapping is expected"},
    {"precision: {W: [8], W: [4], A: [8], I: [8], O: [8]}", 4,
     "the key \"W\" is given twice, first in line 4"},
    {"feed: raw", 1,
     "the key \"precision\" is missing; a suite needs name, models, datasets, "
     "precision"},
};

static const fault elsewhere[] = {
    /* behind `head` and `bits`: line 5 on */
    {"modles: [a]", 5, "unknown key \"modles\"; known here: name, task, models, datasets, split,"},
    {"method: {rnge: minmax}", 5,
     "unknown key \"method.rnge\"; known here: name, range, granularity, weights, "
     "activations, rounding, weight_range, equalize, absorb, correction"},
    {"task: tracking", 5, "task: \"tracking\" is not allowed; allowed: classification, detection"},
    {"metric: map", 5, "metric: \"map\" is not allowed; allowed: map_coco, ap50, voc07, voc10"},
    {"difficult: keep", 5, "difficult: \"keep\" is not allowed; allowed: count, ignore"},
    {"resize: nearest", 5, "resize: resize \"nearest\" is unknown; it is FILTER[/FRAMING]"},
    {"split: dev", 5, "split: \"dev\" is not allowed; allowed: test, train, val"},
    {"preprocess: none", 5, "preprocess: \"none\" is not allowed; allowed: raw, unit, u8, tf"},
    {"method: {name: qat}", 5,
     "method.name: \"qat\" is not allowed; allowed: ptq, ptq_mse, squant"},
    {"method:\n  name: ptq\n  range: l1", 7, "method.range: \"l1\" is not allowed"},
    {"method: {granularity: group}", 5,
     "method.granularity: \"group\" is not allowed; allowed: "
     "channel, layer"},
    {"method: {weights: auto}", 5, "method.weights: \"auto\" is not allowed"},
    {"method: {activations: no}", 5, "method.activations: \"no\" is not allowed; allowed: auto,"},
    {"method: ptq", 5, "method: a single value where a mapping is expected"},
    {"mapping: quantized_po2", 5, "mapping: \"quantized_po2\" is not allowed"},
    {"feed: bytes", 5, "feed: \"bytes\" is not allowed; allowed: quantized, raw"},
    {"feed: Raw", 5, "feed: \"Raw\" is not allowed"},
    {"feed:", 5, "feed: the value is empty"},
    {"feed: [raw]", 5, "feed: a list where a single value is expected"},
    {"feed: {raw: 1}", 5, "feed: a mapping where a single value is expected"},
    {"engine: exact", 5, "engine: \"exact\" is not allowed; allowed: simulate, integer, both"},
    {"first_n: 2", 5, "first_n: a single value where a list is expected, as in [0, 1]"},
    {"first_n: [0, -1]", 5, "first_n: \"-1\" is not a whole number from 0 to 1000"},
    {"first_n: [1001]", 5, "first_n: \"1001\" is not a whole number from 0 to 1000"},
    {"first_n: [0, 00]", 5, "first_n: \"00\" is not a whole number"},
    {"first_n:\n- 5\n- 5", 7, "first_n: \"5\" is in the list twice"},
    {"first_n: ['']", 5, "first_n: the value is empty"},
    {"suspects: auto", 5, "suspects: a single value where a list is expected, as in [none, auto]"},
    {"suspects: [none, \"0\"]", 5, "suspects: \"0\" is in the list twice"},
    {"suspects: [a+b, b+a]", 5, "suspects: \"b+a\" is in the list twice"},
    {"suspects:\n- auto:-1", 6, "suspects: auto:-1; expected auto:X with a number above 0"},
    {"suspects: [a+]", 5, "suspects: an empty name"},
    {"suspects: [[a, b]]", 5, "suspects: a list inside the list; its items are single values"},
    {"images: -1", 5, "images: \"-1\" is not a whole number from 0 to 1000000000"},
    {"images: 1e3", 5, "images: \"1e3\" is not a whole number"},
    {"images: 99999999999999999999", 5, "images: \"99999999999999999999\" is not a whole number"},
    {"images: 4294967296", 5, "images: \"4294967296\" is not a whole number"},
    {"images: ' 1'", 5, "images: \" 1\" is not a whole number"},
    {"calibration: {images: 0}", 5, "calibration.images: \"0\" is not a whole number from 1 to"},
    {"calibration: {images: 1000001}", 5, "calibration.images: \"1000001\" is not a whole"},
    {"calibration: {seed: x}", 5, "calibration.seed: \"x\" is not a whole number from 0 to"},
    {"calibration: {split: some}", 5, "calibration.split: \"some\" is not allowed; allowed: test,"},
    {"seed: 2147483648", 5, "seed: \"2147483648\" is not a whole number from 0 to 2147483647"},
    {"name: t", 5, "the key \"name\" is given twice, first in line 1"},
    {"[a]: b", 5, "a key is a word, not a list or mapping"},
    {"feed: &f raw", 5, "anchors (&) and aliases (*) cannot be used here"},
    {"feed: *f", 5, "anchors (&) and aliases (*) cannot be used here"},
    {"feed: !!str raw", 5, "tags (!) cannot be used here"},
    {"feed: \"a\\0b\"", 5, "a zero byte inside a text"},
    {"---\nname: t", 5, "a second document in the file"},
    {"feed: [[[[[[[[[[raw]]]]]]]]]]", 5, "lists and mappings are nested more than 8 deep"},
};

static const fault in_names[] = {
    {"name: Upper\nmodels: [a]\ndatasets: [d]\n", 1, "name: \"Upper\" cannot name a results file"},
    {"name: ../up\nmodels: [a]\ndatasets: [d]\n", 1, "name: \"../up\" cannot name a results file"},
    {"name: .hidden\nmodels: [a]\ndatasets: [d]\n", 1, "name: \".hidden\" cannot name"},
    {"name: ''\nmodels: [a]\ndatasets: [d]\n", 1, "name: the value is empty"},
    {"name: s\nmodels: []\ndatasets: [d]\n", 2, "models: the list is empty, so the suite has no"},
    {"name: s\nmodels: a\ndatasets: [d]\n", 2, "models: a single value where a list is expected"},
    {"name: s\nmodels: [a, b,\n a]\ndatasets: [d]\n", 3, "models: \"a\" is in the list twice"},
    {"name: s\nmodels: [a, '']\ndatasets: [d]\n", 2, "models: the value is empty"},
    {"name: s\nmodels: [\"a\\nb\"]\ndatasets: [d]\n", 2, "models: a control character or line"},
    {"name: s\ndatasets: [d]\n", 1, "the key \"models\" is missing"},
    {"name: s\nmodels: [a]\n", 1, "the key \"datasets\" is missing"},
    {"models: [a]\ndatasets: [d]\n", 1, "the key \"name\" is missing"},
};

static void test_faults(void)
{
    char text[2000];

    for (size_t i = 0; i < sizeof in_precision / sizeof *in_precision; i++) {
        snprintf(text, sizeof text, "%s%s\n", head, in_precision[i].lines);
        fails(text, WAIO_EUSAGE, in_precision[i].line, in_precision[i].part);
    }
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        snprintf(text, sizeof text, "%s%s%s\n", head, bits, elsewhere[i].lines);
        fails(text, WAIO_EUSAGE, elsewhere[i].line, elsewhere[i].part);
    }
    for (size_t i = 0; i < sizeof in_names / sizeof *in_names; i++) {
        snprintf(text, sizeof text, "%s%s", in_names[i].lines, bits);
        fails(text, WAIO_EUSAGE, in_names[i].line, in_names[i].part);
    }
}

static void test_not_yaml(void)
{
    static const char zero[] = "name: s\nmodels: [a\0b]\n";
    waio_suite s;
    char expected[400];

    fails("", WAIO_EINPUT, 1, "the file is empty; a suite needs name, models, datasets, precision");
    fails("# nothing\n\n", WAIO_EINPUT, 1, "the file is empty");
    fails("just a word\n", WAIO_EUSAGE, 1, "not a suite: it needs the keys name, models, datasets");
    fails("# list\n- a\n", WAIO_EUSAGE, 2, "not a suite");
    fails("name: s\nmodels: [a\nfeed: raw\n", WAIO_EINPUT, 3, "not YAML: ");
    fails("name: s\n\tmodels: [a]\n", WAIO_EINPUT, 2, "not YAML: ");
    fails("name: s\nfeed: \"raw\n", WAIO_EINPUT, 3, "not YAML: ");
    fails("name: s\nfeed: \xff\xfe\n", WAIO_EINPUT, 2, "not YAML: ");
    fails("name: s\nfeed: a\x01\n", WAIO_EINPUT, 2, "not YAML: ");
    write_file(zero, sizeof zero - 1);
    snprintf(expected, sizeof expected, "%s:2: not YAML: a zero byte", path);
    CHECK_FAILS(waio_suite_read(&s, path, arena), WAIO_EINPUT, expected);
    CHECK_FAILS(waio_suite_read(&s, "/nowhere/s.yaml", arena), WAIO_EINPUT,
                "/nowhere/s.yaml: No such file");
    CHECK_FAILS(waio_suite_read(&s, folder, arena), WAIO_EINPUT, "not a regular file");
}

/* A caret stands below the fault, also in a long line and behind letters of several bytes. */
static void test_caret(void)
{
    waio_suite s;
    char text[1000];

    snprintf(text, sizeof text, "%s%s", head, "precision: {W: [33], A: [8], I: [8], O: [8]}\n");
    write_file(text, strlen(text));
    CHECK_FAILS(waio_suite_read(&s, path, arena), WAIO_EUSAGE,
                "\n    precision: {W: [33], A: [8], I: [8], O: [8]}\n                    ^");
    snprintf(text, sizeof text, "%s%s", head, "precision: {W: [8], A: [\"\u00e9\u00e9\", 33]}\n");
    write_file(text, strlen(text));
    CHECK_FAILS(waio_suite_read(&s, path, arena), WAIO_EUSAGE, "the key \"precision.I\"");
    snprintf(text, sizeof text, "%sfeed: \u00e9\u00e9%200s[\n", head, "");
    write_file(text, strlen(text));
    CHECK(waio_suite_read(&s, path, arena) != WAIO_OK, "loaded");
    snprintf(text, sizeof text, "%smapping: {a: %300s, b: c}\n", head, "\u00e9");
    write_file(text, strlen(text));
    CHECK(waio_suite_read(&s, path, arena) != WAIO_OK, "loaded");
}

/* Large and deep files end at once. */
static void test_sizes(void)
{
    size_t size = WAIO_YAML_MAX_BYTES + 1;
    char *text = malloc(size + 100);
    waio_suite s;

    memset(text, '#', size);
    write_file(text, size);
    CHECK_FAILS(waio_suite_read(&s, path, arena), WAIO_EINPUT, "a suite has at most 1048576");
    for (const char *opening = "[{-?"; *opening; opening++) {
        for (size_t i = 0; i < size; i++)
            text[i] = *opening == '-' || *opening == '?' ? (i % 2 ? ' ' : *opening) : *opening;
        write_file(text, size - 1);
        CHECK(waio_suite_read(&s, path, arena) != WAIO_OK, "loaded");
    }
    size_t n = (size_t)sprintf(text, "%s%sfirst_n: [0", head, bits);
    for (int i = 1; i <= WAIO_SUITE_MAX_LIST; i++)
        n += (size_t)sprintf(text + n, ", %d", i);
    sprintf(text + n, "]\n");
    fails(text, WAIO_EUSAGE, 5, "first_n: 65 values; a list has at most 64");
    for (n = 0; n < 200000; n += 2)
        memcpy(text + n, "a,", 2);
    memcpy(text, "[a", 2);
    text[n] = '\0';
    fails(text, WAIO_EUSAGE, 1, "more than 10000 values in one file");
    char *longest = text + sprintf(text, "%s%smapping: ", head, bits);
    memset(longest, 'm', 2000);
    strcpy(longest + 2000, "\n");
    fails(text, WAIO_EUSAGE, 5, "mapping: the text is too long; at most 1000 characters");
    n = (size_t)sprintf(text, "name: s\nmodels: [m0");
    for (int i = 1; i < WAIO_SUITE_MAX_LIST; i++)
        n += (size_t)sprintf(text + n, ", m%d", i);
    static const char every[] = "[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32, f16]";
    sprintf(text + n, "]\ndatasets: [d]\nprecision: {W: %s, A: %s, I: %s, O: %s}\n", every, every,
            every, every);
    fails(text, WAIO_EUSAGE, 1, "the lists multiply to more than 1000000 rows");
    free(text);
}

static bool list_good(const waio_int_list *list)
{
    for (int i = 0; i < list->count; i++)
        if (strcmp(waio_bits_text(list->item[i]), "?") == 0)
            return false;
    return list->count > 0;
}

/* Whatever loads is a suite: reads every field. */
static void load(const void *data, size_t size)
{
    waio_suite s;
    waio_arena *own = waio_arena_new();

    write_file(data, size);
    waio_error_clear();
    if (waio_suite_read(&s, path, own) == WAIO_OK) {
        CHECK(list_good(&s.W) && list_good(&s.A) && list_good(&s.I) && list_good(&s.O), "bits");
        CHECK(s.models.count > 0 && s.datasets.count > 0 && s.first_n.count > 0, "lists");
        CHECK(strlen(s.name) && strlen(s.feed) && strlen(s.method.name) && strlen(s.engine) &&
                  s.calibration.images > 0 && s.images >= 0,
              "values");
    } else {
        CHECK(strncmp(waio_error_message(), path, strlen(path)) == 0, "no file: %s",
              waio_error_message());
    }
    waio_arena_free(own);
}

static void test_broken_bytes(void)
{
    char copy[sizeof full];
    waio_rng rng = {2};

    for (size_t n = 0; n < sizeof full; n++)
        load(full, n);
    for (int i = 0; i < 3000; i++) {
        memcpy(copy, full, sizeof full);
        for (uint64_t flips = 1 + waio_rng_below(&rng, 3); flips; flips--)
            copy[waio_rng_below(&rng, sizeof full - 1)] = (char)waio_rng_below(&rng, 256);
        load(copy, sizeof full - 1);
    }
    for (int i = 0; i < 1000; i++) { /* what matters to YAML, anywhere */
        memcpy(copy, full, sizeof full);
        for (int flips = 0; flips < 3; flips++)
            copy[waio_rng_below(&rng, sizeof full - 1)] =
                "[]{},:-?&*!|>'\"%#\n \t"[waio_rng_below(&rng, 20)];
        load(copy, sizeof full - 1);
    }
}

/* suites/README.md names every key with its default and what is allowed, from the same table. */
static void test_readme(void)
{
    unsigned char *readme = NULL;
    size_t size = 0;
    char text[100];

    CHECK_OK(waio_file_read(&readme, &size, PROJECT_DIR "/suites/README.md", arena));
    for (int i = 0; i < WAIO_SUITE_KEYS && readme; i++) {
        const waio_suite_key *key = &waio_suite_key_table[i];
        if (key->kind == WAIO_KEY_GROUP)
            continue;
        snprintf(text, sizeof text, "\n| `%s` |", key->path);
        char *row = strstr((char *)readme, text), line[400];
        CHECK(row != NULL, "suites/README.md lacks a row for %s", key->path);
        if (!row)
            continue;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(row + 1, "\n"), row + 1);
        snprintf(text, sizeof text, "| %s%s%s |", key->fallback ? "`" : "",
                 key->fallback                 ? key->fallback
                 : key->required               ? "required"
                 : key->kind == WAIO_KEY_TEXTS ? "none"
                 : strchr(key->path, '.')      ? "by method"
                                               : "by data set",
                 key->fallback ? "`" : "");
        if (key->kind == WAIO_KEY_NUMBERS || key->kind == WAIO_KEY_SUSPECTS)
            snprintf(text, sizeof text, "| `[%s]` |", key->fallback);
        CHECK(strstr(line, text) != NULL, "suites/README.md lacks \"%s\" in: %s", text, line);
        for (int a = 0; a < WAIO_SUITE_MAX_ALLOWED && key->allowed[a]; a++) {
            snprintf(text, sizeof text, "`%s`", key->allowed[a]);
            CHECK(strstr(line, text) != NULL, "suites/README.md lacks %s in: %s", text, line);
        }
        if (key->most) {
            snprintf(text, sizeof text, "%d to %d", key->least, key->most);
            CHECK(strstr(line, text) != NULL, "suites/README.md lacks \"%s\" in: %s", text, line);
        }
    }
}

/* The example of the page is a suite. */
static void test_readme_example(void)
{
    unsigned char *readme = NULL;
    size_t size = 0;
    waio_suite s;

    CHECK_OK(waio_file_read(&readme, &size, PROJECT_DIR "/suites/README.md", arena));
    char *start = readme ? strstr((char *)readme, "```yaml\n") : NULL;
    char *end = start ? strstr(start + 8, "```") : NULL;
    CHECK(end != NULL, "suites/README.md has no example");
    if (end) {
        write_file(start + 8, (size_t)(end - start - 8));
        CHECK_OK(waio_suite_read(&s, path, arena));
    }
}

int main(void)
{
    arena = waio_arena_new();
    CHECK(mkdtemp(folder) != NULL, "no folder for tests");
    snprintf(path, sizeof path, "%s/s.yaml", folder);
    test_full();
    test_defaults();
    test_faults();
    test_not_yaml();
    test_caret();
    test_sizes();
    test_broken_bytes();
    test_readme();
    test_readme_example();
    unlink(path);
    CHECK(rmdir(folder) == 0, "%s: %s", folder, strerror(errno));
    waio_arena_free(arena);
    return waio_check_result();
}
