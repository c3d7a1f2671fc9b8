/* Streams, events, and the work that waits in them. Every piece of work has a ticket; a stream runs
 * its own in order. What a piece waits for is run first, and nothing else. */
#include "cuda_double/double_internal.h"

#include <deque>
#include <string.h>
#include <vector>

typedef struct piece {
    unsigned long ticket;
    std::function<void()> work;
} piece;

struct CUstream_st {
    int device;
    bool blocking; /* waits for the legacy stream, and that one for it */
    std::deque<piece> queue;
};

struct CUevent_st {
    int device;
    cudaStream_t stream; /* where it was recorded; NULL and ticket 0: never */
    unsigned long ticket;
    bool timing;
    double milliseconds; /* when it was reached, by a counter of pieces and blocks */
};

static std::vector<cudaStream_t> streams;
static std::vector<cudaEvent_t> events;
static CUstream_st legacy[DOUBLE_DEVICES];
static unsigned long tickets, pieces_done;
static cudaError_t last, sticky[DOUBLE_DEVICES];
static long launches[DOUBLE_DEVICES];
static int at_work = -1; /* the device whose work runs */
static bool forgets;

/* The legacy stream is that of this thread's device. */
static cudaStream_t real(cudaStream_t stream)
{
    if (stream)
        return stream;
    cudaStream_t own = &legacy[double_current_device()];
    own->device = double_current_device();
    return own;
}

static bool is_legacy(cudaStream_t stream)
{
    return stream >= legacy && stream < legacy + DOUBLE_DEVICES;
}

int double_device_at_work(void)
{
    return at_work >= 0 ? at_work : double_current_device();
}

long double_launches(int device)
{
    return launches[device];
}

/* ---- errors ---- */

void double_fail(cudaError_t error)
{
    cudaError_t *own = &sticky[double_device_at_work()];

    if (!*own)
        *own = error;
}

cudaError_t double_sticky(void)
{
    return sticky[double_device_at_work()];
}

cudaError_t double_result(cudaError_t error)
{
    if (double_sticky())
        error = double_sticky();
    if (error)
        last = error;
    return error;
}

/* ---- running ---- */

static void run_until(cudaStream_t stream, unsigned long ticket);

static void run_front(cudaStream_t stream)
{
    piece p = stream->queue.front();
    int before = at_work;

    stream->queue.pop_front();
    if (is_legacy(stream)) {
        for (cudaStream_t other : streams)
            if (other->blocking && other->device == stream->device)
                run_until(other, p.ticket);
    } else if (stream->blocking) {
        run_until(&legacy[stream->device], p.ticket);
    }
    at_work = stream->device;
    if (!double_sticky())
        p.work();
    at_work = before;
    pieces_done++;
}

static void run_until(cudaStream_t stream, unsigned long ticket)
{
    while (!stream->queue.empty() && stream->queue.front().ticket <= ticket)
        run_front(stream);
}

void double_queue(cudaStream_t stream, std::function<void()> work)
{
    real(stream)->queue.push_back({++tickets, work});
}

void double_drain(cudaStream_t stream)
{
    double_open_memory();
    run_until(real(stream), tickets);
    double_close_memory();
}

void double_drain_all(int device)
{
    double_open_memory();
    run_until(&legacy[device], tickets);
    for (size_t i = 0; i < streams.size(); i++)
        if (streams[i]->device == device)
            run_until(streams[i], tickets);
    double_close_memory();
}

bool double_stream_lives(cudaStream_t stream)
{
    if (!stream)
        return true;
    for (cudaStream_t s : streams)
        if (s == stream)
            return true;
    return false;
}

void double_forget_synchronisation(int on)
{
    forgets = on != 0;
}

/* ---- streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    double_call call("cudaStreamCreateWithFlags");

    if (call.fault || double_sticky())
        return double_result((cudaError_t)call.fault);
    *stream = new CUstream_st{double_current_device(), !(flags & cudaStreamNonBlocking), {}};
    streams.push_back(*stream);
    double_count_object(1);
    return double_result(cudaSuccess);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    double_call call("cudaStreamDestroy");

    for (size_t i = 0; i < streams.size(); i++)
        if (streams[i] == stream) {
            double_drain(stream);
            streams.erase(streams.begin() + (long)i);
            delete stream;
            double_count_object(-1);
            return double_result((cudaError_t)call.fault);
        }
    return double_result(cudaErrorInvalidResourceHandle);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    double_call call("cudaStreamSynchronize");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (!double_stream_lives(stream))
        return double_result(cudaErrorInvalidResourceHandle);
    if (!forgets)
        double_drain(stream);
    return double_result(cudaSuccess);
}

cudaError_t cudaDeviceSynchronize(void)
{
    double_call call("cudaDeviceSynchronize");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    double_drain_all(double_current_device());
    return double_result(cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    double_call call("cudaStreamWaitEvent");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (!double_stream_lives(stream) || !event)
        return double_result(cudaErrorInvalidResourceHandle);
    if (event->ticket) {
        cudaStream_t where = event->stream;
        unsigned long ticket = event->ticket;
        double_queue(stream, [where, ticket] {
            if (double_stream_lives(is_legacy(where) ? NULL : where))
                run_until(where, ticket);
        });
    }
    return double_result(cudaSuccess);
}

/* ---- events ---- */

