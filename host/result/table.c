/* The table for people: fixed columns, numbers to the right, units in the header, a line at most
 * WIDTH wide. A reason why a row is not ok takes the room of the columns that matter less then.
 * Texts come from files and messages: control characters become spaces, and what is too long is cut
 * between characters, not inside one. */
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "result/row.h"

enum { WIDTH = 120, MODEL = 22, DATA = 9, CELL = 24 };

static int characters_in(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

/* The characters from `first` to before `last`. */
static void put_characters(FILE *out, const char *text, int first, int last)
{
    int n = -1;
    for (; *text; text++) {
        n += (*text & 0xc0) != 0x80;
        if (n >= first && n < last)
            fputc((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text, out);
    }
}

/* Writes at most `width` columns, `tail` of them the end of the text if it must be cut; returns how
 * many. */
static int put_text(FILE *out, const char *text, int width, int tail)
{
    static const char dots[] = "...";
    int n = characters_in(text);

    put_characters(out, text, 0, n <= width ? n : width - tail - (int)strlen(dots));
    if (n <= width)
        return n;
    fputs(dots, out);
    put_characters(out, text, n - tail, n);
    return width;
}

static void put_cell(FILE *out, const char *text, int width)
{
    int used = put_text(out, text ? text : "", width, 0);
    fprintf(out, "%*s ", width - used, "");
}

void waio_table_header(FILE *out)
{
    fprintf(out, "%-22s %-9s %3s %3s %3s %3s %4s %8s %8s %8s %10s %9s  %s\n", "model", "data", "W",
            "A", "I", "O", "F_N", "value %", "change %", "agree %", "size", "images/s", "status");
}

static void size_text(char text[CELL], int64_t bytes)
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    int u = 0;

    text[0] = '\0';
    if (bytes < 0)
        return;
    for (; value >= 1024 && u < 5; u++)
        value /= 1024;
    snprintf(text, CELL, u ? "%.2f %s" : "%.1f %s", value, unit[u]);
}

/* As +0.00 if `sign`, else with that many decimals; too large for a cell is 1.2e+34. */
static void real_text(char text[CELL], double value, int decimals, bool sign)
{
    text[0] = '\0';
    if (isnan(value))
        return;
    if (fabs(value) >= 99999)
        snprintf(text, CELL, sign ? "%+.1e" : "%.1e", value);
    else
        snprintf(text, CELL, sign ? "%+.*f" : "%.*f", decimals, value);
}

static const char *bits_text(const char *bits)
{
    return bits && bits[0] ? bits : "32";
}

/* These return the columns that they took. */
static int put_bits(FILE *out, const waio_row *row)
{
    char first_n[CELL] = "";

    if (row->col_first_n >= 0 && row->col_first_n <= 9999)
        snprintf(first_n, sizeof first_n, "%d", (int)row->col_first_n);
    else if (row->col_first_n >= 0)
        snprintf(first_n, sizeof first_n, "many");
    return fprintf(out, "%3.3s %3.3s %3.3s %3.3s %4s", bits_text(row->col_W), bits_text(row->col_A),
                   bits_text(row->col_I), bits_text(row->col_O), first_n);
}

static int put_metric(FILE *out, const waio_row *row)
{
    char value[CELL], change[CELL], agree[CELL];

    real_text(value, row->col_value, 2, false);
    real_text(change, row->col_change_pct, 2, true);
    real_text(agree, row->col_agree_pct, 2, false);
    return fprintf(out, " %8s %8s %8s", value, change, agree);
}

static int put_size_and_rate(FILE *out, const waio_row *row)
{
    char size[CELL], rate[CELL];

    size_text(size, row->col_size_bytes);
    real_text(rate, row->col_images_per_s, 0, false);
    return fprintf(out, " %10s %9s", size, rate);
}

/* "failed: what happened" in what is left of the line. A long reason often begins with a path and
 * ends in the cause, so where there is room it is cut behind its first ten characters. */
static void put_status(FILE *out, const waio_row *row, int width)
{
    bool raw = row->col_feed && strcmp(row->col_feed, "raw") == 0;
    const char *reason = row->col_reason ? row->col_reason : "";
    char status[64];

    snprintf(status, sizeof status, "%.30s%s%s", row->col_status ? row->col_status : "",
             raw ? " (raw feed)" : "", reason[0] ? ": " : "");
    width -= put_text(out, status, width, 0);
    if (reason[0] && width > 3)
        put_text(out, reason, width, width >= 40 ? width - 13 : 0);
}

void waio_table_row(FILE *out, const waio_row *row)
{
    bool reason = row->col_reason && row->col_reason[0];
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old = uselocale(c);

    put_cell(out, row->col_model, MODEL);
    put_cell(out, row->col_dataset, DATA);
    int used = MODEL + 1 + DATA + 1 + put_bits(out, row);
    if (!reason || !isnan(row->col_value))
        used += put_metric(out, row);
    if (!reason)
        used += put_size_and_rate(out, row);
    used += fprintf(out, "  ");
    put_status(out, row, WIDTH - used);
    fputc('\n', out);
    uselocale(old);
    freelocale(c);
}
