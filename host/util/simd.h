/* WAIO_SIMD before a function: the compiler makes versions of it for wider vectors and the loader
 * takes the best for this processor. Contraction is off, so all versions give equal numbers. */
#ifndef WAIO_UTIL_SIMD_H
#define WAIO_UTIL_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(WAIO_NO_MULTIVERSION)
#define WAIO_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WAIO_SIMD
#endif

#endif
