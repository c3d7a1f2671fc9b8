/* What happens when calls of CUDA's libraries fail: every call of a run in turn, with an error that
 * passes, one that stays, and memory that runs out. Each run is a process of its own: it must end
 * with a message and nothing left over, or with the right result; no crash, no hang. And what the
 * double is for: waiting that is forgotten gives wrong results. */
#include <sys/wait.h>
#include <unistd.h>

#include "cuda_double/double_net.h"

enum { IMAGES = 2, OUTPUTS = 10, PATIENCE = 60 };

/* How a run ended; as exit status. */
enum { RIGHT = 10, MESSAGE, WRONG, NO_MESSAGE, LEFT_OVER };

/* ---- one run: a float network and the same on codes ---- */

static waio_status run_graph(float *y, waio_graph *graph, const waio_backend *backend,
                             const float *x)
{
    waio_status st = WAIO_OK;
    waio_program *program = NULL;
    waio_workspace ws = {0};
    waio_float_binding weights = {0};
    waio_run_range all = {0, graph->node_count, false, false};

    WAIO_TRY(st, waio_program_compile(&program, graph, backend, IMAGES, graph->node_count));
    WAIO_TRY(st, waio_float_binding_create(&weights, program));
    WAIO_TRY(st, waio_workspace_create(&ws, program));
    for (int time = 0; time < 2; time++) {
        memcpy(waio_workspace_value(&ws, program, graph->input), x,
               (size_t)waio_shape_count(&graph->value[graph->input].shape) * IMAGES * sizeof *x);
        WAIO_TRY(st, waio_program_run(program, &weights.binding, &ws, all, NULL));
        WAIO_TRY(st, waio_workspace_fetch(&ws, program, graph->output[0]));
        memcpy(y, waio_workspace_value(&ws, program, graph->output[0]),
               sizeof *y * OUTPUTS * IMAGES);
    }
done:
    waio_workspace_free(&ws);
    waio_float_binding_free(&weights);
    waio_program_free(program);
    return st;
}

static waio_graph *float_network(void)
{
    waio_graph *g = waio_graph_new("faults");

    net_rng.state = 5;
    int x = net_input(g, WAIO_SHAPE(1, 6, 6, 3));
    int y = double_conv(g, "conv", x, (conv_of){8, 3, 2, 1, net_relu});
    y = double_conv(g, "depthwise", y, (conv_of){8, 3, 1, 8, net_relu});
    y = net_op(g, WAIO_OP_LOGISTIC, y, -1);
    y = net_dense(g, "dense", net_mean(g, y), OUTPUTS);
    CHECK_OK(waio_graph_add_output(g, net_softmax(g, y)));
    return g;
}

static waio_graph *networks[2]; /* floats, codes */
static float *images;
static float expected[2][OUTPUTS * IMAGES];

static void prepare(void)
{
    double_quantized q = {0};
    waio_quant_request request = {{8, 8, 8, 8}, 0, NULL};

    networks[0] = float_network();
    images = double_images(networks[0], IMAGES);
    double_quantize(&q, networks[0], &waio_backend_ref, images, IMAGES);
    CHECK_OK(waio_lower(&networks[1], q.quantizer, &request, WAIO_REQUANT_TFLITE));
    double_quantized_free(&q);
    for (int i = 0; i < 2; i++)
        CHECK_OK(run_graph(expected[i], networks[i], &waio_backend_ref, images));
}

static bool right(int i, const float *y)
{
    for (int k = 0; k < OUTPUTS * IMAGES; k++)
        if (!(fabsf(y[k] - expected[i][k]) < 1e-5f))
            return false;
    return true;
}

/* SQuant's rounding of one layer, on the device; whether the codes are the host's. */
static waio_status round_layer(bool *same, const waio_backend *cuda)
{
    waio_status st = WAIO_OK;
    waio_squant_shape shape = {3, 9, 5};
    waio_squant_grid grid = waio_squant_grid_of(-1, 1, 4, false);
    float w[135], want[135], got[135];

    net_rng.state = 9;
    for (int i = 0; i < 135; i++)
        w[i] = net_number(1);
    WAIO_TRY(st, waio_squant_round(want, w, &shape, &grid, 1, (waio_squant_stages){true, true}, 1));
    WAIO_TRY(st, cuda->squant(got, w, &shape, &grid, 1, (waio_squant_stages){true, true}));
    *same = memcmp(want, got, sizeof got) == 0;
done:
    return st;
}

