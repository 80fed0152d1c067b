// SPDX-License-Identifier: MIT
// A Tree of texts in memory, for tests of whatever loads repositories.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "schema/load.h"
#include "schema/text.h"

namespace headgate::schema {

/// The id of an entry is a digest of its content, as in git.
class MemoryTree final : public Tree {
 public:
  MemoryTree() = default;
  explicit MemoryTree(std::map<std::string, std::string> files) {
    for (auto& [path, content] : files) put(path, std::move(content));
  }

  void put(const std::string& path, std::string content) {
    remove(path);
    entries_.push_back({path, sha256_hex(content), content.size()});
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    files_[path] = std::move(content);
  }
  void put_submodule(const std::string& path) {
    remove(path);
    entries_.push_back({path, "submodule", 0, Entry::Kind::Submodule});
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
  }
  void remove(const std::string& path) {
    files_.erase(path);
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.path == path; }),
                   entries_.end());
  }

  const std::vector<Entry>& entries() const override { return entries_; }
  Result<std::string> read(const Entry& entry) const override {
    ++reads;
    auto found = files_.find(entry.path);
    if (found == files_.end()) return fail(Blame::Self, "gone");
    if (unreadable == entry.path) return fail(Blame::Self, "I/O error");
    return found->second;
  }

  mutable int reads = 0;
  std::string unreadable;  ///< a path whose reading fails

 private:
  std::map<std::string, std::string> files_;
  std::vector<Entry> entries_;
};

}  // namespace headgate::schema
