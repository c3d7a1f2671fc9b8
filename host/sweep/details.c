#include "sweep/details.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/session_internal.h"
#include "util/csv.h"
#include "util/file.h"
#include "util/sha256.h"

enum { DIGITS = 16 };

typedef struct details {
    const waio_session *session;
    const waio_dataset *data;
    const waio_answers *answers;
    waio_arena *arena;
    const char *stem; /* "dir/DIGEST" */
} details;

/* ---- files ---- */

typedef waio_status write_rows(FILE *out, const details *d);

static waio_status write_file(const details *d, const char *suffix, write_rows *rows)
{
    waio_status st = WAIO_OK;
    char *text = NULL;
    size_t bytes = 0;
    const char *path = waio_arena_printf(d->arena, "%s.%s", d->stem, suffix);
    FILE *out = open_memstream(&text, &bytes);

    if (!path || !out)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, rows(out, d));
    bool whole = !ferror(out);
    whole = fclose(out) == 0 && whole;
    out = NULL;
    if (!whole)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_file_replace(path, text, bytes));
done:
    if (out)
        fclose(out);
    free(text);
    return st;
}

/* The file that says whose files these are; another configuration's stay as they are. */
static waio_status claim(const details *d, const char *config)
{
    waio_status st = WAIO_OK;
    unsigned char *old = NULL;
    size_t bytes = 0;
    const char *path = waio_arena_printf(d->arena, "%s.config.txt", d->stem);
    const char *line = waio_arena_printf(d->arena, "%s\n", config);

    if (!path || !line)
        return WAIO_ENOMEM;
    if (!waio_file_exists(path))
        return waio_file_replace(path, line, strlen(line));
    WAIO_TRY(st, waio_file_read(&old, &bytes, path, d->arena));
    if (bytes != strlen(line) || memcmp(old, line, bytes) != 0)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "%s is of another configuration; details of %s need another folder", path,
                  config);
done:
    return st;
}

/* ---- fields ---- */

static void put_real(FILE *out, double value)
{
    char text[32];
    waio_real_text(text, value);
    fputs(text, out);
}

static void put_share(FILE *out, int64_t part, int64_t whole)
{
    put_real(out, whole ? 100.0 * (double)part / (double)whole : NAN);
}

static void put_class(FILE *out, const waio_dataset *data, int c)
{
    fprintf(out, "%d,", c);
    waio_csv_put(out, data->class_name ? data->class_name[c] : NULL);
}

static void put_image(FILE *out, const waio_dataset *data, int64_t i)
{
    fprintf(out, "%" PRId64 ",", i);
    waio_csv_put(out, data->image_name ? data->image_name[i] : NULL);
}

/* ---- of a classifier ---- */

static waio_status classifier_classes(FILE *out, const details *d)
{
    waio_status st = WAIO_OK;
    int64_t *images = NULL, *correct = NULL, *real = NULL;
    const waio_session *s = d->session;
    size_t classes = (size_t)d->data->classes;

    WAIO_NEW(st, images, d->arena, classes);
    WAIO_NEW(st, correct, d->arena, classes);
    WAIO_NEW(st, real, d->arena, classes);
    for (int64_t i = 0; i < d->data->count; i++) {
        int label = d->data->label[i];
        images[label]++;
        correct[label] += d->answers->prediction[i] == label;
        real[label] += s->float_prediction[i] == label;
    }
    fputs("class,name,images,correct,accuracy,float_accuracy\n", out);
    for (int c = 0; c < d->data->classes; c++) {
        put_class(out, d->data, c);
        fprintf(out, ",%" PRId64 ",%" PRId64 ",", images[c], correct[c]);
        put_share(out, correct[c], images[c]);
        fputc(',', out);
        if (s->float_outcome.images)
            put_share(out, real[c], images[c]);
        fputc('\n', out);
    }
done:
    return st;
}

static waio_status confusion(FILE *out, const details *d)
{
    waio_status st = WAIO_OK;
    int classes = d->data->classes, columns = classes + 1;
    int64_t *count = NULL;

    WAIO_NEW(st, count, d->arena, (size_t)classes * (size_t)columns);
    for (int64_t i = 0; i < d->data->count; i++) {
        int p = d->answers->prediction[i];
        count[d->data->label[i] * columns + (p < 0 ? classes : p)]++;
    }
    fputs("label,name", out);
    for (int c = 0; c < classes; c++)
        fprintf(out, ",%d", c);
    fputs(",nan\n", out);
    for (int label = 0; label < classes; label++) {
        put_class(out, d->data, label);
        for (int c = 0; c < columns; c++)
            fprintf(out, ",%" PRId64, count[label * columns + c]);
        fputc('\n', out);
    }
done:
    return st;
}

