#include "experiments/results/provenance.h"

#include "experiments/machine/build_info.h"
#include "experiments/machine/library_versions.h"
#include "kernels/backend_list.h"

namespace vp {

Provenance current_provenance() {
  static const Provenance provenance{
      .build = build_info().build_id, .isa = instruction_set(), .libraries = library_versions(), .backend = ""};
  return provenance;
}

}  // namespace vp
