/* Every instruction that CUDA C has no word for, one small device function each: asm for nvcc, a
 * call of the emulator for g++. With g = lane / 4, t = lane % 4, a register of four bytes holding
 * the lowest byte first:
 *
 *   mma      A register r                             B register r            sum i
 *   8x8x16   row g,             k = 4t..4t+3          column g, k = 4t..      row g, column 2t+i
 *   16x8x16  row g + 8r,        k = 4t..4t+3          column g, k = 4t..      row g + 8(i/2),
 *   16x8x32  row g + 8(r%2),    k = 16(r/2) + 4t..    column g, k = 16r+4t..    column 2t + i%2
 *
 * (NVIDIA, PTX ISA, "Matrix fragments for mma".) Sums of 32 bits wrap around. All lanes of a warp
 * take part. Below sm_80 the larger shapes are made of 8x8x16, and an async copy is a plain one. */
#ifndef WAIO_KERNELS_PTX_CUH
#define WAIO_KERNELS_PTX_CUH

#include <stdint.h>

#include "kernels/portable.cuh"

#ifdef __CUDACC__
#define WAIO_LINE /* the emulator's messages name source lines */
#define WAIO_LINE_PASS
#else
#define WAIO_LINE      , [[maybe_unused]] int line = __builtin_LINE()
#define WAIO_LINE_PASS , line
#endif

/* ---- matrix multiply: d += a * b ---- */

#ifdef __CUDACC__
#define WAIO_MMA_8(A, B)                                                                           \
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32." A "." B ".s32 "                           \
                 "{%0,%1}, {%2}, {%3}, {%0,%1};"                                                   \
                 : "+r"(d[0]), "+r"(d[1])                                                          \
                 : "r"(a[0]), "r"(b[0]))
#define WAIO_MMA_16(A, B)                                                                          \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.s32." A "." B ".s32 "                          \
                 "{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"                                    \
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])                                  \
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]))
#define WAIO_MMA_32(A, B)                                                                          \
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32." A "." B ".s32 "                          \
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                           \
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])                                  \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
/* The signs are constants, so one of the four is left after inlining. */
#define WAIO_MMA_SIGNS(MMA)                                                                        \
    do {                                                                                           \
        if (A_SIGNED && B_SIGNED)                                                                  \
            MMA("s8", "s8");                                                                       \
        else if (A_SIGNED)                                                                         \
            MMA("s8", "u8");                                                                       \
        else if (B_SIGNED)                                                                         \
            MMA("u8", "s8");                                                                       \
        else                                                                                       \
            MMA("u8", "u8");                                                                       \
    } while (0)
#endif

/* d[2] += a[1] * b[1]: 8x8x16. */
template <bool A_SIGNED, bool B_SIGNED>
static __device__ __forceinline__ void waio_mma_8x8x16(int *d, const unsigned *a,
                                                       const unsigned *b WAIO_LINE)
{
#ifdef __CUDACC__
    WAIO_MMA_SIGNS(WAIO_MMA_8);
#else
    emulated_mma operands = {8, 16, A_SIGNED, B_SIGNED, d, a, b};
    emulated_mma_sync(&operands, line);
#endif
}

/* d[4] += a[2] * b[1]: 16x8x16. */
template <bool A_SIGNED, bool B_SIGNED>
static __device__ __forceinline__ void waio_mma_16x8x16(int *d, const unsigned *a,
                                                        const unsigned *b WAIO_LINE)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
    waio_mma_8x8x16<A_SIGNED, B_SIGNED>(d, a, b WAIO_LINE_PASS);
    waio_mma_8x8x16<A_SIGNED, B_SIGNED>(d + 2, a + 1, b WAIO_LINE_PASS);
#elif defined __CUDACC__
    WAIO_MMA_SIGNS(WAIO_MMA_16);
#else
    emulated_mma operands = {16, 16, A_SIGNED, B_SIGNED, d, a, b};
    emulated_mma_sync(&operands, line);
#endif
}

