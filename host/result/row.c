/* Columns to text and back. */
#include "result/row.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "result/row_text.h"

#define CLEAR_TEXT(field) ((field) = NULL)
#define CLEAR_COUNT(field) ((field) = -1)
#define CLEAR_REAL(field) ((field) = NAN)

void waio_row_clear(waio_row *row)
{
#define WAIO_COLUMN(name, KIND, unit, meaning) CLEAR_##KIND(row->col_##name);
#include "result/row.def"
#undef WAIO_COLUMN
}

/* ---- writing ---- */

static const char *text_TEXT(char *buffer, size_t size, const char *value)
{
    (void)buffer;
    (void)size;
    return value ? value : "";
}

static const char *text_COUNT(char *buffer, size_t size, int64_t value)
{
    snprintf(buffer, size, value < 0 ? "" : "%" PRId64, value);
    return buffer;
}

/* %.9g with a decimal point, whatever the locale has. */
static const char *text_REAL(char *buffer, size_t size, double value)
{
    const char *point = localeconv()->decimal_point;

    if (isnan(value))
        return "";
    snprintf(buffer, size, "%.9g", value);
    char *at = strcmp(point, ".") == 0 ? NULL : strstr(buffer, point);
    if (at) {
        *at = '.';
        memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
    }
    return buffer;
}

waio_status waio_row_write(waio_text *out, const waio_row *row)
{
    waio_status st = WAIO_OK;
    char buffer[64];
    int first = 1;

#define WAIO_COLUMN(name, KIND, unit, meaning)                                                     \
    WAIO_TRY(st, waio_csv_add_field(                                                               \
                     out, text_##KIND(buffer, sizeof buffer, row->col_##name), first));            \
    first = 0;
#include "result/row.def"
#undef WAIO_COLUMN
    WAIO_TRY(st, waio_text_add(out, "\n", 1));
done:
    return st;
}

waio_status waio_row_write_header(waio_text *out)
{
    waio_status st = WAIO_OK;
    int first = 1;

#define WAIO_COLUMN(name, KIND, unit, meaning)                                                     \
    WAIO_TRY(st, waio_csv_add_field(out, #name, first));                                           \
    first = 0;
#include "result/row.def"
#undef WAIO_COLUMN
    WAIO_TRY(st, waio_text_add(out, "\n", 1));
done:
    return st;
}

/* ---- reading ---- */

static waio_status read_TEXT(const char **value, const char *text)
{
    *value = text;
    return WAIO_OK;
}

static waio_status read_COUNT(int64_t *value, const char *text)
{
    char *end = NULL;

    *value = -1;
    if (!text[0])
        return WAIO_OK;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (*end || errno || *value < 0 || strspn(text, "0123456789") != strlen(text))
        return waio_error(WAIO_EINPUT, "\"%s\" is not a whole number", text);
    return WAIO_OK;
}

static waio_status read_REAL(double *value, const char *text)
{
    char *end = NULL;
    static locale_t c_locale;

    *value = NAN;
    if (!text[0])
        return WAIO_OK;
    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    *value = strtod_l(text, &end, c_locale);
    if (*end || end == text)
        return waio_error(WAIO_EINPUT, "\"%s\" is not a number", text);
    return WAIO_OK;
}

static waio_status check_status(const waio_row *row)
{
    static const char *const known[] = {"ok", "skipped", "unsupported", "mistrusted", "failed"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], row->col_status) == 0)
            return WAIO_OK;
    return waio_error(WAIO_EINPUT,
                      "column status: \"%s\"; there are: ok, skipped, unsupported, mistrusted, "
                      "failed",
                      row->col_status);
}

waio_status waio_row_read(waio_row *row, char *const *field)
{
    waio_status st = WAIO_OK;
    const char *column = "";
    int i = 0;

#define WAIO_COLUMN(name, KIND, unit, meaning)                                                     \
    column = #name;                                                                                \
    WAIO_TRY(st, read_##KIND(&row->col_##name, field[i++]));
#include "result/row.def"
#undef WAIO_COLUMN
    return check_status(row);
done:
    return waio_error_context(st, "column %s", column);
}

void waio_columns_document(FILE *out)
{
    fprintf(out, "| column | unit | meaning |\n| --- | --- | --- |\n");
#define WAIO_COLUMN(name, KIND, unit, meaning)                                                     \
    fprintf(out, "| `%s` | %s | %s |\n", #name, unit, meaning);
#include "result/row.def"
#undef WAIO_COLUMN
}
