// SPDX-License-Identifier: MIT
// What verification reads of a repository: commits as they are stored, ranges of them, and which
// files differ.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "reconciler/source/repository.h"
#include "reconciler/trust/commit_object.h"

namespace headgate::reconciler {

/// What a path is in a tree. `mode` 0: nothing is there.
struct TreeFile {
  unsigned mode = 0;
  std::string id;
  friend bool operator==(const TreeFile&, const TreeFile&) = default;
  bool exists() const { return mode != 0; }
};

using Changes = std::map<std::string, TreeFile>;  ///< by path: what is there afterwards

/// Errors of all: Blame::Self when an object is missing or damaged; Blame::Config when it is whole,
/// but not as git makes it. Threads: one at a time.
class Objects {
 public:
  explicit Objects(const Repository& repository) : repository_(repository.handle()) {}

  /// Kept: the pointer is good as long as this is.
  Result<const CommitObject*> commit(const std::string& id);
  /// What is reachable from `head` and not from `base`, parents first. `base` may be empty.
  Result<std::vector<std::string>> range(const std::string& base, const std::string& head);
  /// The files that differ between two trees; either may be empty.
  Result<Changes> changes(const std::string& before, const std::string& after);
  /// The file of that path.
  Result<TreeFile> file(const std::string& tree, const std::string& path);
  /// Errors also: beyond 1 MiB.
  Result<std::string> content(const TreeFile& file);

 private:
  struct Walk;
  using Entries = std::map<std::string, TreeFile>;
  Result<Entries> entries(const std::string& tree);
  Status compare(Walk& walk, const std::string& before, const std::string& after,
                 const std::string& folder, int depth);
  Status compare_entry(Walk& walk, const TreeFile& before, const TreeFile& after,
                       const std::string& path, int depth);

  std::shared_ptr<git_repository> repository_;
  std::unordered_map<std::string, std::unique_ptr<CommitObject>> commits_;
};

}  // namespace headgate::reconciler
