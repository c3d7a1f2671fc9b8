/* Damaged TensorFlow Lite files: each ends in an error with a message, or in a network that also
 * compiles and runs or is refused. Sanitizers watch. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/binding.h"
#include "check.h"
#include "import/import.h"
#include "tflite_make.h"
#include "util/file.h"
#include "util/rng.h"

static waio_arena *arena;
static char path[64];
static int loaded, refused, ran;
static int file; /* one for all: some file systems write a truncated file to disk at each close */

/* Whether running it takes no time: damaged sizes can be large. */
static bool is_small(const waio_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++)
        if (waio_shape_count(&graph->value[v].shape) > 20000)
            return false;
    return waio_graph_macs(graph) < 10000000;
}

static void run(waio_graph *graph)
{
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace ws = {0};

    if (!is_small(graph) || waio_graph_optimize(graph) != WAIO_OK ||
        waio_program_compile(&program, graph, &waio_backend_ref, 1, graph->node_count) != WAIO_OK)
        return;
    CHECK_OK(waio_float_binding_create(&binding, program));
    CHECK_OK(waio_workspace_create(&ws, program));
    unsigned char *in = (unsigned char *)waio_workspace_value(&ws, program, graph->input);
    size_t bytes = (size_t)waio_shape_count(&graph->value[graph->input].shape) *
                   waio_type_bytes(graph->value[graph->input].type);
    for (size_t i = 0; i < bytes; i++) /* as floats: small ones */
        in[i] =
            (unsigned char)(graph->value[graph->input].type == WAIO_F32 ? i % 4 / 3 * 63 : i * 37);
    /* Damaged biases may overflow their sums: the one error there is. */
    if (waio_program_run(program, &binding.binding, &ws,
                         (waio_run_range){0, graph->node_count, false, false}, NULL) != WAIO_OK)
        CHECK(strstr(waio_error_message(), "accumulator") != NULL, "%s", waio_error_message());
    else
        ran++;
    waio_workspace_free(&ws);
    waio_float_binding_free(&binding);
    waio_program_free(program);
}

static void load(const unsigned char *data, size_t size)
{
    waio_graph *graph = NULL;

    CHECK(pwrite(file, data, size, 0) == (ssize_t)size && ftruncate(file, (off_t)size) == 0, "%s",
          path);
    waio_error_clear();
    if (waio_import_tflite(&graph, path) != WAIO_OK) {
        refused++;
        CHECK(strstr(waio_error_message(), path) != NULL, "no file named: \"%s\"",
              waio_error_message());
        return;
    }
    loaded++;
    run(graph);
    waio_graph_free(graph);
}

/* Cut at every length, every byte changed in several ways, and `rounds` of several changes. */
static void damage(const unsigned char *data, size_t size, int rounds)
{
    static const unsigned char change[] = {1, 2, 4, 0x10, 0x40, 0x80, 0xff};
    unsigned char *copy = malloc(size);
    waio_rng rng = {3};

    for (size_t n = 0; n < size; n += 1 + size / 2000)
        load(data, n);
    for (size_t at = 0; at < size; at += 1 + size / 2000) {
        memcpy(copy, data, size);
        for (size_t k = 0; k < sizeof change; k++) {
            copy[at] = data[at] ^ change[k];
            load(copy, size);
        }
    }
    for (int i = 0; i < rounds; i++) {
        memcpy(copy, data, size);
        for (int k = 0; k < 2 + i % 3; k++)
            copy[waio_rng_below(&rng, size)] ^= (unsigned char)(1 + waio_rng_below(&rng, 255));
        load(copy, size);
    }
    free(copy);
}

#define CODES(type, s, z, rank, ...)                                                               \
    {                                                                                              \
        type, rank, {__VA_ARGS__}, 1, 0, {s}, {z}, NULL, 0                                         \
    }

