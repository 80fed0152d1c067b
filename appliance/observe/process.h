// SPDX-License-Identifier: MIT
// What the kernel knows of this process, under the names that every Prometheus client uses.
#pragma once

#include <vector>

#include "appliance/observe/metrics.h"

namespace headgate::observe {

/// process_* families from /proc/self; a number that cannot be read has no sample.
std::vector<Family> process_families();

}  // namespace headgate::observe
