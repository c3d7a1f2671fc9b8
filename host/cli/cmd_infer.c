/* waio infer: a network on raw numbers, to set its outputs beside another tool's. Inputs and
 * outputs are in the file's own types: float32, or the codes of a quantized network. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/binding.h"
#include "cli/options.h"
#include "models/models.h"
#include "sweep/detecting.h"
#include "util/file.h"

/* Bytes of one image's part of a value. */
static size_t image_bytes(const waio_graph *graph, int id)
{
    const waio_value *value = &graph->value[id];
    return (size_t)waio_shape_count(&value->shape) * waio_type_bytes(value->type);
}

/* Codes of uint8 files lie 128 lower in the program; on the way in and out they are the file's. */
static void move_codes(const waio_graph *graph, int id, unsigned char *code, size_t count)
{
    bool move = graph->value[id].type == WAIO_S8 && graph->value[id].params.u8;

    for (size_t i = 0; move && i < count; i++)
        code[i] ^= 0x80;
}

/* A line a box: image, class, score, ymin, xmin, ymax, xmax. */
static waio_status write_boxes(const waio_detecting *detecting, const waio_program *program,
                               const waio_workspace *workspace, int64_t first, int64_t images,
                               FILE *out, const char *path)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(program);
    int id[2] = {graph->output[detecting->detector->boxes],
                 graph->output[detecting->detector->scores]};
    const char *at[2];
    int count = 0;
    bool nan = false;

    for (int i = 0; i < 2; i++) {
        WAIO_TRY(st, waio_workspace_fetch(workspace, program, id[i]));
        at[i] = (const char *)waio_workspace_value(workspace, program, id[i]);
    }
    for (int64_t k = 0; k < images; k++) {
        waio_detecting_image(&count, &nan, detecting, 0, graph, at[0], at[1]);
        for (int i = 0; i < count; i++) {
            const waio_detection *d = &detecting->scratch[0].result[i];
            fprintf(out, "%lld %d %.9g %.9g %.9g %.9g %.9g\n", (long long)(first + k),
                    d->class_index, (double)d->score, (double)d->box.ymin, (double)d->box.xmin,
                    (double)d->box.ymax, (double)d->box.xmax);
        }
        if (nan)
            fprintf(out, "%lld nan\n", (long long)(first + k));
        at[0] += image_bytes(graph, id[0]);
        at[1] += image_bytes(graph, id[1]);
    }
    if (ferror(out))
        WAIO_FAIL(st, WAIO_EIO, "%s: writing failed: %s", path, strerror(errno));
done:
    return st;
}

/* Runs one batch; inputs of a partial last batch are filled up with zeros. */
static waio_status run_batch(const waio_program *program, const waio_binding *binding,
                             const waio_workspace *workspace, const unsigned char *input,
                             int64_t images, FILE *out, const char *path, bool outputs)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(program);
    size_t per_image = image_bytes(graph, graph->input);
    unsigned char *at = (unsigned char *)waio_workspace_value(workspace, program, graph->input);

    memset(at, 0, (size_t)waio_program_batch(program) * per_image);
    memcpy(at, input, (size_t)images * per_image);
    move_codes(graph, graph->input, at, (size_t)images * per_image);
    WAIO_TRY(st, waio_program_run(program, binding, workspace,
                                  (waio_run_range){0, graph->node_count, false, false}, NULL));
    for (int o = 0; outputs && o < graph->output_count; o++) {
        int id = graph->output[o];
        size_t bytes = image_bytes(graph, id) * (size_t)images;
        WAIO_TRY(st, waio_workspace_fetch(workspace, program, id));
        unsigned char *from = (unsigned char *)waio_workspace_value(workspace, program, id);
        move_codes(graph, id, from, bytes);
        if (fwrite(from, 1, bytes, out) != bytes)
            WAIO_FAIL(st, WAIO_EIO, "%s: writing failed: %s", path, strerror(errno));
    }
done:
    return st;
}

