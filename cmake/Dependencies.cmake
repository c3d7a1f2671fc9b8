# Required libraries. A missing one ends the configuration with the package that brings it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenMP COMPONENTS C REQUIRED)

add_library(waio_dependencies INTERFACE)
target_link_libraries(waio_dependencies INTERFACE m Threads::Threads OpenMP::OpenMP_C)

function(waio_missing what package)
  message(FATAL_ERROR "${what} was not found. Install it with: apt-get install ${package}\n"
    "(scripts/quickstart.sh installs everything that waio needs.)")
endfunction()

function(waio_require_pkg module package)
  pkg_check_modules(${module} QUIET IMPORTED_TARGET ${module})
  if(NOT ${module}_FOUND)
    waio_missing("The library ${module}" ${package})
  endif()
  target_link_libraries(waio_dependencies INTERFACE PkgConfig::${module})
endfunction()

waio_require_pkg(libcyaml libcyaml-dev)
waio_require_pkg(yaml-0.1 libyaml-dev)
waio_require_pkg(libprotobuf-c libprotobuf-c-dev)
waio_require_pkg(libcjson libcjson-dev)
waio_require_pkg(zlib zlib1g-dev)
waio_require_pkg(libjpeg libjpeg-dev)
waio_require_pkg(libpng libpng-dev)
waio_require_pkg(expat libexpat1-dev)

# Debian names the HDF5 module by its variant and keeps it in a folder of its own.
find_path(HDF5_INCLUDE hdf5.h PATH_SUFFIXES hdf5/serial)
find_library(HDF5_LIBRARY NAMES hdf5_serial hdf5)
if(NOT HDF5_INCLUDE OR NOT HDF5_LIBRARY)
  waio_missing("The library HDF5" libhdf5-dev)
endif()
target_include_directories(waio_dependencies SYSTEM INTERFACE ${HDF5_INCLUDE})
target_link_libraries(waio_dependencies INTERFACE ${HDF5_LIBRARY})

find_path(DNNL_INCLUDE dnnl.h)
find_library(DNNL_LIBRARY NAMES dnnl)
if(NOT DNNL_INCLUDE OR NOT DNNL_LIBRARY)
  waio_missing("The library oneDNN" libdnnl-dev)
endif()
target_include_directories(waio_dependencies SYSTEM INTERFACE ${DNNL_INCLUDE})
target_link_libraries(waio_dependencies INTERFACE ${DNNL_LIBRARY})
file(STRINGS ${DNNL_INCLUDE}/oneapi/dnnl/dnnl_version.h dnnl_version_lines
  REGEX "define DNNL_VERSION_(MAJOR|MINOR|PATCH)")
string(REGEX REPLACE "[^0-9;]" "" WAIO_DNNL_VERSION "${dnnl_version_lines}")
string(REPLACE ";" "." WAIO_DNNL_VERSION "${WAIO_DNNL_VERSION}")