static void put_prediction(FILE *out, int prediction)
{
    if (prediction >= 0)
        fprintf(out, "%d", prediction);
}

static waio_status classifier_images(FILE *out, const details *d)
{
    fputs("index,name,label,prediction,margin,float_prediction\n", out);
    for (int64_t i = 0; i < d->data->count; i++) {
        put_image(out, d->data, i);
        fprintf(out, ",%d,", d->data->label[i]);
        put_prediction(out, d->answers->prediction[i]);
        fputc(',', out);
        put_real(out, d->answers->prediction[i] < 0 ? NAN : (double)d->answers->margin[i]);
        fputc(',', out);
        if (d->session->float_outcome.images)
            put_prediction(out, d->session->float_prediction[i]);
        fputc('\n', out);
    }
    return WAIO_OK;
}

/* ---- of a detector ---- */

static waio_status detector_classes(FILE *out, const details *d)
{
    waio_status st = WAIO_OK;
    const waio_session *s = d->session;
    size_t classes = (size_t)d->data->classes;
    waio_detection_metric metric = waio_session_detection_metric(s);
    int64_t *objects = NULL, *found = NULL;
    double *value = NULL, *real = NULL;
    bool baseline = s->float_outcome.images > 0;

    WAIO_NEW(st, objects, d->arena, classes);
    WAIO_NEW(st, found, d->arena, classes);
    WAIO_NEW(st, value, d->arena, classes);
    WAIO_NEW(st, real, d->arena, classes);
    for (int64_t i = 0; i < d->data->object_begin[d->data->count]; i++)
        objects[d->data->object[i].class_index]++;
    for (int64_t i = 0; i < d->data->count; i++)
        for (int k = 0; k < d->answers->found[i].count; k++)
            found[d->answers->found[i].item[k].class_index]++;
    WAIO_TRY(
        st, waio_detecting_class_scores(value, &s->detecting, d->data, d->answers->found, &metric));
    if (baseline)
        WAIO_TRY(
            st, waio_detecting_class_scores(real, &s->detecting, d->data, s->float_found, &metric));
    fputs("class,name,objects,found,value,float_value\n", out);
    for (int c = 0; c < d->data->classes; c++) {
        put_class(out, d->data, c);
        fprintf(out, ",%" PRId64 ",%" PRId64 ",", objects[c], found[c]);
        put_real(out, value[c]);
        fputc(',', out);
        put_real(out, baseline ? real[c] : NAN);
        fputc('\n', out);
    }
done:
    return st;
}

static waio_status detector_images(FILE *out, const details *d)
{
    const waio_session *s = d->session;

    fputs("index,name,objects,found,agrees\n", out);
    for (int64_t i = 0; i < d->data->count; i++) {
        put_image(out, d->data, i);
        fprintf(out, ",%" PRId64 ",%d,", d->data->object_begin[i + 1] - d->data->object_begin[i],
                d->answers->found[i].count);
        if (s->float_outcome.images)
            fprintf(out, "%d", waio_found_same(&d->answers->found[i], &s->float_found[i]));
        fputc('\n', out);
    }
    return WAIO_OK;
}

/* ---- all of a row ---- */

waio_status waio_details_write(const char *dir, const waio_config *config,
                               const waio_session *session, const waio_outcome *outcome)
{
    waio_status st = WAIO_OK;
    char digest[65];
    waio_sha256 sha;
    bool detects = session->detecting.detector != NULL;
    details d = {
        .session = session, .data = session->dataset, .answers = &outcome->answers->answers};

    d.arena = waio_arena_new();
    if (!d.arena)
        return WAIO_ENOMEM;
    const char *text = waio_config_text(config, d.arena);
    if (!text)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, text, strlen(text));
    waio_sha256_hex(&sha, digest);
    digest[DIGITS] = '\0';
    d.stem = waio_path_join(d.arena, dir, digest);
    if (!d.stem)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_make_dirs(dir));
    WAIO_TRY(st, claim(&d, text));
    WAIO_TRY(st, write_file(&d, "classes.csv", detects ? detector_classes : classifier_classes));
    if (!detects)
        WAIO_TRY(st, write_file(&d, "confusion.csv", confusion));
    WAIO_TRY(st, write_file(&d, "images.csv", detects ? detector_images : classifier_images));
done:
    waio_arena_free(d.arena);
    return st;
}
