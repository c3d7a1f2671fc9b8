/* Memory of the device and pinned memory of the host, copies, and the device itself. */
#include "cuda_double/double_internal.h"

#include <map>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vector>

enum : size_t { DEVICE_MEMORY = (size_t)448 << 20 }; /* less than the arena has */

static std::map<const char *, size_t> pinned;
static size_t pinned_bytes, held[DOUBLE_DEVICES], device_bytes[DOUBLE_DEVICES];
static int open_depth;
static thread_local int current; /* device */

int double_current_device(void)
{
    return current;
}

void double_count_live(double_live *out)
{
    *out = {0, pinned_bytes, double_objects()};
    for (int i = 0; i < DOUBLE_DEVICES; i++)
        out->device_bytes += device_bytes[i] + held[i];
}

/* ---- whose it is ---- */

typedef struct allocated {
    size_t bytes;
    int device;
} allocated;
static std::map<const char *, allocated> sizes;

int double_owner(const void *p)
{
    const char *at = static_cast<const char *>(p);

    if (!arena_holds(p))
        return -1;
    auto next = sizes.upper_bound(at);
    if (next == sizes.begin())
        return -1;
    --next;
    return at <= next->first + next->second.bytes ? next->second.device : -1;
}

/* ---- who may touch it ---- */

static void protect(int how)
{
    if (arena_base && mprotect(arena_base, ARENA_BYTES, how) != 0) {
        perror("double: mprotect");
        abort();
    }
}

void double_open_memory(void)
{
    if (open_depth++ == 0)
        protect(PROT_READ | PROT_WRITE);
}

void double_close_memory(void)
{
    if (--open_depth == 0)
        protect(PROT_NONE);
}

bool double_device_range(const void *p, size_t bytes)
{
    if (bytes == 0 ||
        (arena_holds(p) && arena_inside(p, bytes) && double_owner(p) == double_device_at_work()))
        return true;
    double_fail(cudaErrorIllegalAddress);
    return false;
}

static bool is_pinned(const void *p, size_t bytes)
{
    const char *start = static_cast<const char *>(p);
    auto next = pinned.upper_bound(start);

    if (next == pinned.begin())
        return false;
    --next;
    return start + bytes <= next->first + next->second;
}

/* ---- how much there is ---- */

static size_t limit;

void double_limit_memory(size_t bytes)
{
    limit = bytes;
}

static size_t device_size(void)
{
    if (limit)
        return limit;
    const char *text = getenv("WAIO_DOUBLE_MEMORY");
    size_t asked = text ? (size_t)strtoull(text, NULL, 10) : (size_t)DEVICE_MEMORY;
    return asked < (size_t)DEVICE_MEMORY ? asked : (size_t)DEVICE_MEMORY;
}

bool double_hold(size_t bytes)
{
    if (device_bytes[current] + held[current] + bytes > device_size())
        return false;
    held[current] += bytes;
    return true;
}

void double_give_back(size_t bytes, int device)
{
    held[device] -= bytes;
}

cudaError_t cudaMalloc(void **pointer, size_t bytes)
{
    double_call call("cudaMalloc");

    if (!pointer)
        return double_result(cudaErrorInvalidValue);
    *pointer = NULL;
    if (call.fault || double_sticky() || bytes == 0)
        return double_result((cudaError_t)call.fault);
    if (device_bytes[current] + held[current] + bytes > device_size())
        return double_result(cudaErrorMemoryAllocation);
    double_open_memory();
    *pointer = arena_allocate(bytes);
    double_close_memory();
    if (!*pointer)
        return double_result(cudaErrorMemoryAllocation);
    device_bytes[current] += bytes;
    sizes[static_cast<char *>(*pointer)] = {bytes, current};
    return double_result(cudaSuccess);
}

/* Freed memory is not used again soon; its pages would make every change of protection slower. */
static void forget_pages(char *start, size_t bytes)
{
    enum : uintptr_t { PAGE = 4096 };
    uintptr_t first = ((uintptr_t)start + PAGE - 1) / PAGE * PAGE;
    uintptr_t end = ((uintptr_t)start + bytes) / PAGE * PAGE;

    if (end > first)
        madvise(reinterpret_cast<void *>(first), end - first, MADV_DONTNEED);
}

cudaError_t cudaFree(void *pointer)
{
    double_call call("cudaFree");

    if (!pointer)
        return double_result((cudaError_t)call.fault);
    auto found = sizes.find(static_cast<char *>(pointer));
    if (found == sizes.end())
        return double_result(cudaErrorInvalidValue);
    double_drain_all(found->second.device); /* it waits for the device */
    arena_free(pointer);
    forget_pages(static_cast<char *>(pointer), found->second.bytes);
    device_bytes[found->second.device] -= found->second.bytes;
    sizes.erase(found);
    return double_result((cudaError_t)call.fault);
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned)
{
    double_call call("cudaHostAlloc");

    if (call.fault || double_sticky())
        return double_result((cudaError_t)call.fault);
    *pointer = malloc(bytes ? bytes : 1);
    if (!*pointer)
        return double_result(cudaErrorMemoryAllocation);
    memset(*pointer, 0xFF, bytes);
    pinned[static_cast<char *>(*pointer)] = bytes;
    pinned_bytes += bytes;
    return double_result(cudaSuccess);
}

