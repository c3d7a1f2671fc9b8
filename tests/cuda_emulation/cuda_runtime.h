/* CUDA C's own words for g++: a kernel file that includes this instead of the toolkit's header of
 * the same name is plain C++ and runs on the emulator (block.cpp). Only what our kernels use.
 * Functions that stand for instructions of a warp take the source line as a last argument. */
#ifndef WAIO_TESTS_CUDA_RUNTIME_H
#define WAIO_TESTS_CUDA_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <utility>

#include <cuda_runtime_api.h>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __forceinline__
#undef __noinline__
#undef __launch_bounds__
#undef __grid_constant__
#undef __align__
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))

/* Functions that touch memory in the hardware's name: the compiler's hooks do not see them, they
 * report one access of the instruction's width themselves. */
#define EMULATED_INSTRUCTION __attribute__((no_sanitize("thread")))

/* ---- where the running thread is ---- */

typedef struct emulated_position {
    uint3 thread, block;
    dim3 block_dim, grid_dim;
} emulated_position;
extern emulated_position *emulated_now;
extern char *emulated_shared; /* the block's dynamic shared memory */

#define threadIdx (emulated_now->thread)
#define blockIdx  (emulated_now->block)
#define blockDim  (emulated_now->block_dim)
#define gridDim   (emulated_now->grid_dim)
static const int warpSize = 32;

/* ---- barriers and warps ---- */

enum emulated_shuffle_kind { EMULATED_INDEX, EMULATED_UP, EMULATED_DOWN, EMULATED_XOR };
typedef struct emulated_shuffle {
    const void *value;
    void *result;
    unsigned bytes;
    int kind, arg, width;
} emulated_shuffle;

void emulated_syncthreads(int line);
void emulated_syncwarp(unsigned mask, int line);
unsigned emulated_ballot(unsigned mask, int predicate, int line);
void emulated_shuffle_lanes(unsigned mask, emulated_shuffle *operands, int line);

static inline void __syncthreads(int line = __builtin_LINE())
{
    emulated_syncthreads(line);
}

static inline void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE())
{
    emulated_syncwarp(mask, line);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE())
{
    return emulated_ballot(mask, predicate, line);
}

static inline int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE())
{
    return emulated_ballot(mask, predicate, line) != 0;
}

static inline int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE())
{
    return emulated_ballot(mask, !predicate, line) == 0;
}

