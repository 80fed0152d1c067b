// SPDX-License-Identifier: MIT
// Whether the commits between what is live and what is wanted may go live, by who signed them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/trust/objects.h"
#include "reconciler/trust/policy.h"
#include "schema/diagnostic.h"

namespace headgate::reconciler {

/// The word of a refusal for conditions: "CommitUnsigned", "MergeSmuggling", …
std::string_view reason_of(schema::Code code);

struct Verdict {
  std::vector<schema::Diagnostic> diagnostics;   ///< empty: verified
  std::vector<std::string> signers;              ///< of the head
  std::map<std::string, std::string> signed_by;  ///< of each commit of the range: who
  std::size_t commits = 0;                       ///< that were looked at
  std::string trusted_commit;                    ///< the operator's, if the head contains it
  bool good() const { return diagnostics.empty(); }
};

/// Where trust begins: see README.md.
struct TrustAnchor {
  std::string applied;         ///< the commit that is live and was verified; empty: none
  std::string trusted_commit;  ///< the operator's; empty: none
  std::string heard;           ///< the operator's that `applied` contains; empty: none
};

/// Threads: one at a time. Errors of all: Blame::Self when objects cannot be read; with
/// Retry::SameOrigin when gpgv cannot be run. Neither says anything about the commits.
class Verifier {
 public:
  /// `machine`: the keys of the machine's own files, or null when it has none.
  Verifier(const Repository& repository, std::shared_ptr<const Policy> machine)
      : repository_(repository), objects_(repository), machine_(std::move(machine)) {}

  /// Whether `head` may go live.
  Result<Verdict> verify(const TrustAnchor& anchor, const std::string& head);

  /// Every commit that `head` has and `base` has not, where `base` is taken for good and is an
  /// ancestor.
  Result<Verdict> verify_range(const std::string& base, const std::string& head);
  /// `head` alone, by the machine's keys: who signs it answers for all that is in it.
  Result<Verdict> verify_first(const std::string& head);

 private:
  using PolicyPointer = std::shared_ptr<const Policy>;
  /// A commit of the line from base to head, and the one before it.
  struct Step {
    const CommitObject* commit = nullptr;
    const CommitObject* before = nullptr;
    PolicyPointer policy;           ///< of `before`
    std::vector<std::string> side;  ///< commits that come with it, by a merge; parents first
    std::set<std::size_t> signers;  ///< of `commit`: one, or none
  };

  Result<std::vector<Step>> line(const std::string& base, const std::string& head);
  Result<PolicyPointer> policy_of(const CommitObject& commit);
  Status check_step(Step& step);
  Status check_side_commit(const Step& step, const std::string& id);
  Status check_change(const Step& step, const std::string& path, const TreeFile& file);
  Status check_kinds(const Step& step, const std::string& path, const TreeFile& file,
                     const Policy::Rule& rule);
  Result<std::optional<std::size_t>> signer_of(const Step& step, const CommitObject& commit);
  Result<bool> grants_itself(const CommitObject& commit);
  Result<std::set<std::size_t>> signers_of_change(const Step& step, const std::string& path,
                                                  const TreeFile& file);
  Result<std::set<std::string>> holders_of(
      const Step& step, const std::function<Result<bool>(const std::string&)>& has_it);
  Result<Changes> own_changes(const CommitObject& commit);
  void refuse(const std::string& commit, const std::string& path, schema::Code code,
              std::string message, std::string hint);
  /// Whether an error is about the commit, and has become a diagnostic; else it stays one.
  Status judge(const std::string& commit, const Error& error);

  const Repository& repository_;
  Objects objects_;
  PolicyPointer machine_;
  std::map<std::string, PolicyPointer> policies_;                   ///< by the blob of signers.yaml
  std::map<std::string, std::optional<std::size_t>> side_signers_;  ///< of the step at hand
  Verdict verdict_;
};

}  // namespace headgate::reconciler
