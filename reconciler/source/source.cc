// SPDX-License-Identifier: MIT
// The repository that the appliance follows: fetched into a bare mirror of our own, read from
// there.
//
// The mirror holds one ref, refs/headgate/followed. A look at the remote is one program, or two:
//
//   git fetch +NAME:refs/headgate/followed   where the ref is known to be the branch NAME;
//                                            otherwise, and when that has failed:
//   git ls-remote                            what does the ref name?
//   git fetch                                unless that is what we have; then the ids are
//                                            compared: git reports success for refs that did
//                                            not move
//
// When the fetch fails although the remote answered, the mirror is suspected: it is removed, made
// again, and fetched once more.
#include "reconciler/source/source.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "appliance/base/background.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFollowed = "refs/headgate/followed";
constexpr unsigned kFetchesBetweenMaintenance = 100;
constexpr unsigned kFailuresBeforeRemake = 3;
constexpr Duration kLocalDeadline = std::chrono::seconds(30);
constexpr Duration kMaintenanceDeadline = std::chrono::minutes(10);

bool is_commit_id(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// What git check-ref-format allows, near enough to keep options and patterns out.
bool is_ref_name(std::string_view name) {
  if (name.empty() || name.starts_with('-') || name.starts_with('/') || name.ends_with('/') ||
      name.ends_with('.') || name.ends_with(".lock"))
    return false;
  if (name.find("..") != std::string_view::npos || name.find("//") != std::string_view::npos ||
      name.find("@{") != std::string_view::npos)
    return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f ||
           std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
  });
}

/// The names that `ref` may have at the remote, in order of preference; a peeled tag before the tag
/// itself.
std::vector<std::string> candidates(const std::string& ref) {
  if (ref == "HEAD" || ref.starts_with("refs/")) return {ref + "^{}", ref};
  return {"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref};
}

std::string without_peeling(std::string name) {
  if (name.ends_with("^{}")) name.resize(name.size() - 3);
  return name;
}

}  // namespace

Status Source::check(const schema::EdgeSource& options) {
  HG_TRY([[maybe_unused]] const Location location, parse_location(options.url), "--source");
  if (!is_ref_name(options.ref))
    return fail(Blame::Config, "--ref {}: not a branch, tag or full commit id",
                schema::in_quotes(options.ref));
  return {};
}

Result<std::unique_ptr<Source>> Source::open(const schema::EdgeSource& options,
                                             const std::string& state_directory) {
  if (Status good = check(options); !good) return tl::unexpected<Error>(std::move(good.error()));
  HG_TRY(Location location, parse_location(options.url), "--source");
  GitCommand git(std::move(location), {options.ssh_key_file, options.known_hosts}, state_directory);
  HG_CHECK(git.prepare(), "preparing git");
  return std::unique_ptr<Source>(
      new Source(std::move(git), options, state_directory + "/repo.git"));
}

Source::Source(GitCommand git, const schema::EdgeSource& options, std::string mirror)
    : git_(std::move(git)),
      ref_(options.ref),
      timeout_(options.timeout),
      mirror_(std::move(mirror)) {}

Result<std::string> Source::fetch(const Cancellation* cancellation) {
  if (damaged_) {
    HG_CHECK(make_mirror(), "making {} again", mirror_);
    ++remakes_;
    damaged_ = false;
  }
  if (!open_mirror()) HG_CHECK(make_mirror(), "making {}", mirror_);
  remove_stale_locks();

  const bool by_id = is_commit_id(ref_);
  if (by_id && has_whole_tree(ref_)) return ref_;
  if (!branch_.empty()) {
    auto fetched = fetch_once(branch_, cancellation);
    if (fetched) failures_ = 0;
    if (fetched || fetched.error().retry == Retry::SameOrigin) return fetched;
    branch_.clear();  // what is wrong, the remote, the ref or the mirror, is found out below
  }
  Advertised wanted{ref_, ref_};
  if (!by_id) {
    HG_TRY(wanted, ask_remote(cancellation), "asking {}", location().shown);
  }
  if (const auto known = followed(); known && *known == wanted.id && has_whole_tree(wanted.id))
    return wanted.id;

  // No other name of the remote's can stand before that of a branch.
  if (wanted.name.starts_with("refs/heads/")) branch_ = wanted.name;
  auto fetched = fetch_once(wanted.name, cancellation);
  if (fetched) failures_ = 0;
  if (fetched || !is_suspect(fetched.error())) return fetched;
  HG_CHECK(make_mirror(), "making {} again", mirror_);
  ++remakes_;
  return fetch_once(wanted.name, cancellation);
}

