// SPDX-License-Identifier: MIT
// One URL of the repository: what the followed ref names there, and fetching that.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconciler/source/mirror.h"
#include "reconciler/source/remote/git_command.h"
#include "schema/base/semver.h"
#include "schema/model/source.h"

namespace headgate::reconciler {

/// What a ref, or a range of versions, came to at a remote.
struct Found {
  std::string commit;
  std::string name;  ///< full, of the ref; empty where the edge follows a commit id
  std::optional<SemanticVersion> version;  ///< where a range is followed
};

/// "v1.2.3" for "refs/tags/v1.2.3".
std::string short_name(const std::string& ref);

/// Whether `text` is a whole commit id.
bool is_commit_id(std::string_view text);

/// What is followed: one of the two.
struct Followed {
  std::string ref;
  std::optional<SemanticRange> range;
  std::string text;  ///< for people: the ref, or the range as written
};

/// A token, and who it belongs to; the secret is read again for every fetch.
struct RemoteToken {
  std::string user;
  schema::Secret secret;
};

/// Threads: one at a time.
class Remote {
 public:
  /// `local_ref`: what the mirror calls what came from here.
  Remote(GitCommand git, Followed followed, Duration timeout, std::string local_ref,
         std::optional<RemoteToken> token);

  /// Asks what is followed and fetches that when it is new: the whole tree is in the mirror then. A
  /// branch wins over a tag of the same name; a full commit id is itself; of a range it is the
  /// highest tag. History may be rewritten. Errors: one line that says what to do; within the
  /// timeout for each of the two steps.
  Result<Found> fetch(Mirror& mirror, const Cancellation* cancellation);
  /// Whether what is in the mirror may be why the last fetch failed.
  bool suspects_mirror() const { return suspects_mirror_; }

  const Location& location() const { return git_.location(); }

 private:
  Result<Found> ask(const Cancellation* cancellation);
  Result<Found> find_ref(const std::string& advertised) const;
  Result<Found> find_version(const std::string& advertised) const;
  Result<std::string> fetch_name(const std::string& name, Mirror& mirror,
                                 const Cancellation* cancellation);
  bool is_suspect(const Error& failure, Mirror& mirror);

  GitCommand git_;
  Followed followed_;
  Duration timeout_;
  std::string local_ref_;
  std::optional<RemoteToken> token_;
  std::string branch_;     ///< the full name that a ref had when it was last asked for
  unsigned failures_ = 0;  ///< of fetches in a row, while the remote answers
  bool suspects_mirror_ = false;
};

}  // namespace headgate::reconciler
