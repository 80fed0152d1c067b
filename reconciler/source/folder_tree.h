// SPDX-License-Identifier: MIT
// The files of a folder on disk as a Tree: what validate, test, diff and explain read before
// anything is committed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schema/diagnostic.h"
#include "schema/load.h"

namespace headgate::reconciler {

/// Everything that git would commit: dot-folders and what .gitignore names are left out, symbolic
/// links are not followed.
class FolderTree final : public schema::Tree {
 public:
  /// Errors: Blame::Config when `path` is not a folder or cannot be read, or has more files than a
  /// configuration has.
  static Result<std::unique_ptr<FolderTree>> open(const std::string& path);

  const std::vector<Entry>& entries() const override { return entries_; }
  Result<std::string> read(const Entry& entry) const override;
  const std::vector<schema::Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  explicit FolderTree(std::string root) : root_(std::move(root)) {}
  Status scan();
  std::string root_;  ///< without a '/' at its end
  std::vector<Entry> entries_;
  std::vector<schema::Diagnostic> diagnostics_;
};

}  // namespace headgate::reconciler
