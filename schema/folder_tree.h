// SPDX-License-Identifier: MIT
// A plain folder as a Tree: for `headgate validate PATH` and tests.
#pragma once

#include <string>
#include <vector>

#include "schema/load.h"

namespace headgate::schema {

/// The regular files below a folder as they were when it was opened; `.git` is left out. Symbolic
/// links are listed but not read, since a commit could not contain what they lead to: a link that
/// something refers to gives an error, links to folders are not entered; nor are folders with a
/// `.git` of their own, which a commit has as submodules, if at all. Threads: const calls from
/// any thread.
class FolderTree final : public Tree {
 public:
  /// Errors: Blame::Config when `root` is not a folder that can be read, or holds more than 200,000
  /// files.
  static Result<FolderTree> open(const std::string& root);

  const std::vector<Entry>& entries() const override { return entries_; }
  /// Errors: a file that is gone, unreadable, a symbolic link, or has grown beyond 16 MiB.
  Result<std::string> read(const Entry& entry) const override;

 private:
  explicit FolderTree(std::string root) : root_(std::move(root)) {}
  Status scan(const std::string& folder, int depth);

  std::string root_;
  std::vector<Entry> entries_;
};

}  // namespace headgate::schema
