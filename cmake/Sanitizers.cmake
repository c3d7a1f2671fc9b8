add_library(waio_sanitizers INTERFACE)
if(WAIO_SANITIZE)
  set(flags -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_compile_options(waio_sanitizers INTERFACE ${flags} -O1)
  target_link_options(waio_sanitizers INTERFACE ${flags})
  # Function multiversioning resolves before the sanitizer's runtime is up.
  target_compile_definitions(waio_sanitizers INTERFACE WAIO_NO_MULTIVERSION=1)
endif()
