# ONNX's own schema (onnx.proto, from the package libonnx-dev) becomes C through protobuf-c.
find_program(PROTOC_C NAMES protoc-c)
if(NOT PROTOC_C)
  waio_missing("The compiler protoc-c" protobuf-c-compiler)
endif()
find_path(ONNX_PROTO_DIR onnx/onnx.proto)
if(NOT ONNX_PROTO_DIR)
  waio_missing("The schema onnx/onnx.proto" libonnx-dev)
endif()
set(proto_dir ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${proto_dir})
add_custom_command(
  OUTPUT ${proto_dir}/onnx/onnx.pb-c.c ${proto_dir}/onnx/onnx.pb-c.h
  COMMAND ${PROTOC_C} --proto_path=${ONNX_PROTO_DIR} --c_out=${proto_dir} ${ONNX_PROTO_DIR}/onnx/onnx.proto
  DEPENDS ${ONNX_PROTO_DIR}/onnx/onnx.proto
  COMMENT "Compiling ONNX's schema")
add_library(waio_onnx_proto STATIC ${proto_dir}/onnx/onnx.pb-c.c)
target_include_directories(waio_onnx_proto SYSTEM PUBLIC ${proto_dir})
target_link_libraries(waio_onnx_proto PUBLIC PkgConfig::libprotobuf-c waio_sanitizers)
