// SPDX-License-Identifier: MIT
// How many files and connections the process may have open.
#pragma once

#include <cstdint>

#include "schema/base/result.h"

namespace headgate::cli {

/// Raises the soft limit of descriptors (RLIMIT_NOFILE), which for historical reasons is 1024 on
/// most machines, to the hard one; returns what it is then. Errors: Blame::Self.
Result<std::uint64_t> raise_descriptor_limit();

}  // namespace headgate::cli
