// SPDX-License-Identifier: MIT
// Lists and reads a folder without following symbolic links.
#include "schema/folder_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxFiles = 200'000;
constexpr int kMaxFolderDepth = 64;
constexpr std::size_t kMaxOctets = std::size_t{16} << 20;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

struct FileHandle {
  int number = -1;
  ~FileHandle() {
    if (number >= 0) close(number);
  }
};

std::string reason() { return std::strerror(errno); }

/// Changes whenever the content can have changed, as far as the file system tells.
std::string identity(const struct stat& info) {
  return fmt::format("{}-{}-{}-{}.{:09}", info.st_dev, info.st_ino, info.st_size,
                     info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
}

}  // namespace

Result<FolderTree> FolderTree::open(const std::string& root) {
  struct stat info {};
  if (stat(root.c_str(), &info) != 0) return fail(Blame::Config, "{}: {}", root, reason());
  if (!S_ISDIR(info.st_mode)) return fail(Blame::Config, "{} is not a folder", root);
  FolderTree tree(root);
  HG_CHECK(tree.scan("", 0), "reading the folder {}", root);
  std::sort(tree.entries_.begin(), tree.entries_.end(),
            [](const Entry& a, const Entry& b) { return a.path < b.path; });
  return tree;
}

Status FolderTree::scan(const std::string& folder, int depth) {
  std::string path = folder.empty() ? root_ : root_ + "/" + folder;
  if (depth > kMaxFolderDepth)
    return fail(Blame::Config, "{}: more than {} folders deep", path, kMaxFolderDepth);
  std::unique_ptr<DIR, CloseFolder> handle(opendir(path.c_str()));
  if (handle == nullptr) return fail(Blame::Config, "{}: {}", path, reason());
  while (const dirent* item = readdir(handle.get())) {
    std::string name = item->d_name;
    if (name == "." || name == ".." || name == ".git") continue;
    std::string relative = folder.empty() ? name : folder + "/" + name;
    struct stat info {};
    if (lstat((root_ + "/" + relative).c_str(), &info) != 0) {
      if (errno == ENOENT) continue;  // gone since readdir
      return fail(Blame::Config, "{}: {}", relative, reason());
    }
    if (S_ISDIR(info.st_mode)) {
      if (struct stat git{}; lstat((root_ + "/" + relative + "/.git").c_str(), &git) == 0) {
        entries_.push_back({relative, identity(info), 0, Entry::Kind::Submodule});
        continue;
      }
      HG_CHECK(scan(relative, depth + 1), "{}", name);
      continue;
    }
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) continue;
    if (entries_.size() >= kMaxFiles) return fail(Blame::Config, "more than {} files", kMaxFiles);
    entries_.push_back({relative, identity(info), static_cast<std::uint64_t>(info.st_size),
                        S_ISLNK(info.st_mode) ? Entry::Kind::Link : Entry::Kind::File});
  }
  return {};
}

Result<std::string> FolderTree::read(const Entry& entry) const {
  FileHandle file{
      ::open((root_ + "/" + entry.path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.number < 0)
    return errno == ELOOP ? fail(Blame::Config, "symbolic links are not read")
                          : fail(Blame::Config, "{}", reason());
  std::string content;
  std::array<char, 65536> buffer{};
  for (;;) {
    ssize_t count = ::read(file.number, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Blame::Config, "{}", reason());
    if (count == 0) return content;
    if (content.size() + static_cast<std::size_t>(count) > kMaxOctets)
      return fail(Blame::Config, "larger than {} octets", kMaxOctets);
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace headgate::schema
