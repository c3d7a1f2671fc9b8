/* Several devices: a session's workers are spread over them, every device computes, and the results
 * are the bytes of one device. When a device fails in the middle the pass ends with a message that
 * names it, and nothing is left over on any. Each run is a process of its own, whose devices the
 * environment says. */
#include <sys/wait.h>

#include "cuda_double/double_net.h"
#include "tiny_session.h"

enum { FEW = 24, DEVICES = 4, PATIENCE = 300 };
enum { RIGHT = 10, MESSAGE, OTHER_MESSAGE, LEFT_OVER };

/* What a run found. */
typedef struct found {
    int ended;                  /* exit status */
    int32_t prediction[3][FEW]; /* float, simulate, integer */
    float output[DEVICES][30];  /* of one batch in a workspace each */
    long launches[DEVICES];
    char message[256];
} found;

/* ---- one run ---- */

/* The same batch in several workspaces of one program: they lie on different devices. */
static waio_status run_workspaces(found *out, const waio_backend *cuda)
{
    waio_status st = WAIO_OK;
    waio_program *program = NULL;
    waio_workspace ws[DEVICES] = {0};
    waio_float_binding weights = {0};
    waio_graph *g = double_mobilenet();
    float *x = double_images(g, 3);
    size_t bytes = (size_t)waio_shape_count(&g->value[g->input].shape) * 3 * sizeof *x;

    WAIO_TRY(st, waio_program_compile(&program, g, cuda, 3, g->node_count));
    WAIO_TRY(st, waio_float_binding_create(&weights, program));
    for (int i = 0; i < DEVICES; i++)
        WAIO_TRY(st, waio_workspace_create(&ws[i], program));
    for (int i = 0; i < DEVICES; i++)
        memcpy(waio_workspace_value(&ws[i], program, g->input), x, bytes);
    for (int n = 0; n < g->node_count; n++) /* by turns, on one thread */
        for (int i = 0; i < DEVICES; i++)
            WAIO_TRY(st, waio_program_run(program, &weights.binding, &ws[i],
                                          (waio_run_range){n, n + 1, false, false}, NULL));
    for (int i = 0; i < DEVICES; i++) {
        WAIO_TRY(st, waio_workspace_fetch(&ws[i], program, g->output[0]));
        memcpy(out->output[i], waio_workspace_value(&ws[i], program, g->output[0]),
               sizeof out->output[i]);
    }
done:
    for (int i = 0; i < DEVICES; i++)
        waio_workspace_free(&ws[i]);
    waio_float_binding_free(&weights);
    waio_program_free(program);
    waio_graph_free(g);
    free(x);
    return st;
}

static waio_status run_session(found *out, const waio_backend *cuda)
{
    waio_status st = WAIO_OK;
    waio_session *s = NULL;
    waio_session_options options = tiny_session_options(2, 3);
    const waio_quant_request request = {{8, 8, 8, 8}, 0, NULL};
    waio_outcome outcome;

    options.backend = cuda;
    options.images = FEW;
    options.calibration_images = 4;
    WAIO_TRY(st, waio_session_open(&s, "shapes_resnet8", "shapes", &options, NULL));
    memcpy(out->prediction[0], s->float_prediction, sizeof out->prediction[0]);
    WAIO_TRY(st, waio_session_pass(s, &request, 1, true, &outcome, NULL));
    memcpy(out->prediction[1], s->last_prediction, sizeof out->prediction[1]);
    WAIO_TRY(st, waio_session_integer(s, &request, WAIO_REQUANT_TFLITE, false, &outcome, NULL));
    out->prediction[2][0] = (int32_t)outcome.correct;
    out->prediction[2][1] = (int32_t)outcome.agree;
done:
    waio_session_close(s);
    return st;
}

