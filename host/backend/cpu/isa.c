#include "backend/cpu/isa.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[WAIO_ISA_COUNT] = {"portable", "avx2", "vnni"};

const char *waio_isa_name(waio_isa isa)
{
    return names[isa];
}

bool waio_isa_present(waio_isa isa)
{
#if defined(__x86_64__)
    if (isa == WAIO_ISA_AVX2)
        return __builtin_cpu_supports("avx2");
    if (isa == WAIO_ISA_VNNI)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni");
#endif
    return isa == WAIO_ISA_PORTABLE;
}

static waio_isa best(void)
{
    int isa = WAIO_ISA_COUNT - 1;

    while (!waio_isa_present((waio_isa)isa))
        isa--;
    return (waio_isa)isa;
}

waio_status waio_isa_choose(waio_isa *isa)
{
    const char *asked = getenv("WAIO_CPU_ISA");

    *isa = best();
    if (!asked || !asked[0])
        return WAIO_OK;
    for (int i = 0; i < WAIO_ISA_COUNT; i++)
        if (strcmp(asked, names[i]) == 0 && waio_isa_present((waio_isa)i)) {
            *isa = (waio_isa)i;
            return WAIO_OK;
        }
    return waio_error(WAIO_EUSAGE,
                      "WAIO_CPU_ISA=%s: expected portable, avx2 or vnni, of which this processor "
                      "has %s and what stands in front of it",
                      asked, names[*isa]);
}
