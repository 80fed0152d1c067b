// SPDX-License-Identifier: MIT
// A folder as the next commit would have it: what validate, test, diff and explain read before
// anything is committed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schema/folder_tree.h"

namespace headgate::reconciler {

class Surroundings;

/// A folder without what the .gitignore files of the repository around it name. Files that Git LFS
/// keeps are read as their pointers.
/// Threads: one at a time.
class WorkingTree final : public schema::Tree {
 public:
  /// Errors: Blame::Config when `path` is not a folder or cannot be read.
  static Result<std::unique_ptr<WorkingTree>> open(const std::string& path);
  ~WorkingTree() override;
  const std::vector<Entry>& entries() const override { return entries_; }
  Result<std::string> read(const Entry& entry) const override;

 private:
  explicit WorkingTree(schema::FolderTree folder);
  schema::FolderTree folder_;
  std::unique_ptr<Surroundings> surroundings_;
  std::vector<Entry> entries_;
};

}  // namespace headgate::reconciler