static void run_here(found *out, bool short_run)
{
    waio_status st = WAIO_OK;
    const waio_backend *cuda = NULL;

    WAIO_TRY(st, waio_backend_find(&cuda, "cuda"));
    WAIO_TRY(st, run_workspaces(out, cuda));
    if (!short_run)
        WAIO_TRY(st, run_session(out, cuda));
done:
    out->ended = st == WAIO_OK ? RIGHT : MESSAGE;
    if (st != WAIO_OK)
        snprintf(out->message, sizeof out->message, "%.250s", waio_error_message());
    if (st != WAIO_OK && !strstr(out->message, "cuda: "))
        out->ended = OTHER_MESSAGE;
    for (int i = 0; double_here() && i < DEVICES; i++)
        out->launches[i] = double_here()->launches(i);
    double_live live = double_left();
    if (live.device_bytes || live.pinned_bytes || live.objects)
        out->ended = LEFT_OVER;
}

/* In a process with these devices; `ended` is -signal if it was killed. */
static found run(const char *devices, const char *fault, bool short_run)
{
    found out = {.ended = -1};
    int tube[2], status = 0;

    if (pipe(tube) != 0)
        return out;
    fflush(NULL);
    pid_t id = fork();
    if (id == 0) {
        alarm(PATIENCE);
        setenv("WAIO_DOUBLE_DEVICE", devices, 1);
        if (fault)
            setenv("WAIO_DOUBLE_FAULT", fault, 1);
        run_here(&out, short_run);
        _exit(write(tube[1], &out, sizeof out) != sizeof out);
    }
    close(tube[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(tube[0], (char *)&out + got, sizeof out - got)) > 0;)
        got += (size_t)n;
    close(tube[0]);
    waitpid(id, &status, 0);
    if (WIFSIGNALED(status) || got != sizeof out)
        out.ended = WIFSIGNALED(status) ? -WTERMSIG(status) : -1;
    return out;
}

/* ---- what must be ---- */

static void compare(const found *got, const found *one, int devices)
{
    long all = 0;

    CHECK(got->ended == RIGHT, "%d devices: ended with %d: %s", devices, got->ended, got->message);
    CHECK(memcmp(got->prediction, one->prediction, sizeof one->prediction) == 0,
          "%d devices: other classes", devices);
    for (int i = 0; i < DEVICES; i++) {
        CHECK(memcmp(got->output[i], one->output[0], sizeof one->output[0]) == 0,
              "%d devices: workspace %d gives other numbers", devices, i);
        all += got->launches[i];
    }
    for (int i = 0; i < DEVICES; i++)
        CHECK(i < devices ? got->launches[i] > all / 20 : got->launches[i] == 0,
              "%d devices: %ld of %ld kernels on device %d", devices, got->launches[i], all, i);
}

/* An error that stays on one device; memory that runs out there. */
static void test_failures(void)
{
    static const char *const faults[] = {"cudaLaunchKernel:3:700",  "cudaLaunchKernel:40:700",
                                         "cudaLaunchKernel:45:719", "cudaMemcpyAsync:4:700",
                                         "cudaSetDevice:2:101",     "cudaSetDevice:5:101",
                                         "cudaMalloc:20:2",         "cudaStreamCreateWithFlags:3:2",
                                         "cublasCreate:2:2",        "cudaStreamSynchronize:40:700"};
    int named = 0;

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        found f = run("sm_86,sm_86", faults[i], true);
        CHECK(f.ended == MESSAGE, "%s: ended with %d: %s", faults[i], f.ended, f.message);
        named += strstr(f.message, " on device 1") != NULL;
    }
    CHECK(named >= 2, "only %d messages name device 1", named);
    found late = run("sm_86,sm_86", "cudaLaunchKernel:400:700", false); /* in the session */
    CHECK(late.ended == MESSAGE, "late: ended with %d: %s", late.ended, late.message);
}

int main(void)
{
    if (!tiny_begin())
        return 77;
    found one = run("sm_86", NULL, false);
    compare(&one, &one, 1);
    found two = run("sm_86,sm_86", NULL, false), three = run("sm_86,sm_86,sm_86", NULL, false);
    compare(&two, &one, 2);
    compare(&three, &one, 3);
    found mixed = run("sm_86,sm_75,sm_86", NULL, false); /* the second is of another kind */
    CHECK(mixed.ended == RIGHT && mixed.launches[0] && !mixed.launches[1] && mixed.launches[2],
          "mixed: ended with %d, %ld kernels on sm_75", mixed.ended, mixed.launches[1]);
    test_failures();
    tiny_end();
    return waio_check_result();
}
