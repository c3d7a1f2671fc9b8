# The embedded data set is drawn at build time: the same bytes on every machine.
add_executable(draw_shapes datasets/shapes/draw_shapes.c)
target_link_libraries(draw_shapes PRIVATE waio_warnings waio_sanitizers m)
set(shapes_dir ${CMAKE_BINARY_DIR}/data/shapes-batches-bin)
add_custom_command(
  OUTPUT ${shapes_dir}/test_batch.bin
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/data
  COMMAND draw_shapes ${shapes_dir} --train 20000 --test 2000 --seed 1
  DEPENDS draw_shapes
  COMMENT "Drawing the shapes data set")
add_custom_target(shapes_data ALL DEPENDS ${shapes_dir}/test_batch.bin)
