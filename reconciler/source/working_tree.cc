// SPDX-License-Identifier: MIT
// A folder as the next commit would have it: what validate, test, diff and explain read before
// anything is committed.
#include "reconciler/source/working_tree.h"

#include <filesystem>
#include <map>

#include "reconciler/source/repository.h"

namespace headgate::reconciler {
namespace {

namespace fs = std::filesystem;

/// What a commit would have in the place of a file that Git LFS keeps, as far as that matters.
constexpr const char* kLfsPointer = "version https://git-lfs.github.com/spec/v1\n";

}  // namespace

/// The repository around a folder, when there is one. A folder is asked for once.
class Surroundings {
 public:
  explicit Surroundings(const std::string& path) {
    std::error_code error;
    const fs::path root = fs::canonical(path, error);
    auto repository = Repository::discover(root.string());
    if (error || !repository || repository->working_folder().empty()) return;
    const fs::path inside = fs::relative(root, repository->working_folder(), error);
    if (error || inside.generic_string().starts_with("..")) return;
    if (inside != ".") prefix_ = inside.generic_string() + "/";
    // A scratch folder that another project ignores is read all the same.
    if (!prefix_.empty() && repository->ignores(prefix_)) return;
    repository_ = std::make_unique<Repository>(std::move(*repository));
  }

  bool ignore(const schema::Tree::Entry& entry) {
    if (repository_ == nullptr) return false;
    const bool is_folder = entry.kind == schema::Tree::Entry::Kind::Submodule;
    return ignore_folder_of(entry.path) ||
           repository_->ignores(prefix_ + entry.path + (is_folder ? "/" : ""));
  }

  bool is_in_lfs(const std::string& path) const {
    return repository_ != nullptr && repository_->is_in_lfs(prefix_ + path);
  }

 private:
  /// Whether the folder of `path`, or one above it, is ignored.
  bool ignore_folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return false;
    const std::string folder = path.substr(0, slash);
    if (const auto known = folders_.find(folder); known != folders_.end()) return known->second;
    return folders_[folder] =
               ignore_folder_of(folder) || repository_->ignores(prefix_ + folder + "/");
  }

  std::string prefix_;
  std::unique_ptr<Repository> repository_;
  std::map<std::string, bool> folders_;
};

WorkingTree::WorkingTree(schema::FolderTree folder) : folder_(std::move(folder)) {}
WorkingTree::~WorkingTree() = default;

Result<std::unique_ptr<WorkingTree>> WorkingTree::open(const std::string& path) {
  HG_TRY(schema::FolderTree folder, schema::FolderTree::open(path), "reading the configuration");
  std::unique_ptr<WorkingTree> tree(new WorkingTree(std::move(folder)));
  tree->surroundings_ = std::make_unique<Surroundings>(path);
  for (const Entry& entry : tree->folder_.entries())
    if (!tree->surroundings_->ignore(entry)) tree->entries_.push_back(entry);
  return tree;
}

Result<std::string> WorkingTree::read(const Entry& entry) const {
  if (surroundings_->is_in_lfs(entry.path)) return std::string(kLfsPointer);
  return folder_.read(entry);
}

}  // namespace headgate::reconciler
