// SPDX-License-Identifier: MIT
// The files of a folder on disk as a Tree: what validate, test, diff and explain read before
// anything is committed.
#include "reconciler/source/folder_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reconciler/source/repository.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 200'000;
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{16} << 20;

/// Asks the repository around a folder, when there is one, what it ignores.
class Ignores {
 public:
  explicit Ignores(const fs::path& root) {
    auto repository = Repository::discover(root.string());
    if (!repository) return;
    std::error_code error;
    const fs::path inside = fs::relative(root, repository->working_folder(), error);
    if (error || repository->working_folder().empty() || inside.string().starts_with("..")) return;
    prefix_ = inside == "." ? "" : inside.generic_string() + "/";
    // A scratch folder that another project ignores is read all the same.
    if (!prefix_.empty() && repository->ignores(prefix_)) return;
    repository_ = std::make_unique<Repository>(std::move(*repository));
  }
  bool operator()(const std::string& path) const {
    return repository_ != nullptr && repository_->ignores(prefix_ + path);
  }

 private:
  std::string prefix_;
  std::unique_ptr<Repository> repository_;
};

}  // namespace

Result<std::unique_ptr<FolderTree>> FolderTree::open(const std::string& path) {
  std::error_code error;
  const fs::path root = fs::canonical(path, error);
  if (error) return fail(Blame::Config, "{}: {}", path, error.message());
  if (!fs::is_directory(root, error)) return fail(Blame::Config, "{} is not a folder", path);
  std::unique_ptr<FolderTree> tree(new FolderTree(root.string()));
  HG_CHECK(tree->scan(), "reading {}", path);
  return tree;
}

Status FolderTree::scan() {
  const Ignores ignores{fs::path(root_)};
  std::error_code error;
  fs::recursive_directory_iterator at(root_, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const fs::directory_entry& entry = *at;
    const std::string path = entry.path().lexically_relative(root_).generic_string();
    const bool link = entry.is_symlink(error);
    const bool folder = !link && entry.is_directory(error);
    if (folder && (entry.path().filename().string().starts_with('.') || ignores(path + "/"))) {
      at.disable_recursion_pending();
      continue;
    }
    if (folder || ignores(path)) continue;
    if (link) {
      if (looks_like_configuration(path)) diagnostics_.push_back(symbolic_link_diagnostic(path));
      continue;
    }
    if (!entry.is_regular_file(error)) continue;
    if (entries_.size() >= kMaxFiles) return fail(Blame::Config, "more than {} files", kMaxFiles);
    const std::uintmax_t size = entry.file_size(error);
    // One look at a folder: what identifies a file within it is enough.
    entries_.push_back({path, fmt::format("{}:{}", path, size), size});
  }
  if (error) return fail(Blame::Config, "{}", error.message());
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.path < b.path; });
  for (Entry& entry : entries_) {
    if (!looks_like_configuration(entry.path)) continue;
    if (auto content = read(entry)) entry.id = blob_id(*content);
  }
  return {};
}

Result<std::string> FolderTree::read(const Entry& entry) const {
  if (entry.size > kMaxFileBytes)
    return fail(Blame::Config, "larger than {}", format_size(kMaxFileBytes));
  std::ifstream file(root_ + "/" + entry.path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file) return fail(Blame::Config, "{} cannot be read", schema::quoted(entry.path));
  return std::move(content).str();
}

}  // namespace headgate::reconciler