cudaError_t cudaFreeHost(void *pointer)
{
    double_call call("cudaFreeHost");
    auto found = pinned.find(static_cast<char *>(pointer));

    if (found == pinned.end())
        return double_result(cudaErrorInvalidValue);
    for (int i = 0; i < DOUBLE_DEVICES; i++)
        double_drain_all(i);
    pinned_bytes -= found->second;
    pinned.erase(found);
    free(pointer);
    return double_result((cudaError_t)call.fault);
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *total)
{
    double_call call("cudaMemGetInfo");

    *total = device_size();
    *unused = *total - device_bytes[current] - held[current];
    return double_result((cudaError_t)call.fault);
}

/* ---- copies ---- */

static cudaError_t check_copy(const void *dst, const void *src, size_t bytes,
                              enum cudaMemcpyKind kind)
{
    bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;

    if (kind == cudaMemcpyDefault) {
        to = arena_holds(dst);
        from = arena_holds(src);
    }
    if (to != arena_holds(dst) || from != arena_holds(src))
        return cudaErrorInvalidMemcpyDirection;
    if ((to && !arena_inside(dst, bytes)) || (from && !arena_inside(src, bytes)))
        return cudaErrorInvalidValue;
    return cudaSuccess;
}

/* What a copy does when it runs. */
static void copy_now(void *dst, const void *src, size_t bytes)
{
    if (arena_holds(dst) && !double_device_range(dst, bytes))
        return;
    if (arena_holds(src) && !double_device_range(src, bytes))
        return;
    memmove(dst, src, bytes);
    if (!arena_holds(dst))
        return;
    arena_set_state(dst, bytes, EMULATOR_LIVE | EMULATOR_WRITTEN);
    if (arena_holds(src))
        memcpy(arena_state + arena_offset(dst), arena_state + arena_offset(src), bytes);
}

static void queue_copy(void *dst, const void *src, size_t bytes, cudaStream_t stream)
{
    if (arena_holds(dst) && !arena_holds(src) && !is_pinned(src, bytes)) {
        const char *from = static_cast<const char *>(src);
        std::vector<char> staged(from, from + bytes);
        double_queue(stream, [dst, staged] { copy_now(dst, staged.data(), staged.size()); });
        return;
    }
    double_queue(stream, [dst, src, bytes] { copy_now(dst, src, bytes); });
}

static cudaError_t start_copy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                              cudaStream_t stream, int fault)
{
    if (fault || double_sticky() || bytes == 0)
        return (cudaError_t)fault;
    if (!double_stream_lives(stream))
        return cudaErrorInvalidResourceHandle;
    cudaError_t error = check_copy(dst, src, bytes, kind);
    if (!error)
        queue_copy(dst, src, bytes, stream);
    return error;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    double_call call("cudaMemcpyAsync");
    return double_result(start_copy(dst, src, bytes, kind, stream, call.fault));
}

/* To the device: the source may be changed at once, but the bytes need not have arrived. */
cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
    double_call call("cudaMemcpy");
    cudaError_t error = start_copy(dst, src, bytes, kind, NULL, call.fault);

    if (!error && (!arena_holds(dst) || is_pinned(src, bytes)))
        double_drain(NULL);
    return double_result(error);
}

cudaError_t cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                              size_t width, size_t height, enum cudaMemcpyKind kind,
                              cudaStream_t stream)
{
    double_call call("cudaMemcpy2DAsync");

    if (call.fault || double_sticky() || width == 0 || height == 0)
        return double_result((cudaError_t)call.fault);
    if (width > dst_pitch || width > src_pitch || kind != cudaMemcpyDeviceToDevice ||
        !double_stream_lives(stream))
        return double_result(cudaErrorInvalidValue);
    cudaError_t error = check_copy(dst, src, width, kind);
    if (!error)
        error = check_copy(static_cast<char *>(dst) + (height - 1) * dst_pitch,
                           static_cast<const char *>(src) + (height - 1) * src_pitch, width, kind);
    if (error)
        return double_result(error);
    double_queue(stream, [=] {
        for (size_t y = 0; y < height; y++)
            copy_now(static_cast<char *>(dst) + y * dst_pitch,
                     static_cast<const char *>(src) + y * src_pitch, width);
    });
    return double_result(cudaSuccess);
}

static void copy_3d_now(const struct cudaMemcpy3DParms *p)
{
    for (size_t z = 0; z < p->extent.depth; z++)
        for (size_t y = 0; y < p->extent.height; y++) {
            const char *src =
                static_cast<const char *>(p->srcPtr.ptr) +
                ((z + p->srcPos.z) * p->srcPtr.ysize + y + p->srcPos.y) * p->srcPtr.pitch +
                p->srcPos.x;
            char *dst = static_cast<char *>(p->dstPtr.ptr) +
                        ((z + p->dstPos.z) * p->dstPtr.ysize + y + p->dstPos.y) * p->dstPtr.pitch +
                        p->dstPos.x;
            copy_now(dst, src, p->extent.width);
        }
}

