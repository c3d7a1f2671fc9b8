/* waio explain: an effect, reproduced on the smallest network that has it, and explained. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "sweep/raw_feed.h"

typedef struct raw_feed_args {
    int64_t from, to;
    const char *backend;
} raw_feed_args;

static void print_bytes(const waio_raw_feed *r, int from, int to)
{
    int step = (to - from) / 8 > 0 ? (to - from) / 8 : 1;

    printf("          fed by scale and zero point        fed raw\n"
           "%5s  %8s %8s %9s   %8s %10s %9s\n",
           "byte", "code", "answer", "value", "code", "taken for", "value");
    for (int x = from; x <= to; x = x < to && x + step > to ? to : x + step) {
        const waio_raw_feed_byte *b = &r->byte[x];
        printf("%5d  %8d %8d %9.2f   %8d %10.2f %9.2f\n", x, b->code, b->answer, b->value,
               b->raw_code, b->seen, b->raw_value);
    }
}

static void span(const waio_raw_feed *r, int from, int to, double right[2], double raw[2])
{
    right[0] = raw[0] = INFINITY;
    right[1] = raw[1] = -INFINITY;
    for (int x = from; x <= to; x++) {
        right[0] = fmin(right[0], r->byte[x].value);
        right[1] = fmax(right[1], r->byte[x].value);
        raw[0] = fmin(raw[0], r->byte[x].raw_value);
        raw[1] = fmax(raw[1], r->byte[x].raw_value);
    }
}

static void explain(const waio_raw_feed *r, int from, int to)
{
    double right[2], raw[2];

    span(r, from, to, right, raw);
    printf("A network of one dense layer that answers what it is asked, W8A8I8O8, calibrated on\n"
           "bytes from %d to %d. Its input stands for %.4g x (code %+d), since TensorFlow Lite's\n"
           "ranges are widened to hold 0.\n\n",
           from, to, (double)r->input.scale, -r->input.zero_point);
    print_bytes(r, from, to);
    printf("\nFed by scale and zero point it answers [%.1f, %.1f]: what it was asked.\n"
           "Fed raw it answers [%.1f, %.1f]. A byte is then taken for a code: up to 127 it stands\n"
           "for a number that is too large, and from 128 on, where it is read as a negative\n"
           "code, light becomes dark.\n",
           right[0], right[1], raw[0], raw[1]);
    printf(
        "Its answers are codes as well: read as bytes (code + 128) they fill 0 to 255 whatever\n"
        "the range, here %d to %d for what was asked; with a range that is not widened, %d would\n"
        "be 0 and %d would be 255. That is the thesis's [103, 150] answered with [0, 255].\n",
        r->byte[from].answer + 128, r->byte[to].answer + 128, from, to);
    printf(
        "\nNothing of this is an effect of 8 bits: both columns are the same network. So the\n"
        "thesis's I = 8 columns at chance (tables 4.1.2 to 4.1.4) tell how the network was fed.\n"
        "On your own network: `waio eval model=... data=... w=8 a=8 i=8 o=8 feed=raw` beside\n"
        "`feed=quantized`; suites/findings_raw.yaml and findings_fed.yaml on CIFAR-10.\n");
}

static waio_status raw_feed(const raw_feed_args *a)
{
    waio_status st = WAIO_OK;
    const waio_backend *backend = NULL;
    waio_raw_feed result;

    if (a->from > a->to)
        WAIO_FAIL(st, WAIO_EUSAGE, "--from %d is above --to %d", (int)a->from, (int)a->to);
    WAIO_TRY(st, waio_backend_find(&backend, a->backend));
    WAIO_TRY(st, waio_raw_feed_run(&result, (int)a->from, (int)a->to, backend));
    explain(&result, (int)a->from, (int)a->to);
done:
    return st;
}

int waio_cmd_explain(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    raw_feed_args a = {.from = 103, .to = 150, .backend = "cpu"};
    const waio_option table[] = {
        {"from", WAIO_OPTION_COUNT, &a.from, "BYTE", "smallest byte of the calibration [103]", 0,
         255},
        {"to", WAIO_OPTION_COUNT, &a.to, "BYTE", "largest byte of the calibration [150]", 0, 255},
        {"backend", WAIO_OPTION_TEXT, &a.backend, "NAME", "cpu or ref [cpu]", 0, 0},
    };
    const waio_command command = {
        .name = "explain",
        .summary = "an effect of quantization on the smallest network that shows it",
        .positional = "raw-feed",
        .fewest = 1,
        .most = 1,
        .details =
            "raw-feed: bytes fed to an 8-bit input without its scale and zero point, the fault\n"
            "behind the thesis's I8 collapse (its experiment 6).",
        .example = "waio explain raw-feed",
        .option = table,
        .option_count = sizeof table / sizeof *table,
    };
    waio_arguments args;

    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        return 0;
    if (strcmp(args.item[0], "raw-feed") != 0)
        WAIO_FAIL(st, WAIO_EUSAGE, "\"%s\" cannot be explained; there is: raw-feed", args.item[0]);
    WAIO_TRY(st, raw_feed(&a));
done:
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
