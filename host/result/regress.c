#include "result/regress.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/csv.h"

static const char *const names[WAIO_CHANGE_KINDS] = {
    "same", "missing", "other model", "other data", "status",    "integer",
    "size", "worse",   "better",      "slower",     "recovered", "new"};

const char *waio_change_name(waio_change_kind kind)
{
    return names[kind];
}

/* ---- a pair of rows ---- */

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(text_of(a), text_of(b)) == 0;
}

/* As the file has them: nine digits. */
static bool same_real(double a, double b)
{
    char one[32], other[32];

    waio_real_text(one, a);
    waio_real_text(other, b);
    return strcmp(one, other) == 0;
}

static int status_rank(const char *status)
{
    return strcmp(status, "ok") == 0           ? 0
           : strcmp(status, "mistrusted") == 0 ? 1
           : strcmp(status, "failed") == 0     ? 3
                                               : 2;
}

static bool on_codes(const waio_row *row)
{
    return same_text(row->col_engine, "integer") || same_text(row->col_engine, "both") ||
           same_text(row->col_method, "file");
}

/* Both counts are there and differ: a column that an older version did not have is no change. */
static bool counts_differ(int64_t a, int64_t b)
{
    return a != -1 && b != -1 && a != b;
}

static bool texts_differ(const char *a, const char *b)
{
    return text_of(a)[0] && text_of(b)[0] && strcmp(a, b) != 0;
}

static bool codes_differ(const waio_row *a, const waio_row *b)
{
    return !same_real(a->col_value, b->col_value) ||
           !same_real(a->col_agree_pct, b->col_agree_pct) ||
           counts_differ(a->col_size_bytes, b->col_size_bytes) ||
           counts_differ(a->col_file_bytes, b->col_file_bytes);
}

/* A value that only one of two rows of the same status has is a change that nothing allows. */
static bool moved(const waio_row *a, const waio_row *b, double allowed)
{
    if (isnan(a->col_value) || isnan(b->col_value))
        return isnan(a->col_value) != isnan(b->col_value);
    return !same_real(a->col_value, b->col_value) &&
           fabs(b->col_value - a->col_value) > (isnan(allowed) ? 0 : allowed);
}

static waio_change_kind kind_of_pair(const waio_row *a, const waio_row *b, double allowed,
                                     double speed_ratio)
{
    int rank[2] = {status_rank(a->col_status), status_rank(b->col_status)};

    if (texts_differ(a->col_model_sha256, b->col_model_sha256))
        return WAIO_CHANGE_OTHER_MODEL;
    if (texts_differ(a->col_data_sha256, b->col_data_sha256) ||
        counts_differ(a->col_images, b->col_images))
        return WAIO_CHANGE_OTHER_DATA;
    if (rank[1] > rank[0])
        return WAIO_CHANGE_STATUS;
    if (rank[1] < rank[0])
        return WAIO_CHANGE_RECOVERED;
    if (on_codes(a) && codes_differ(a, b))
        return WAIO_CHANGE_INTEGER;
    if (counts_differ(a->col_size_bytes, b->col_size_bytes))
        return WAIO_CHANGE_SIZE;
    if (moved(a, b, allowed))
        return b->col_value > a->col_value ? WAIO_CHANGE_BETTER : WAIO_CHANGE_WORSE;
    if (speed_ratio > 0 && b->col_images_per_s < a->col_images_per_s / speed_ratio)
        return WAIO_CHANGE_SLOWER;
    return WAIO_CHANGE_NONE;
}

static bool is_regression(waio_change_kind kind, bool drops_only)
{
    return kind != WAIO_CHANGE_NONE && kind != WAIO_CHANGE_RECOVERED && kind != WAIO_CHANGE_NEW &&
           !(kind == WAIO_CHANGE_BETTER && drops_only);
}

/* NAN where a row on codes is compared, or a standard error is missing. */
static double allowed_between(const waio_row *a, const waio_row *b, double factor)
{
    if (on_codes(a))
        return NAN;
    return factor * sqrt(a->col_stderr * a->col_stderr + b->col_stderr * b->col_stderr);
}

/* ---- matching ---- */

