// SPDX-License-Identifier: MIT
// What resources must keep to among each other, over all files; and the Model they make.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schema/fields/kinds.h"

namespace headgate::schema {

/// A decoded resource with the document it was read from, so that cross-file diagnostics have
/// positions long after decoding.
struct Resource {
  const Kind* kind = nullptr;
  std::string name;  ///< empty when it could not be read
  std::string file;
  std::vector<std::string> overlay_files;  ///< see Mark::origin
  Node document;
  AnyResource value;
};

/// Checks names, aliases and references, and fills `model` with what has a name. `resources` are in
/// the order of their files. Errors: appended to `diagnostics`; the model is then incomplete.
void link(const std::vector<std::shared_ptr<const Resource>>& resources, Model& model,
          std::vector<Diagnostic>& diagnostics);

}  // namespace headgate::schema
