/* Configurations and their canonical text; plans: which rows there are, in which order, and whose
 * they are. */
#include <stdlib.h>

#include "check.h"
#include "sweep/plan.h"
#include "sweep/suspects.h"
#include "util/rng.h"

static waio_arena *arena;
static waio_rng rng = {8};

static int pick(int n)
{
    return (int)waio_rng_below(&rng, (uint64_t)n);
}

/* ---- configurations ---- */

static const int all_bits[] = {2,  3,  4,  5,  6,  7,  8,        9,         10,
                               11, 12, 13, 14, 15, 16, WAIO_F16, WAIO_FLOAT};
enum { ALL_BITS = sizeof all_bits / sizeof *all_bits };

/* Printable characters, among them those that the text gives a meaning to. */
static const char *random_name(void)
{
    static const char special[] = "   %%20%25=\"',/\\";
    int length = 1 + pick(12);
    char *name = waio_arena_alloc(arena, 16);

    for (int i = 0; i < length; i++)
        name[i] = pick(2) ? special[pick((int)strlen(special))] : (char)('!' + pick(94));
    return name;
}

#define ONE_OF(...)                                                                                \
    ((const char *[]){__VA_ARGS__})[pick(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))]

static waio_config random_config(void)
{
    waio_config c = waio_config_default();

    c.model = random_name();
    c.dataset = random_name();
    c.split = ONE_OF("test", "train");
    c.images = pick(1000);
    c.preprocess = ONE_OF("raw", "unit", "u8", "tf", "caffe", "torch");
    c.method = ONE_OF("ptq", "ptq_mse", "squant", "dfq");
    c.engine = ONE_OF("simulate", "integer", "both");
    c.range = ONE_OF(NULL, "minmax", "mse", "p99.9", "kl", "batchnorm", "noise");
    c.granularity = ONE_OF(NULL, "channel", "layer");
    c.weights = ONE_OF(NULL, "symmetric", "asymmetric");
    c.activations = ONE_OF(NULL, "auto", "symmetric", "asymmetric");
    c.rounding = ONE_OF(NULL, "nearest", "squant", "squant_e");
    c.weight_range = ONE_OF(NULL, "minmax", "mse", "p99");
    c.equalize = ONE_OF(NULL, "off", "on");
    c.absorb = ONE_OF(NULL, "off", "on");
    c.correction = ONE_OF(NULL, "off", "analytic", "empirical");
    c.bits = (waio_precision){all_bits[pick(ALL_BITS)], all_bits[pick(ALL_BITS)],
                              all_bits[pick(ALL_BITS)], all_bits[pick(ALL_BITS)]};
    if (pick(8) == 0)
        c.bits = (waio_precision){32, 32, 32, 32};
    c.first_n = pick(4);
    c.suspects = ONE_OF("0", "auto", "auto:0.5", "conv1+dense%20x");
    c.feed = ONE_OF("quantized", "raw");
    c.calibration_images = 1 + pick(999);
    c.calibration_seed = pick(INT32_MAX);
    c.calibration_split = ONE_OF("train", "test");
    c.seed = pick(INT32_MAX);
    return c;
}

static bool same_bits(waio_precision a, waio_precision b)
{
    return a.w == b.w && a.a == b.a && a.i == b.i && a.o == b.o;
}

static bool same_choices(const waio_config *a, const waio_config *b)
{
    waio_scheme_words x = waio_config_words(a), y = waio_config_words(b);

    return strcmp(x.range, y.range) == 0 && strcmp(x.granularity, y.granularity) == 0 &&
           strcmp(x.weights, y.weights) == 0 && strcmp(x.activations, y.activations) == 0 &&
           strcmp(x.rounding, y.rounding) == 0 && strcmp(x.weight_range, y.weight_range) == 0 &&
           strcmp(x.equalize, y.equalize) == 0 && strcmp(x.absorb, y.absorb) == 0 &&
           strcmp(x.correction, y.correction) == 0;
}

