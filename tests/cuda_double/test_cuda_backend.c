/* Placeholder until the first networks run. */
#include "backend/backend.h"
#include "check.h"

int main(void)
{
    const waio_backend *cuda = NULL;
    CHECK_OK(waio_backend_find(&cuda, "cuda"));
    return waio_check_result();
}
