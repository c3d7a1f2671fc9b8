/* Times the tiles of a shape. Operands are memory of any content: the time does not depend on it.
 */
#include "backend/cuda/tune_cuda.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 4, LAUNCHES = 2, SMALLEST = 64 };
/* By this much another tile must be faster than the default to be taken: less is noise. */
#define LEAST_GAIN 0.98

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static bool is_on, is_read;
static waio_tile_entry entry[WAIO_TILE_ENTRIES];
static int entries;

void waio_cuda_tune_start(bool on)
{
    is_on = on;
    is_read = false;
    entries = 0;
}

/* ---- the file ---- */

/* The device without its memory and number of cards. */
static void device_line(char text[160])
{
    const waio_cuda_gpu *gpu = waio_cuda_gpu_now();
    const char *name = waio_cuda_devices() > 1 ? strstr(gpu->text, " x ") + 3 : gpu->text;

    snprintf(text, 160, "%.120s", name);
    char *memory = strrchr(text, ',');
    if (memory)
        *memory = '\0';
}

static void read_file(const char *path, const char *device)
{
    is_read = true;
    if (path && waio_tiles_read(entry, &entries, path, device) != WAIO_OK)
        fprintf(stderr, "cuda: tiles are measured anew: %s\n", waio_error_message());
}

/* A file that cannot be written costs the next run its measurements, nothing else. */
static void keep(const char *path, const char *device, const waio_tile_entry *e)
{
    if (entries == WAIO_TILE_ENTRIES)
        return;
    entry[entries++] = *e;
    if (path && waio_tiles_write(entry, entries, path, device) != WAIO_OK)
        waio_error_clear();
}

static const waio_tile_entry *find(const waio_tile_key *key)
{
    for (int i = 0; i < entries; i++)
        if (memcmp(&entry[i].key, key, sizeof *key) == 0)
            return &entry[i];
    return NULL;
}

/* ---- measuring ---- */

typedef struct trial {
    waio_cuda_layer layer;
    bool dense;
    void *x, *packed, *y, *flags;
    cudaStream_t stream;
    cudaEvent_t start, end;
} trial;

static waio_status run_once(const trial *t)
{
    waio_status st = WAIO_OK;

    if (t->dense)
        CUDA_TRY(st, waio_cuda_gemm_qs8(&t->layer, t->stream));
    else
        CUDA_TRY(st, waio_cuda_conv2d_qs8(&t->layer, t->stream));
done:
    return st;
}

/* The shortest of several samples: others were disturbed. */
static waio_status time_tile(float *least, trial *t, waio_cuda_tile tile)
{
    waio_status st = WAIO_OK;

    t->layer.tile = tile;
    WAIO_TRY(st, run_once(t));
    for (int i = 0; i < SAMPLES; i++) {
        float milliseconds = 0;
        CUDA_TRY(st, cudaEventRecord(t->start, t->stream));
        for (int n = 0; n < LAUNCHES; n++)
            WAIO_TRY(st, run_once(t));
        CUDA_TRY(st, cudaEventRecord(t->end, t->stream));
        CUDA_TRY(st, cudaEventSynchronize(t->end));
        CUDA_TRY(st, cudaEventElapsedTime(&milliseconds, t->start, t->end));
        if (i == 0 || milliseconds < *least)
            *least = milliseconds;
    }
done:
    return st;
}

static void close_trial(trial *t)
{
    void *const memory[] = {t->x, t->packed, t->y, t->flags};

    if (t->stream) {
        (void)cudaStreamSynchronize(t->stream);
        (void)cudaStreamDestroy(t->stream);
    }
    if (t->start)
        (void)cudaEventDestroy(t->start);
    if (t->end)
        (void)cudaEventDestroy(t->end);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i])
            (void)cudaFree(memory[i]);
    (void)cudaGetLastError();
}

