#include "dataset/listing.h"

#include <stdlib.h>
#include <string.h>

#include "util/file.h"

static void split(waio_line *line, char *text, const char *separators)
{
    line->fields = 0;
    for (char *save = NULL, *word = strtok_r(text, separators, &save);
         word && line->fields < WAIO_MAX_FIELDS; word = strtok_r(NULL, separators, &save))
        line->field[line->fields++] = word;
}

waio_status waio_lines_read(const char *path, const char *separators, waio_take_line *take,
                            void *payload, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    unsigned char *data = NULL;
    size_t size = 0;
    waio_line line = {.number = 0};

    WAIO_TRY(st, waio_file_read(&data, &size, path, arena));
    const unsigned char *zero = memchr(data, 0, size);
    if (zero)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: a zero byte at byte %zu: no text file", path,
                  (size_t)(zero - data));
    for (char *at = (char *)data, *end; *at; at = end) {
        end = at + strcspn(at, "\n");
        end += *end == '\n' ? (*end = '\0', 1) : 0;
        at[strcspn(at, "\r")] = '\0';
        line.number++;
        if (at[0] == '#')
            continue;
        split(&line, at, separators);
        if (line.fields && (st = take(payload, &line)) != WAIO_OK) {
            st = waio_error_context(st, "%s:%d", path, line.number);
            goto done;
        }
    }
done:
    return st;
}

waio_status waio_name_check(const char *name)
{
    if (name[0] == '.' || strchr(name, '/') || strlen(name) > 200)
        return waio_error(WAIO_EINPUT, "\"%.60s\" is no name of an image", name);
    return WAIO_OK;
}

waio_status waio_number_read(int *out, const char *text, int least, int most, const char *what)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);

    if (end == text || *end || number < least || number > most)
        return waio_error(WAIO_EINPUT, "%s is \"%.60s\", expected a whole number from %d to %d",
                          what, text, least, most);
    *out = (int)number;
    return WAIO_OK;
}
