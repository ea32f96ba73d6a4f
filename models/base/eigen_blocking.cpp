#include "models/base/eigen_blocking.h"

#include <Eigen/Core>

namespace vp {

void fix_eigen_blocking() {
  static const bool done = [] {
    Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 2 << 20);  // of one core of the machine whose results are in results/reference
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace vp