#define EMULATED_SHUFFLE(name, kind, type)                                                         \
    template <class T>                                                                             \
    static inline T name(unsigned mask, T value, type arg, int width = 32,                         \
                         int line = __builtin_LINE())                                              \
    {                                                                                              \
        static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");             \
        T result;                                                                                  \
        emulated_shuffle operands = {&value, &result, sizeof(T), kind, (int)arg, width};           \
        emulated_shuffle_lanes(mask, &operands, line);                                             \
        return result;                                                                             \
    }
EMULATED_SHUFFLE(__shfl_sync, EMULATED_INDEX, int)
EMULATED_SHUFFLE(__shfl_up_sync, EMULATED_UP, unsigned)
EMULATED_SHUFFLE(__shfl_down_sync, EMULATED_DOWN, unsigned)
EMULATED_SHUFFLE(__shfl_xor_sync, EMULATED_XOR, int)
#undef EMULATED_SHUFFLE

static inline void __threadfence(void)
{
}

/* ---- atomics: only one fiber runs at a time; no floats, their order is not fixed ---- */

void emulated_atomic(const void *address, unsigned bytes);

#define EMULATED_ATOMIC(name, T, next)                                                             \
    EMULATED_INSTRUCTION static inline T name(T *address, T value)                                 \
    {                                                                                              \
        emulated_atomic(address, sizeof(T));                                                       \
        T old = *address;                                                                          \
        *address = (next);                                                                         \
        return old;                                                                                \
    }
typedef unsigned long long emulated_u64;
typedef long long emulated_s64;
EMULATED_ATOMIC(atomicAdd, int, (int)((unsigned)old + (unsigned)value))
EMULATED_ATOMIC(atomicAdd, unsigned, old + value)
EMULATED_ATOMIC(atomicAdd, emulated_u64, old + value)
EMULATED_ATOMIC(atomicMin, int, old < value ? old : value)
EMULATED_ATOMIC(atomicMin, unsigned, old < value ? old : value)
EMULATED_ATOMIC(atomicMin, emulated_u64, old < value ? old : value)
EMULATED_ATOMIC(atomicMin, emulated_s64, old < value ? old : value)
EMULATED_ATOMIC(atomicMax, int, old > value ? old : value)
EMULATED_ATOMIC(atomicMax, unsigned, old > value ? old : value)
EMULATED_ATOMIC(atomicMax, emulated_u64, old > value ? old : value)
EMULATED_ATOMIC(atomicMax, emulated_s64, old > value ? old : value)
EMULATED_ATOMIC(atomicOr, unsigned, old | value)
EMULATED_ATOMIC(atomicExch, int, value)
EMULATED_ATOMIC(atomicExch, unsigned, value)
#undef EMULATED_ATOMIC

/* ---- arithmetic ---- */

static inline int __float_as_int(float x)
{
    int bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __int_as_float(int bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline unsigned __float_as_uint(float x)
{
    return (unsigned)__float_as_int(x);
}

static inline float __uint_as_float(unsigned bits)
{
    return __int_as_float((int)bits);
}

/* Ties to even; saturates, NaN gives 0. */
static inline int __float2int_rn(float x)
{
    float rounded = rintf(x);
    if (!(rounded == rounded))
        return 0;
    return rounded >= 2147483648.0f    ? INT32_MAX
           : rounded <= -2147483648.0f ? INT32_MIN
                                       : (int)rounded;
}

/* Byte i of the result is byte (selector nibble i) & 7 of the eight bytes y:x; bit 3 of a nibble
 * asks for its sign instead. */
static inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector)
{
    uint64_t bytes = (uint64_t)y << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) {
        unsigned nibble = selector >> 4 * i & 15;
        unsigned byte = (unsigned)(bytes >> 8 * (nibble & 7)) & 0xff;
        result |= (nibble & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte) << 8 * i;
    }
    return result;
}

static inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

static inline int __clz(int x)
{
    return x ? __builtin_clz((unsigned)x) : 32;
}

static inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

#define EMULATED_MIN_MAX(T)                                                                        \
    static inline T min(T a, T b)                                                                  \
    {                                                                                              \
        return b < a ? b : a;                                                                      \
    }                                                                                              \
    static inline T max(T a, T b)                                                                  \
    {                                                                                              \
        return a < b ? b : a;                                                                      \
    }
EMULATED_MIN_MAX(int)
EMULATED_MIN_MAX(unsigned)
EMULATED_MIN_MAX(long)
EMULATED_MIN_MAX(unsigned long)
#undef EMULATED_MIN_MAX

#define EMULATED_MAKE2(T, E)                                                                       \
    static inline T make_##T(E x, E y)                                                             \
    {                                                                                              \
        T v = {x, y};                                                                              \
        return v;                                                                                  \
    }
#define EMULATED_MAKE4(T, E)                                                                       \
    static inline T make_##T(E x, E y, E z, E w)                                                   \
    {                                                                                              \
        T v = {x, y, z, w};                                                                        \
        return v;                                                                                  \
    }
EMULATED_MAKE2(int2, int)
EMULATED_MAKE2(uint2, unsigned)
EMULATED_MAKE2(float2, float)
EMULATED_MAKE2(double2, double)
EMULATED_MAKE2(short2, short)
EMULATED_MAKE4(int4, int)
EMULATED_MAKE4(uint4, unsigned)
EMULATED_MAKE4(float4, float)
EMULATED_MAKE4(char4, signed char)
EMULATED_MAKE4(uchar4, unsigned char)
EMULATED_MAKE4(short4, short)
#undef EMULATED_MAKE2
#undef EMULATED_MAKE4

/* ---- what kernels/ptx.cuh is made of here ---- */

typedef struct emulated_mma {
    int m, k; /* the shape is m x 8 x k: 16x8x32, 16x8x16 or 8x8x16 */
    int a_signed, b_signed;
    int *d; /* sums, added to */
    const unsigned *a, *b;
} emulated_mma;

void emulated_mma_sync(emulated_mma *operands, int line);
/* count: 1, 2 or 4 matrices, as many registers. `row`: this lane's 16 bytes in shared memory. */
void emulated_ldmatrix(unsigned *registers, int count, const void *row, int line);
/* bytes: 4, 8 or 16; the first `valid` come from src, the others are 0. */
void emulated_copy_async(void *shared_dst, const void *global_src, unsigned bytes, unsigned valid,
                         int line);
void emulated_copy_commit(void);
void emulated_copy_wait(int groups_left);
/* One access of `bytes` bytes, all of them by one instruction. */
void emulated_load(void *dst, const void *src, unsigned bytes, int line);
void emulated_store(void *dst, const void *src, unsigned bytes, int line);

/* ---- launching ---- */

typedef void (*emulated_thunk)(const void *function, void **args);
/* Makes a kernel known: how to call it and the sizes of its parameters, 0 after the last. */
void emulated_register_kernel(const void *function, emulated_thunk thunk, const unsigned *sizes);

template <class T> struct emulated_same {
    typedef T type;
};

template <class... P> struct emulated_call {
    template <size_t... I>
    static void unpack(const void *function, void **args, std::index_sequence<I...>)
    {
        (void)args;
        reinterpret_cast<void (*)(P...)>(const_cast<void *>(function))(
            *static_cast<P *>(args[I])...);
    }
    static void thunk(const void *function, void **args)
    {
        unpack(function, args, std::index_sequence_for<P...>());
    }
};

#endif
