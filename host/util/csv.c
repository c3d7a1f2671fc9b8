#include "util/csv.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading -------------------------------------------------------------------------------- */

typedef enum scan_end {
    SCAN_COMMA,
    SCAN_LINE,
    SCAN_TEXT_END,
    SCAN_QUOTE,
    SCAN_ZERO,
    SCAN_CR,
    SCAN_BREAK
} scan_end;

/* What stands behind a field: moves `p` to it. A line end is its first byte, CR or LF. */
static scan_end scan_delimiter(const char *p, const char *end)
{
    if (p == end)
        return SCAN_TEXT_END;
    switch (*p) {
    case ',':
        return SCAN_COMMA;
    case '\n':
        return SCAN_LINE;
    case '\r':
        return p + 1 == end ? SCAN_TEXT_END : p[1] == '\n' ? SCAN_LINE : SCAN_CR;
    default:
        return SCAN_QUOTE; /* text behind a closing quote, or a quote in a plain field */
    }
}

/* Behind an opening quote: moves `p` behind the closing one, or to what stands in its place. */
static bool scan_quoted(const char **at, const char *end)
{
    const char *p = *at;

    for (;; p += 2) { /* over doubled quotes */
        while (p < end && *p && !strchr("\"\r\n", *p))
            p++;
        if (p + 1 >= end || *p != '"' || p[1] != '"')
            break;
    }
    bool closed = p < end && *p == '"';
    *at = closed ? p + 1 : p;
    return closed;
}

static scan_end scan_field(const char **at, const char *end)
{
    const char *p = *at;
    bool quoted = p < end && *p == '"', closed = false;

    if (quoted) {
        p++;
        closed = scan_quoted(&p, end);
    } else {
        while (p < end && *p && !strchr(",\r\n\"", *p))
            p++;
    }
    *at = p;
    if (p < end && !*p)
        return SCAN_ZERO;
    return quoted && !closed && p < end ? SCAN_BREAK : scan_delimiter(p, end);
}

/* Turns [start, stop) into the field's text, ended by a zero byte at or before `stop`. */
static void unquote(char *start, char *stop)
{
    *stop = '\0';
    if (*start != '"')
        return;
    char *to = start;
    for (char *p = start + 1; p < stop - 1; p++) {
        *to++ = *p;
        if (*p == '"')
            p++;
    }
    *to = '\0';
}

waio_status waio_csv_next(waio_csv *csv, waio_csv_record *record, char **field, int capacity)
{
    const char *p = csv->at;
    char *stop = csv->at;
    scan_end found = SCAN_COMMA;

    *record = (waio_csv_record){.line = csv->line};
    for (; found == SCAN_COMMA; p++, record->count++) {
        if (record->count < capacity)
            field[record->count] = csv->at + (p - csv->at);
        found = scan_field(&p, csv->end);
        stop = csv->at + (p - csv->at);
        if (found != SCAN_COMMA && found != SCAN_LINE)
            break;
    }
    /* What is wrong with a line that has no end is that it was cut off. */
    if (found == SCAN_TEXT_END ||
        (found != SCAN_LINE && !memchr(stop, '\n', (size_t)(csv->end - stop))))
        return WAIO_OK;
    if (found != SCAN_LINE)
        return waio_error(WAIO_EINPUT, "%s in field %d",
                          found == SCAN_ZERO    ? "a zero byte"
                          : found == SCAN_QUOTE ? "a quote that does not enclose the field"
                          : found == SCAN_BREAK ? "a quote is opened and not closed"
                                                : "a carriage return without line feed",
                          record->count + 1);
    char *next = stop + (*stop == '\r' ? 2 : 1);
    csv->line++;
    record->whole = true;
    for (int i = 0; i < record->count && record->count <= capacity; i++)
        unquote(field[i], i + 1 == record->count ? stop : field[i + 1] - 1);
    csv->at = next;
    return WAIO_OK;
}

/* ---- writing, numbers ----------------------------------------------------------------------- */

void waio_csv_put(FILE *out, const char *text)
{
    if (!text)
        return;
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text == '\r' || *text == '\n' ? ' ' : *text, out);
    }
    putc('"', out);
}

/* The locale of numbers in files; glibc and musl hand out one that is static. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

void waio_real_text(char text[32], double value)
{
    text[0] = '\0';
    if (isnan(value))
        return;
    locale_t c = c_locale(), old = uselocale(c);
    snprintf(text, 32, "%.9g", value);
    uselocale(old);
    freelocale(c);
}

bool waio_real_parse(double *value, const char *text)
{
    char *end = NULL;

    *value = NAN;
    if (text[0] == '\0')
        return true;
    bool infinite = strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0;
    if (!infinite && text[strspn(text, "0123456789+-.e")] != '\0')
        return false; /* no hexadecimal numbers, no white space, no "nan" */
    locale_t c = c_locale();
    *value = strtod_l(text, &end, c);
    freelocale(c);
    return end != text && *end == '\0' && (infinite || isfinite(*value));
}

bool waio_count_parse(int64_t *value, const char *text)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return errno == 0;
}
