// SPDX-License-Identifier: MIT
// The git program as the appliance runs it: no prompts, no hooks, no configuration but ours, a
// closed list of transports.
#pragma once

#include <string>
#include <vector>

#include "appliance/base/idle_time.h"
#include "reconciler/process/process.h"
#include "reconciler/source/remote/location.h"
#include "schema/model/secret.h"

namespace headgate::reconciler {

struct GitAccess {
  std::string ssh_key_file;  ///< empty: what ssh finds by itself
  std::string known_hosts;   ///< empty: the user's ~/.ssh/known_hosts and the system's
  std::string proxy;         ///< of http(s) URLs; empty: the variables'
};

/// Threads: one at a time.
class GitCommand {
 public:
  static constexpr std::size_t kMaxOutputBytes = std::size_t{64} << 20;

  /// `state_directory` gets the file `gitconfig`, which stands in for the user's and the system's
  /// configuration: upload-pack reads safe.directory from nowhere else. Host keys are always
  /// checked (StrictHostKeyChecking=yes), and never learnt.
  GitCommand(Location location, GitAccess access, const std::string& state_directory);

  /// Writes the configuration file. Errors: Blame::Self with the path.
  Status prepare();

  /// What the location's host is shown when it asks, from now on; other hosts, to which it may
  /// redirect, are shown nothing. Errors: Blame::Config when the token has a line break.
  Status use_token(const std::string& user, const schema::Redacted& token);

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
  std::vector<std::string> secrets() const;

  Location location_;
  GitAccess access_;
  std::string user_;
  schema::Redacted password_;
  std::string config_path_;
  base::IdleTime idle_time_;
};

}  // namespace headgate::reconciler
