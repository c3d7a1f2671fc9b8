/* The custom operator TFLite_Detection_PostProcess in a file that tests/python made: what is read
 * of it, and the same file with its options damaged, byte by byte and by name. */
#include <stdlib.h>

#include "check.h"
#include "import/import.h"
#include "util/file.h"

static waio_arena *arena;
static unsigned char *bytes;
static size_t size;
static char path[] = "/tmp/waio_test_XXXXXX";

static waio_status import(waio_graph **graph)
{
    FILE *file = fopen(path, "wb");

    *graph = NULL;
    CHECK(file && fwrite(bytes, 1, size, file) == size, "%s cannot be written", path);
    if (file)
        fclose(file);
    return waio_import_model(graph, path);
}

static unsigned char *find(const char *text)
{
    unsigned char *at = memmem(bytes, size, text, strlen(text));
    CHECK(at != NULL, "\"%s\" is not in the file", text);
    return at;
}

static void test_good(void)
{
    waio_graph *graph = NULL;

    CHECK_OK(import(&graph));
    if (!graph || !graph->detector) {
        CHECK(false, "no detector");
        return;
    }
    const waio_detector *d = graph->detector;
    CHECK(d->anchors.kind == WAIO_ANCHORS_GIVEN && waio_anchors_count(&d->anchors) == 6, "anchors");
    CHECK(d->classes == 3 && d->columns == 4 && d->first_class == 1, "classes");
    CHECK(d->fast && d->classes_per_anchor == 1 && d->most == 5 && d->most_per_class == 100 &&
              !d->above_least && !d->clip && !d->logits,
          "rules");
    CHECK(d->least_score == 0.25f && d->most_overlap == 0.5f && d->code_scale[0] == 10 &&
              d->code_scale[3] == 5,
          "numbers");
    CHECK(graph->output_count == 2 &&
              waio_shape_equal(&graph->value[graph->output[0]].shape, &WAIO_SHAPE(1, 6, 4)) &&
              waio_shape_equal(&graph->value[graph->output[1]].shape, &WAIO_SHAPE(1, 6, 4)),
          "outputs");
    for (int i = 0; i < 24; i++) /* codes of uint8, scale 0.006 */
        CHECK(fabsf(d->anchors.given[i] / 0.006f - roundf(d->anchors.given[i] / 0.006f)) < 1e-3f &&
                  d->anchors.given[i] >= 0 && d->anchors.given[i] <= 1,
              "anchor %d: %g", i / 4, (double)d->anchors.given[i]);
    waio_graph_free(graph);
}

/* A name changed: the option is missing, or has its default. */
static void test_names(void)
{
    static const char *const needed[] = {"max_detections", "num_classes", "nms_iou_threshold",
                                         "y_scale", "w_scale"};
    waio_graph *graph = NULL;

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        char message[64];
        unsigned char *at = find(needed[i]);
        *at ^= 1;
        snprintf(message, sizeof message, "the option %s is missing", needed[i]);
        CHECK_FAILS(import(&graph), WAIO_EINPUT, message);
        CHECK(strstr(waio_error_message(), path) && strstr(waio_error_message(), "PostProcess"),
              "file and operator: %s", waio_error_message());
        *at ^= 1;
    }
    unsigned char *regular = find("use_regular_nms");
    *regular ^= 1;
    CHECK_OK(import(&graph));
    CHECK(graph && graph->detector && graph->detector->fast, "fast if nothing is said");
    waio_graph_free(graph);
    *regular ^= 1;
    unsigned char *name = find("TFLite_Detection_PostProcess");
    *name = 'X';
    CHECK_FAILS(import(&graph), WAIO_EUNSUPPORTED,
                "\"XFLite_Detection_PostProcess\" is not supported");
    *name = 'T';
}

/* The options lie between the first key and the type byte of the root. Every byte of them at other
 * values: a graph or an error, and now and then each. */
static void test_damage(void)
{
    size_t first = size, last = 0;
    static const char *const keys[] = {"max_detections", "w_scale", "use_regular_nms", "x_scale"};
    int good = 0, bad = 0;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t at = (size_t)(find(keys[i]) - bytes);
        first = at < first ? at : first;
        last = at > last ? at : last;
    }
    last = last + 260 < size ? last + 260 : size;
    for (size_t at = first; at < last; at++)
        for (int change = 0; change < 4; change++) {
            waio_graph *graph = NULL;
            unsigned char was = bytes[at];
            bytes[at] = (unsigned char)(change == 0   ? 0
                                        : change == 1 ? 255
                                        : change == 2 ? was + 1
                                                      : was ^ 0x80);
            if (import(&graph) == WAIO_OK) {
                good++;
                CHECK(graph->detector && graph->detector->classes >= 1 &&
                          graph->detector->most >= 1,
                      "byte %zu", at);
            } else {
                bad++;
                CHECK(waio_error_message()[0] != '\0', "byte %zu: no message", at);
            }
            waio_graph_free(graph);
            bytes[at] = was;
        }
    CHECK(good > 20 && bad > 100, "%d good, %d bad", good, bad);
}

int main(void)
{
    int file = mkstemp(path);

    arena = waio_arena_new();
    CHECK(file >= 0, "no file for tests");
    CHECK_OK(waio_file_read(&bytes, &size, TEST_DATA_DIR "/small_detection.tflite", arena));
    test_good();
    test_names();
    test_damage();
    waio_arena_free(arena);
    remove(path);
    return waio_check_result();
}
