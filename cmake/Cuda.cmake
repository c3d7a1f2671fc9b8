# The CUDA kernels for GPUs, if there is a toolkit. Emulated tests of them need none.
set(WAIO_CUDA_TARGETS "75;80;86;89;90;100;120" CACHE STRING
  "Architectures to compile kernels for; PTX of the last one is added")
set(WAIO_CUDA_STATE "off  WAIO_CUDA=OFF")
set(WAIO_CUDA_FOUND OFF)
if(WAIO_CUDA STREQUAL "OFF")
  return()
endif()

include(CheckLanguage)
# check_language looks on the PATH; the toolkit's usual place is often not there.
if(NOT CMAKE_CUDA_COMPILER)
  find_program(WAIO_NVCC nvcc HINTS $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
  if(WAIO_NVCC)
    set(CMAKE_CUDA_COMPILER ${WAIO_NVCC} CACHE FILEPATH "")
  endif()
endif()
if(CMAKE_CUDA_COMPILER)
  check_language(CUDA)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(WAIO_CUDA STREQUAL "ON")
    message(FATAL_ERROR "WAIO_CUDA=ON, but nvcc was not found. The toolkit (13.0 or later) comes from\n"
      "https://developer.nvidia.com/cuda-downloads; or use WAIO_CUDA=OFF")
  endif()
  set(WAIO_CUDA_STATE "off  no nvcc here")
  return()
endif()

set(CMAKE_CUDA_ARCHITECTURES OFF) # ours are in the flags below
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13.0)
  if(WAIO_CUDA STREQUAL "ON")
    message(FATAL_ERROR "WAIO_CUDA=ON needs nvcc 13.0, here is ${CMAKE_CUDA_COMPILER_VERSION}")
  endif()
  set(WAIO_CUDA_STATE "off  nvcc ${CMAKE_CUDA_COMPILER_VERSION} is older than 13.0")
  return()
endif()
set(WAIO_CUDA_FOUND ON)
string(REPLACE ";" " " cuda_targets "${WAIO_CUDA_TARGETS}")
set(WAIO_CUDA_STATE "kernels only, nvcc ${CMAKE_CUDA_COMPILER_VERSION} for sm ${cuda_targets}")

# Equal numbers as on the CPU: no fused multiply-add unless it is written. The first spilled byte
# fails the build. Device code stays uncompressed: the machine code check reads it.
add_library(waio_cuda_flags INTERFACE)
target_compile_options(waio_cuda_flags INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:
  -fmad=false -Xptxas=-warn-spills,-warn-lmem-usage,-Werror --no-compress
  -Xcompiler=-Wall,-Wextra,-ffp-contract=off>)
if(WAIO_WERROR)
  target_compile_options(waio_cuda_flags INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:
    -Werror=all-warnings -Xcompiler=-Werror>)
endif()
foreach(target ${WAIO_CUDA_TARGETS})
  target_compile_options(waio_cuda_flags INTERFACE
    "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-gencode arch=compute_${target}$<COMMA>code=sm_${target}>")
  set(highest ${target})
endforeach()
target_compile_options(waio_cuda_flags INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-gencode arch=compute_${highest}$<COMMA>code=compute_${highest}>")
target_include_directories(waio_cuda_flags INTERFACE ${CMAKE_SOURCE_DIR})

# waio_cuda_library(TARGET SOURCES...): an object library of kernels for GPUs.
function(waio_cuda_library target)
  add_library(${target} OBJECT ${ARGN})
  target_link_libraries(${target} PRIVATE waio_cuda_flags)
  set_target_properties(${target} PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON
    POSITION_INDEPENDENT_CODE ON)
endfunction()

file(GLOB WAIO_KERNELS CONFIGURE_DEPENDS kernels/*.cu)
waio_cuda_library(waio_kernels ${WAIO_KERNELS})
