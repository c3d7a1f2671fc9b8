/* Which instructions the integer kernels use. All give the same bytes; WAIO_CPU_ISA=portable, avx2
 * or vnni takes another than the best one, so that tests cover each on one machine. */
#ifndef WAIO_BACKEND_CPU_ISA_H
#define WAIO_BACKEND_CPU_ISA_H

#include <stdbool.h>

#include "util/status.h"

typedef enum waio_isa {
    WAIO_ISA_PORTABLE, /* plain C */
    WAIO_ISA_AVX2,     /* pmaddwd on 256 bits */
    WAIO_ISA_VNNI,     /* AVX-512 with VNNI: vpdpbusd, vpdpwssd on 512 bits */
    WAIO_ISA_COUNT
} waio_isa;

const char *waio_isa_name(waio_isa isa);

/* Whether this processor and this build have it. */
bool waio_isa_present(waio_isa isa);

/* The best one, or the one named in the environment variable WAIO_CPU_ISA, which is read at every
 * call. WAIO_EUSAGE if that one is unknown or not present. */
waio_status waio_isa_choose(waio_isa *isa);

#endif
