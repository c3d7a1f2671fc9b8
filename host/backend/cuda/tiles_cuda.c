#include "backend/cuda/tune_cuda.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"

enum { NUMBERS = 18, MOST_BYTES = 1 << 20 };
#define FIRST_LINE "waio tiles 1"

/* ---- where it is ---- */

const char *waio_tiles_path(waio_arena *arena, const char *device)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char folder[600], name[300];
    int driver = 0, runtime = 0;

    if (cache && cache[0] == '/') /* the standard: a relative one is to be ignored */
        snprintf(folder, sizeof folder, "%.500s/waio", cache);
    else if (home && home[0] == '/')
        snprintf(folder, sizeof folder, "%.500s/.cache/waio", home);
    else
        return NULL;
    if (cudaDriverGetVersion(&driver) != cudaSuccess ||
        cudaRuntimeGetVersion(&runtime) != cudaSuccess || waio_make_dirs(folder) != WAIO_OK)
        return NULL;
    snprintf(name, sizeof name, "tiles-%.200s-%d-%d-%d.txt", device, driver, runtime,
             WAIO_CUDA_KERNELS_VERSION);
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", *c))
            *c = '_';
    return waio_path_join(arena, folder, name);
}

/* ---- reading ---- */

static void numbers_of(int32_t *number, const waio_tile_entry *e)
{
    const waio_conv_shape *s = &e->key.shape;
    const int32_t all[NUMBERS] = {
        s->images,      s->ih,     s->iw,     s->ic,        s->oh,          s->ow,
        s->oc,          s->kh,     s->kw,     s->stride[0], s->stride[1],   s->dilation[0],
        s->dilation[1], s->pad[0], s->pad[1], s->groups,    e->key.by_real, (int32_t)e->tile};
    memcpy(number, all, sizeof all);
}

static void entry_of(waio_tile_entry *e, const int32_t *n)
{
    *e = (waio_tile_entry){.key = {.shape = {n[0],
                                             n[1],
                                             n[2],
                                             n[3],
                                             n[4],
                                             n[5],
                                             n[6],
                                             n[7],
                                             n[8],
                                             {n[9], n[10]},
                                             {n[11], n[12]},
                                             {n[13], n[14]},
                                             n[15]},
                                   .by_real = n[16]},
                           .tile = (waio_cuda_tile)n[17]};
}

/* NUMBERS numbers in digits with a space between each. */
static bool parse_line(waio_tile_entry *e, const char *line)
{
    int32_t number[NUMBERS];
    const char *at = line;

    for (int i = 0; i < NUMBERS; i++) {
        int64_t n = 0;
        int digits = 0;
        for (; at[digits] >= '0' && at[digits] <= '9' && digits < 10; digits++)
            n = 10 * n + (at[digits] - '0');
        if (digits == 0 || n > INT32_MAX || at[digits] != (i + 1 < NUMBERS ? ' ' : '\0'))
            return false;
        number[i] = (int32_t)n;
        at += digits + 1;
    }
    entry_of(e, number);
    return number[16] <= 1 && number[17] >= WAIO_CUDA_TILE_64X64 &&
           number[17] <= WAIO_CUDA_TILE_256X128 - number[16];
}

/* Cuts the next line off; NULL: there is none that ends. */
static char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');

    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

static waio_status parse(waio_tile_entry *entry, int *count, char *text, const char *path,
                         const char *device)
{
    char last[32];
    char *line = next_line(&text);

    if (!line || strcmp(line, FIRST_LINE) != 0)
        return waio_error(WAIO_EINPUT, "%s:1: expected \"%s\"", path, FIRST_LINE);
    line = next_line(&text);
    if (!line || strcmp(line, device) != 0)
        return waio_error(WAIO_EINPUT, "%s:2: expected \"%s\"", path, device);
    for (*count = 0;; ++*count) {
        snprintf(last, sizeof last, "end %d", *count);
        line = next_line(&text);
        if (line && strcmp(line, last) == 0 && *text == '\0')
            return WAIO_OK;
        if (!line || *count == WAIO_TILE_ENTRIES || !parse_line(&entry[*count], line))
            return waio_error(WAIO_EINPUT,
                              "%s:%d: expected a shape and its tile, or \"%s\" at the end", path,
                              *count + 3, last);
        for (int i = 0; i < *count; i++)
            if (memcmp(&entry[i].key, &entry[*count].key, sizeof entry->key) == 0)
                return waio_error(WAIO_EINPUT, "%s:%d: the shape of line %d again", path,
                                  *count + 3, i + 3);
    }
}

waio_status waio_tiles_read(waio_tile_entry *entry, int *count, const char *path,
                            const char *device)
{
    waio_status st = WAIO_OK;
    unsigned char *data = NULL;
    size_t size = 0;
    waio_arena *arena = NULL;

    *count = 0;
    if (!waio_file_exists(path))
        return WAIO_OK;
    WAIO_TRY(st, waio_file_size(&size, path));
    if (size > MOST_BYTES)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %zu bytes are too many", path, size);
    arena = waio_arena_new();
    if (!arena)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_file_read(&data, &size, path, arena));
    WAIO_TRY(st, parse(entry, count, (char *)data, path, device));
done:
    if (st != WAIO_OK)
        *count = 0;
    waio_arena_free(arena);
    return st;
}

/* ---- writing ---- */

waio_status waio_tiles_write(const waio_tile_entry *entry, int count, const char *path,
                             const char *device)
{
    waio_status st = WAIO_OK;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return waio_error(WAIO_ENOMEM, "out of memory");
    fprintf(out, "%s\n%s\n", FIRST_LINE, device);
    for (int i = 0; i < count; i++) {
        int32_t number[NUMBERS];
        numbers_of(number, &entry[i]);
        for (int n = 0; n < NUMBERS; n++)
            fprintf(out, "%" PRId32 "%c", number[n], n + 1 < NUMBERS ? ' ' : '\n');
    }
    fprintf(out, "end %d\n", count);
    if (fclose(out) != 0)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_file_replace(path, text, size));
done:
    free(text);
    return st;
}
