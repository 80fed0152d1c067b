// SPDX-License-Identifier: MIT
// What an edge would say to a commit, before the commit is anywhere: the stages of a round, and
// what would change, without a change.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "appliance/base/mutex.h"
#include "reconciler/loop/activator.h"
#include "reconciler/loop/guards.h"
#include "reconciler/loop/invalidator.h"
#include "reconciler/plan/plan.h"
#include "reconciler/trust/verifier.h"
#include "schema/model/resources.h"

namespace headgate::reconciler {

struct Review {
  std::string commit;
  std::optional<Refusal> refusal;    ///< none: it may go live
  Plan plan;                         ///< against what is live; empty after a refusal
  std::size_t cases = 0;             ///< of `kind: Expect`
  std::vector<std::string> signers;  ///< of the commit, where that was asked
  std::uint64_t generation = 0;      ///< that serves now; 0: none
};

/// For people, ending in one line that says whether it is accepted.
std::string to_text(const Review& review, bool colour);
/// `{"accepted": true, "commit": …, "plan": {…}, …}`, or `"stage"`, `"reason"`, `"diagnostics"`.
Json to_json(const Review& review);

/// `state` serialises whoever uses `activator`; `stages` whoever takes a commit through the stages,
/// and is taken first. Threads: any.
class Reviewer {
 public:
  Reviewer(base::Mutex& stages, base::Mutex& state, const Activator& activator,
           const Invalidator& invalidator, const schema::EdgeVerify& verify,
           const snapshot::CompileOptions& compile, schema::Layout layout)
      : stages_(stages),
        state_(state),
        activator_(activator),
        invalidator_(invalidator),
        verify_(verify),
        compile_(compile),
        layout_(std::move(layout)) {}

  /// As a round would. Errors: Blame::Self when the repository cannot be read; Blame::Config when
  /// the machine's own files cannot.
  Result<Review> review(const Repository& repository, const std::string& commit) const;

  /// Refuses what the guards of the live Fleet do not let through. `messages` are those of the
  /// commits that are not live yet.
  Staged<Prepared> guard(Prepared prepared, const snapshot::Snapshot& live,
                         const std::vector<CommitMessage>& messages) const;

  /// Nothing when the machine does not ask for signatures. Errors: the same.
  Result<std::optional<Verdict>> verify(const Repository& repository,
                                        const std::string& commit) const;

 private:
  std::optional<Refusal> take_through_stages(const GitTree& tree,
                                             const std::vector<CommitMessage>& messages,
                                             const snapshot::Snapshot* live, Review& review) const;

  base::Mutex& stages_;
  base::Mutex& state_;
  const Activator& activator_;
  const Invalidator& invalidator_;
  const schema::EdgeVerify& verify_;
  const snapshot::CompileOptions& compile_;  ///< written by who has `stages_`
  const schema::Layout layout_;
};

}  // namespace headgate::reconciler