/// Whether a fetch may have failed because of what is in the mirror. A new one costs all of the
/// history, so a slow network must not lead to it.
bool Source::is_suspect(const Error& failure) {
  if (failure.retry == Retry::SameOrigin) return false;  // it was cut off
  whole_commit_.clear();
  const auto known = followed();
  const bool was_fetched = !repository_ || repository_->has_ref(kFollowed);
  if (was_fetched && !(known && has_whole_tree(*known))) return true;
  return ++failures_ % kFailuresBeforeRemake == 0;
}

Status Source::open_mirror() {
  if (repository_) return {};
  HG_TRY(Repository repository, Repository::open(mirror_), "opening {}", mirror_);
  repository_.emplace(std::move(repository));
  return {};
}

Status Source::make_mirror() {
  std::error_code error;
  fs::remove_all(mirror_, error);
  if (error) return fail(Blame::Self, "removing {}: {}", mirror_, error.message());
  repository_.reset();
  whole_commit_.clear();
  HG_TRY([[maybe_unused]] const std::string output,
         git_.run({"init", "--quiet", "--bare", "--template=", mirror_}, kLocalDeadline, nullptr),
         "git init");
  return open_mirror();
}

void Source::remove_stale_locks() {
  // Nobody else writes here (the state folder is locked): a lock is what a killed git left behind.
  std::error_code error;
  std::vector<fs::path> stale;
  for (const char* folder : {"", "/refs/headgate", "/objects/pack"})
    for (fs::directory_iterator at(mirror_ + folder, error), end; !error && at != end;
         at.increment(error)) {
      const std::string name = at->path().filename().string();
      if (name.ends_with(".lock") || name.starts_with("tmp_")) stale.push_back(at->path());
    }
  for (const fs::path& path : stale) fs::remove(path, error);
}

Result<Source::Advertised> Source::ask_remote(const Cancellation* cancellation) {
  const std::vector<std::string> names = candidates(ref_);
  std::vector<std::string> arguments = {"ls-remote", "--quiet", "--", location().url};
  arguments.insert(arguments.end(), names.begin(), names.end());
  HG_TRY(const std::string output, git_.run(std::move(arguments), timeout_, cancellation),
         "ls-remote");
  std::vector<std::string> ids(names.size());
  std::istringstream lines(output);
  for (std::string id, name; lines >> id >> name;) {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at != names.end() && is_commit_id(id))
      ids[static_cast<std::size_t>(at - names.begin())] = id;
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!ids[i].empty()) return Advertised{without_peeling(names[i]), ids[i]};
  return fail(Blame::Config, "has no branch or tag {}; check --ref", schema::in_quotes(ref_));
}

Result<std::string> Source::fetch_once(const std::string& name, const Cancellation* cancellation) {
  const auto before = followed();
  HG_TRY([[maybe_unused]] const std::string output,
         git_.run({"--git-dir=" + mirror_, "fetch", "--quiet", "--force", "--no-tags",
                   "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
                   "--", location().url, "+" + name + ":" + kFollowed},
                  timeout_, cancellation),
         "fetching {} from {}", schema::in_quotes(ref_), location().shown);
  HG_TRY(const std::string id, followed(), "after fetching");
  if (!before || *before != id) ++fetches_since_maintenance_;
  if (!has_whole_tree(id)) return fail(Blame::Self, "commit {} came without all of its files", id);
  return id;  // perhaps newer than what ls-remote said, after a push between the two: this counts
}

Result<std::string> Source::followed() const {
  if (!repository_) return fail(Blame::Self, "no mirror");
  return repository_->resolve(kFollowed);
}

bool Source::has_whole_tree(const std::string& commit) {
  if (commit == whole_commit_) return true;
  const base::YieldOften while_requests_wait;
  if (!repository_ || !repository_->tree(commit)) return false;
  whole_commit_ = commit;
  return true;
}

Result<std::unique_ptr<GitTree>> Source::tree(const std::string& commit) {
  if (!repository_) return fail(Blame::Self, "no mirror");
  auto tree = repository_->tree(commit);
  if (!tree && tree.error().blame == Blame::Self) damaged_ = true;
  return tree;
}

Result<CommitInfo> Source::describe(const std::string& commit) const {
  if (!repository_) return fail(Blame::Self, "no mirror");
  return repository_->describe(commit);
}

bool Source::is_ancestor(const std::string& ancestor, const std::string& commit) const {
  return repository_ && repository_->is_ancestor(ancestor, commit);
}

Status Source::maintain(const Cancellation* cancellation) {
  if (fetches_since_maintenance_ < kFetchesBetweenMaintenance) return {};
  fetches_since_maintenance_ = 0;
  repository_.reset();
  HG_TRY([[maybe_unused]] const std::string output,
         git_.run({"--git-dir=" + mirror_, "gc", "--quiet", "--prune=now"}, kMaintenanceDeadline,
                  cancellation),
         "packing {}", mirror_);
  return open_mirror();
}

}  // namespace headgate::reconciler
