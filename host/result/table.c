/* The table for people: fixed columns, numbers to the right, units in the header. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "result/row.h"

void waio_table_header(FILE *out)
{
    fprintf(out, "%-22s %-9s %3s %3s %3s %3s %4s %8s %8s %8s %10s %9s  %s\n", "model", "data", "W",
            "A", "I", "O", "F_N", "value %", "change %", "agree %", "size", "images/s", "status");
}

static void size_text(char text[24], int64_t bytes)
{
    if (bytes < 0)
        strcpy(text, "");
    else if (bytes < 1 << 20)
        snprintf(text, 24, "%.1f KiB", (double)bytes / 1024);
    else
        snprintf(text, 24, "%.2f MiB", (double)bytes / (1 << 20));
}

static void real_text(char text[24], const char *format, double value)
{
    text[0] = '\0';
    if (!isnan(value)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, 24, format, value);
#pragma GCC diagnostic pop
    }
}

void waio_table_row(FILE *out, const waio_row *row)
{
    char value[24], change[24], agree[24], size[24], rate[24], first_n[24] = "";
    bool raw = row->col_feed && strcmp(row->col_feed, "raw") == 0;

    real_text(value, "%.2f", row->col_value);
    real_text(change, "%+.2f", row->col_change_pct);
    real_text(agree, "%.2f", row->col_agree_pct);
    real_text(rate, "%.0f", row->col_images_per_s);
    size_text(size, row->col_size_bytes);
    if (row->col_first_n >= 0)
        snprintf(first_n, sizeof first_n, "%lld", (long long)row->col_first_n);
    fprintf(out, "%-22.22s %-9.9s %3s %3s %3s %3s %4s %8s %8s %8s %10s %9s  %s%s", row->col_model,
            row->col_dataset, row->col_W, row->col_A, row->col_I, row->col_O, first_n, value,
            change, agree, size, rate, row->col_status, raw ? " (raw feed)" : "");
    if (row->col_reason && row->col_reason[0])
        fprintf(out, ": %.60s", row->col_reason);
    fputc('\n', out);
}
