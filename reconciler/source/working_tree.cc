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

/// Asks the repository around a folder, when there is one, what it ignores; a folder is asked for
/// once.
class Ignores {
 public:
  explicit Ignores(const std::string& path) {
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

  bool file(const std::string& path) {
    return repository_ != nullptr && (folder_of(path) || repository_->ignores(prefix_ + path));
  }

 private:
  /// Whether the folder of `path`, or one above it, is ignored.
  bool folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return false;
    const std::string folder = path.substr(0, slash);
    if (const auto known = folders_.find(folder); known != folders_.end()) return known->second;
    return folders_[folder] = folder_of(folder) || repository_->ignores(prefix_ + folder + "/");
  }

  std::string prefix_;
  std::unique_ptr<Repository> repository_;
  std::map<std::string, bool> folders_;
};

}  // namespace

Result<std::unique_ptr<WorkingTree>> WorkingTree::open(const std::string& path) {
  HG_TRY(schema::FolderTree folder, schema::FolderTree::open(path), "reading the configuration");
  std::unique_ptr<WorkingTree> tree(new WorkingTree(std::move(folder)));
  Ignores ignores(path);
  for (const Entry& entry : tree->folder_.entries())
    if (!ignores.file(entry.path)) tree->entries_.push_back(entry);
  return tree;
}

}  // namespace headgate::reconciler
