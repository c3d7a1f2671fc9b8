/* waio show: a network, a line a layer. */
#include <inttypes.h>

#include "cli/options.h"
#include "cli/show_distributions.h"
#include "models/models.h"

typedef struct show_args {
    const char *models_dir;
    bool as_imported;
    /* Parameters of a network that is built, put behind its name. */
    const char *input, *classes, *head, *hidden, *width, *stem, *weights;
    waio_show_distributions distributions;
} show_args;

/* `name` with the options behind it: "resnet50:input=128:head=thesis". */
static const char *with_parameters(const char *name, const show_args *a, waio_arena *arena)
{
    const char *const pair[][2] = {
        {"input", a->input}, {"classes", a->classes}, {"head", a->head},      {"hidden", a->hidden},
        {"width", a->width}, {"stem", a->stem},       {"weights", a->weights}};

    for (size_t i = 0; i < sizeof pair / sizeof *pair && name; i++)
        if (pair[i][1])
            name = waio_arena_printf(arena, "%s:%s=%s", name, pair[i][0], pair[i][1]);
    return name;
}

static waio_status show(const char *name, const show_args *a)
{
    waio_model_paths paths = {NULL, a->models_dir};
    waio_status st = WAIO_OK;
    waio_model model = {0};

    WAIO_TRY(st, waio_model_import(&model, name, &paths));
    int nodes = model.graph->node_count;
    int64_t params = waio_graph_params(model.graph), macs = waio_graph_macs(model.graph);
    if (!a->as_imported)
        WAIO_TRY(st, waio_graph_optimize(model.graph));
    waio_graph_print(model.graph, stdout);
    if (!a->as_imported)
        printf("before folding and fusing: %d nodes, %" PRId64 " parameters, %" PRId64
               " MACs an image\n",
               nodes, params, macs);
    if (model.trained != WAIO_TRAINED)
        printf("untrained: %s\n", model.trained == WAIO_UNTRAINED
                                      ? "the weights are random"
                                      : "the classifier's weights are random");
    printf("sha256: %s\n", model.sha256);
    if (a->distributions.path)
        WAIO_TRY(st, waio_show_distributions_write(&a->distributions, name, &model));
done:
    waio_model_free(&model);
    return st;
}

int waio_cmd_show(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    show_args a = {
        .distributions = {.preprocess = "raw", .range = "minmax", .images = 256, .bits = 8}};
    waio_show_distributions *d = &a.distributions;
    const waio_option options[] = {
        {"models", WAIO_OPTION_TEXT, &a.models_dir, "DIR", "folder of model files [WAIO_MODELS]", 0,
         0},
        {"as-imported", WAIO_OPTION_FLAG, &a.as_imported, NULL,
         "the network as the file has it, nothing folded or fused", 0, 0},
        {"input", WAIO_OPTION_TEXT, &a.input, "SIZE", "128 or 128x96 (height x width)", 0, 0},
        {"classes", WAIO_OPTION_TEXT, &a.classes, "N", "outputs of the classifier", 0, 0},
        {"head", WAIO_OPTION_TEXT, &a.head, "NAME", "plain or thesis [plain]", 0, 0},
        {"hidden", WAIO_OPTION_TEXT, &a.hidden, "AxB", "widths of the thesis's head [1024x600]", 0,
         0},
        {"width", WAIO_OPTION_TEXT, &a.width, "X", "width of a MobileNet [1]", 0, 0},
        {"stem", WAIO_OPTION_TEXT, &a.stem, "NAME", "imagenet or cifar [imagenet]", 0, 0},
        {"weights", WAIO_OPTION_TEXT, &a.weights, "FILE", "weights by name (Keras .h5) or .onnx", 0,
         0},
        {"distributions", WAIO_OPTION_TEXT, &d->path, "FILE",
         "histograms of weights, with --dataset of activations too, as CSV", 0, 0},
        {"dataset", WAIO_OPTION_TEXT, &d->dataset, "NAME", "data set whose images run", 0, 0},
        {"data", WAIO_OPTION_TEXT, &d->data_dir, "DIR", "folder of data sets [WAIO_DATA]", 0, 0},
        {"pre", WAIO_OPTION_TEXT, &d->preprocess, "NAME", "input normalization [raw]", 0, 0},
        {"calib", WAIO_OPTION_COUNT, &d->images, "N", "images that run [256]", 1, 1000000},
        {"range", WAIO_OPTION_TEXT, &d->range, "RULE",
         "rule of the range written beside activations [minmax]", 0, 0},
        {"bits", WAIO_OPTION_COUNT, &d->bits, "N", "bits that this range is for [8]", 2, 16},
    };
    const waio_command command = {
        .name = "show",
        .summary = "print a network: a line a layer, parameters, MACs",
        .positional = "MODEL",
        .fewest = 1,
        .most = 1,
        .details =
            "MODEL is a built-in name, a file (Keras .h5, .onnx, .tflite) or a network that is\n"
            "built, with its parameters: resnet50:input=128,classes=37,head=thesis. The options\n"
            "from --input to --weights are such parameters; `waio info` lists the networks. Batch "
            "norms are\n"
            "folded and activations fused, as waio runs it.",
        .example = "waio show resnet50 --input 128 --classes 37 --head thesis",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments args;
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    const char *name = with_parameters(args.item[0], &a, arena);
    if (!name)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    if (name != args.item[0] && !waio_architecture_find(name))
        WAIO_FAIL(st, WAIO_EUSAGE,
                  "%s is no network that is built here: it has no parameters (`waio info` lists "
                  "those that have)",
                  args.item[0]);
    if (d->dataset && !d->path)
        WAIO_FAIL(st, WAIO_EUSAGE, "--dataset goes with --distributions FILE");
    d->models_dir = a.models_dir;
    WAIO_TRY(st, show(name, &a));
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