cudaError_t cudaMemcpy3DAsync(const struct cudaMemcpy3DParms *p, cudaStream_t stream)
{
    double_call call("cudaMemcpy3DAsync");
    struct cudaMemcpy3DParms copy = *p;

    if (call.fault || double_sticky())
        return double_result((cudaError_t)call.fault);
    if (p->srcPos.x + p->extent.width > p->srcPtr.pitch ||
        p->dstPos.x + p->extent.width > p->dstPtr.pitch || p->kind != cudaMemcpyDeviceToDevice ||
        !arena_holds(p->srcPtr.ptr) || !arena_holds(p->dstPtr.ptr) || !double_stream_lives(stream))
        return double_result(cudaErrorInvalidValue);
    double_queue(stream, [copy] { copy_3d_now(&copy); });
    return double_result(cudaSuccess);
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream)
{
    double_call call("cudaMemsetAsync");

    if (call.fault || double_sticky() || bytes == 0)
        return double_result((cudaError_t)call.fault);
    if (!arena_holds(dst) || !arena_inside(dst, bytes) || !double_stream_lives(stream))
        return double_result(cudaErrorInvalidValue);
    double_queue(stream, [dst, value, bytes] {
        if (!double_device_range(dst, bytes))
            return;
        memset(dst, value, bytes);
        arena_set_state(dst, bytes, EMULATOR_LIVE | EMULATOR_WRITTEN);
    });
    return double_result(cudaSuccess);
}

cudaError_t cudaMemset(void *dst, int value, size_t bytes)
{
    return cudaMemsetAsync(dst, value, bytes, NULL);
}

/* ---- the device ---- */

typedef struct profile {
    const char *name;
    int major, minor, processors;
    size_t shared_bytes;
    int clock, memory_clock, bus_bits; /* kHz */
} profile;

static const profile *profile_of(int device)
{
    static const profile profiles[] = {
        {"sm_75", 7, 5, 40, (size_t)64 << 10, 1590000, 5001000, 256},
        {"sm_80", 8, 0, 108, (size_t)163 << 10, 1410000, 1215000, 5120},
        {"sm_86", 8, 6, 68, (size_t)99 << 10, 1710000, 9501000, 320},
        {"sm_120", 12, 0, 84, (size_t)99 << 10, 2617000, 15001000, 256},
    };

    for (const profile &p : profiles)
        if (double_device_name(device) == p.name)
            return &p;
    return NULL;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    double_call call("cudaGetDeviceCount");
    const std::string name = double_device_name(0);

    if (call.fault)
        return double_result((cudaError_t)call.fault);
    if (name == "nodriver" || name == "old")
        return double_result(cudaErrorInsufficientDriver);
    if (!profile_of(0))
        return double_result(cudaErrorNoDevice);
    for (*count = 1; *count < DOUBLE_DEVICES && profile_of(*count);)
        ++*count;
    emulator_set_shared_limit(profile_of(0)->shared_bytes);
    return double_result(cudaSuccess);
}

cudaError_t cudaDriverGetVersion(int *version)
{
    const std::string name = double_device_name(0);
    *version = name == "nodriver" ? 0 : name == "old" ? 12000 : 13000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    double_call call("cudaSetDevice");
    if (call.fault || device < 0 || device >= DOUBLE_DEVICES || !profile_of(device))
        return double_result(call.fault ? (cudaError_t)call.fault : cudaErrorInvalidDevice);
    current = device;
    return double_result(cudaSuccess);
}

cudaError_t cudaGetDevice(int *device)
{
    *device = current;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    double_call call("cudaGetDeviceProperties");
    const profile *p = device < 0 ? NULL : profile_of(device);

    if (call.fault || !p)
        return double_result(call.fault ? (cudaError_t)call.fault : cudaErrorInvalidDevice);
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "device double");
    properties->major = p->major;
    properties->minor = p->minor;
    properties->multiProcessorCount = p->processors;
    properties->totalGlobalMem = device_size();
    return double_result(cudaSuccess);
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    double_call call("cudaDeviceGetAttribute");
    const profile *p = device < 0 ? NULL : profile_of(device);

    if (call.fault || !p)
        return double_result(call.fault ? (cudaError_t)call.fault : cudaErrorInvalidDevice);
    *value = attribute == cudaDevAttrComputeCapabilityMajor         ? p->major
             : attribute == cudaDevAttrComputeCapabilityMinor       ? p->minor
             : attribute == cudaDevAttrMultiProcessorCount          ? p->processors
             : attribute == cudaDevAttrMaxSharedMemoryPerBlockOptin ? (int)p->shared_bytes
             : attribute == cudaDevAttrClockRate                    ? p->clock
             : attribute == cudaDevAttrMemoryClockRate              ? p->memory_clock
             : attribute == cudaDevAttrGlobalMemoryBusWidth         ? p->bus_bits
                                                                    : 0;
    return double_result(cudaSuccess);
}
