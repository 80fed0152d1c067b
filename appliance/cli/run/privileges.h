// SPDX-License-Identifier: MIT
// From root to the user that --user names: first for a while, then for good.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "schema/base/result.h"

namespace headgate::cli {

/// With no user, or when that user is who we are already, every step does nothing.
/// Threads: from one; the kernel's credentials change for all.
class Privileges {
 public:
  /// Errors: Blame::Config when there is no such user, or when we are not root and may not become
  /// another one.
  static Result<Privileges> of(const std::string& user);
  /// Acts as the user: the state folder must be the user's.
  Status assume();
  /// Acts as root again: to bind ports below 1024.
  Status regain();
  /// Becomes the user for good, supplementary groups included.
  Status drop();

 private:
  std::string user_;
  bool changes_ = false;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  std::vector<gid_t> root_groups_;
};

}  // namespace headgate::cli
