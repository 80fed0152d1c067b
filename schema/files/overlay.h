// SPDX-License-Identifier: MIT
// An overlay of a repository: what `overlays/NAME/` says otherwise, for the edges that choose it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "schema/files/document.h"
#include "schema/files/repository_files.h"
#include "schema/model/layout.h"

namespace headgate::schema {

/// The documents of the YAML files in one folder. Each patches the resource of the same kind and
/// name (see merge()), in the order of the files; `$patch: delete` takes the resource away,
/// `$patch: add` brings one that only this overlay has. `*.sops.yaml` bring secrets. Threads:
/// immutable.
class Overlay {
 public:
  /// Nothing.
  Overlay() = default;
  /// Reads `overlays/NAME/` of `layout`. What is wrong is in diagnostics().
  static Overlay read(const TreeIndex& index, const Layout& layout);
  /// Another one after any change of the overlay's files.
  static std::string id_of(const Tree& tree, const Layout& layout);

  /// Where marks of patches point to: Mark::origin n is the file n - 1.
  const std::vector<std::string>& files() const { return files_; }
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  bool empty() const { return files_.empty(); }

  /// Lays the patches of `document` over it; false when it is to be left out. The numbers of the
  /// patches go into `used`.
  bool apply(Node& document, Decoder& decoder, std::set<std::size_t>& used) const;
  /// The resources that only this overlay has.
  DecodedFile additions(RepositoryFiles& files) const;
  /// About patches that are not in `used`; `resources`: all that could have been meant.
  std::vector<Diagnostic> unused(
      const std::set<std::size_t>& used,
      const std::vector<std::shared_ptr<const Resource>>& resources) const;

 private:
  struct Patch {
    std::string kind;
    std::string name;
    Node document;
  };
  void read_file(const std::string& path, std::string_view text);
  void add(Node document, Decoder& decoder);

  std::vector<std::string> files_;
  std::vector<Patch> patches_;
  std::map<std::string, std::vector<Node>> additions_;  ///< by file
  std::map<std::string, std::string> secrets_;          ///< texts of `*.sops.yaml`, by file
  std::vector<Diagnostic> diagnostics_;
};

/// The kind and the name of a document; empty where they are missing.
std::pair<std::string, std::string> identity_of(const Node& document);

}  // namespace headgate::schema
