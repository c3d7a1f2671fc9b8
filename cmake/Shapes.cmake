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

# The same pictures as photographs: in the layouts of Oxford-IIIT Pet and of Pascal VOC.
add_executable(draw_layouts datasets/shapes/draw_layouts.c)
target_compile_definitions(draw_layouts PRIVATE _GNU_SOURCE)
target_link_libraries(draw_layouts PRIVATE waio_warnings waio_sanitizers PkgConfig::libjpeg PkgConfig::libpng)
set(layouts_list ${CMAKE_BINARY_DIR}/data/VOCdevkit/SHAPES/ImageSets/Main/test.txt)
add_custom_command(
  OUTPUT ${layouts_list}
  COMMAND draw_layouts ${shapes_dir} ${CMAKE_BINARY_DIR}/data
  DEPENDS draw_layouts ${shapes_dir}/test_batch.bin
  COMMENT "Drawing the shapes as photographs")
add_custom_target(layouts_data ALL DEPENDS ${layouts_list})
