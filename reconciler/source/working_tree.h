// SPDX-License-Identifier: MIT
// A folder as the next commit would have it: what validate, test, diff and explain read before
// anything is committed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schema/folder_tree.h"

namespace headgate::reconciler {

/// A folder without what the .gitignore files of the repository around it name.
/// Threads: one at a time.
class WorkingTree final : public schema::Tree {
 public:
  /// Errors: Blame::Config when `path` is not a folder or cannot be read.
  static Result<std::unique_ptr<WorkingTree>> open(const std::string& path);
  const std::vector<Entry>& entries() const override { return entries_; }
  Result<std::string> read(const Entry& entry) const override { return folder_.read(entry); }

 private:
  explicit WorkingTree(schema::FolderTree folder) : folder_(std::move(folder)) {}
  schema::FolderTree folder_;
  std::vector<Entry> entries_;
};

}  // namespace headgate::reconciler
