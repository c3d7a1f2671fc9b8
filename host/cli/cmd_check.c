/* waio check: a backend against the reference. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check/check.h"
#include "check/networks.h"
#include "cli/options.h"
#include "models/models.h"

/* Compares one network with float or, `bits` > 0, with quantized activations. */
static waio_status check_graph(const waio_graph *graph, waio_check_args args, int bits, int *failed)
{
    waio_status st = WAIO_OK;
    waio_value_quant *quant = NULL;
    waio_network_report r = {0};

    if (bits)
        WAIO_TRY(st, waio_check_quantizers(&quant, graph, bits, args.images, args.seed));
    args.quant = quant;
    printf("\n# %s, %s activations\n", graph->name, bits ? "8-bit" : "float");
    WAIO_TRY(st, waio_check_network(graph, &args, &r));
    *failed += !r.agreed;
    if (r.departed >= 0)
        printf("first layer that differs: %d, \"%s\" (%s), by %.3g of what is allowed\n",
               r.departed, graph->node[r.departed].name, waio_op_name(graph->node[r.departed].op),
               r.departed_share);
    printf("%s: largest share of a bound %.3g (layer %d), output nmse %.3g, ",
           r.agreed ? "agrees" : "DIFFERS", r.worst_share, r.worst, r.output_nmse);
    printf("best class differs in %" PRId64 " rows (%" PRId64 " not explained)", r.top1_differ,
           r.top1_wrong);
    if (bits)
        printf(", %" PRId64 " of %" PRId64 " numbers one step off, on ties", r.steps_off,
               r.quantized);
    printf(", %d layers run on ref\n", r.fallbacks);
done:
    free(quant);
    return st;
}

static waio_status check_both(const waio_graph *graph, const waio_check_args *args, int *failed)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, check_graph(graph, *args, 0, failed));
    WAIO_TRY(st, check_graph(graph, *args, 8, failed));
done:
    return st;
}

static waio_status check_built_in(const waio_check_args *args, int *failed)
{
    waio_status st = WAIO_OK;
    waio_graph *graph = NULL;

    for (const waio_check_net *net = waio_check_nets; net->name; net++) {
        WAIO_TRY(st, waio_check_net_build(&graph, net, args->seed));
        WAIO_TRY(st, waio_graph_optimize(graph));
        WAIO_TRY(st, check_both(graph, args, failed));
        waio_graph_free(graph);
        graph = NULL;
    }
done:
    waio_graph_free(graph);
    return st;
}

static int verdict(int failed_cases, int failed_networks)
{
    if (failed_cases + failed_networks == 0) {
        printf("\nall agree\n");
        return 0;
    }
    printf("\nDIFFERENT: %d op cases, %d networks\n", failed_cases, failed_networks);
    return 1;
}

int waio_cmd_check(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    const char *backend = "auto", *models_dir = NULL;
    int64_t images = 4, seed = 1;
    int failed_cases = 0, failed_networks = 0;
    const waio_option options[] = {
        {"backend", WAIO_OPTION_TEXT, &backend, "NAME", "what to compare with ref [auto]", 0, 0},
        {"images", WAIO_OPTION_COUNT, &images, "N", "random images a network [4]", 1, 1024},
        {"seed", WAIO_OPTION_COUNT, &seed, "N", "of images and random weights [1]", 0, INT32_MAX},
        {"models", WAIO_OPTION_TEXT, &models_dir, "DIR", "folder of model files [WAIO_MODELS]", 0,
         0},
    };
    const waio_command command = {
        .name = "check",
        .summary = "compare a backend with the reference, op by op and layer by layer",
        .positional = "[MODEL]",
        .fewest = 0,
        .most = 1,
        .details =
            "MODEL is a built-in name, a file (Keras .h5, .onnx, .tflite) or a network that is\n"
            "built, with its parameters; without one, small networks of random weights.\n"
            "`share` is how much of the allowed difference is used. Exit status: 0 all agree,\n"
            "1 some differ, 2 the call is wrong.",
        .example = "waio check --backend cpu",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments arguments;
    waio_check_args args = {.out = stdout};
    waio_model model = {0};

    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &arguments));
    if (arguments.help)
        return 0;
    WAIO_TRY(st, waio_backend_find(&args.backend, backend));
    args.images = images;
    args.seed = (uint64_t)seed;
    if (arguments.count)
        WAIO_TRY(st,
                 waio_model_load(&model, arguments.item[0], &(waio_model_paths){NULL, models_dir}));
    if (model.graph && waio_graph_is_quantized(model.graph))
        WAIO_FAIL(
            st, WAIO_EUNSUPPORTED,
            "%s is a quantized network, check compares float ones; `waio diff FLOAT_MODEL data=... "
            "--left %s@ref --right %s@cpu` compares it, layer by layer",
            model.name, arguments.item[0], arguments.item[0]);
    WAIO_TRY(st, waio_check_ops(args.backend, stdout, &failed_cases));
    if (model.graph)
        WAIO_TRY(st, check_both(model.graph, &args, &failed_networks));
    else
        WAIO_TRY(st, check_built_in(&args, &failed_networks));
done:
    waio_model_free(&model);
    return st == WAIO_OK ? verdict(failed_cases, failed_networks)
                         : waio_command_failed(&command, st);
}
