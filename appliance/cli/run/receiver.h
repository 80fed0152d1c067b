// SPDX-License-Identifier: MIT
// The repository of `headgate run --receive`: what is pushed into it is judged before it is there.
#pragma once

#include <string>

#include "reconciler/loop/reviewer.h"

namespace headgate::cli {

/// `git push` runs hooks/pre-receive, which asks the running appliance (POST /hooks/receive), and,
/// when the push has been accepted, hooks/post-receive, which tells it to look and waits. Threads:
/// any, once it is installed.
class Receiver {
 public:
  /// `folder` is absolute; `ref` is the followed one. Makes the repository when it is missing.
  /// Errors: Blame::Config, one line that says what to do.
  static Result<Receiver> open(std::string folder, std::string ref);

  /// Writes the hooks, which find the appliance at `admin`. Errors: the same; a hook that somebody
  /// else wrote is left alone.
  Status install_hooks(const std::string& admin) const;

  /// `push`: `{"objects": "tmp_objdir-incoming-…", "updates": [{"ref", "before", "after"}]}`.
  /// JSON: `{"accepted", "text", "updates": [what Reviewer says]}`. Errors: Blame::Client for a
  /// push that cannot be read; those of Reviewer::review.
  Result<std::string> review(const reconciler::Reviewer& reviewer, const std::string& push) const;

 private:
  Receiver(std::string folder, std::string ref)
      : folder_(std::move(folder)), ref_(std::move(ref)) {}
  std::string folder_;
  std::string ref_;
};

/// Whether `name`, a full one, is what `ref` (a branch, a tag or a full name) stands for.
bool is_followed(const std::string& name, const std::string& ref);

}  // namespace headgate::cli
