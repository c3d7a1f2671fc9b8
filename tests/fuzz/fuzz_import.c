/* Feeds damaged model files to the importers: fuzz_import SECONDS SEED FILE ... takes a file,
 * damages it, imports and optimizes what it then is, over and over. An error is what is expected,
 * or a network that passes its checks; a crash or a sanitizer's report is a fault, and the file
 * that did it stays as fuzz_import.<suffix> in the working folder. Prints how many files gave what.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "damage.h"
#include "import/import.h"
#include "util/clock.h"
#include "util/file.h"

enum { MOST_FILES = 64 };

typedef struct sample {
    const char *path, *suffix;
    unsigned char *data;
    size_t size;
    long tries, imported;
} sample;

static bool write_file(const char *path, const unsigned char *data, size_t size)
{
    FILE *out = fopen(path, "wb");
    bool good = out && fwrite(data, 1, size, out) == size;
    return out && fclose(out) == 0 && good;
}

static bool try_once(sample *s, unsigned char *copy, waio_rng *rng)
{
    char path[64];
    waio_graph *graph = NULL;
    size_t size = s->size, damages = 1 + below(rng, MOST_DAMAGES);

    snprintf(path, sizeof path, "fuzz_import%s", s->suffix);
    memcpy(copy, s->data, s->size);
    while (damages--)
        size = damage(copy, size, rng);
    if (!write_file(path, copy, size))
        return false;
    s->tries++;
    if (waio_import_model(&graph, path) == WAIO_OK && waio_graph_optimize(graph) == WAIO_OK)
        s->imported++;
    waio_graph_free(graph);
    unlink(path);
    return true;
}

static bool load(sample *s, const char *path, waio_arena *arena)
{
    const char *suffix = strrchr(path, '.');

    *s = (sample){.path = path, .suffix = suffix};
    return suffix && strlen(suffix) < 16 &&
           waio_file_read(&s->data, &s->size, path, arena) == WAIO_OK && s->size > 0;
}

int main(int argc, char **argv)
{
    static sample samples[MOST_FILES];
    int count = argc - 3;
    size_t largest = 0;
    waio_arena *arena = waio_arena_new();

    if (count < 1 || count > MOST_FILES || !arena) {
        fprintf(stderr, "usage: fuzz_import SECONDS SEED FILE ... (at most %d)\n", MOST_FILES);
        return 2;
    }
    double until = waio_clock() + atof(argv[1]);
    waio_rng rng = {strtoull(argv[2], NULL, 10)};
    for (int i = 0; i < count; i++) {
        if (!load(&samples[i], argv[3 + i], arena)) {
            fprintf(stderr, "fuzz_import: %s cannot be read\n", argv[3 + i]);
            return 2;
        }
        largest = samples[i].size > largest ? samples[i].size : largest;
    }
    unsigned char *copy = malloc(largest + ROOM);
    for (int i = 0; copy && waio_clock() < until; i = (i + 1) % count)
        if (!try_once(&samples[i], copy, &rng)) {
            fprintf(stderr, "fuzz_import: no file can be written here\n");
            return 2;
        }
    for (int i = 0; i < count; i++)
        printf("%s: %ld damaged files, %ld of them still a network\n", samples[i].path,
               samples[i].tries, samples[i].imported);
    free(copy);
    waio_arena_free(arena);
    return 0;
}