/* d[4] += a[4] * b[2]: 16x8x32. */
template <bool A_SIGNED, bool B_SIGNED>
static __device__ __forceinline__ void waio_mma_16x8x32(int *d, const unsigned *a,
                                                        const unsigned *b WAIO_LINE)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
    waio_mma_8x8x16<A_SIGNED, B_SIGNED>(d, a, b WAIO_LINE_PASS);
    waio_mma_8x8x16<A_SIGNED, B_SIGNED>(d, a + 2, b + 1 WAIO_LINE_PASS);
    waio_mma_8x8x16<A_SIGNED, B_SIGNED>(d + 2, a + 1, b WAIO_LINE_PASS);
    waio_mma_8x8x16<A_SIGNED, B_SIGNED>(d + 2, a + 3, b + 1 WAIO_LINE_PASS);
#elif defined __CUDACC__
    WAIO_MMA_SIGNS(WAIO_MMA_32);
#else
    emulated_mma operands = {16, 32, A_SIGNED, B_SIGNED, d, a, b};
    emulated_mma_sync(&operands, line);
#endif
}

/* ---- ldmatrix: N (1, 2, 4) matrices of 8 rows of 16 bytes from shared memory ----
 * Lane L passes the address of row L % 8 of matrix L / 8, 16-byte aligned; lanes past 8N pass
 * anything. Register j of a lane receives bytes 4t..4t+3 of row g of matrix j. */
template <int N>
static __device__ __forceinline__ void waio_ldmatrix(unsigned *r, const void *row WAIO_LINE)
{
    static_assert(N == 1 || N == 2 || N == 4, "ldmatrix loads 1, 2 or 4 matrices");
#ifdef __CUDACC__
    unsigned address = (unsigned)__cvta_generic_to_shared(row);
    if constexpr (N == 1)
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                     : "=r"(r[0])
                     : "r"(address)
                     : "memory");
    else if constexpr (N == 2)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                     : "=r"(r[0]), "=r"(r[1])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(address)
                     : "memory");
#else
    emulated_ldmatrix(r, N, row, line);
#endif
}

/* ---- one access of 16 bytes; both addresses 16-byte aligned ---- */

template <class T> static __device__ __forceinline__ T waio_ld16(const T *src WAIO_LINE)
{
    static_assert(sizeof(T) == 16, "16 bytes");
#ifdef __CUDACC__
    return *src;
#else
    T value;
    emulated_load(&value, src, 16, line);
    return value;
#endif
}

template <class T> static __device__ __forceinline__ void waio_st16(T *dst, T value WAIO_LINE)
{
    static_assert(sizeof(T) == 16, "16 bytes");
#ifdef __CUDACC__
    *dst = value;
#else
    emulated_store(dst, &value, 16, line);
#endif
}

/* The same for vectors of 2, 4 and 8 bytes (char2, short2, char4, short4, float2). */
template <class T> static __device__ __forceinline__ T waio_ld(const T *src WAIO_LINE)
{
#ifdef __CUDACC__
    return *src;
#else
    T value;
    emulated_load(&value, src, sizeof(T), line);
    return value;
#endif
}

template <class T> static __device__ __forceinline__ void waio_st(T *dst, T value WAIO_LINE)
{
#ifdef __CUDACC__
    *dst = value;
#else
    emulated_store(dst, &value, sizeof(T), line);
#endif
}

/* ---- async copies from global to shared memory ----
 * Both addresses are multiples of the size. `valid` bytes are copied, the rest becomes 0; src is
 * not read if valid is 0, but must be an address of the right alignment. The bytes are there for
 * the copying thread after the wait for its group, for the others after a barrier behind that. */

#if defined __CUDACC__ && (WAIO_ARCH == 0 || WAIO_ARCH >= 800)
#define WAIO_COPY_ASYNC(CACHE, BYTES)                                                              \
    asm volatile("cp.async." CACHE ".shared.global [%0], [%1], " BYTES ", %2;"                     \
                 :                                                                                 \
                 : "r"((unsigned)__cvta_generic_to_shared(shared_dst)), "l"(global_src),           \
                   "r"(valid)                                                                      \
                 : "memory")
#endif