/* The baseline's text leaves out what does not matter for it. */
static bool same_config(const waio_config *a, const waio_config *b)
{
    bool same = strcmp(a->model, b->model) == 0 && strcmp(a->dataset, b->dataset) == 0 &&
                strcmp(a->split, b->split) == 0 && a->images == b->images &&
                strcmp(a->preprocess, b->preprocess) == 0 && same_bits(a->bits, b->bits) &&
                strcmp(waio_config_engine(a), waio_config_engine(b)) == 0 && a->seed == b->seed;

    if (waio_config_is_float(a))
        return same && strcmp(b->method, "float") == 0;
    if (waio_config_calibrates(a))
        same = same && a->calibration_images == b->calibration_images &&
               a->calibration_seed == b->calibration_seed &&
               strcmp(a->calibration_split, b->calibration_split) == 0;
    return same && strcmp(a->method, b->method) == 0 && same_choices(a, b) &&
           a->first_n == b->first_n && strcmp(a->suspects, b->suspects) == 0 &&
           strcmp(a->feed, b->feed) == 0;
}

static waio_config parse(const char *text)
{
    waio_config c = waio_config_default();
    char *copy = waio_arena_strdup(arena, text), *save = NULL;

    for (char *part = strtok_r(copy, " ", &save); part; part = strtok_r(NULL, " ", &save))
        CHECK_OK(waio_config_set(&c, part, arena));
    return c;
}

static void texts_come_back(void)
{
    for (int i = 0; i < 1000; i++) {
        waio_config c = random_config();
        const char *text = waio_config_text(&c, arena);
        waio_config back = parse(text);
        CHECK(same_config(&c, &back), "\"%s\" \"%s\": %s", c.model, c.dataset, text);
        CHECK(strcmp(waio_config_text(&back, arena), text) == 0, "%s became %s", text,
              waio_config_text(&back, arena));
    }
}

static void text_by_hand(void)
{
    waio_config c = waio_config_default();

    c.model = "my net.h5";
    c.dataset = "cifar10";
    c.bits = (waio_precision){4, 8, WAIO_F16, 32};
    const char *text = waio_config_text(&c, arena);
    CHECK(strcmp(text, "model=my%20net.h5 data=cifar10 split=test images=0 pre=raw "
                       "resize=pil-bilinear method=ptq "
                       "range=minmax gran=channel wsym=symmetric asym=auto map=quantized_bits "
                       "w=4 a=8 i=f16 o=32 first_n=0 suspects=0 feed=quantized calib=256 cseed=1 "
                       "csplit=train engine=simulate seed=1") == 0,
          "%s", text);
    c.bits = (waio_precision){32, 32, 32, 32};
    c.first_n = 3;
    text = waio_config_text(&c, arena);
    CHECK(strcmp(text, "model=my%20net.h5 data=cifar10 split=test images=0 pre=raw "
                       "resize=pil-bilinear method=float "
                       "w=32 a=32 i=32 o=32 engine=simulate seed=1") == 0,
          "%s", text);
    CHECK(waio_config_is_float(&c), "the baseline");
    for (int i = 0; i < 4; i++) {
        c.bits = (waio_precision){i == 0 ? 8 : 32, i == 1 ? 8 : 32, i == 2 ? 8 : 32, 32};
        if (i == 3)
            c.bits.o = WAIO_F16;
        CHECK(!waio_config_is_float(&c), "one of four is quantized: no baseline");
    }
}

