// SPDX-License-Identifier: MIT
// Whether the commits between what is live and what is wanted may go live, by who signed them.
//
// The line leads from the commit that is live to the one that is wanted, each commit to the first
// of its parents that comes after what is live. A merge's other parents bring side commits.
//
//   commit         judged by signers.yaml of        must have
//   on the line    the commit before it on the      a known signer; for each file that differs from
//                  line                             the commit before: enough signers of its rule,
//                                                   out of its own and those who made the change in
//                                                   the side commits that it brings
//   side commit    the same as the merge that       a known signer; for each file that it changes
//                  brings it                        itself: a signer whom the rule names
//
// So nothing on the line ever differs without consent by the rules that held just before, whatever
// way it came.
#include "reconciler/trust/verifier.h"

#include <algorithm>
#include <array>

#include "schema/model/signers.h"
#include "schema/text.h"
#include "schema/yaml/reader.h"

namespace headgate::reconciler {
namespace {

using schema::Code;
using schema::in_quotes;

constexpr std::size_t kMaxDiagnostics = 100;

std::string short_id(const std::string& commit) { return commit.substr(0, 12); }

tl::unexpected<Error> pass_on(Error error) { return tl::unexpected<Error>(std::move(error)); }

bool is_yaml(const std::string& path) {
  const std::string lower = schema::to_lower(path);
  return lower.ends_with(".yaml") || lower.ends_with(".yml");
}

const char* hint_of(Code code) {
  for (const schema::CodeInfo& info : schema::codes())
    if (info.code == code) return info.remedy;
  return "";
}

std::string people(std::size_t count) {
  return fmt::format("{} signer{}", count, count == 1 ? "" : "s");
}

}  // namespace

std::string_view reason_of(Code code) {
  constexpr std::array<std::pair<Code, std::string_view>, 12> kReasons = {{
      {Code::SignersInvalid, "SignersInvalid"},
      {Code::CommitUnsigned, "CommitUnsigned"},
      {Code::SignatureInvalid, "SignatureInvalid"},
      {Code::SignerUnknown, "SignerUnknown"},
      {Code::SignerNotAllowed, "SignerNotAllowed"},
      {Code::TooFewSigners, "TooFewSigners"},
      {Code::SelfGranting, "SelfGranting"},
      {Code::MergeSmuggling, "MergeSmuggling"},
      {Code::HistoryRewritten, "HistoryRewritten"},
      {Code::CommitReplayed, "CommitReplayed"},
      {Code::KindNotAllowed, "KindNotAllowed"},
      {Code::CommitMalformed, "CommitMalformed"},
  }};
  for (const auto& [each, reason] : kReasons)
    if (each == code) return reason;
  return "VerificationFailed";
}

Result<Verdict> Verifier::verify(const TrustAnchor& anchor, const std::string& head) {
  const std::string& live = anchor.applied;
  const std::string& trusted = anchor.trusted_commit;
  // Once what is live contains it, the operator's word has been heard: it must not bring the edge
  // back to it. What is live may be missing here, in a mirror that was made again.
  const bool still_counts = !trusted.empty() && trusted != anchor.heard &&
                            (live.empty() || !repository_.is_ancestor(trusted, live));
  const bool contained = !trusted.empty() && repository_.is_ancestor(trusted, head);
  const std::string heard = contained ? trusted : anchor.heard;
  const std::string& base = still_counts && contained ? trusted : live;
  if (!base.empty() && repository_.is_ancestor(base, head)) {
    HG_TRY(Verdict verdict, verify_range(base, head), "{}", short_id(head));
    verdict.trusted_commit = heard;
    return verdict;
  }
  verdict_ = Verdict();
  if (!live.empty() && repository_.is_ancestor(head, live)) {
    refuse(head, "", Code::CommitReplayed,
           fmt::format("is older than {}, which is live", short_id(live)), "");
  } else if (!live.empty()) {
    refuse(head, "", Code::HistoryRewritten,
           fmt::format("does not come after {}, which is live", short_id(live)), "");
  } else if (!trusted.empty()) {
    refuse(head, "", Code::HistoryRewritten,
           fmt::format("does not contain {}, which this machine trusts", short_id(trusted)),
           "push what contains it, or name another one with --trusted-commit");
  } else {
    return verify_first(head);
  }
  return verdict_;
}

Result<Verdict> Verifier::verify_first(const std::string& head) {
  verdict_ = Verdict();
  const auto commit = objects_.commit(head);
  if (!commit) {
    if (Status judged = judge(head, commit.error()); !judged) return pass_on(judged.error());
    return verdict_;
  }
  verdict_.commits = 1;
  if (machine_ == nullptr) {
    refuse(head, "", Code::SignersInvalid,
           "cannot be the first one: this machine names no signers of its own",
           "name them with --allowed-signers FILE, or the commit with --trusted-commit ID");
    return verdict_;
  }
  HG_TRY(const Identity identity, machine_->identify(**commit), "{}", head);
  if (!identity.signer)
    refuse(head, "", identity.code, identity.problem,
           "the first commit must be signed by one whom the machine's own file names");
  else
    verdict_.signers = {machine_->name_of(*identity.signer)};
  HG_TRY([[maybe_unused]] const PolicyPointer policy, policy_of(**commit), "{}", head);
  return verdict_;
}

Result<Verdict> Verifier::verify_range(const std::string& base, const std::string& head) {
  verdict_ = Verdict();
  auto steps = line(base, head);
  if (!steps) {
    if (Status judged = judge(head, steps.error()); !judged) return pass_on(judged.error());
    return verdict_;
  }
  const auto first = objects_.commit(base);
  if (!first) {
    if (Status judged = judge(base, first.error()); !judged) return pass_on(judged.error());
    return verdict_;
  }
  HG_TRY(PolicyPointer policy, policy_of(**first), "{}", base);
  for (Step& step : *steps) {
    // By what is not valid nobody can be judged: those that follow are not looked at.
    if (policy == nullptr || verdict_.diagnostics.size() >= kMaxDiagnostics) break;
    step.policy = policy;
    if (Status done = check_step(step); !done) {
      if (Status judged = judge(step.commit->id, done.error()); !judged)
        return pass_on(judged.error());
      break;
    }
    HG_TRY(policy, policy_of(*step.commit), "{}", step.commit->id);
  }
  if (verdict_.good() && !steps->empty())
    verdict_.signers = steps->back().policy->names_of(steps->back().signers);
  return verdict_;
}

/// From `base` to `head`, the oldest first, each with the side commits that no earlier one brought.
Result<std::vector<Verifier::Step>> Verifier::line(const std::string& base,
                                                   const std::string& head) {
  HG_TRY(const std::vector<std::string> ids, objects_.range(base, head), "{}..{}", base, head);
  std::set<std::string> after_base = {base};  // base, and what of the range descends from it
  for (const std::string& id : ids) {
    HG_TRY(const CommitObject* commit, objects_.commit(id), "range");
    if (std::any_of(commit->parents.begin(), commit->parents.end(),
                    [&](const std::string& parent) { return after_base.count(parent) > 0; }))
      after_base.insert(id);
  }
  std::vector<Step> steps;
  for (std::string at = head; at != base;) {
    HG_TRY(const CommitObject* commit, objects_.commit(at), "range");
    const auto before =
        std::find_if(commit->parents.begin(), commit->parents.end(),
                     [&](const std::string& parent) { return after_base.count(parent) > 0; });
    if (before == commit->parents.end())
      return fail(Blame::Config, "{} does not descend from {}", at, base);
    HG_TRY(const CommitObject* before_commit, objects_.commit(*before), "range");
    at = *before;
    steps.push_back({commit, before_commit, nullptr, {}, {}});
  }
  std::reverse(steps.begin(), steps.end());
  verdict_.commits = ids.size();

  std::map<std::string, std::size_t> unseen;  // by its place
  for (std::size_t i = 0; i < ids.size(); ++i) unseen[ids[i]] = i;
  for (Step& step : steps) {
    unseen.erase(step.commit->id);
    std::vector<std::string> next = step.commit->parents;
    std::set<std::size_t> places;
    while (!next.empty()) {
      const std::string id = std::move(next.back());
      next.pop_back();
      const auto found = unseen.find(id);
      if (found == unseen.end()) continue;
      places.insert(found->second);
      unseen.erase(found);
      HG_TRY(const CommitObject* commit, objects_.commit(id), "range");
      next.insert(next.end(), commit->parents.begin(), commit->parents.end());
    }
    for (const std::size_t place : places) step.side.push_back(ids[place]);
  }
  return steps;
}

/// What judges the commits after `commit`: its signers.yaml, or else the machine's keys. Null after
/// a diagnostic.
Result<Verifier::PolicyPointer> Verifier::policy_of(const CommitObject& commit) {
  HG_TRY(const TreeFile file, objects_.file(commit.tree, schema::kSignersFile), "signers");
  if (!file.exists()) {
    if (machine_ == nullptr)
      refuse(commit.id, "", Code::SignersInvalid,
             fmt::format("has no {}, and this machine names no signers of its own",
                         schema::kSignersFile),
             "add the file, or name signers with --allowed-signers FILE");
    return machine_;
  }
  if (const auto known = policies_.find(file.id); known != policies_.end()) return known->second;
  const auto text = objects_.content(file);
  if (!text && text.error().blame == Blame::Self) return pass_on(text.error());
  auto policy = text ? Policy::parse(*text) : Result<Policy>(pass_on(text.error()));
  if (!policy) {
    refuse(commit.id, schema::kSignersFile, Code::SignersInvalid,
           "has a file that cannot be used: " + policy.error().context, "");
    return PolicyPointer();
  }
  return policies_[file.id] = std::make_shared<const Policy>(std::move(*policy));
}

Status Verifier::check_step(Step& step) {
  side_signers_.clear();
  for (const std::string& id : step.side) {
    if (verdict_.diagnostics.size() >= kMaxDiagnostics) return {};
    HG_CHECK(check_side_commit(step, id), "{}", id);
  }
  HG_TRY(const auto signer, signer_of(step, *step.commit), "{}", step.commit->id);
  if (!signer) return {};
  step.signers = {*signer};
  HG_TRY(const Changes changes, objects_.changes(step.before->tree, step.commit->tree), "{}",
         step.commit->id);
  for (const auto& [path, file] : changes)
    HG_CHECK(check_change(step, path, file), "{}", in_quotes(path));
  return {};
}

Status Verifier::check_side_commit(const Step& step, const std::string& id) {
  HG_TRY(const CommitObject* commit, objects_.commit(id), "side");
  HG_TRY(const auto signer, signer_of(step, *commit), "{}", id);
  side_signers_[id] = signer;
  if (!signer) return {};
  HG_TRY(const Changes changes, own_changes(*commit), "{}", id);
  for (const auto& [path, file] : changes) {
    const Policy::Rule* rule = step.policy->rule_of(path);
    if (rule != nullptr && rule->signers.count(*signer) > 0) continue;
    const Code code = commit->parents.size() > 1     ? Code::MergeSmuggling
                      : path == schema::kSignersFile ? Code::SelfGranting
                                                     : Code::SignerNotAllowed;
    refuse(
        id, path, code,
        fmt::format("is signed by {}, who may not change this file", step.policy->name_of(*signer)),
        "");
  }
  return {};
}

/// What a commit changes against its first parent; of a merge, only what none of its parents has.
Result<Changes> Verifier::own_changes(const CommitObject& commit) {
  std::string before;
  if (!commit.parents.empty()) {
    HG_TRY(const CommitObject* parent, objects_.commit(commit.parents.front()), "parent");
    before = parent->tree;
  }
  HG_TRY(Changes changes, objects_.changes(before, commit.tree), "changes");
  for (std::size_t i = 1; i < commit.parents.size(); ++i) {
    HG_TRY(const CommitObject* parent, objects_.commit(commit.parents[i]), "parent");
    HG_TRY(const Changes others, objects_.changes(parent->tree, commit.tree), "changes");
    std::erase_if(changes, [&](const auto& change) { return others.count(change.first) == 0; });
  }
  return changes;
}

Result<std::optional<std::size_t>> Verifier::signer_of(const Step& step,
                                                       const CommitObject& commit) {
  HG_TRY(const Identity identity, step.policy->identify(commit), "signature");
  if (identity.signer) {
    verdict_.signed_by[commit.id] = step.policy->name_of(*identity.signer);
    return identity.signer;
  }
  HG_TRY(const bool grants, grants_itself(commit), "signers");
  if (identity.code == Code::SignerUnknown && grants)
    refuse(commit.id, schema::kSignersFile, Code::SelfGranting,
           identity.problem + ", but of those that it adds itself", "");
  else
    refuse(commit.id, "", identity.code, identity.problem, "");
  return std::optional<std::size_t>();
}

/// Whether the commit changes signers.yaml so that it knows its key.
Result<bool> Verifier::grants_itself(const CommitObject& commit) {
  HG_TRY(const TreeFile now, objects_.file(commit.tree, schema::kSignersFile), "signers");
  TreeFile before;
  if (!commit.parents.empty()) {
    HG_TRY(const CommitObject* parent, objects_.commit(commit.parents.front()), "parent");
    HG_TRY(before, objects_.file(parent->tree, schema::kSignersFile), "signers");
  }
  if (!now.exists() || now == before) return false;
  const auto text = objects_.content(now);
  if (!text && text.error().blame == Blame::Self) return pass_on(text.error());
  const auto policy = text ? Policy::parse(*text) : Result<Policy>(pass_on(text.error()));
  if (!policy) return false;
  HG_TRY(const Identity identity, policy->identify(commit), "signature");
  return identity.signer.has_value();
}

/// The signers, by the rules of the step, of the commits that made `path` what it is in the step's
/// commit: on the side each that has it otherwise than its first parent. Who merges what was on the
/// line already signs for nothing new: such a file is not made on the side.
Result<std::set<std::size_t>> Verifier::signers_of_change(const Step& step, const std::string& path,
                                                          const TreeFile& file) {
  const auto has_it = [&](const std::string& id) -> Result<bool> {
    HG_TRY(const CommitObject* commit, objects_.commit(id), "side");
    HG_TRY(const TreeFile there, objects_.file(commit->tree, path), "side");
    return there == file;
  };
  HG_TRY(const std::set<std::string> holders, holders_of(step, has_it), "side");
  std::set<std::size_t> signers;
  std::set<std::string> made_here;
  for (const std::string& id : step.side) {
    if (holders.count(id) == 0) continue;
    HG_TRY(const CommitObject* commit, objects_.commit(id), "side");
    bool made = true;
    bool changed = commit->parents.empty() && file.exists();
    for (const std::string& parent : commit->parents) {
      HG_TRY(const bool had_it, has_it(parent), "side");
      if (had_it && made_here.count(parent) == 0) made = false;
      if (!had_it && parent == commit->parents.front()) changed = true;
    }
    if (!made) continue;
    made_here.insert(id);
    const auto& signer = side_signers_[id];
    if (changed && signer) signers.insert(*signer);
  }
  return signers;
}

/// The side commits from which the step's commit can have what `has_it` looks for.
Result<std::set<std::string>> Verifier::holders_of(
    const Step& step, const std::function<Result<bool>(const std::string&)>& has_it) {
  std::set<std::string> holders;
  std::vector<std::string> next = step.commit->parents;
  while (!next.empty()) {
    const std::string id = std::move(next.back());
    next.pop_back();
    if (side_signers_.count(id) == 0 || holders.count(id) > 0) continue;
    HG_TRY(const bool holds, has_it(id), "side");
    if (!holds) continue;
    holders.insert(id);
    HG_TRY(const CommitObject* commit, objects_.commit(id), "side");
    next.insert(next.end(), commit->parents.begin(), commit->parents.end());
  }
  return holders;
}

Status Verifier::check_change(const Step& step, const std::string& path, const TreeFile& file) {
  const Policy& policy = *step.policy;
  const std::string& id = step.commit->id;
  const Policy::Rule* rule = policy.rule_of(path);
  if (rule == nullptr) {
    refuse(id, path, Code::SignerNotAllowed, "changes a file that no rule lets anybody change",
           "a rule for it must come first, in a commit of its own");
    return {};
  }
  if (!rule->kinds.empty()) HG_CHECK(check_kinds(step, path, file, *rule), "kinds");
  const auto count_allowed = [&](const std::set<std::size_t>& signers) {
    return static_cast<std::size_t>(
        std::count_if(signers.begin(), signers.end(),
                      [&](std::size_t signer) { return rule->signers.count(signer) > 0; }));
  };
  if (count_allowed(step.signers) >= rule->required) return {};
  HG_TRY(const std::set<std::size_t> others, signers_of_change(step, path, file), "side");
  std::set<std::size_t> all = others;
  all.insert(step.signers.begin(), step.signers.end());
  const std::size_t have = count_allowed(all);
  if (have >= rule->required) return {};

  const std::string who = schema::join(policy.names_of(all), " and ");
  const std::string may = schema::join(policy.names_of(rule->signers));
  const bool merge = step.commit->parents.size() > 1;
  if (merge && others.empty())
    refuse(id, path, Code::MergeSmuggling,
           fmt::format("is a merge by {} that changes this file as none of the commits it brings "
                       "does",
                       who),
           fmt::format("needed: {} of {}", people(rule->required), may));
  else if (have > 0)
    refuse(id, path, Code::TooFewSigners,
           fmt::format("changes a file with {} of the {} that it needs: {}", have,
                       people(rule->required), who),
           fmt::format("have another one of {} merge it: git merge --no-ff -S", may));
  else
    refuse(id, path, path == schema::kSignersFile ? Code::SelfGranting : Code::SignerNotAllowed,
           fmt::format("is signed by {}, who may not change this file", who),
           fmt::format("needed: {} of {}", people(rule->required), may));
  return {};
}

/// What the file holds is read as the configuration's reader reads it.
Status Verifier::check_kinds(const Step& step, const std::string& path, const TreeFile& file,
                             const Policy::Rule& rule) {
  if (!file.exists() || !is_yaml(path)) return {};
  const std::string& id = step.commit->id;
  const std::string hint = fmt::format("the rule allows {}", schema::join(rule.kinds));
  const auto text = objects_.content(file);
  if (!text && text.error().blame == Blame::Self) return pass_on(text.error());
  const schema::YamlDocuments yaml = text ? schema::read_yaml(*text) : schema::YamlDocuments();
  if (!text || !yaml.problems.empty()) {
    refuse(id, path, Code::KindNotAllowed, "has a file whose kinds cannot be read", hint);
    return {};
  }
  for (const schema::Node& document : yaml.documents) {
    const schema::Node* kind = document.find("kind");
    const std::string name = kind != nullptr ? kind->text : "";
    if (std::find(rule.kinds.begin(), rule.kinds.end(), name) == rule.kinds.end())
      refuse(id, path, Code::KindNotAllowed,
             fmt::format("brings a resource of the kind {} where it may not be", in_quotes(name)),
             hint);
  }
  return {};
}

void Verifier::refuse(const std::string& commit, const std::string& path, Code code,
                      std::string message, std::string hint) {
  if (verdict_.diagnostics.size() >= kMaxDiagnostics) return;
  schema::Diagnostic diagnostic;
  diagnostic.file = short_id(commit) + (path.empty() ? "" : ":" + path);  // as git show takes it
  diagnostic.code = static_cast<int>(code);
  diagnostic.message = "the commit " + std::move(message);
  diagnostic.hint = hint.empty() ? hint_of(code) : std::move(hint);
  verdict_.diagnostics.push_back(std::move(diagnostic));
}

Status Verifier::judge(const std::string& commit, const Error& error) {
  if (error.blame != Blame::Config) return pass_on(error);
  refuse(commit, "", Code::CommitMalformed, "cannot be verified: " + error.context, "");
  return {};
}

}  // namespace headgate::reconciler
