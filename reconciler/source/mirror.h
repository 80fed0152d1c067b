// SPDX-License-Identifier: MIT
// The bare repository of our own that everything is fetched into and read from.
#pragma once

#include <optional>
#include <string>

#include "reconciler/source/remote/git_command.h"
#include "reconciler/source/repository.h"

namespace headgate::reconciler {

/// Can be lost: a damaged one is made again from scratch. It holds one ref for each URL of the
/// source: what was fetched from there last. Threads: one at a time.
class Mirror {
 public:
  Mirror(GitCommand git, std::string path) : git_(std::move(git)), path_(std::move(path)) {}

  /// Makes it where there is none, and again after distrust(). Errors: Blame::Self.
  Status prepare();
  /// From scratch. Errors: Blame::Self.
  Status make_again();
  /// Something in it cannot be: the next prepare() makes it again.
  void distrust() { damaged_ = true; }

  /// The commit of that ref. Errors: there is none, or it is broken.
  Result<std::string> commit_of(const std::string& ref) const;
  /// Whether all files of the commit are there.
  bool has_whole_tree(const std::string& commit);
  /// Whether the ref is there, and names a commit that is not whole.
  bool is_broken(const std::string& ref);
  /// Errors: Blame::Self when it is damaged; the next prepare() makes it again.
  Result<std::unique_ptr<GitTree>> tree(const std::string& commit);

  /// Something new has been fetched into it.
  void count_fetch() { ++fetches_since_maintenance_; }
  /// Packs what many small fetches left; cheap when there is nothing to do.
  Status maintain(const Cancellation* cancellation);

  /// Nothing is read for now: the program that does is ended.
  void rest() const {
    if (repository_) repository_->rest();
  }

  const std::string& path() const { return path_; }
  /// Null before it was made.
  const Repository* repository() const { return repository_ ? &*repository_ : nullptr; }
  unsigned remakes() const { return remakes_; }

 private:
  Status open();
  Status make();
  void remove_stale_locks();

  GitCommand git_;
  std::string path_;
  std::optional<Repository> repository_;
  bool damaged_ = false;
  std::string whole_commit_;  ///< found whole in this process: not looked at again
  unsigned fetches_since_maintenance_ = 0;
  unsigned remakes_ = 0;
};

}  // namespace headgate::reconciler