static bool event_lives(cudaEvent_t event)
{
    for (cudaEvent_t e : events)
        if (e == event)
            return true;
    return false;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    double_call call("cudaEventCreateWithFlags");

    if (call.fault || double_sticky())
        return double_result((cudaError_t)call.fault);
    *event = new CUevent_st{double_current_device(), NULL, 0, !(flags & cudaEventDisableTiming), 0};
    events.push_back(*event);
    double_count_object(1);
    return double_result(cudaSuccess);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    double_call call("cudaEventDestroy");

    for (size_t i = 0; i < events.size(); i++)
        if (events[i] == event) {
            events.erase(events.begin() + (long)i);
            delete event;
            double_count_object(-1);
            return double_result((cudaError_t)call.fault);
        }
    return double_result(cudaErrorInvalidResourceHandle);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    double_call call("cudaEventRecord");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (!event_lives(event) || !double_stream_lives(stream) ||
        event->device != real(stream)->device)
        return double_result(cudaErrorInvalidResourceHandle);
    double_queue(stream, [event] {
        if (event_lives(event))
            event->milliseconds = 0.001 * (double)pieces_done;
    });
    event->stream = real(stream);
    event->ticket = tickets;
    return double_result(cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    double_call call("cudaEventSynchronize");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (!event_lives(event))
        return double_result(cudaErrorInvalidResourceHandle);
    if (event->ticket && !forgets) {
        double_open_memory();
        run_until(event->stream, event->ticket);
        double_close_memory();
    }
    return double_result(cudaSuccess);
}

static bool is_pending(cudaEvent_t event)
{
    return event->ticket && !event->stream->queue.empty() &&
           event->stream->queue.front().ticket <= event->ticket;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    double_call call("cudaEventQuery");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (!event_lives(event))
        return double_result(cudaErrorInvalidResourceHandle);
    return is_pending(event) ? cudaErrorNotReady : double_result(cudaSuccess);
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    double_call call("cudaEventElapsedTime");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (!event_lives(start) || !event_lives(end) || !start->timing || !end->timing)
        return double_result(cudaErrorInvalidResourceHandle);
    if (is_pending(start) || is_pending(end))
        return cudaErrorNotReady;
    *milliseconds = (float)(end->milliseconds - start->milliseconds);
    return double_result(cudaSuccess);
}

/* ---- kernels ---- */

typedef struct launch_arguments {
    std::vector<std::vector<char>> value;
} launch_arguments;

static launch_arguments copy_arguments(const void *function, void **args)
{
    launch_arguments copy;
    const unsigned *sizes = launch_parameter_sizes(function);

    for (int i = 0; sizes && sizes[i]; i++) {
        const char *from = static_cast<const char *>(args[i]);
        copy.value.emplace_back(from, from + sizes[i]);
    }
    return copy;
}

/* Whether one of the words of the arguments is an address in another device's memory. */
static bool names_foreign_memory(const launch_arguments *copy)
{
    for (const std::vector<char> &value : copy->value)
        for (size_t i = 0; i + sizeof(void *) <= value.size(); i += sizeof(void *)) {
            const void *word;
            memcpy(&word, value.data() + i, sizeof word);
            int owner = double_owner(word);
            if (owner >= 0 && owner != double_current_device())
                return true;
        }
    return false;
}

static void run_kernel(const void *function, launch_arguments *copy, const launch_shape *shape)
{
    std::vector<void *> pointers;

    for (std::vector<char> &value : copy->value)
        pointers.push_back(value.data());
    pointers.push_back(NULL);
    pieces_done += (unsigned long)shape->grid.x * shape->grid.y * shape->grid.z;
    if (!launch_run(function, pointers.data(), shape))
        double_fail(cudaErrorLaunchFailure);
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **args,
                             size_t shared_bytes, cudaStream_t stream)
{
    double_call call("cudaLaunchKernel");
    launch_shape shape = {grid, block, shared_bytes};

    if (call.fault || double_sticky())
        return double_result((cudaError_t)call.fault);
    if (!double_stream_lives(stream) || real(stream)->device != double_current_device())
        return double_result(cudaErrorInvalidResourceHandle);
    cudaError_t error = launch_check(function, &shape);
    if (error)
        return double_result(error);
    launch_arguments copy = copy_arguments(function, args);
    if (names_foreign_memory(&copy)) {
        double_fail(cudaErrorIllegalAddress);
        return double_result(cudaSuccess);
    }
    launches[double_current_device()]++;
    double_queue(stream,
                 [function, copy, shape]() mutable { run_kernel(function, &copy, &shape); });
    return double_result(cudaSuccess);
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
    double_call call("cudaFuncSetAttribute");

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize)
        return double_result(launch_allow_shared(function, value));
    return double_result(cudaSuccess);
}

/* ---- what went wrong ---- */

void emulator_reset(void)
{
    last = cudaSuccess;
    for (cudaError_t &error : sticky)
        error = cudaSuccess;
    emulator_set_message("%s", "");
}

cudaError_t cudaPeekAtLastError(void)
{
    return last;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = last;
    last = double_sticky();
    return error;
}
