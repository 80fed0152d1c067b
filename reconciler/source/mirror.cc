// SPDX-License-Identifier: MIT
// The bare repository of our own that everything is fetched into and read from.
#include "reconciler/source/mirror.h"

#include <filesystem>
#include <vector>

#include "appliance/base/background.h"

namespace headgate::reconciler {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kFetchesBetweenMaintenance = 100;
constexpr Duration kLocalDeadline = std::chrono::seconds(30);
constexpr Duration kMaintenanceDeadline = std::chrono::minutes(10);

}  // namespace

Status Mirror::prepare() {
  if (damaged_) HG_CHECK(make_again(), "making {} again", path_);
  if (!open()) HG_CHECK(make(), "making {}", path_);
  remove_stale_locks();
  return {};
}

Status Mirror::make_again() {
  if (Status made = make(); !made) return made;
  ++remakes_;
  damaged_ = false;
  return {};
}

Status Mirror::open() {
  if (repository_) return {};
  HG_TRY(Repository repository, Repository::open(path_), "opening {}", path_);
  repository_.emplace(std::move(repository));
  return {};
}

Status Mirror::make() {
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) return fail(Blame::Self, "removing {}: {}", path_, error.message());
  repository_.reset();
  whole_commit_.clear();
  HG_TRY([[maybe_unused]] const std::string output,
         git_.run({"init", "--quiet", "--bare", "--template=", path_}, kLocalDeadline, nullptr),
         "git init");
  return open();
}

void Mirror::remove_stale_locks() {
  // Nobody else writes here (the state folder is locked): a lock is what a killed git left behind.
  std::error_code error;
  std::vector<fs::path> stale;
  for (const char* folder : {"", "/refs/headgate", "/objects/pack"})
    for (fs::directory_iterator at(path_ + folder, error), end; !error && at != end;
         at.increment(error)) {
      const std::string name = at->path().filename().string();
      if (name.ends_with(".lock") || name.starts_with("tmp_")) stale.push_back(at->path());
    }
  for (const fs::path& path : stale) fs::remove(path, error);
}

Result<std::string> Mirror::commit_of(const std::string& ref) const {
  if (!repository_) return fail(Blame::Self, "no mirror");
  return repository_->resolve(ref);
}

bool Mirror::has_whole_tree(const std::string& commit) {
  if (commit == whole_commit_) return true;
  const base::YieldOften while_requests_wait;
  if (!repository_ || !repository_->tree(commit)) return false;
  whole_commit_ = commit;
  return true;
}

bool Mirror::is_broken(const std::string& ref) {
  whole_commit_.clear();
  if (repository_ && !repository_->has_ref(ref)) return false;
  const auto commit = commit_of(ref);
  return !(commit && has_whole_tree(*commit));
}

Result<std::unique_ptr<GitTree>> Mirror::tree(const std::string& commit) {
  if (!repository_) return fail(Blame::Self, "no mirror");
  auto tree = repository_->tree(commit);
  if (!tree && tree.error().blame == Blame::Self) damaged_ = true;
  return tree;
}

Status Mirror::maintain(const Cancellation* cancellation) {
  if (fetches_since_maintenance_ < kFetchesBetweenMaintenance) return {};
  fetches_since_maintenance_ = 0;
  repository_.reset();
  HG_TRY([[maybe_unused]] const std::string output,
         git_.run({"--git-dir=" + path_, "gc", "--quiet", "--prune=now"}, kMaintenanceDeadline,
                  cancellation),
         "packing {}", path_);
  return open();
}

}  // namespace headgate::reconciler
