// SPDX-License-Identifier: MIT
// Reads a git repository: names to commits, commits to trees. Never writes; nothing in the
// repository can make it run anything.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reconciler/source/objects/object_reader.h"
#include "schema/load.h"

struct git_repository;

namespace headgate::reconciler {

/// What one tree has taught about the files of the next, by the ids of their content: most are the
/// same.
struct KnownBlobs {
  std::unordered_map<std::string, std::size_t> sizes;
  std::unordered_map<std::string, std::string> contents;  ///< of small files
  std::size_t content_bytes = 0;
};

struct CommitInfo {
  std::string id;       ///< full, lower-case hex
  std::string subject;  ///< first line of the message, as written
  std::string author;   ///< name of the author, as written
  std::string time;     ///< the committer's, RFC 3339 in UTC
};

struct CommitMessage {
  std::string commit;
  std::string text;
};

/// The files of one commit. Symbolic links and submodules are listed, so that one that stands where
/// configuration is expected is refused by name, but never followed: reading them is an error.
class GitTree final : public schema::Tree {
 public:
  ~GitTree() override;
  const std::vector<Entry>& entries() const override { return entries_; }
  /// Errors: Blame::Config for links, submodules and files that are too large; Blame::Self when the
  /// object is missing or damaged.
  Result<std::string> read(const Entry& entry) const override;
  /// Whether an object was missing or damaged: then what was made of the tree says nothing about
  /// the commit.
  bool damaged() const { return damaged_; }

 private:
  friend class Repository;
  GitTree() = default;
  std::shared_ptr<git_repository> repository_;
  std::shared_ptr<KnownBlobs> known_;
  mutable bool damaged_ = false;
  std::vector<Entry> entries_;
};

/// Threads: one at a time.
class Repository {
 public:
  /// Opens `path` itself: a working folder with .git, or a bare repository.
  /// Errors: Blame::Config when there is none.
  static Result<Repository> open(const std::string& path);
  /// Opens the repository that holds `path`, looking upwards.
  static Result<Repository> discover(const std::string& path);

  /// The commit that `revision` (branch, tag, HEAD~1, a hash or its beginning) names.
  /// Errors: Blame::Config when it names none or several.
  Result<std::string> resolve(const std::string& revision) const;
  /// Whether a ref of this full name is there, broken or not.
  bool has_ref(const std::string& name) const;
  Result<CommitInfo> describe(const std::string& commit) const;
  /// Of the commits that `commit` has and `since` has not, at most a thousand; only that of
  /// `commit` where `since` is not there. Errors: Blame::Self when objects are missing or damaged.
  Result<std::vector<CommitMessage>> messages(const std::string& since,
                                              const std::string& commit) const;
  /// Of a commit, or of the id of a tree. Errors: Blame::Self when objects are missing or damaged;
  /// Blame::Config beyond the limits of size and depth.
  Result<std::unique_ptr<GitTree>> tree(const std::string& commit) const;
  /// Objects that are kept elsewhere, too: those of a push that is not accepted yet, say.
  void add_objects(const std::string& folder);
  /// Ends the program that reads objects, until it is needed again.
  void rest() const { reader_->rest(); }
  /// Whether `ancestor` is `commit` or comes before it; false when either is not there.
  bool is_ancestor(const std::string& ancestor, const std::string& commit) const;
  /// The working folder with a '/' at its end; empty for a bare repository.
  std::string working_folder() const;
  /// For those who read objects that the rest has no use for: trust/objects.
  const std::shared_ptr<git_repository>& handle() const { return handle_; }
  /// Whether .gitignore and its kin leave `path` (relative to the working folder, a '/' at the end
  /// of folders) out.
  bool ignores(const std::string& path) const;
  /// Whether a commit has a pointer of Git LFS in the place of `path`, by .gitattributes.
  bool is_in_lfs(const std::string& path) const;

 private:
  static Result<Repository> open(const std::string& path, unsigned flags);
  Repository(std::shared_ptr<git_repository> handle, std::shared_ptr<ObjectReader> reader)
      : handle_(std::move(handle)), reader_(std::move(reader)) {}
  std::shared_ptr<git_repository> handle_;
  std::shared_ptr<ObjectReader> reader_;
  std::shared_ptr<KnownBlobs> known_ = std::make_shared<KnownBlobs>();
};

}  // namespace headgate::reconciler
