# Faults in the kernels' own text: waio_gemm_fault(NAME FILE OLD NEW SIGN...) compiles the matrix
# product with OLD in kernels/FILE replaced by NEW and runs it; the signs are those of gemm_faults.c.
function(waio_gemm_fault name file old new)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/gemm_faults/${name})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/${file})
  file(READ ${CMAKE_SOURCE_DIR}/kernels/${file} text)
  string(FIND "${text}" "${old}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "gemm_faults.cmake, ${name}: kernels/${file} has no \"${old}\" any more")
  endif()
  string(REPLACE "${old}" "${new}" text "${text}")
  file(WRITE ${folder}/new "${text}")
  file(MAKE_DIRECTORY ${folder}/kernels)
  file(COPY_FILE ${folder}/new ${folder}/kernels/${file} ONLY_IF_DIFFERENT)
  set(test cuda_gemm_fault_${name})
  waio_emulate(${test}_kernels CHECKED SOURCES ${CMAKE_SOURCE_DIR}/tests/cuda/gemm_faults.cu)
  target_include_directories(${test}_kernels BEFORE PRIVATE ${folder})
  waio_emulated_test(${test} ${CMAKE_SOURCE_DIR}/tests/cuda/gemm_faults.c CHECKED
    OBJECTS ${test}_kernels ARGUMENTS ${ARGN})
  # A fault may write past its memory; AddressSanitizer must leave the verdict to the test.
  set_tests_properties(${test} PROPERTIES ENVIRONMENT "ASAN_OPTIONS=allow_user_poisoning=0")
endfunction()

waio_gemm_fault(none gemm.cuh "int fill" "int fill" nothing)
waio_emulate(cuda_gemm_75_kernels CHECKED ARCH 750 SOURCES ${CMAKE_SOURCE_DIR}/tests/cuda/gemm_faults.cu)
waio_emulated_test(cuda_gemm_75 ${CMAKE_SOURCE_DIR}/tests/cuda/gemm_faults.c CHECKED
  OBJECTS cuda_gemm_75_kernels ARGUMENTS nothing)

# The main loop.
set(copies "        if (i + Tile::STAGES - 1 < tiles)
            copier.copy(shared + fill * Tile::STAGE_BYTES);
")
set(barrier "        __syncthreads();
")
waio_gemm_fault(no_barrier gemm.cuh "${barrier}${copies}" "${copies}" wrong race)
waio_gemm_fault(early_copy gemm.cuh "${barrier}${copies}" "${copies}${barrier}" race)
waio_gemm_fault(waits_too_few gemm.cuh "wait<Tile::STAGES - 2>" "wait<Tile::STAGES - 1>" wrong wait)

# Where rows, columns and k end.
waio_gemm_fault(rows_written gemm.cuh "row + 8 * i < out.rows" "row < out.rows" bounds)
waio_gemm_fault(rows_read gemm_source.cuh "i * step < rows_left" "i * step < rows_left + 64" bounds)
waio_gemm_fault(tail_read gemm_source.cuh "rows_left && chunks_left > 0" "rows_left" wrong)
waio_gemm_fault(columns_written gemm_epilogue.cuh "out.by_eight && column + 8 <= out.columns"
  "out.by_eight" wrong)
waio_gemm_fault(padding_read gemm_source.cuh "return inside ?" "return inside || image.iw ?" wrong bounds)
waio_gemm_fault(padding_zero gemm_source.cuh "return chunks_left > 0;"
  "return chunks_left > 0 && (unsigned)(x[0] + dx) < (unsigned)image.iw;" wrong)

# Shared memory: right results, slowly.
waio_gemm_fault(b_not_swizzled gemm.cuh "chunk ^ (row >> 3 & 3)" "chunk + 0 * row" traffic)
waio_gemm_fault(a_not_swizzled gemm.cuh "chunk ^ (row >> 1 & 3)" "chunk" traffic)
