/* waio: what does quantizing this network cost? Picks the verb, nothing more. */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"run", "run a suite: every configuration over the test set, rows to CSV", waio_cmd_run},
    {"list", "list the rows that a suite would give, nothing is run", waio_cmd_list},
    {"eval", "evaluate one configuration from options", waio_cmd_eval},
    {"show", "print a network: a line a layer, parameters, MACs", waio_cmd_show},
    {"sensitivity", "what quantizing each layer costs, which layers are suspect",
     waio_cmd_sensitivity},
    {"quantize", "write a quantized network as .tflite or .onnx", waio_cmd_quantize},
    {"diff", "two runs of a network side by side, layer by layer", waio_cmd_diff},
    {"compare", "two results files: which rows moved, for the nightly", waio_cmd_compare},
    {"explain", "an effect of quantization on the smallest network that shows it",
     waio_cmd_explain},
    {"infer", "run a network on raw numbers from a file", waio_cmd_infer},
    {"map", "average precision of detections in COCO's JSON files", waio_cmd_map},
    {"bench", "how many images a second a network runs", waio_cmd_bench},
    {"data", "verify data sets, decode an image", waio_cmd_data},
    {"check", "compare backends with the reference, op by op and net by net", waio_cmd_check},
    {"info", "what was built in, and the devices seen", waio_cmd_info},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void usage(FILE *out)
{
    fprintf(out, "waio measures what quantization costs a neural network.\n\n"
                 "Usage: waio COMMAND [ARGUMENTS]\n\nCommands:\n");
    for (int i = 0; i < VERBS; i++)
        fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(out, "\n`waio COMMAND --help` explains a command.\n"
                 "Exit status: 0 all rows ok, 1 some rows failed (diff: a layer departs),\n"
                 "2 usage or input wrong, 3 a comparison found a regression,\n"
                 "130 interrupted (start again to resume).\n\n"
                 "Example:\n  waio run suites/quickstart.yaml\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0)
        return waio_cmd_info(1, argv + 1);
    for (int i = 0; i < VERBS; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    fprintf(stderr, "waio: unknown command \"%s\"\n\n", argv[1]);
    usage(stderr);
    return 2;
}
