// SPDX-License-Identifier: MIT
// The repository that the appliance follows: fetched into a bare mirror of our own, read from
// there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/source/git_command.h"
#include "reconciler/source/repository.h"
#include "schema/model/resources.h"

namespace headgate::reconciler {

/// Follows one ref of one remote. Everything that git leaves behind in the mirror can be lost: a
/// damaged one is made again from scratch. Threads: one at a time.
class Source {
 public:
  /// Whether `options` name a source at all; touches nothing. Errors: Blame::Config, one line that
  /// names the flag.
  static Status check(const schema::EdgeSource& options);
  /// Errors: Blame::Config for a URL that is none, or a ref that is not a name.
  static Result<std::unique_ptr<Source>> open(const schema::EdgeSource& options,
                                              const std::string& state_directory);

  /// Asks the remote what the ref names, and fetches that when it is new. Returns the commit: its
  /// whole tree is in the mirror. A branch wins over a tag of the same name; a full commit id is
  /// itself. History may be rewritten: what the ref says is followed. Errors: Blame::Self with one
  /// line that says what to do; within the options' timeout for each of the two steps.
  Result<std::string> fetch(const Cancellation* cancellation);

  /// Errors: Blame::Self when the mirror is damaged; the next fetch makes it again.
  Result<std::unique_ptr<GitTree>> tree(const std::string& commit);
  /// The mirror gave something that cannot be: the next fetch makes it again. Trees from before
  /// must be gone by then: libgit2 shares open packs by their names, and the new ones may have the
  /// same.
  void distrust() { damaged_ = true; }
  Result<CommitInfo> describe(const std::string& commit) const;
  /// The mirror, for reading; null before the first fetch.
  const Repository* repository() const { return repository_ ? &*repository_ : nullptr; }
  bool is_ancestor(const std::string& ancestor, const std::string& commit) const;
  /// Packs what many small fetches left; cheap when there is nothing to do.
  Status maintain(const Cancellation* cancellation);

  const Location& location() const { return git_.location(); }
  const std::string& ref() const { return ref_; }
  /// How often the mirror was made again because it was damaged.
  unsigned remakes() const { return remakes_; }

 private:
  /// What the remote says: the ref's full name there, and the id that it names.
  struct Advertised {
    std::string name;
    std::string id;
  };
  Source(GitCommand git, const schema::EdgeSource& options, std::string mirror);
  Status make_mirror();
  void remove_stale_locks();
  Result<Advertised> ask_remote(const Cancellation* cancellation);
  Result<std::string> fetch_once(const std::string& name, const Cancellation* cancellation);
  Result<std::string> followed() const;
  Status open_mirror();
  bool has_whole_tree(const std::string& commit);
  bool is_suspect(const Error& failure);

  GitCommand git_;
  std::string ref_;
  Duration timeout_;
  std::string mirror_;
  std::optional<Repository> repository_;
  bool damaged_ = false;
  std::string branch_;        ///< the full name that `ref_` had when it was last asked for
  std::string whole_commit_;  ///< found whole in this process: not looked at again
  unsigned failures_ = 0;     ///< of fetches in a row, from a remote that answers
  unsigned fetches_since_maintenance_ = 0;
  unsigned remakes_ = 0;
};

}  // namespace headgate::reconciler
