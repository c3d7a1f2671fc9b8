#include "util/csv.h"

#include <stdlib.h>
#include <string.h>

waio_status waio_text_add(waio_text *text, const char *bytes, size_t count)
{
    if (text->size + count + 1 > text->capacity) {
        size_t capacity = (text->size + count + 1) * 2;
        char *data = realloc(text->data, capacity);
        if (!data)
            return waio_error(WAIO_ENOMEM, "out of memory");
        text->data = data;
        text->capacity = capacity;
    }
    memcpy(text->data + text->size, bytes, count);
    text->size += count;
    text->data[text->size] = '\0';
    return WAIO_OK;
}

waio_status waio_csv_add_field(waio_text *text, const char *field, int first)
{
    waio_status st = WAIO_OK;

    if (!first)
        WAIO_TRY(st, waio_text_add(text, ",", 1));
    if (field[strcspn(field, ",\"\r\n")] == '\0')
        return waio_text_add(text, field, strlen(field));
    WAIO_TRY(st, waio_text_add(text, "\"", 1));
    for (; *field; field++)
        WAIO_TRY(st, waio_text_add(text, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1));
    WAIO_TRY(st, waio_text_add(text, "\"", 1));
done:
    return st;
}

/* Reads a quoted field from behind its first quote; writes it to `out` and returns the place behind
 * the closing quote, NULL if there is none. */
static char *quoted(char *in, char **out, int *lines)
{
    for (; *in; in++) {
        if (*in == '"' && in[1] != '"')
            return in + 1;
        in += *in == '"';
        *lines += *in == '\n';
        *(*out)++ = *in;
    }
    return NULL;
}

int waio_csv_next(char **field, int most, char **at, int *lines)
{
    char *in = *at;
    int count = 0;

    if (!*in)
        return 0;
    for (;;) {
        char *start = in, *out = in;
        if (*in == '"') {
            in = quoted(in + 1, &out, lines);
            if (!in)
                return -1;
        } else {
            in += strcspn(in, ",\"\n");
            out = in;
            if (in > start && *in == '\n' && in[-1] == '\r')
                out--;
        }
        if (count < most)
            field[count] = start;
        count++;
        char end = *in == '\r' && in[1] == '\n' ? *++in : *in;
        if (end == '\0')
            return -1;
        if (end != ',' && end != '\n')
            return -2;
        *out = '\0';
        in++;
        if (end == '\n')
            break;
    }
    ++*lines;
    *at = in;
    return count;
}