/* What presets say, what overrides them, and what a text leaves out. */
static void text_of_methods(void)
{
    static const struct {
        const char *given, *text;
    } row[] = {
        {"method=squant", "method=squant range=batchnorm gran=channel wsym=asymmetric asym=auto "
                          "map=quantized_bits w=8 a=8 i=8 o=8 first_n=0 suspects=0 "
                          "feed=quantized engine=simulate seed=1"},
        {"engine=integer method=squant wround=squant",
         "method=squant range=batchnorm gran=channel wsym=symmetric asym=auto "
         "map=quantized_bits w=8 a=8 i=8 o=8 first_n=0 suspects=0 feed=quantized "
         "engine=integer requant=tflite seed=1"},
        {"wround=squant_k equalize=on absorb=off correct=empirical",
         "method=ptq range=minmax gran=channel wsym=symmetric asym=auto wround=squant_k "
         "equalize=on correct=empirical map=quantized_bits w=8 a=8 i=8 o=8 first_n=0 suspects=0 "
         "feed=quantized calib=256 cseed=1 csplit=train engine=simulate seed=1"},
        {"wrange=minmax method=ptq_mse calib=9",
         "method=ptq_mse range=mse gran=channel wsym=symmetric asym=auto wrange=minmax "
         "map=quantized_bits w=8 a=8 i=8 o=8 first_n=0 suspects=0 feed=quantized calib=9 "
         "cseed=1 csplit=train engine=simulate seed=1"},
        {"method=dfq correct=off", "method=dfq range=batchnorm gran=layer wsym=symmetric "
                                   "asym=auto correct=off map=quantized_bits w=8 a=8 i=8 o=8 "
                                   "first_n=0 suspects=0 feed=quantized engine=simulate seed=1"},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[600];
        waio_config c;
        snprintf(text, sizeof text, "model=m data=d w=8 a=8 i=8 o=8 %s", row[i].given);
        c = parse(text);
        snprintf(text, sizeof text,
                 "model=m data=d split=test images=0 pre=raw resize=pil-bilinear %s", row[i].text);
        CHECK(strcmp(waio_config_text(&c, arena), text) == 0, "%s gives\n%s, expected\n%s",
              row[i].given, waio_config_text(&c, arena), text);
    }
}

static void wrong_assignments(void)
{
    static const struct {
        const char *assignment, *part;
    } row[] = {
        {"w=33", "2 to 16 bits, 32 (float) and f16"},
        {"w=1", "2 to 16 bits"},
        {"w=08", "w=08"},
        {"a=", "2 to 16 bits"},
        {"i=F16", "f16"},
        {"w", "KEY=VALUE"},
        {"", "KEY=VALUE"},
        {"=8", "KEY=VALUE"},
        {"weights=8", "known key; there are: model data split"},
        {"W=8", "first_n suspects feed"},
        {"model=", "needs a name"},
        {"split=dev", "test train val trainval all"},
        {"split=tes", "test train"},
        {"split=test ", "test train"},
        {"resize=", "FILTER[/FRAMING]"},
        {"resize=pil-bilinear/crop0", "N from 1 to 16384"},
        {"pre=", "raw unit u8 tf caffe torch"},
        {"method=qat", "ptq ptq_mse squant dfq float file"},
        {"range=l1", "minmax mse p99 p99.9 p99.99 kl batchnorm noise"},
        {"wrange=kl", "minmax mse p99"},
        {"wround=up", "nearest squant squant_e"},
        {"equalize=yes", "off on"},
        {"absorb=1", "off on"},
        {"correct=on", "off analytic empirical"},
        {"gran=tensor", "channel layer"},
        {"wsym=auto", "symmetric asymmetric"},
        {"asym=none", "auto symmetric asymmetric"},
        {"feed=bytes", "quantized raw"},
        {"engine=exact", "simulate integer both"},
        {"requant=round", "tflite double single float"},
        {"csplit=dev", "train test val trainval all"},
        {"images=-1", "from 0 to 1000000000"},
        {"images=ten", "from 0 to"},
        {"images=10x", "from 0 to"},
        {"images=99999999999999999999", "from 0 to"},
        {"calib=0", "from 1 to 1000000"},
        {"first_n=1001", "from 0 to 1000"},
        {"suspects=", "an empty name; expected none, auto, auto:X, or names"},
        {"suspects=a++b", "an empty name"},
        {"suspects=a+b+a", "\"a\" is there twice"},
        {"suspects=a%2", "%XX with two hexadecimal digits is expected at \"%2\""},
        {"suspects=a%00", "%XX with two hexadecimal digits"},
        {"suspects=auto:", "expected auto:X with a number above 0"},
        {"suspects=auto:0", "expected auto:X with a number above 0"},
        {"suspects=auto:-1", "expected auto:X with a number above 0"},
        {"suspects=auto:inf", "expected auto:X with a number above 0"},
        {"seed=", "from 0 to 2147483647"},
        {"cseed=2147483648", "from 0 to 2147483647"},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_config c = waio_config_default();
        CHECK_FAILS(waio_config_set(&c, row[i].assignment, arena), WAIO_EUSAGE, row[i].part);
    }
}