static waio_status infer_file(const waio_program *program, const char *input_path,
                              const char *output_path, bool boxes)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(program);
    size_t per_image = image_bytes(graph, graph->input), bytes = 0;
    int64_t batch = waio_program_batch(program);
    waio_arena *arena = waio_arena_new();
    waio_float_binding binding = {0};
    waio_workspace workspace = {0};
    unsigned char *data = NULL;
    FILE *out = NULL;
    waio_detecting detecting = {0};

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_read(&data, &bytes, input_path, arena));
    if (bytes == 0 || bytes % per_image)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %zu bytes, expected a multiple of the %zu of one image",
                  input_path, bytes, per_image);
    if (boxes)
        WAIO_TRY(st, waio_detecting_create(&detecting, graph, NULL, 1, arena));
    WAIO_TRY(st, waio_float_binding_create(&binding, program));
    WAIO_TRY(st, waio_workspace_create(&workspace, program));
    out = fopen(output_path, "wb");
    if (!out)
        WAIO_FAIL(st, WAIO_EIO, "%s: %s", output_path, strerror(errno));
    int64_t images = (int64_t)(bytes / per_image);
    for (int64_t i = 0; i < images; i += batch) {
        int64_t count = images - i < batch ? images - i : batch;
        WAIO_TRY(st, run_batch(program, &binding.binding, &workspace, data + (size_t)i * per_image,
                               count, out, output_path, !boxes));
        if (boxes)
            WAIO_TRY(st, write_boxes(&detecting, program, &workspace, i, count, out, output_path));
    }
done:
    if (out && fclose(out) != 0 && st == WAIO_OK)
        st = waio_error(WAIO_EIO, "%s: %s", output_path, strerror(errno));
    waio_workspace_free(&workspace);
    waio_float_binding_free(&binding);
    waio_arena_free(arena);
    return st;
}

int waio_cmd_infer(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    const char *models_dir = NULL, *input = NULL, *output = NULL, *backend_name = "auto";
    int64_t batch = 1;
    bool as_imported = false, boxes = false;
    const char *requant = "tflite";
    const waio_option options[] = {
        {"input", WAIO_OPTION_TEXT, &input, "FILE",
         "images, NHWC, as the network takes them: float32, or int8, uint8 or int16 codes", 0, 0},
        {"output", WAIO_OPTION_TEXT, &output, "FILE",
         "where the outputs go, in the network's output type", 0, 0},
        {"batch", WAIO_OPTION_COUNT, &batch, "N", "images that run at once [1]", 1, 4096},
        {"backend", WAIO_OPTION_TEXT, &backend_name, "NAME", "auto, cuda, cpu, ref or null [auto]",
         0, 0},
        {"models", WAIO_OPTION_TEXT, &models_dir, "DIR", "folder of model files [WAIO_MODELS]", 0,
         0},
        {"requant", WAIO_OPTION_TEXT, &requant, "NAME",
         "rounding of a network on codes: tflite, double, single, float [tflite]", 0, 0},
        {"boxes", WAIO_OPTION_FLAG, &boxes, NULL,
         "of a detector: a line of text for each box instead of the outputs", 0, 0},
        {"as-imported", WAIO_OPTION_FLAG, &as_imported, NULL,
         "the network as the file has it, nothing folded or fused", 0, 0},
    };
    const waio_command command = {
        .name = "infer",
        .summary = "run a network on raw numbers from a file",
        .positional = "MODEL",
        .details =
            "Lines of --boxes: image, class, score, ymin, xmin, ymax, xmax; boxes as fractions of\n"
            "the image. \"nan\" instead: there is a NaN among the image's outputs.",
        .fewest = 1,
        .most = 1,
        .example = "waio infer shapes_resnet8 --input images.f32 --output scores.f32",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments args;
    waio_model model = {0};
    waio_program *program = NULL;
    const waio_backend *backend = NULL;

    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        return 0;
    if (!input || !output)
        WAIO_FAIL(st, WAIO_EUSAGE, "--input and --output are needed");
    WAIO_TRY(st, waio_backend_find(&backend, backend_name));
    waio_model_paths paths = {NULL, models_dir};
    WAIO_TRY(st, as_imported ? waio_model_import(&model, args.item[0], &paths)
                             : waio_model_load(&model, args.item[0], &paths));
    WAIO_TRY(st, waio_requant_parse(&model.graph->requant, requant));
    WAIO_TRY(st,
             waio_program_compile(&program, model.graph, backend, batch, model.graph->node_count));
    if (boxes && !model.graph->detector)
        WAIO_FAIL(st, WAIO_EUSAGE, "--boxes: nothing says how boxes come of the outputs of %s",
                  model.name);
    WAIO_TRY(st, infer_file(program, input, output, boxes));
done:
    waio_program_free(program);
    waio_model_free(&model);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
