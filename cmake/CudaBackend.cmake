# The backend `cuda`: a shared object beside the program, which loads it where an NVIDIA driver is
# (host/backend/plugin.h). Needs nvcc, cuBLAS and cuDNN to build.
if(NOT WAIO_CUDA_FOUND)
  return()
endif()
find_package(CUDAToolkit REQUIRED)
find_path(CUDNN_INCLUDE cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
if(NOT TARGET CUDA::cublas OR NOT CUDNN_INCLUDE OR NOT CUDNN_LIBRARY)
  if(WAIO_CUDA STREQUAL "ON")
    waio_missing("cuBLAS and cuDNN" "libcublas-dev cudnn9-cuda-13")
  endif()
  string(APPEND WAIO_CUDA_STATE "; no backend: cuBLAS or cuDNN is missing")
  return()
endif()

file(GLOB cuda_backend_sources CONFIGURE_DEPENDS host/backend/cuda/*.c
  ${CMAKE_SOURCE_DIR}/kernels/*.c)
add_library(waio_cuda MODULE ${cuda_backend_sources} $<TARGET_OBJECTS:waio_kernels>)
target_include_directories(waio_cuda PRIVATE host ${CMAKE_SOURCE_DIR})
target_include_directories(waio_cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUDNN_INCLUDE})
target_compile_definitions(waio_cuda PRIVATE _GNU_SOURCE)
target_link_libraries(waio_cuda PRIVATE waio_warnings waio_sanitizers CUDA::cudart_static
  CUDA::cublas ${CUDNN_LIBRARY} stdc++ m)
set_target_properties(waio_cuda PROPERTIES PREFIX "" LINKER_LANGUAGE C
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
string(REPLACE "kernels only" "waio_cuda.so" WAIO_CUDA_STATE "${WAIO_CUDA_STATE}")