/* Convolution, addition, pool and dense layer in one small file. */
static void make_small(made_net *net, int type)
{
    static const int8_t codes[16] = {1, -2, 3, -4, 5, -128, 127, 0, 9, 8, 7, 6, -5, 4, 3, 2};
    static const int32_t biases[4] = {10, -20, 30, -40};
    int z = type == U8 ? 128 : 0;

    *net = (made_net){.output = 7, .operators = 4};
    made_add(net, (made_tensor)CODES(type, 0.5f, z, 4, 1, 3, 3, 1));
    made_add(net, (made_tensor){type, 4, {2, 2, 2, 1}, 1, 0, {0.25f}, {z}, codes, 8});
    made_add(net, (made_tensor){S32, 1, {2}, 1, 0, {0.125f}, {0}, biases, 8});
    made_add(net, (made_tensor)CODES(type, 4, z, 4, 1, 3, 3, 2));
    made_add(net, (made_tensor)CODES(type, 5, z, 4, 1, 3, 3, 2));
    made_add(net, (made_tensor)CODES(type, 5, z, 4, 1, 1, 2, 2));
    made_add(net, (made_tensor){type, 2, {2, 4}, 1, 0, {0.25f}, {z}, codes + 8, 8});
    made_add(net, (made_tensor)CODES(type, 3, z, 2, 1, 2));
    net->op[0] = (made_operator){
        3, NULL, {0, 1, 2}, 3, 3, {{'b', 0}, {'i', 1}, {'i', 1}, {'b', 3}, {'i', 1}, {'i', 1}}};
    net->op[1] = (made_operator){0, NULL, {3, 3}, 2, 4, {{'b', 1}}};
    net->op[2] = (made_operator){
        1, NULL, {4}, 1, 5, {{'b', 1}, {'i', 1}, {'i', 2}, {'i', 2}, {'i', 2}, {'b', 0}}};
    net->op[3] = (made_operator){9, NULL, {5, 6, -1}, 3, 7, {{'b', 0}}};
    made_file(net);
}

/* Offsets that lead in circles or out of the file, and sizes beyond it. */
static void test_offsets(void)
{
    static made_net net;
    waio_graph *graph = NULL;

    make_small(&net, S8);
    for (size_t at = 0; at + 4 <= net.size; at += 4) {
        static const uint32_t value[] = {0, 4, 0x7fffffff, 0xffffffff, 0x80000000};
        unsigned char old[4];
        memcpy(old, net.file + at, 4);
        for (size_t k = 0; k < sizeof value / sizeof *value; k++) {
            made_put(&net, at, value[k], 4);
            load(net.file, net.size);
        }
        made_put(&net, at, (int64_t)at, 4); /* back to the start, read as a vtable's offset */
        load(net.file, net.size);
        memcpy(net.file + at, old, 4);
    }
    load((const unsigned char *)"\xff\xff\xff\x7fTFL3", 8);
    CHECK_FAILS(waio_import_tflite(&graph, path), WAIO_EINPUT, "damaged.tflite: byte 2147483647");
    load((const unsigned char *)"\x08\0\0\0TFL2\0\0\0\0", 12);
    CHECK_FAILS(waio_import_tflite(&graph, path), WAIO_EINPUT, "byte 4: no \"TFL3\"");
}

int main(void)
{
    static made_net net;
    char folder[] = "/tmp/waio_tflite_XXXXXX";
    unsigned char *data = NULL;
    size_t size = 0;

    arena = waio_arena_new();
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/damaged.tflite", folder);
    file = open(path, O_CREAT | O_RDWR, 0600);
    make_small(&net, S8);
    load(net.file, net.size);
    CHECK(loaded == 1 && ran == 1, "the whole file: %s", waio_error_message());
    damage(net.file, net.size, 3000);
    make_small(&net, U8);
    damage(net.file, net.size, 1000);
    test_offsets();
    CHECK_OK(waio_file_read(&data, &size, TEST_DATA_DIR "/small_int8.tflite", arena));
    damage(data, size, 2000);
    fprintf(stderr, "%d damaged files refused, %d loaded, %d of them ran\n", refused, loaded, ran);
    CHECK(refused > 1000 && ran > 1000, "the damage is too great or too small to test anything");
    close(file);
    unlink(path);
    rmdir(folder);
    waio_arena_free(arena);
    return waio_check_result();
}