static int by_config(const void *a, const void *b)
{
    const waio_row *const *one = a, *const *other = b;
    return strcmp(text_of((*one)->col_config), text_of((*other)->col_config));
}

/* The rows of a file sorted by configuration. */
static waio_status sort_rows(const waio_row ***out, const waio_results *file, const char *path,
                             waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int count = waio_results_count(file);
    const waio_row **row = NULL;

    if (count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: no rows to compare", path);
    WAIO_NEW(st, row, arena, (size_t)count);
    for (int i = 0; i < count; i++)
        row[i] = waio_results_row(file, i);
    qsort(row, (size_t)count, sizeof *row, by_config);
    for (int i = 1; i < count; i++) {
        if (by_config(&row[i - 1], &row[i]) != 0)
            continue;
        int line[2] = {0, 0}, n = 0;
        for (int k = 0; k < count && n < 2; k++)
            if (same_text(waio_results_row(file, k)->col_config, row[i]->col_config))
                line[n++] = waio_results_line(file, k);
        WAIO_FAIL(st, WAIO_EINPUT, "%s:%d: the configuration of line %d again: %.200s", path,
                  line[1], line[0], text_of(row[i]->col_config));
    }
    *out = row;
done:
    return st;
}

static const waio_row *find_row(const waio_row *const *sorted, int count, const waio_row *row)
{
    const waio_row *const *hit = bsearch(&row, sorted, (size_t)count, sizeof *sorted, by_config);
    return hit ? *hit : NULL;
}

static void add(waio_regress *out, const waio_row *before, const waio_row *after,
                const waio_regress_options *o)
{
    waio_change *change = &out->change[out->count++];

    *change = (waio_change){.before = before, .after = after, .allowed = NAN};
    if (before && after) {
        change->allowed = allowed_between(before, after, o->factor);
        change->kind = kind_of_pair(before, after, change->allowed, o->speed_ratio);
    } else {
        change->kind = before ? WAIO_CHANGE_MISSING : WAIO_CHANGE_NEW;
    }
    change->regression = is_regression(change->kind, o->drops_only);
    out->kinds[change->kind]++;
    out->regressions += change->regression;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static waio_status median_speed(waio_regress *r, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    double *ratio = NULL;
    int n = 0;

    r->speed = NAN;
    WAIO_NEW(st, ratio, arena, (size_t)r->count);
    for (int i = 0; i < r->count; i++) {
        const waio_change *c = &r->change[i];
        if (c->before && c->after && c->before->col_images_per_s > 0 &&
            c->after->col_images_per_s > 0)
            ratio[n++] = c->after->col_images_per_s / c->before->col_images_per_s;
    }
    qsort(ratio, (size_t)n, sizeof *ratio, by_number);
    if (n)
        r->speed = (ratio[(n - 1) / 2] + ratio[n / 2]) / 2;
done:
    return st;
}

waio_status waio_regress_compare(waio_regress *out, const waio_results *const file[2],
                                 const char *const path[2], const waio_regress_options *options,
                                 waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_row **sorted[2] = {NULL, NULL};
    int count[2];

    memset(out, 0, sizeof *out);
    for (int f = 0; f < 2; f++) {
        count[f] = waio_results_count(file[f]);
        WAIO_TRY(st, sort_rows(&sorted[f], file[f], path[f], arena));
    }
    WAIO_NEW(st, out->change, arena, (size_t)(count[0] + count[1]));
    for (int i = 0; i < count[0]; i++) {
        const waio_row *row = waio_results_row(file[0], i);
        add(out, row, find_row(sorted[1], count[1], row), options);
    }
    for (int i = 0; i < count[1]; i++) {
        const waio_row *row = waio_results_row(file[1], i);
        if (!find_row(sorted[0], count[0], row))
            add(out, NULL, row, options);
    }
    WAIO_TRY(st, median_speed(out, arena));
done:
    return st;
}

/* ---- words ---- */

static const char *reason_of(const waio_row *row)
{
    return text_of(row->col_reason)[0] ? row->col_reason : "no reason given";
}

static const char *number_text(double value, waio_arena *arena)
{
    char text[32];

    waio_real_text(text, value);
    return waio_arena_strdup(arena, text[0] ? text : "nothing");
}

/* What of a row on codes differs: the first thing. */
static const char *codes_text(const waio_row *a, const waio_row *b, waio_arena *arena)
{
    bool value = !same_real(a->col_value, b->col_value);

    if (!value && same_real(a->col_agree_pct, b->col_agree_pct))
        return waio_arena_printf(
            arena, "size %" PRId64 " -> %" PRId64 ", file %" PRId64 " -> %" PRId64 " bytes",
            a->col_size_bytes, b->col_size_bytes, a->col_file_bytes, b->col_file_bytes);
    const char *x = number_text(value ? a->col_value : a->col_agree_pct, arena),
               *y = number_text(value ? b->col_value : b->col_agree_pct, arena);
    if (!x || !y)
        return NULL;
    return waio_arena_printf(arena, "%s %s -> %s; a row on codes may not change at all",
                             value ? "value" : "agree_pct", x, y);
}

static const char *value_text(const waio_change *c, waio_arena *arena)
{
    const char *x = number_text(c->before->col_value, arena),
               *y = number_text(c->after->col_value, arena);
    if (!x || !y)
        return NULL;
    if (isnan(c->allowed))
        return waio_arena_printf(arena, "value %s -> %s, no standard error to allow it", x, y);
    return waio_arena_printf(arena, "value %s -> %s, allowed %.3g", x, y, c->allowed);
}

const char *waio_change_text(const waio_change *c, waio_arena *arena)
{
    const waio_row *a = c->before, *b = c->after;

    switch (c->kind) {
    case WAIO_CHANGE_MISSING:
        return "the new file has no such row";
    case WAIO_CHANGE_NEW:
        return "the old file has no such row";
    case WAIO_CHANGE_OTHER_MODEL:
        return "computed with another model file: not comparable";
    case WAIO_CHANGE_OTHER_DATA:
        return "computed on other images: not comparable";
    case WAIO_CHANGE_STATUS:
        return waio_arena_printf(arena, "%s -> %s: %s", a->col_status, b->col_status, reason_of(b));
    case WAIO_CHANGE_RECOVERED:
        return waio_arena_printf(arena, "%s -> %s", a->col_status, b->col_status);
    case WAIO_CHANGE_INTEGER:
        return codes_text(a, b, arena);
    case WAIO_CHANGE_SIZE:
        return waio_arena_printf(arena, "size %" PRId64 " -> %" PRId64 " bytes", a->col_size_bytes,
                                 b->col_size_bytes);
    case WAIO_CHANGE_SLOWER:
        return waio_arena_printf(arena, "%.0f -> %.0f images/s", a->col_images_per_s,
                                 b->col_images_per_s);
    case WAIO_CHANGE_WORSE:
    case WAIO_CHANGE_BETTER:
        return value_text(c, arena);
    default:
        return "";
    }
}

/* ---- CSV ---- */

static void put_real(FILE *out, double value)
{
    char text[32];

    waio_real_text(text, value);
    fprintf(out, ",%s", text);
}

static void put_text(FILE *out, const char *text)
{
    putc(',', out);
    waio_csv_put(out, text);
}

waio_status waio_regress_csv(FILE *out, const waio_regress *r, bool all, waio_arena *arena)
{
    fputs("change,regression,config,old_value,new_value,allowed,old_status,new_status,"
          "old_images_per_s,new_images_per_s,text\n",
          out);
    for (int i = 0; i < r->count; i++) {
        const waio_change *c = &r->change[i];
        const waio_row *a = c->before, *b = c->after;
        if (c->kind == WAIO_CHANGE_NONE && !all)
            continue;
        const char *text = waio_change_text(c, arena);
        if (!text)
            return WAIO_ENOMEM;
        fprintf(out, "%s,%d", waio_change_name(c->kind), c->regression);
        put_text(out, (a ? a : b)->col_config);
        put_real(out, a ? a->col_value : NAN);
        put_real(out, b ? b->col_value : NAN);
        put_real(out, c->allowed);
        put_text(out, a ? a->col_status : NULL);
        put_text(out, b ? b->col_status : NULL);
        put_real(out, a ? a->col_images_per_s : NAN);
        put_real(out, b ? b->col_images_per_s : NAN);
        put_text(out, text);
        putc('\n', out);
    }
    return WAIO_OK;
}
