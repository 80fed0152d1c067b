// SPDX-License-Identifier: MIT
// Reads ssh-keygen's ALLOWED SIGNERS: whose SSH keys are believed, and when.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/trust/signature/ssh.h"

namespace headgate::reconciler {

/// One line. Times are in seconds since 1970.
struct AllowedKey {
  SshKey key;
  std::vector<std::string> names;  ///< principals, at least one
  std::optional<std::int64_t> valid_after;
  std::optional<std::int64_t> valid_before;  ///< this second is too late
};

/// The lines whose keys may sign for git (`namespaces`). Errors: Blame::Config with the number of
/// the line, also for what ssh-keygen knows and we do not: wildcards in principals,
/// `cert-authority`, times without Z, security keys.
Result<std::vector<AllowedKey>> parse_allowed_signers(std::string_view text);

}  // namespace headgate::reconciler
