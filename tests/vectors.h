/* Worked numbers from the JSON files in tests/data/vectors, read with cJSON. */
#ifndef WAIO_TESTS_VECTORS_H
#define WAIO_TESTS_VECTORS_H

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "check.h"
#include "util/file.h"

/* The parsed file, to be freed with cJSON_Delete; a missing or broken one is a failed check. */
static inline cJSON *vectors_read(const char *name)
{
    waio_arena *arena = waio_arena_new();
    unsigned char *text = NULL;
    size_t size = 0;
    char path[512];

    snprintf(path, sizeof path, "%s/vectors/%s", TEST_DATA_DIR, name);
    CHECK_OK(waio_file_read(&text, &size, path, arena));
    cJSON *json = text ? cJSON_Parse((char *)text) : NULL;
    CHECK(json != NULL, "%s is no JSON", path);
    waio_arena_free(arena);
    return json;
}

/* Number `i` of a JSON array. */
static inline double vectors_at(const cJSON *array, int i)
{
    return cJSON_GetNumberValue(cJSON_GetArrayItem(array, i));
}

static inline double vectors_number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    CHECK(cJSON_IsNumber(item), "no number \"%s\"", key);
    return item ? cJSON_GetNumberValue(item) : 0;
}

#endif
