// SPDX-License-Identifier: MIT
// The files that resources refer to, found in a tree without ever leaving it.
#pragma once

#include <optional>
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
/// from the root of the configuration, then of the repository.
class RepositoryFiles final : public FileSource {
 public:
  explicit RepositoryFiles(const TreeIndex& index) : index_(index) {}
  bool read(std::string_view path, const std::string& from, ReferencedFile& file,
            FileProblem& problem) override;
  const std::vector<Dependency>& dependencies() const { return dependencies_; }

 private:
  const TreeIndex& index_;
  std::vector<Dependency> dependencies_;
};

/// A file of configuration; what is not to be had is reported.
std::optional<std::string> read_configuration(const Tree& tree, const Tree::Entry& entry,
                                              std::vector<Diagnostic>& diagnostics);

inline constexpr const char* kSubmoduleHint =
    "put its files into this repository (git subtree add), or name it in .headgateignore";

/// Whether the content is that of a pointer of Git LFS, and what it points to somewhere else.
/// Source: Git LFS specification, "The Pointer".
bool is_lfs_pointer(std::string_view content);

/// `path` in `folder`, without "." and ".."; empty when it is absolute or leaves the root.
std::string resolve_path(std::string_view folder, std::string_view path);

}  // namespace headgate::schema