static void suspects_by_hand(void)
{
    static const struct {
        const char *given, *canonical;
    } row[] = {
        {"none", "0"},          {"0", "0"},
        {"auto", "auto"},       {"auto:0.7", "auto"},
        {"auto:0.70", "auto"},  {"auto:0.50", "auto:0.5"},
        {"b+a", "a+b"},         {"a%2Bb+conv%202", "a%2Bb+conv%202"},
        {"%6eone", "%6Eone"},   {"%61utomatic", "%61utomatic"},
        {"x/y;z:1", "x/y;z:1"},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *text = NULL, *again = NULL;
        CHECK_OK(waio_suspects_parse(&text, row[i].given, arena));
        CHECK(strcmp(text, row[i].canonical) == 0, "%s becomes %s", row[i].given, text);
        CHECK_OK(waio_suspects_parse(&again, text, arena));
        CHECK(strcmp(text, again) == 0, "%s becomes %s", text, again);
    }
}

static void options_of_a_configuration(void)
{
    for (int i = 0; i < 50; i++) {
        waio_config c = random_config();
        waio_session_options o = {.threads = 3};
        waio_quant_request request = waio_config_request(&c);
        CHECK_OK(waio_config_session_options(&o, &c));
        CHECK(same_bits(request.bits, c.bits) && request.first_n == c.first_n, "request");
        CHECK((o.feed == WAIO_FEED_RAW) == (strcmp(c.feed, "raw") == 0), "feed");
        CHECK(o.images == c.images && strcmp(o.split, c.split) == 0 &&
                  strcmp(o.preprocess, c.preprocess) == 0 && o.threads == 3,
              "data");
        CHECK(o.calibration_images == c.calibration_images &&
                  o.calibration_seed == c.calibration_seed &&
                  strcmp(o.calibration_split, c.calibration_split) == 0,
              "calibration");
        waio_scheme_words w = waio_config_words(&c);
        CHECK(o.scheme.per_channel == (strcmp(w.granularity, "channel") == 0) &&
                  (o.scheme.weights == WAIO_SYMMETRIC) == (strcmp(w.weights, "symmetric") == 0) &&
                  (o.scheme.activations == WAIO_SYMMETRY_AUTO) ==
                      (strcmp(w.activations, "auto") == 0) &&
                  (o.scheme.weight_rounding == WAIO_WEIGHTS_SQUANT_E) ==
                      (strcmp(w.rounding, "squant_e") == 0) &&
                  (o.scheme.activation_range == WAIO_RANGE_KL) == (strcmp(w.range, "kl") == 0) &&
                  (o.scheme.weight_range == WAIO_RANGE_P99) ==
                      (strcmp(w.weight_range, "p99") == 0) &&
                  o.scheme.equalize == (strcmp(w.equalize, "on") == 0) &&
                  o.scheme.absorb == (strcmp(w.absorb, "on") == 0) &&
                  (o.scheme.correction == WAIO_CORRECT_EMPIRICAL) ==
                      (strcmp(w.correction, "empirical") == 0),
              "scheme");
    }
}

/* ---- plans ---- */

/* `count` different bit widths in a random order; `with_float`: 32 among them. */
static waio_int_list random_axis(int count, bool with_float)
{
    int shuffled[ALL_BITS - 1];
    waio_int_list list = {waio_arena_alloc(arena, (size_t)count * sizeof(int)), count};

    for (int i = 0; i < ALL_BITS - 1; i++) { /* all but 32 */
        int j = pick(i + 1);
        shuffled[i] = shuffled[j];
        shuffled[j] = all_bits[i];
    }
    memcpy(list.item, shuffled, (size_t)count * sizeof(int));
    if (with_float)
        list.item[pick(count)] = WAIO_FLOAT;
    return list;
}