static waio_status open_trial(trial *t, const waio_pack *pack, waio_requant rounding)
{
    waio_status st = WAIO_OK;
    const waio_conv_shape *s = &pack->shape;
    const waio_cuda_gpu *gpu = waio_cuda_gpu_now();
    int64_t pitch = waio_pack_x_pitch(pack) > s->ic ? waio_pack_x_pitch(pack) : s->ic;
    size_t pixels_in = (size_t)s->images * (size_t)s->ih * (size_t)s->iw;
    size_t pixels_out = (size_t)s->images * (size_t)s->oh * (size_t)s->ow;

    WAIO_TRY(st, waio_cuda_use(0));
    CUDA_TRY(st, cudaStreamCreateWithFlags(&t->stream, cudaStreamNonBlocking));
    CUDA_TRY(st, cudaEventCreateWithFlags(&t->start, cudaEventDefault));
    CUDA_TRY(st, cudaEventCreateWithFlags(&t->end, cudaEventDefault));
    CUDA_TRY(st, cudaMalloc(&t->x, pixels_in * (size_t)pitch));
    CUDA_TRY(st, cudaMalloc(&t->y, pixels_out * (size_t)s->oc));
    CUDA_TRY(st, cudaMalloc(&t->packed, pack->bytes));
    CUDA_TRY(st, cudaMalloc(&t->flags, sizeof(unsigned)));
    CUDA_TRY(st, cudaMemsetAsync(t->x, 0x55, pixels_in * (size_t)pitch, t->stream));
    CUDA_TRY(st, cudaMemsetAsync(t->packed, 0, pack->bytes, t->stream));
    t->layer = (waio_cuda_layer){.pack = *pack,
                                 .packed = t->packed,
                                 .x = t->x,
                                 .x_pitch = pitch,
                                 .y = t->y,
                                 .y_pitch = s->oc,
                                 .output = WAIO_CUDA_CODES,
                                 .rounding = rounding,
                                 .lo = -128,
                                 .hi = 127,
                                 .flags = t->flags,
                                 .device = {gpu->processors, 100 * gpu->major + 10 * gpu->minor}};
done:
    return st;
}

static waio_status measure(waio_cuda_tile *out, const waio_pack *pack, bool dense,
                           waio_requant rounding, waio_cuda_tile most)
{
    waio_status st = WAIO_OK;
    trial t = {.dense = dense};
    float least = 0, time = 0;

    WAIO_TRY(st, open_trial(&t, pack, rounding));
    waio_cuda_tile by_rule =
        waio_cuda_choose_tile((int64_t)pack->shape.images * pack->shape.oh * pack->shape.ow,
                              pack->per_group, pack->shape.groups, t.layer.device);
    *out = by_rule < most ? by_rule : most;
    WAIO_TRY(st, time_tile(&least, &t, *out));
    waio_cuda_tile first = *out;
    least *= (float)LEAST_GAIN;
    for (int tile = WAIO_CUDA_TILE_64X64; tile <= (int)most; tile++) {
        if (tile == (int)first)
            continue;
        WAIO_TRY(st, time_tile(&time, &t, (waio_cuda_tile)tile));
        if (time < least) {
            least = time;
            *out = (waio_cuda_tile)tile;
        }
    }
done:
    close_trial(&t);
    return st;
}

/* ---- one shape ---- */

static waio_status look_up(waio_cuda_tile *tile, const waio_pack *pack, bool dense,
                           waio_requant rounding, waio_cuda_tile most)
{
    waio_status st = WAIO_OK;
    bool by_real = rounding == WAIO_REQUANT_FLOAT || (dense && rounding == WAIO_REQUANT_TFLITE);
    waio_tile_entry e = {.key = {.shape = pack->shape, .by_real = by_real}};
    waio_arena *arena = waio_arena_new();
    char device[160];

    if (!arena)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    device_line(device);
    const char *path = waio_tiles_path(arena, device);
    if (!is_read)
        read_file(path, device);
    if (by_real && most > WAIO_CUDA_TILE_128X128)
        most = WAIO_CUDA_TILE_128X128;
    const waio_tile_entry *known = find(&e.key);
    if (!known) {
        WAIO_TRY(st, measure(&e.tile, pack, dense, rounding, most));
        keep(path, device, &e);
        known = &e;
    }
    *tile = known->tile;
done:
    waio_arena_free(arena);
    return st;
}

waio_status waio_cuda_tile_measured(waio_cuda_tile *tile, const waio_pack *pack, bool dense,
                                    waio_requant rounding)
{
    int64_t rows = (int64_t)pack->shape.images * pack->shape.oh * pack->shape.ow;
    bool large = waio_cuda_gpu_now()->major >= 8; /* 256x128 has more shared memory than sm_75 */
    waio_cuda_tile most = large ? WAIO_CUDA_TILE_256X128 : WAIO_CUDA_TILE_128X128;

    *tile = WAIO_CUDA_TILE_AUTO;
    if (!is_on || pack->types != WAIO_PACK_S8_S8 || pack->depthwise ||
        (rows <= SMALLEST && pack->per_group <= SMALLEST))
        return WAIO_OK;
    pthread_mutex_lock(&lock);
    waio_status st = look_up(tile, pack, dense, rounding, most);
    pthread_mutex_unlock(&lock);
    if (st == WAIO_ENOMEM) { /* another time */
        *tile = WAIO_CUDA_TILE_AUTO;
        st = WAIO_OK;
    }
    return st;
}