/* The plain form of an async copy, for sm_75: T is as long as the copy. */
template <class T>
static __device__ __forceinline__ void waio_copy_plain(void *shared_dst, const void *global_src,
                                                       unsigned valid)
{
    union {
        T whole;
        unsigned char byte[sizeof(T)];
    } value = {};

    if (valid == sizeof(T))
        value.whole = waio_ld(static_cast<const T *>(global_src));
    else
        for (unsigned i = 0; i < sizeof(T); i++)
            if (i < valid)
                value.byte[i] = static_cast<const unsigned char *>(global_src)[i];
    waio_st(static_cast<T *>(shared_dst), value.whole);
}

static __device__ __forceinline__ void waio_copy_async_16(void *shared_dst, const void *global_src,
                                                          unsigned valid WAIO_LINE)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
    waio_copy_plain<uint4>(shared_dst, global_src, valid);
#elif defined __CUDACC__
    WAIO_COPY_ASYNC("cg", "16");
#else
    emulated_copy_async(shared_dst, global_src, 16, valid, line);
#endif
}

/* For copies that are valid whole or not at all (valid is 0 or 16): no bytes on sm_75. */
static __device__ __forceinline__ void
waio_copy_async_16_or_0(void *shared_dst, const void *global_src, bool whole WAIO_LINE)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
    waio_st16(static_cast<uint4 *>(shared_dst),
              whole ? waio_ld16(static_cast<const uint4 *>(global_src)) : make_uint4(0, 0, 0, 0));
#else
    waio_copy_async_16(shared_dst, global_src, whole ? 16 : 0 WAIO_LINE_PASS);
#endif
}

static __device__ __forceinline__ void waio_copy_async_8(void *shared_dst, const void *global_src,
                                                         unsigned valid WAIO_LINE)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
    waio_copy_plain<uint2>(shared_dst, global_src, valid);
#elif defined __CUDACC__
    WAIO_COPY_ASYNC("ca", "8");
#else
    emulated_copy_async(shared_dst, global_src, 8, valid, line);
#endif
}

static __device__ __forceinline__ void waio_copy_async_4(void *shared_dst, const void *global_src,
                                                         unsigned valid WAIO_LINE)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
    waio_copy_plain<unsigned>(shared_dst, global_src, valid);
#elif defined __CUDACC__
    WAIO_COPY_ASYNC("ca", "4");
#else
    emulated_copy_async(shared_dst, global_src, 4, valid, line);
#endif
}

/* Makes a group of the copies since the last commit; a group may be empty. */
static __device__ __forceinline__ void waio_copy_commit(void)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
#elif defined __CUDACC__
    asm volatile("cp.async.commit_group;" : : : "memory");
#else
    emulated_copy_commit();
#endif
}

/* Waits until at most the last GROUPS groups of this thread are on their way. */
template <int GROUPS> static __device__ __forceinline__ void waio_copy_wait(void)
{
#if WAIO_ARCH > 0 && WAIO_ARCH < 800
#elif defined __CUDACC__
    asm volatile("cp.async.wait_group %0;" : : "n"(GROUPS) : "memory");
#else
    emulated_copy_wait(GROUPS);
#endif
}

/* ---- sum + the dot product of four bytes and four bytes; wraps around ---- */
template <bool A_SIGNED, bool B_SIGNED>
static __device__ __forceinline__ int waio_dp4a(unsigned a, unsigned b, int sum)
{
#ifdef __CUDACC__
    int d;
    if (A_SIGNED && B_SIGNED)
        asm volatile("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(sum));
    else if (A_SIGNED)
        asm volatile("dp4a.s32.u32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(sum));
    else if (B_SIGNED)
        asm volatile("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(sum));
    else
        asm volatile("dp4a.u32.u32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(sum));
    return d;
#else
    for (int shift = 0; shift < 32; shift += 8) {
        int x = A_SIGNED ? (int8_t)(a >> shift) : (uint8_t)(a >> shift);
        int y = B_SIGNED ? (int8_t)(b >> shift) : (uint8_t)(b >> shift);
        sum = (int)((unsigned)sum + (unsigned)(x * y));
    }
    return sum;
#endif
}

#endif