static waio_suite random_suite(void)
{
    static const char *names[] = {"a", "b c", "d.h5"}, *sets[] = {"shapes", "cifar10"};
    static int layers[] = {0, 2, 5};
    static const char *suspects[] = {"0", "auto", "conv"};
    bool with_float = pick(3) > 0;
    waio_suite s = {.path = "suite.yaml",
                    .models = {names, 1 + pick(3)},
                    .datasets = {sets, 1 + pick(2)},
                    .split = "test",
                    .preprocess = "unit",
                    .method = {"ptq", "minmax", "layer", "symmetric", "auto"},
                    .mapping = "quantized_bits",
                    .first_n = {layers, 1 + pick(3)},
                    .suspects = {suspects, 1 + pick(3)},
                    .feed = "quantized",
                    .engine = "simulate",
                    .calibration = {64, 3, "train"},
                    .seed = 4};

    s.W = random_axis(1 + pick(3), with_float || pick(2));
    s.A = random_axis(1 + pick(3), with_float || pick(2));
    s.I = random_axis(1 + pick(3), with_float || pick(2));
    s.O = random_axis(1 + pick(4), with_float);
    return s;
}

static bool holds(waio_int_list list, int bits)
{
    for (int i = 0; i < list.count; i++)
        if (list.item[i] == bits)
            return true;
    return false;
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(const waio_plan_row *const *)a)->text,
                  (*(const waio_plan_row *const *)b)->text);
}

static void check_rows(const waio_plan *plan, const waio_suite *s)
{
    int pairs = s->models.count * s->datasets.count, floats = 0;
    int floated = s->suspects.count * s->first_n.count;
    int product = floated * s->I.count * s->W.count * s->A.count * s->O.count;
    bool all_float = holds(s->W, 32) && holds(s->A, 32) && holds(s->I, 32) && holds(s->O, 32);
    int wanted = pairs * (1 + product - (all_float ? floated : 0));
    const waio_plan_row **row = waio_arena_array(arena, (size_t)plan->row_count, sizeof *row);

    CHECK(plan->row_count == wanted, "%d rows, expected %d", plan->row_count, wanted);
    CHECK(plan->pair_count == pairs, "%d pairs", plan->pair_count);
    for (int r = 0; r < plan->row_count; r++) {
        const waio_config *c = &plan->row[r].config;
        row[r] = &plan->row[r];
        floats += waio_config_is_float(c);
        CHECK(strcmp(waio_config_text(c, arena), row[r]->text) == 0, "text of row %d", r);
        CHECK(waio_plan_find(plan, row[r]->text) == r, "row %d is not found", r);
        CHECK(strcmp(c->granularity, "layer") == 0 && c->calibration_images == 64 && c->seed == 4,
              "the suite's choices");
        bool listed = holds(s->W, c->bits.w) && holds(s->A, c->bits.a) && holds(s->I, c->bits.i) &&
                      holds(s->O, c->bits.o) && holds(s->first_n, (int)c->first_n);
        CHECK(listed || waio_config_is_float(c), "row %d is not in the suite", r);
    }
    CHECK(floats == pairs, "%d float rows of %d pairs", floats, pairs);
    qsort(row, (size_t)plan->row_count, sizeof *row, by_text);
    for (int r = 1; r < plan->row_count; r++)
        CHECK(strcmp(row[r]->text, row[r - 1]->text) != 0, "twice: %s", row[r]->text);
    CHECK(waio_plan_find(plan, "model=a") == -1, "a row that is none");
}

/* Whether the rows could share the kept outputs of the first layer. */
static bool shares_first(const waio_config *a, const waio_config *b)
{
    return a->first_n == b->first_n && strcmp(a->suspects, b->suspects) == 0 &&
           a->bits.i == b->bits.i && strcmp(a->model, b->model) == 0 &&
           strcmp(a->dataset, b->dataset) == 0;
}

