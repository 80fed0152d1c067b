// SPDX-License-Identifier: MIT
// The folder given by --state: made when missing, checked, and locked for one appliance.
#pragma once

#include <string>

#include "reconciler/state/disk.h"

namespace headgate::reconciler {

/// Holds the lock while it lives; the kernel gives it up with the process, however that ends. The
/// lock is between processes: one process opens a folder once.
class StateFolder {
 public:
  /// Errors: Blame::Config, one line that says what to do: not a folder, not writable, or in use by
  /// another appliance.
  static Result<StateFolder> open(const std::string& path);
  const std::string& path() const { return path_; }  ///< absolute
  std::string journal() const { return path_ + "/journal"; }
  std::string snapshots() const { return path_ + "/snapshots"; }

 private:
  StateFolder(std::string path, File lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  File lock_;
};

}  // namespace headgate::reconciler
