/* waio show: a network, a line a layer. */
#include "cli/options.h"
#include "models/models.h"

int waio_cmd_show(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    const char *models_dir = NULL;
    bool as_imported = false;
    const waio_option options[] = {
        {"models", WAIO_OPTION_TEXT, &models_dir, "DIR", "folder of model files [WAIO_MODELS]", 0,
         0},
        {"as-imported", WAIO_OPTION_FLAG, &as_imported, NULL,
         "the network as the file has it, nothing folded or fused", 0, 0},
    };
    const waio_command command = {
        .name = "show",
        .summary = "print a network: a line a layer, parameters, MACs",
        .positional = "MODEL",
        .fewest = 1,
        .most = 1,
        .details = "MODEL is a built-in name or a file (Keras .h5, .onnx, .tflite). Batch norms "
                   "are folded\n"
                   "and activations fused, as waio runs it.",
        .example = "waio show shapes_resnet8",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments args;
    waio_model model = {0};

    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        return 0;
    waio_model_paths paths = {NULL, models_dir};
    WAIO_TRY(st, as_imported ? waio_model_import(&model, args.item[0], &paths)
                             : waio_model_load(&model, args.item[0], &paths));
    waio_graph_print(model.graph, stdout);
    printf("sha256: %s\n", model.sha256);
done:
    waio_model_free(&model);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