static void check_passes(const waio_plan *plan, const waio_suite *s)
{
    int next = 0, pairs_begun = 0, changes = 0;

    for (int p = 0; p < plan->pass_count; p++) {
        const waio_plan_pass *pass = &plan->pass[p];
        const waio_config *first = &plan->row[pass->first].config;
        CHECK(pass->first == next && pass->count > 0, "pass %d has rows %d + %d", p, pass->first,
              pass->count);
        next = pass->first + pass->count;
        CHECK(pass->baseline == waio_config_is_float(first), "pass %d: baseline", p);
        CHECK(!pass->baseline ||
                  (pass->count == 1 && strstr(plan->row[pass->first].text, "method=float ")),
              "pass %d: a baseline is alone", p);
        pairs_begun += pass->baseline; /* it opens its pair */
        CHECK(pass->pair == pairs_begun - 1, "pass %d is of pair %d", p, pass->pair);
        for (int r = 0; r < pass->count; r++) {
            waio_config c = plan->row[pass->first + r].config;
            c.bits.o = first->bits.o;
            CHECK(same_config(&c, first) || waio_config_is_float(&c) || waio_config_is_float(first),
                  "pass %d: more than O differs", p);
            CHECK(c.bits.w == first->bits.w && c.bits.a == first->bits.a &&
                      c.bits.i == first->bits.i && c.first_n == first->first_n,
                  "pass %d: more than O differs", p);
            CHECK(r == 0 || strcmp(c.suspects, "auto") != 0,
                  "pass %d: suspects that are to be found may differ with O", p);
        }
        if (p > 0 && !pass->baseline && !plan->pass[p - 1].baseline)
            changes += !shares_first(first, &plan->row[plan->pass[p - 1].first].config);
    }
    CHECK(next == plan->row_count, "%d rows are in passes", next);
    CHECK(changes <= plan->pair_count * (s->suspects.count * s->first_n.count * s->I.count - 1),
          "I changes %d times in %d pairs of %d x %d", changes, plan->pair_count, s->first_n.count,
          s->I.count);
}

static void check_shards(const waio_suite *s, const waio_plan *whole)
{
    for (int shards = 1; shards <= 5; shards++) {
        int *owners = waio_arena_array(arena, (size_t)whole->row_count, sizeof *owners);
        for (int shard = 1; shard <= shards; shard++) {
            waio_plan plan;
            CHECK_OK(waio_plan_make(&plan, s, shard, shards, arena));
            CHECK(plan.row_count == whole->row_count, "a shard has another plan");
            for (int p = 0; p < plan.pass_count; p++)
                for (int r = plan.pass[p].first; r < plan.pass[p].first + plan.pass[p].count; r++) {
                    owners[r] += plan.row[r].in_shard;
                    CHECK(plan.row[r].in_shard == plan.row[plan.pass[p].first].in_shard,
                          "pass %d is torn", p);
                    CHECK(!plan.row[r].done, "nothing is done yet");
                }
        }
        for (int r = 0; r < whole->row_count; r++)
            CHECK(owners[r] == 1, "row %d is in %d of %d shards", r, owners[r], shards);
    }
}

static void random_plans(void)
{
    for (int i = 0; i < 40; i++) {
        waio_suite s = random_suite();
        waio_plan plan;
        CHECK_OK(waio_plan_make(&plan, &s, 1, 1, arena));
        check_rows(&plan, &s);
        check_passes(&plan, &s);
        if (i < 10)
            check_shards(&s, &plan);
    }
}

