/* COCO's JSON files: a good pair, and every way that one may be wrong. */
#include "metric/coco_json.h"

#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "util/file.h"

static char folder[] = "/tmp/waio_test_XXXXXX";
static char truth_path[64], found_path[64];

static const char truth[] =
    "{\"images\": [{\"id\": 7}, {\"id\": 3}],\n"
    " \"categories\": [{\"id\": 9, \"name\": \"cat\"}, {\"id\": 2, \"name\": \"dog\"}],\n"
    " \"annotations\": [\n"
    "  {\"id\": 1, \"image_id\": 7, \"category_id\": 9, \"bbox\": [1, 2, 3, 4], \"iscrowd\": 1},\n"
    "  {\"id\": 5, \"image_id\": 3, \"category_id\": 2, \"bbox\": [0, 0, 8, 8], \"area\": 50},\n"
    "  {\"id\": 2, \"image_id\": 7, \"category_id\": 2, \"bbox\": [5, 5, 1, 1], \"iscrowd\": 0, "
    "\"difficult\": true}]}\n";
static const char found[] =
    "[{\"image_id\": 7, \"category_id\": 2, \"bbox\": [5, 5, 1, 1], \"score\": 0.5},\n"
    " {\"image_id\": 3, \"category_id\": 4, \"bbox\": [5, 5, 1, 1], \"score\": 0.5},\n"
    " {\"image_id\": 3, \"category_id\": 9, \"bbox\": [0.5, 5, 1, 1], \"score\": 1e-3}]";

static void write_text(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(text, 1, size, file) == size, "%s cannot be written", path);
    if (file)
        fclose(file);
}

static waio_status read_texts(waio_coco_files *out, const char *results, const char *annotations,
                              waio_arena *arena)
{
    write_text(truth_path, annotations, strlen(annotations));
    write_text(found_path, results, strlen(results));
    return waio_coco_read(out, found_path, truth_path, arena);
}

static void test_good(void)
{
    waio_coco_files files;
    waio_arena *arena = waio_arena_new();

    CHECK_OK(read_texts(&files, found, truth, arena));
    const waio_detection_set *s = &files.set;
    CHECK(s->images == 2 && s->classes == 2 && files.unknown == 1, "sizes");
    CHECK(strcmp(files.class_name[0], "dog") == 0 && strcmp(files.class_name[1], "cat") == 0,
          "classes by id");
    CHECK(s->truth_begin[1] == 1 && s->truth_begin[2] == 3, "image 3 first");
    CHECK(s->truth[0].area == 50 && s->truth[0].class_index == 0 && !s->truth[0].crowd, "area");
    CHECK(s->truth[1].area == 12 && s->truth[1].crowd && s->truth[1].class_index == 1, "crowd");
    CHECK(s->truth[2].difficult && s->truth[2].x == 5, "difficult");
    CHECK(s->found_begin[1] == 1 && s->found_begin[2] == 2, "results");
    CHECK(s->found[0].class_index == 1 && s->found[0].score == 1e-3 && s->found[0].x == 0.5,
          "result of image 3");
    waio_arena_free(arena);
}

