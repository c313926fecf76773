# libtorch as the target atelier_torch: Debian's, or with ATELIER_TORCH the one in a Python's torch package
# (…/site-packages/torch), which may bring CUDA.
#
# The package's own TorchConfig.cmake is left alone: it looks its libraries up by name and takes Debian's where both are
# installed, and for CUDA it wants the whole toolkit, of which nothing is needed to link.
#
# atelier_openmp is the OpenMP that this libtorch runs on: with a second one beside it, neither would know the other's
# threads and parallel regions.
set(ATELIER_TORCH "" CACHE PATH "Folder of a Python's torch package to build with; empty: the system's libtorch")
add_library(atelier_torch INTERFACE)
add_library(atelier_openmp INTERFACE)
find_package(OpenMP REQUIRED COMPONENTS CXX)

if(NOT ATELIER_TORCH)
  find_package(Torch REQUIRED)
  target_include_directories(atelier_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(atelier_torch INTERFACE ${TORCH_LIBRARIES})
  separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(atelier_torch INTERFACE ${torch_flags})
  target_link_libraries(atelier_openmp INTERFACE ${OpenMP_CXX_LIBRARIES})
  return()
endif()

if(NOT EXISTS ${ATELIER_TORCH}/include/ATen/ATen.h OR NOT EXISTS ${ATELIER_TORCH}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "ATELIER_TORCH: ${ATELIER_TORCH} is not the folder of a Python's torch package (it has no "
    "include/ATen/ATen.h and lib/libtorch_cpu.so)")
endif()
# The package's include folder also holds other projects' headers (fmt, pybind11 …): only torch's own are shown.
set(torch_include ${CMAKE_BINARY_DIR}/torch_include)
file(MAKE_DIRECTORY ${torch_include})
foreach(part ATen c10 caffe2 torch)
  file(CREATE_LINK ${ATELIER_TORCH}/include/${part} ${torch_include}/${part} SYMBOLIC)
endforeach()
target_include_directories(atelier_torch SYSTEM INTERFACE
  ${torch_include} ${torch_include}/torch/csrc/api/include)
# Nothing calls into torch or torch_cuda by name: they register what torch_cpu dispatches to, so they must stay linked.
set(torch_libraries ${ATELIER_TORCH}/lib/libtorch.so)
if(EXISTS ${ATELIER_TORCH}/lib/libtorch_cuda.so)
  list(APPEND torch_libraries ${ATELIER_TORCH}/lib/libtorch_cuda.so ${ATELIER_TORCH}/lib/libc10_cuda.so)
endif()
list(JOIN torch_libraries " " torch_kept)
separate_arguments(torch_kept UNIX_COMMAND "-Wl,--push-state,--no-as-needed ${torch_kept} -Wl,--pop-state")
target_link_libraries(atelier_torch INTERFACE
  ${torch_kept} ${ATELIER_TORCH}/lib/libtorch_cpu.so ${ATELIER_TORCH}/lib/libc10.so)
target_link_options(atelier_torch INTERFACE -Wl,-rpath,${ATELIER_TORCH}/lib)
# The package brings an OpenMP of its own, under a name that differs from release to release.
execute_process(COMMAND ${CMAKE_READELF} --dynamic ${ATELIER_TORCH}/lib/libtorch_cpu.so
  OUTPUT_VARIABLE torch_needs COMMAND_ERROR_IS_FATAL ANY)
set(torch_openmp ${OpenMP_CXX_LIBRARIES})
if(torch_needs MATCHES "NEEDED[^[]*\\[(libg?omp[^]]*)\\]")
  find_file(torch_own_openmp ${CMAKE_MATCH_1} PATHS ${ATELIER_TORCH}/lib ${ATELIER_TORCH}/../torch.libs
    NO_DEFAULT_PATH NO_CACHE)
  if(torch_own_openmp)
    set(torch_openmp ${torch_own_openmp})
  endif()
endif()
target_link_libraries(atelier_openmp INTERFACE ${torch_openmp})
message(STATUS "libtorch: ${ATELIER_TORCH}; OpenMP: ${torch_openmp}")
