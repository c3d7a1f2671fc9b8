/* The table of columns, and all that walks over it for one row. */
#include "result/row.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "result/row_text.h"
#include "util/csv.h"

const waio_column waio_column_table[WAIO_COLUMNS] = {
#define WAIO_COLUMN(name, KIND, unit, meaning)                                                     \
    {#name, WAIO_COLUMN_##KIND, offsetof(waio_row, col_##name), unit, meaning},
#include "result/row.def"
#undef WAIO_COLUMN
};

static const char *const statuses[] = {"ok", "skipped", "unsupported", "mistrusted", "failed"};

void waio_row_clear(waio_row *row)
{
    memset(row, 0, sizeof *row);
    for (int i = 0; i < WAIO_COLUMNS; i++) {
        char *field = (char *)row + waio_column_table[i].offset;
        if (waio_column_table[i].kind == WAIO_COLUMN_COUNT)
            *(waio_column_COUNT *)field = -1;
        else if (waio_column_table[i].kind == WAIO_COLUMN_REAL)
            *(waio_column_REAL *)field = NAN;
    }
}

void waio_row_write_header(FILE *out)
{
    for (int i = 0; i < WAIO_COLUMNS; i++)
        fprintf(out, "%s%s", i ? "," : "", waio_column_table[i].name);
    putc('\n', out);
}

void waio_row_write(FILE *out, const waio_row *row)
{
    char number[32];

    for (int i = 0; i < WAIO_COLUMNS; i++) {
        const char *field = (const char *)row + waio_column_table[i].offset;
        if (i)
            putc(',', out);
        switch (waio_column_table[i].kind) {
        case WAIO_COLUMN_TEXT:
            waio_csv_put(out, *(const waio_column_TEXT *)field);
            break;
        case WAIO_COLUMN_COUNT:
            if (*(const waio_column_COUNT *)field != -1)
                fprintf(out, "%lld", (long long)*(const waio_column_COUNT *)field);
            break;
        case WAIO_COLUMN_REAL:
            waio_real_text(number, *(const waio_column_REAL *)field);
            fputs(number, out);
        }
    }
    putc('\n', out);
}

static waio_status parse_field(waio_row *row, const waio_column *column, const char *text)
{
    char *field = (char *)row + column->offset;

    switch (column->kind) {
    case WAIO_COLUMN_TEXT:
        *(waio_column_TEXT *)field = text;
        break;
    case WAIO_COLUMN_COUNT: /* -1, cleared, if empty */
        if (text[0] && !waio_count_parse((waio_column_COUNT *)field, text))
            return waio_error(WAIO_EINPUT, "column %s: \"%.100s\" is not a whole number",
                              column->name, text);
        break;
    case WAIO_COLUMN_REAL:
        if (!waio_real_parse((waio_column_REAL *)field, text))
            return waio_error(WAIO_EINPUT, "column %s: \"%.100s\" is not a number", column->name,
                              text);
    }
    return WAIO_OK;
}

waio_status waio_row_parse(waio_row *row, char **field, int count)
{
    if (count != WAIO_COLUMNS)
        return waio_error(WAIO_EINPUT, "%d fields where there are %d columns", count, WAIO_COLUMNS);
    waio_row_clear(row);
    for (int i = 0; i < WAIO_COLUMNS; i++) {
        waio_status st = parse_field(row, &waio_column_table[i], field[i]);
        if (st != WAIO_OK)
            return st;
    }
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (strcmp(row->col_status, statuses[i]) == 0)
            return WAIO_OK;
    return waio_error(WAIO_EINPUT,
                      "column status: \"%.100s\" is none of ok, skipped, unsupported, mistrusted, "
                      "failed",
                      row->col_status);
}

void waio_columns_document(FILE *out)
{
    static const char *const kinds[] = {"text", "whole number", "number"};

    fputs("| column | kind | unit | meaning |\n| --- | --- | --- | --- |\n", out);
    for (int i = 0; i < WAIO_COLUMNS; i++) {
        const waio_column *c = &waio_column_table[i];
        fprintf(out, "| `%s` | %s | %s | ", c->name, kinds[c->kind], c->unit);
        for (const char *p = c->meaning; *p; p++)
            fprintf(out, "%s%c", *p == '|' ? "\\" : "", *p);
        fputs(" |\n", out);
    }
}
