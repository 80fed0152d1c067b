// SPDX-License-Identifier: MIT
// The repository that the appliance follows, at one URL or several: fetched into a bare mirror of
// our own, read from there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/time.h"
#include "reconciler/source/mirror.h"
#include "reconciler/source/remote/remote.h"
#include "reconciler/source/report.h"
#include "schema/model/source.h"

namespace headgate::reconciler {

/// Follows one ref, or the highest version of a range. Threads: one at a time.
///
/// Of several URLs the first that answers is asked, and the one that answered is remembered; those
/// before it are tried again after kReturnAfter. **Forward by any one, elsewhere only by all:** a
/// commit that has what is live in its history is taken from whoever has it. Any other, an older
/// one or one of a rewritten history, may be a mirror's that is behind: it is taken when every URL
/// answers and names the same. With one URL that is always so.
class Source {
 public:
  using Clock = std::function<base::MonoTime()>;
  static constexpr Duration kReturnAfter = std::chrono::minutes(5);

  /// Whether `options` name a source at all; touches nothing. Errors: Blame::Config, one line that
  /// names the flag.
  static Status check(const schema::EdgeSource& options);
  /// Errors: Blame::Config for a URL that is none, or a ref that is not a name.
  static Result<std::unique_ptr<Source>> open(const schema::EdgeSource& options,
                                              const std::string& state_directory,
                                              Clock clock = base::mono_now);

  /// Asks what is followed, and fetches that when it is new: its whole tree is in the mirror.
  /// `live` is the commit that serves; empty: none. Returns the commit to go to, which is `live` or
  /// what was returned before where nothing leads forward. Errors: Blame::Self with one line that
  /// says what to do about each URL; within the options' timeout for each of the two steps of each.
  Result<std::string> fetch(const Cancellation* cancellation, const std::string& live = {});
  /// What the last fetch found out about each URL.
  const SourceReport& report() const { return report_; }
  /// Lines for the operator that were not taken yet.
  std::vector<std::string> take_news();

  /// Errors: Blame::Self when the mirror is damaged; the next fetch makes it again.
  Result<std::unique_ptr<GitTree>> tree(const std::string& commit);
  /// The mirror gave something that cannot be: the next fetch makes it again.
  void distrust() { mirror_.distrust(); }
  /// Between two rounds no program runs.
  void rest() const { mirror_.rest(); }
  Result<CommitInfo> describe(const std::string& commit) const;
  /// The mirror, for reading; null before the first fetch.
  const Repository* repository() const { return mirror_.repository(); }
  bool is_ancestor(const std::string& ancestor, const std::string& commit) const;
  /// Packs what many small fetches left; cheap when there is nothing to do.
  Status maintain(const Cancellation* cancellation) { return mirror_.maintain(cancellation); }

  /// Of the URL that served last.
  const Location& location() const { return remotes_[selected_].location(); }
  /// What is followed, for people: "main", ">=1.2 <2".
  const std::string& ref() const { return ref_; }
  /// How often the mirror was made again because it was damaged.
  unsigned remakes() const { return mirror_.remakes(); }

 private:
  /// Where a commit is, seen from what is live.
  enum class Course { Forward, Behind, Elsewhere };

  struct Answer {
    std::size_t index = 0;  ///< of the URL
    Found found;
  };

  Source(Mirror mirror, std::vector<Remote> remotes, std::string ref, schema::Layout layout,
         Clock clock);
  Result<std::string> look(const Cancellation* cancellation, const std::string& live);
  std::vector<std::size_t> order();
  void note_elsewhere(const std::vector<Answer>& answers, const std::string& live);
  Course course_of(const Found& found, const std::string& live) const;
  std::string take(std::size_t index, const Found& found);
  Result<std::string> stay(const std::string& live);
  void note(std::size_t index, RemoteReport::State state, std::string message);
  void tell(std::string line);

  Mirror mirror_;
  std::vector<Remote> remotes_;
  std::string ref_;
  Clock clock_;
  std::size_t selected_ = 0;
  base::MonoTime return_at_{};      ///< when those before `selected_` are tried again
  std::optional<Found> head_;       ///< what was returned last
  std::vector<std::size_t> asked_;  ///< by the last look
  SourceReport report_;
  std::vector<std::string> news_;
};

}  // namespace headgate::reconciler
