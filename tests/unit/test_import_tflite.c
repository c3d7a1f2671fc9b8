/* The TensorFlow Lite importer: a small int8 network (made by tests/python/test_import_tflite.py
 * with --make-golden) gives the bytes that TensorFlow Lite's reference kernels gave; broken files
 * end in an error that names the file, never in a crash. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/binding.h"
#include "check.h"
#include "import/import.h"
#include "util/file.h"
#include "util/rng.h"

static waio_arena *arena;

static void test_golden(void)
{
    enum { IMAGES = 4 };
    waio_graph *graph = NULL;
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace ws = {0};
    unsigned char *in = NULL, *want = NULL;
    size_t in_size = 0, want_size = 0;

    CHECK_OK(waio_import_model(&graph, TEST_DATA_DIR "/small_int8.tflite"));
    CHECK_OK(waio_file_read(&in, &in_size, TEST_DATA_DIR "/small_int8.in", arena));
    CHECK_OK(waio_file_read(&want, &want_size, TEST_DATA_DIR "/small_int8.out", arena));
    CHECK(waio_graph_is_quantized(graph), "the network is not quantized");
    CHECK_OK(waio_graph_optimize(graph)); /* leaves it alone */
    CHECK_OK(waio_program_compile(&program, graph, &waio_backend_cpu, IMAGES, graph->node_count));
    CHECK(waio_program_fallbacks(program) == 0, "integer nodes run on ref?");
    CHECK_OK(waio_float_binding_create(&binding, program));
    CHECK_OK(waio_workspace_create(&ws, program));
    memcpy(waio_workspace_value(&ws, program, graph->input), in, in_size);
    CHECK_OK(waio_program_run(program, &binding.binding, &ws,
                              (waio_run_range){0, graph->node_count, false, false}, NULL));
    const unsigned char *got =
        (const unsigned char *)waio_workspace_value(&ws, program, graph->output[0]);
    CHECK(want_size == IMAGES * 7, "%zu bytes expected", want_size);
    for (size_t i = 0; i < want_size; i++)
        CHECK(got[i] == want[i], "code %zu is %d, the reference kernels gave %d", i, (int8_t)got[i],
              (int8_t)want[i]);
    waio_workspace_free(&ws);
    waio_float_binding_free(&binding);
    waio_program_free(program);
    waio_graph_free(graph);
}

/* A damaged file, by way of a file on disk; what loads must also compile or be refused. */
static void load(const char *path, const unsigned char *data, size_t size)
{
    waio_graph *graph = NULL;
    waio_program *program = NULL;
    FILE *file = fopen(path, "wb");

    CHECK(file && fwrite(data, 1, size, file) == size, "%s", path);
    if (file)
        fclose(file);
    waio_error_clear();
    if (waio_import_tflite(&graph, path) != WAIO_OK) {
        CHECK(waio_error_message()[0] != '\0', "an error without a message");
        return;
    }
    if (waio_program_compile(&program, graph, &waio_backend_ref, 1, graph->node_count) == WAIO_OK)
        waio_program_free(program);
    waio_graph_free(graph);
}

static void test_broken(void)
{
    char folder[] = "/tmp/waio_tflite_XXXXXX";
    unsigned char *data = NULL, *copy = NULL;
    size_t size = 0;
    waio_rng rng = {3};
    waio_graph *graph = NULL;

    CHECK(mkdtemp(folder) != NULL, "no folder");
    char *path = waio_path_join(arena, folder, "broken.tflite");
    CHECK_OK(waio_file_read(&data, &size, TEST_DATA_DIR "/small_int8.tflite", arena));
    copy = malloc(size);
    for (size_t n = 0; n < size; n += 13)
        load(path, data, n);
    for (int i = 0; i < 3000; i++) {
        memcpy(copy, data, size);
        for (int k = 0; k < 1 + i % 3; k++)
            copy[waio_rng_below(&rng, size)] ^= (unsigned char)(1 + waio_rng_below(&rng, 255));
        load(path, copy, size);
    }
    load(path, data, size - 4);
    load(path, (const unsigned char *)"\xff\xff\xff\x7fTFL3", 8);
    CHECK_FAILS(waio_import_tflite(&graph, path), WAIO_EINPUT, "broken.tflite: byte");
    free(copy);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    arena = waio_arena_new();
    test_golden();
    test_broken();
    waio_arena_free(arena);
    return waio_check_result();
}
