// SPDX-License-Identifier: MIT
// From the files of a tree to a validated Model, or to every diagnostic at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schema/diagnostic.h"
#include "schema/model/layout.h"
#include "schema/model/model.h"

namespace headgate::schema {

/// The files of one commit or folder. Paths are relative, with '/', in byte order.
/// Threads: const calls from one thread at a time.
class Tree {
 public:
  struct Entry {
    /// Of the others nothing can be read.
    enum class Kind { File, Link, Submodule };
    std::string path;
    std::string id;  ///< changes when the content does: git's blob id, or a hash
    std::uint64_t size = 0;
    Kind kind = Kind::File;
  };
  virtual ~Tree() = default;
  virtual const std::vector<Entry>& entries() const = 0;
  virtual Result<std::string> read(const Entry& entry) const = 0;

  /// Where in it the configuration is.
  const Layout& layout() const { return layout_; }
  void set_layout(Layout layout) { layout_ = std::move(layout); }

 private:
  Layout layout_;
};

/// What loading a tree gives: a model when no diagnostic is an error.
struct Loaded {
  std::shared_ptr<const Model> model;   ///< null when there is an error
  std::vector<Diagnostic> diagnostics;  ///< by file, line, column
  std::vector<std::string> files;  ///< every file the model was made of, referenced files included
};

/// Of a tree, everything in the folder that its layout names is configuration, and `signers.yaml`
/// at its root; files that resources refer to may lie anywhere in it.
///
/// Loads trees one after the other and keeps what it parsed, so that an unchanged file (same path,
/// same id) is neither read nor parsed again. Bounded: what the last load did not use is forgotten.
/// Threads: one at a time.
class Loader {
 public:
  Loader();
  ~Loader();
  Loaded load(const Tree& tree);

 private:
  struct Cache;
  struct Run;
  std::unique_ptr<Cache> cache_;
};

/// The machine's own `kind: Edge` file.
struct LoadedEdge {
  std::shared_ptr<const Edge> edge;  ///< null when there is an error
  std::vector<Diagnostic> diagnostics;
};
LoadedEdge load_edge(const std::string& path, std::string_view text);

}  // namespace headgate::schema