static int outcome_of(waio_status st, bool all_right)
{
    double_live live = double_left();

    if (live.device_bytes || live.pinned_bytes || live.objects)
        return LEFT_OVER;
    if (st == WAIO_OK)
        return all_right ? RIGHT : WRONG;
    return strstr(waio_error_message(), "cuda: ") ? MESSAGE : NO_MESSAGE;
}

/* In a process of its own; `forget`: waiting is forgotten. Calls made go to `calls`. */
static int run_once(bool forget, int calls)
{
    waio_status st = WAIO_OK;
    const waio_backend *cuda = NULL;
    float y[OUTPUTS * IMAGES];
    bool all_right = true;

    WAIO_TRY(st, waio_backend_find(&cuda, "cuda"));
    if (forget)
        double_here()->forget_synchronisation(1);
    for (int i = 0; i < 2; i++) {
        WAIO_TRY(st, run_graph(y, networks[i], cuda, images));
        all_right = all_right && right(i, y);
    }
    bool same = false;
    WAIO_TRY(st, round_layer(&same, cuda));
    all_right = all_right && same;
done:
    if (double_here()) {
        long count = double_here()->calls();
        if (write(calls, &count, sizeof count) != sizeof count)
            return WRONG;
    }
    return outcome_of(st, all_right);
}

/* ---- processes ---- */

/* The exit status of a run with `fault` (NULL: none), -signal if it was killed. */
static int child(const char *variable, const char *value, bool forget, long *calls)
{
    int tube[2], status = 0;

    *calls = 0;
    if (pipe(tube) != 0)
        return -1;
    fflush(NULL);
    pid_t id = fork();
    if (id == 0) {
        alarm(PATIENCE);
        if (variable)
            setenv(variable, value, 1);
        _exit(run_once(forget, tube[1]));
    }
    close(tube[1]);
    if (read(tube[0], calls, sizeof *calls) != sizeof *calls)
        *calls = 0;
    close(tube[0]);
    waitpid(id, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void sweep(int code, long step)
{
    long calls = 0, none = 0;
    int ended[2] = {0, 0};

    CHECK(child(NULL, NULL, false, &calls) == RIGHT, "the run without faults is not right");
    for (long nth = 1; nth <= calls; nth += step) {
        char fault[64];
        snprintf(fault, sizeof fault, "*:%ld:%d", nth, code);
        int end = child("WAIO_DOUBLE_FAULT", fault, false, &none);
        CHECK(end == RIGHT || end == MESSAGE, "fault %s: ended with %d", fault, end);
        ended[end == MESSAGE]++;
    }
    CHECK(ended[1] > 0, "no fault was noticed");
    fprintf(stderr, "code %d: %ld calls, %d faults end with a message, %d with the right result\n",
            code, calls, ended[1], ended[0]);
}

/* Memory in steps from nothing to enough. */
static void test_memory(void)
{
    int ended[2] = {0, 0};
    long none = 0;

    for (long kilobytes = 0; kilobytes <= 640; kilobytes += 32) {
        char limit[32];
        snprintf(limit, sizeof limit, "%ld", kilobytes << 10);
        int end = child("WAIO_DOUBLE_MEMORY", limit, false, &none);
        CHECK(end == RIGHT || end == MESSAGE, "%s bytes: ended with %d", limit, end);
        ended[end == MESSAGE]++;
    }
    CHECK(ended[0] > 0 && ended[1] > 0, "%d runs fitted, %d did not", ended[0], ended[1]);
}

static void test_forgotten_wait(void)
{
    long none = 0;
    int end = child(NULL, NULL, true, &none);
    /* Old bytes as results, or as flags that say so. */
    CHECK(end == WRONG || end == MESSAGE, "without waiting the run ended with %d", end);
}

int main(void)
{
    prepare();
    test_forgotten_wait();
    test_memory();
    sweep(2, 1);   /* out of memory */
    sweep(700, 3); /* an illegal address: stays */
    free(images);
    waio_graph_free(networks[0]);
    waio_graph_free(networks[1]);
    return waio_check_result();
}
