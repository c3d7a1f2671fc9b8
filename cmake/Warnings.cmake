# Warnings as an interface target: every target of ours links it, generated code does not.
add_library(waio_warnings INTERFACE)
target_compile_options(waio_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
  # Equal numbers on every machine: no fused multiply-add unless it is written, no fast math.
  -ffp-contract=off -fno-math-errno -fno-trapping-math)
if(WAIO_WERROR)
  target_compile_options(waio_warnings INTERFACE -Werror)
endif()