/* Coupled lists give the rows of their product in which they stand at one place, in order. */
static void coupled_plans(void)
{
    static const char *names[] = {"W", "A", "I", "O"};
    static int bits[4][3] = {{8, 6, 4}, {8, 7, 32}, {5, 4, 3}, {16, 8, 2}};
    static const int sets[] = {3, 5, 9, 6, 10, 12, 7, 11, 13, 14, 15}; /* of names, as bits */

    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        const char *coupled[4];
        waio_suite s = random_suite(), all;
        waio_plan plan, product;
        int found = 0;
        s.W = (waio_int_list){bits[0], 3};
        s.A = (waio_int_list){bits[1], 3};
        s.I = (waio_int_list){bits[2], 3};
        s.O = (waio_int_list){bits[3], 3};
        s.couple = (waio_text_list){NULL, 0};
        all = s;
        s.couple.item = coupled;
        for (int i = 0; i < 4; i++)
            if (sets[k] >> i & 1)
                coupled[s.couple.count++] = names[i];
        CHECK_OK(waio_plan_make(&plan, &s, 1, 1, arena));
        CHECK_OK(waio_plan_make(&product, &all, 1, 1, arena));
        for (int r = 0; r < product.row_count; r++) {
            const waio_precision *b = &product.row[r].config.bits;
            int want[4] = {b->w, b->a, b->i, b->o}, place = -1;
            bool together = true;
            for (int i = 0; i < 4; i++)
                for (int at = 0; at < 3; at++)
                    if (sets[k] >> i & 1 && bits[i][at] == want[i]) {
                        together = together && (place < 0 || place == at);
                        place = at;
                    }
            if (!together && !waio_config_is_float(&product.row[r].config))
                continue;
            CHECK(found < plan.row_count && strcmp(plan.row[found].text, product.row[r].text) == 0,
                  "set %d: row %d is not %s", sets[k], found, product.row[r].text);
            found++;
        }
        CHECK(found == plan.row_count && found < product.row_count, "set %d: %d of %d rows",
              sets[k], found, plan.row_count);
    }
}

/* A value may come again in coupled lists: 8/8/32/32, 8/8/32/8 and the float network's row, once.
 */
static void coupled_repeats(void)
{
    static int w[] = {8, 8, WAIO_FLOAT}, i[] = {WAIO_FLOAT}, o[] = {WAIO_FLOAT, 8, WAIO_FLOAT};
    static const char *all[] = {"W", "A", "O"};
    waio_suite s = random_suite();
    waio_plan plan;

    s.W = s.A = (waio_int_list){w, 3};
    s.I = (waio_int_list){i, 1};
    s.O = (waio_int_list){o, 3};
    s.couple = (waio_text_list){all, 3};
    s.models.count = s.datasets.count = s.first_n.count = 1;
    CHECK_OK(waio_plan_make(&plan, &s, 1, 1, arena));
    CHECK(plan.row_count == 3, "%d rows", plan.row_count);
    for (int r = 1; r < plan.row_count; r++) {
        const waio_precision *b = &plan.row[r].config.bits;
        CHECK(b->w == 8 && b->a == 8 && b->i == WAIO_FLOAT && b->o == o[r - 1], "row %d: %s", r,
              plan.row[r].text);
    }
}

static void float_only_and_too_many(void)
{
    static int only[] = {WAIO_FLOAT}, many[64];
    static const char *names[64];
    waio_suite s = random_suite();
    waio_plan plan;

    s.W = s.A = s.I = s.O = (waio_int_list){only, 1};
    CHECK_OK(waio_plan_make(&plan, &s, 1, 1, arena));
    CHECK(plan.row_count == plan.pair_count && plan.pass_count == plan.pair_count,
          "%d rows, %d passes: baselines only", plan.row_count, plan.pass_count);
    for (int i = 0; i < 64; i++)
        names[i] = "m";
    s.models = s.datasets = (waio_text_list){names, 64};
    s.W = s.A = s.I = s.O = s.first_n = (waio_int_list){many, 64};
    CHECK_FAILS(waio_plan_make(&plan, &s, 1, 1, arena), WAIO_EUSAGE, "more than 1000000 rows");
}

int main(void)
{
    arena = waio_arena_new();
    texts_come_back();
    text_by_hand();
    text_of_methods();
    wrong_assignments();
    suspects_by_hand();
    options_of_a_configuration();
    random_plans();
    coupled_plans();
    coupled_repeats();
    float_only_and_too_many();
    waio_arena_free(arena);
    return waio_check_result();
}
