// SPDX-License-Identifier: MIT
// From the text of one YAML file to its resources, without looking at other YAML files.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "schema/validate/references.h"

namespace headgate::schema {

/// Whose file it is decides which kinds belong into it.
enum class Owner { Repository, Machine };

struct DecodedFile {
  std::vector<std::shared_ptr<const Resource>> resources;
  std::vector<Diagnostic> diagnostics;
};

/// Reads, decodes and checks everything that needs only this file and the ones that `files` gives.
/// Threads: as `files`.
DecodedFile decode_file(const std::string& path, std::string_view text, Owner owner,
                        FileSource* files);

}  // namespace headgate::schema
