# For find_package(VanishingPoint): the targets VanishingPoint::kernels and VanishingPoint::models, and the libraries they are linked to.
include(CMakeFindDependencyMacro)
find_dependency(dnnl CONFIG)
find_dependency(hwy CONFIG)
find_dependency(TBB CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/VanishingPointTargets.cmake)
