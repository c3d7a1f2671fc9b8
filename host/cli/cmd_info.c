/* waio info: what was built in and what is seen. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "backend/plugin.h"
#include "cli/options.h"
#include "dataset/dataset.h"
#include "models/models.h"
#include "result/provenance.h"
#include "result/row.h"

/* The instructions of the cpu backend's integer kernels. */
static void print_isa(void)
{
    waio_isa isa = WAIO_ISA_PORTABLE;

    printf("\ninteger kernels of cpu (WAIO_CPU_ISA takes another, for tests; all give equal "
           "bytes):\n");
    bool valid = waio_isa_choose(&isa) == WAIO_OK;
    for (int i = 0; i < WAIO_ISA_COUNT; i++)
        printf("  %-18s %s\n", waio_isa_name((waio_isa)i),
               !waio_isa_present((waio_isa)i) ? "not on this processor"
               : valid && isa == (waio_isa)i  ? "in use"
                                              : "present");
    if (!valid)
        printf("  %s\n", waio_error_message());
}

static void print_info(void)
{
    printf("waio %s (%s build)\n", waio_version(), waio_build_type());
    printf("device: %s, %ld processors\n", waio_cpu_name(), sysconf(_SC_NPROCESSORS_ONLN));
    const waio_backend *cuda = NULL;
    bool runs = waio_plugin_cuda(&cuda) == WAIO_OK;
    printf("\nbackends (auto takes %s):\n", runs ? "cuda" : "cpu");
    for (int i = 0; waio_backends[i]; i++)
        printf("  %-18s %s\n", waio_backends[i]->name, waio_backends[i]->summary);
    if (runs)
        printf("  %-18s %s; on %s\n", "cuda", cuda->summary, waio_plugin_cuda_device());
    else /* the message begins "cuda: " */
        printf("  %-18s not used: %s\n", "cuda", waio_error_message() + strlen("cuda: "));
    print_isa();
    printf("\nmodels (or a file: Keras .h5, .onnx, .tflite):\n");
    for (const waio_builtin_model *m = waio_builtin_models; m->name; m++)
        printf("  %-18s %s\n", m->name, m->summary);
    printf("\nnetworks that are built, with parameters (resnet50:input=128,classes=37,head=thesis,"
           "weights=FILE):\n");
    for (const waio_architecture *a = waio_architectures; a->name; a++)
        printf("  %-24s %s\n", a->name, a->summary);
    printf("\ndata sets:\n");
    for (const waio_dataset_kind *d = waio_dataset_kinds; d->name; d++)
        printf("  %-18s %s (%s/)\n", d->name, d->summary, d->folder);
}

int waio_cmd_info(int argc, char **argv)
{
    bool columns = false;
    const waio_option options[] = {
        {"columns", WAIO_OPTION_FLAG, &columns, NULL,
         "the table of result columns, as in results/README.md", 0, 0},
    };
    const waio_command command = {
        .name = "info",
        .summary = "what was built in, and the devices seen",
        .positional = "",
        .example = "waio info",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments args;

    if (waio_options_parse(&command, argc, argv, &args) != WAIO_OK)
        return waio_command_failed(&command, WAIO_EUSAGE);
    if (args.help)
        return 0;
    if (columns)
        waio_columns_document(stdout);
    else
        print_info();
    return 0;
}
