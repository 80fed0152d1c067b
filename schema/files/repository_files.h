// SPDX-License-Identifier: MIT
// The files that resources refer to, found in a tree without ever leaving it.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "schema/load.h"
#include "schema/table/decoder.h"

namespace headgate::schema {

/// Which paths a decoded file asked for, and what was there: as long as the answers are the same,
/// the file need not be decoded again.
struct Dependency {
  std::string path;
  std::string id;  ///< empty: there was no such file
};

/// The entries of a tree by path.
class TreeIndex {
 public:
  explicit TreeIndex(const Tree& tree);
  const Tree::Entry* find(const std::string& path) const;
  const Tree& tree() const { return tree_; }

 private:
  const Tree& tree_;
  std::unordered_map<std::string, const Tree::Entry*> by_path_;
};

/// Paths are relative to the folder of the file that names them; what is not there is looked for
/// from the root of the repository.
class RepositoryFiles final : public FileSource {
 public:
  RepositoryFiles(const TreeIndex& index, std::string_view referring_file);
  bool read(std::string_view path, ReferencedFile& file, FileProblem& problem) override;
  const std::vector<Dependency>& dependencies() const { return dependencies_; }

 private:
  const TreeIndex& index_;
  std::string folder_;  ///< "" or "a/b/"
  std::vector<Dependency> dependencies_;
};

/// `path` in `folder`, without "." and ".."; empty when it is absolute or leaves the root.
std::string resolve_path(std::string_view folder, std::string_view path);

}  // namespace headgate::schema
