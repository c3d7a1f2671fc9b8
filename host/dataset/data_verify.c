#include "dataset/data_verify.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What publishers state. CIFAR-10: https://www.cs.toronto.edu/~kriz/cifar.html (also so many of
 * each class); Pet: the lines of annotations/list.txt, trainval.txt and test.txt; VOC: the image
 * sets of the detection task, http://host.robots.ox.ac.uk/pascal/VOC/voc2012/dbstats.html. */
typedef struct expected_split {
    const char *set, *split;
    int64_t count;
    int64_t per_class; /* 0: not the same for all */
    bool look;         /* decode it; else it is part of another split and only counted */
} expected_split;

static const expected_split expected[] = {
    {"cifar10", "train", 50000, 5000, true}, {"cifar10", "test", 10000, 1000, true},
    {"shapes", "train", 20000, 2000, true},  {"shapes", "test", 2000, 200, true},
    {"oxford_pets", "all", 7349, 0, false},  {"oxford_pets", "trainval", 3680, 0, true},
    {"oxford_pets", "test", 3669, 0, true},  {"oxford_pets_imagenet", "all", 0, 0, false},
    {"shapes_pets", "trainval", 0, 0, true}, {"shapes_pets", "test", 0, 0, true},
    {"shapes_voc", "trainval", 0, 0, true},  {"shapes_voc", "test", 0, 0, true},
    {"voc2007", "train", 2501, 0, false},    {"voc2007", "val", 2510, 0, false},
    {"voc2007", "trainval", 5011, 0, true},  {"voc2007", "test", 4952, 0, true},
    {"voc2012", "train", 5717, 0, false},    {"voc2012", "val", 5823, 0, false},
    {"voc2012", "trainval", 11540, 0, true}, {"voc:YEAR", "trainval", 0, 0, true},
    {"voc:YEAR", "test", 0, 0, true},
};

typedef struct verifier {
    const waio_verify_report *report;
    pthread_mutex_t lock;
    int64_t problems;
} verifier;

static void take_problem(void *payload, const char *text)
{
    verifier *v = payload;

    pthread_mutex_lock(&v->lock);
    v->problems++;
    v->report->problem(v->report->payload, text);
    pthread_mutex_unlock(&v->lock);
}

static void check_classes(verifier *v, const waio_dataset *d, int64_t per_class)
{
    char text[200];

    for (int c = 0; c < d->classes && per_class; c++) {
        int64_t count = 0;
        for (int64_t i = 0; i < d->count; i++)
            count += d->label[i] == c;
        if (count == per_class)
            continue;
        snprintf(text, sizeof text, "%.40s, %.20s: %" PRId64 " images of %.60s, expected %" PRId64,
                 d->name, d->split, count, d->class_name[c], per_class);
        take_problem(v, text);
    }
}

static void describe(verifier *v, const waio_dataset *d, const expected_split *e)
{
    char text[300], more[100] = "", notes[WAIO_NOTES_TEXT];

    if (d->object_begin)
        snprintf(more, sizeof more, ", %" PRId64 " objects", d->object_begin[d->count]);
    snprintf(text, sizeof text, "%.60s, %.20s: %" PRId64 " images%s%s", d->name, d->split,
             d->split_count, e->look ? more : " listed", e->look ? " looked at" : "");
    v->report->line(v->report->payload, text);
    if (e->look) {
        waio_dataset_notes_text(d, notes);
        notes[strcspn(notes, "\n")] = '\0';
        if (notes[0] && !d->notes.skipped)
            v->report->line(v->report->payload, notes);
    }
    if (e->count && d->split_count != e->count) {
        snprintf(text, sizeof text, "%.60s, %.20s: %" PRId64 " images, expected %" PRId64, d->name,
                 d->split, d->split_count, e->count);
        take_problem(v, text);
        return;
    }
    check_classes(v, d, e->per_class);
}

static waio_status verify_split(verifier *v, const char *name, const expected_split *e,
                                waio_dataset_params *params)
{
    waio_dataset *d = NULL;

    params->split = e->split;
    params->selection = (waio_selection){.count = e->look ? 0 : 1};
    waio_status st = waio_dataset_open(&d, name, params);
    if (st == WAIO_EINPUT) {
        take_problem(v, waio_error_message());
        return WAIO_OK;
    }
    if (st == WAIO_OK)
        describe(v, d, e);
    waio_dataset_close(d);
    return st;
}

waio_status waio_dataset_verify(const char *name, const char *data_dir, int threads,
                                const waio_reading *reading, const waio_verify_report *report,
                                int64_t *problems)
{
    waio_status st = WAIO_OK;
    const waio_dataset_kind *kind = NULL;
    verifier v = {.report = report, .lock = PTHREAD_MUTEX_INITIALIZER};
    waio_dataset_params params = {.data_dir = data_dir,
                                  .skip_bad = true,
                                  .threads = threads,
                                  .problem = take_problem,
                                  .problem_payload = &v,
                                  .reading = reading};

    WAIO_TRY(st, waio_dataset_find(&kind, name));
    if (!kind->height) { /* pixels are not looked at: the cheapest way through */
        params.height = params.width = 1;
        params.resize = "tf-bilinear";
    }
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (strcmp(expected[i].set, kind->name) == 0)
            WAIO_TRY(st, verify_split(&v, name, &expected[i], &params));
done:
    *problems += v.problems;
    pthread_mutex_destroy(&v.lock);
    return st;
}