/* `text` with its first `from` as `to`. */
static char *changed(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *out = malloc(strlen(text) + strlen(to) + 1);

    CHECK(at != NULL, "\"%s\" is not there", from);
    if (out && at)
        sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void test_wrong(void)
{
    static const struct {
        bool results;
        const char *from, *to, *message;
    } wrong[] = {
        {false, "{\"images\"", "{\"pictures\"", "there is no list \"images\""},
        {false, "\"categories\": [", "\"categories\": {", "no valid JSON"},
        {false, "\"annotations\"", "\"notes\"", "there is no list \"annotations\""},
        {false, "{\"id\": 3}", "{\"id\": 7}", "\"images\" has the id 7 twice"},
        {false, "{\"id\": 3}", "{}", "\"images\", entry 1: \"id\" is missing"},
        {false, "{\"id\": 3}", "{\"id\": 3.5}", "\"id\" is missing, or no whole number"},
        {false, "{\"id\": 9", "{\"id\": 2", "\"categories\" has the id 2 twice"},
        {false, "{\"id\": 5", "{\"id\": 1", "\"annotations\" has the id 1 twice"},
        {false, "{\"id\": 5", "{\"id\": 0",
         "entry 1: \"id\" is missing, or no whole number from 1"},
        {false, "\"image_id\": 3", "\"image_id\": 4", "image_id 4 is not among the images"},
        {false, "\"category_id\": 9", "\"category_id\": 1", "not among the categories"},
        {false, "[1, 2, 3, 4]", "[1, 2, 3]", "entry 0: \"bbox\" is missing, or no list"},
        {false, "[1, 2, 3, 4]", "[1, 2, -3, 4]", "number 2 of \"bbox\" is negative"},
        {false, "[1, 2, 3, 4]", "[1, \"2\", 3, 4]", "number 1 of \"bbox\" is not finite"},
        {false, "[1, 2, 3, 4]", "[1, 1e999, 3, 4]", "number 1 of \"bbox\" is not finite"},
        {false, "\"iscrowd\": 1", "\"iscrowd\": 2", "\"iscrowd\" is neither 0 nor 1"},
        {false, "\"area\": 50", "\"area\": \"50\"", "\"area\" is missing, or no finite number"},
        {true, "\"score\": 0.5", "\"score\": null", "entry 0: \"score\" is missing"},
        {true, "\"score\": 1e-3", "\"scores\": 1", "entry 2: \"score\" is missing"},
        {true, "\"image_id\": 7", "\"image_id\": 8", "entry 0: image_id 8 is not among the images"},
        {true, "}]", "}", "no valid JSON"},
        {true, "[{", "{\"a\": {", "no valid JSON"},
    };
    waio_coco_files files;
    waio_arena *arena = waio_arena_new();

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *text = changed(wrong[i].results ? found : truth, wrong[i].from, wrong[i].to);
        if (!text)
            continue;
        CHECK_FAILS(read_texts(&files, wrong[i].results ? text : found,
                               wrong[i].results ? truth : text, arena),
                    WAIO_EINPUT, wrong[i].message);
        CHECK(strstr(waio_error_message(), wrong[i].results ? found_path : truth_path),
              "the file: %s", waio_error_message());
        free(text);
    }
    CHECK_FAILS(read_texts(&files, "{}", truth, arena), WAIO_EINPUT, "expected a list of results");
    CHECK_FAILS(read_texts(&files, "", truth, arena), WAIO_EINPUT, "byte 0: no valid JSON");
    write_text(found_path, "[\0]", 3);
    CHECK_FAILS(waio_coco_read(&files, found_path, truth_path, arena), WAIO_EINPUT,
                "byte 1: a zero byte");
    CHECK_FAILS(waio_coco_read(&files, "/none.json", truth_path, arena), WAIO_EINPUT, "/none.json");
    waio_arena_free(arena);
}

/* Both files cut anywhere: an error, never anything else (sanitizers look on). */
static void test_cut(void)
{
    waio_coco_files files;
    char text[sizeof truth];

    for (size_t n = 0; n + 2 < sizeof truth; n++) {
        waio_arena *arena = waio_arena_new();
        memcpy(text, truth, n);
        text[n] = 0;
        CHECK(read_texts(&files, found, text, arena) == WAIO_EINPUT, "annotations of %zu bytes", n);
        waio_arena_free(arena);
    }
    for (size_t n = 0; n + 1 < sizeof found; n++) {
        waio_arena *arena = waio_arena_new();
        memcpy(text, found, n);
        text[n] = 0;
        CHECK(read_texts(&files, text, truth, arena) == WAIO_EINPUT, "results of %zu bytes", n);
        waio_arena_free(arena);
    }
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL, "no folder for tests");
    snprintf(truth_path, sizeof truth_path, "%s/truth.json", folder);
    snprintf(found_path, sizeof found_path, "%s/found.json", folder);
    test_good();
    test_wrong();
    test_cut();
    unlink(truth_path);
    unlink(found_path);
    CHECK(rmdir(folder) == 0, "%s is not empty", folder);
    return waio_check_result();
}
