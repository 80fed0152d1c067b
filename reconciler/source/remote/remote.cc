// SPDX-License-Identifier: MIT
// One URL of the repository: what the followed ref names there, and fetching that.
//
// A look at a remote is one program, or two:
//
//   git fetch +NAME:LOCAL   where the ref is known to be the branch NAME; otherwise, and when that
//                           has failed:
//   git ls-remote           what does the ref name, or which tags are there?
//   git fetch               unless that is what we have; then the ids are compared: git reports
//                           success for refs that did not move
#include "reconciler/source/remote/remote.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "appliance/snapshot/secret/secrets.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr unsigned kFailuresBeforeRemake = 3;
constexpr std::string_view kTags = "refs/tags/";
constexpr std::string_view kBranches = "refs/heads/";
constexpr std::string_view kPeeled = "^{}";

/// The names that `ref` may have at the remote, in order of preference; a peeled tag before the tag
/// itself.
std::vector<std::string> candidates(const std::string& ref) {
  if (ref == "HEAD" || ref.starts_with("refs/")) return {ref + "^{}", ref};
  return {"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref};
}

std::string without_peeling(std::string name) {
  if (name.ends_with(kPeeled)) name.resize(name.size() - kPeeled.size());
  return name;
}

}  // namespace

std::string short_name(const std::string& ref) {
  for (const std::string_view prefix : {kBranches, kTags})
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  return ref;
}

bool is_commit_id(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Remote::Remote(GitCommand git, Followed followed, Duration timeout, std::string local_ref,
               std::optional<RemoteToken> token)
    : git_(std::move(git)),
      followed_(std::move(followed)),
      timeout_(timeout),
      local_ref_(std::move(local_ref)),
      token_(std::move(token)) {}

Result<Found> Remote::fetch(Mirror& mirror, const Cancellation* cancellation) {
  suspects_mirror_ = false;
  const bool by_id = !followed_.range && is_commit_id(followed_.ref);
  if (by_id && mirror.has_whole_tree(followed_.ref)) return Found{followed_.ref, "", {}};
  if (token_) {
    HG_TRY(const schema::Redacted token, snapshot::resolve(token_->secret), "the token for {}",
           location().shown);
    HG_CHECK(git_.use_token(token_->user, token), "the token for {}", location().shown);
  }
  if (!branch_.empty()) {
    auto fetched = fetch_name(branch_, mirror, cancellation);
    if (fetched) return Found{std::move(*fetched), branch_, {}};
    if (fetched.error().retry == Retry::SameOrigin)
      return tl::unexpected<Error>(std::move(fetched.error()));
    branch_.clear();  // what is wrong, the remote, the ref or the mirror, is found out below
  }
  Found found{followed_.ref, "", {}};
  if (!by_id) {
    HG_TRY(found, ask(cancellation), "asking {}", location().shown);
  }
  if (const auto known = mirror.commit_of(local_ref_);
      known && *known == found.commit && mirror.has_whole_tree(found.commit))
    return found;

  // No other name of the remote's can stand before that of a branch.
  if (found.name.starts_with(kBranches)) branch_ = found.name;
  auto fetched = fetch_name(by_id ? followed_.ref : found.name, mirror, cancellation);
  if (!fetched) {
    suspects_mirror_ = is_suspect(fetched.error(), mirror);
    return tl::unexpected<Error>(std::move(fetched.error()));
  }
  // Perhaps newer than what ls-remote said, after a push between the two: this counts.
  found.commit = std::move(*fetched);
  return found;
}

/// A new mirror costs all of the history, so a slow network must not lead to it.
bool Remote::is_suspect(const Error& failure, Mirror& mirror) {
  if (failure.retry == Retry::SameOrigin) return false;  // it was cut off
  return mirror.is_broken(local_ref_) || ++failures_ % kFailuresBeforeRemake == 0;
}

Result<Found> Remote::ask(const Cancellation* cancellation) {
  std::vector<std::string> arguments = {"ls-remote", "--quiet", "--", location().url};
  if (followed_.range)
    arguments.push_back(std::string(kTags) + "*");
  else
    for (std::string& name : candidates(followed_.ref)) arguments.push_back(std::move(name));
  HG_TRY(const std::string output, git_.run(std::move(arguments), timeout_, cancellation),
         "ls-remote");
  return followed_.range ? find_version(output) : find_ref(output);
}

Result<Found> Remote::find_ref(const std::string& advertised) const {
  const std::vector<std::string> names = candidates(followed_.ref);
  std::vector<std::string> ids(names.size());
  std::istringstream lines(advertised);
  for (std::string id, name; lines >> id >> name;) {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at != names.end() && is_commit_id(id))
      ids[static_cast<std::size_t>(at - names.begin())] = id;
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!ids[i].empty()) return Found{ids[i], without_peeling(names[i]), {}};
  return fail(Blame::Config, "has no branch or tag {}; check --ref",
              schema::in_quotes(followed_.ref));
}

Result<Found> Remote::find_version(const std::string& advertised) const {
  if (advertised.size() >= GitCommand::kMaxOutputBytes)
    return fail(Blame::Config, "has more tags than are read");
  // A peeled tag comes after the tag itself, and has the commit.
  std::map<std::string, std::string> commits;
  std::istringstream lines(advertised);
  for (std::string id, name; lines >> id >> name;)
    if (is_commit_id(id)) commits[without_peeling(name)] = id;
  std::optional<Found> highest;
  std::size_t versions = 0;
  for (const auto& [name, commit] : commits) {
    if (!name.starts_with(kTags)) continue;
    auto version = SemanticVersion::parse(std::string_view(name).substr(kTags.size()));
    if (!version) continue;
    ++versions;
    if (!followed_.range->contains(*version)) continue;
    if (highest && compare(*version, *highest->version) < 0) continue;
    highest = Found{commit, name, std::move(version)};
  }
  if (highest) return std::move(*highest);
  return fail(Blame::Config, "none of its {} tags is a version of {}{}", commits.size(),
              schema::in_quotes(followed_.text),
              versions > 0 ? "" : ": name them 1.2.3 or v1.2.3, as semver.org has it");
}

Result<std::string> Remote::fetch_name(const std::string& name, Mirror& mirror,
                                       const Cancellation* cancellation) {
  const auto before = mirror.commit_of(local_ref_);
  HG_TRY([[maybe_unused]] const std::string output,
         git_.run({"--git-dir=" + mirror.path(), "fetch", "--quiet", "--force", "--no-tags",
                   "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
                   "--", location().url, "+" + name + ":" + local_ref_},
                  timeout_, cancellation),
         "fetching {} from {}", schema::in_quotes(short_name(name)), location().shown);
  HG_TRY(const std::string id, mirror.commit_of(local_ref_), "after fetching");
  if (!before || *before != id) mirror.count_fetch();
  if (!mirror.has_whole_tree(id))
    return fail(Blame::Self, "commit {} came without all of its files", id);
  failures_ = 0;
  return id;
}

}  // namespace headgate::reconciler
