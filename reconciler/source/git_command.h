// SPDX-License-Identifier: MIT
// The git program as the appliance runs it: no prompts, no hooks, no configuration but ours, a
// closed list of transports.
#pragma once

#include <string>
#include <vector>

#include "appliance/base/idle_time.h"
#include "reconciler/source/location.h"
#include "reconciler/source/process.h"

namespace headgate::reconciler {

struct GitAccess {
  std::string ssh_key_file;  ///< empty: what ssh finds by itself
  std::string known_hosts;   ///< empty: the user's ~/.ssh/known_hosts and the system's
};

/// Threads: one at a time.
class GitCommand {
 public:
  /// `state_directory` gets the file `gitconfig`, which stands in for the user's and the system's
  /// configuration: upload-pack reads safe.directory from nowhere else. Host keys are always
  /// checked (StrictHostKeyChecking=yes).
  GitCommand(Location location, GitAccess access, std::string state_directory);

  /// Writes the configuration file. Errors: Blame::Self with the path.
  Status prepare();

  /// `git ARGUMENTS`. `deadline` is for the whole call.
  /// Errors: one line with git's last message, redacted; what to do where we know it.
  /// Retry::SameOrigin when it did not come to its end: then it says nothing about the mirror.
  Result<std::string> run(std::vector<std::string> arguments, Duration deadline,
                          const Cancellation* cancellation);

  const Location& location() const { return location_; }

 private:
  std::vector<std::string> environment() const;
  std::string ssh_command() const;
  std::string explain(const Outcome& outcome, Duration deadline) const;

  Location location_;
  GitAccess access_;
  std::string config_path_;
  base::IdleTime idle_time_;
};

}  // namespace headgate::reconciler
