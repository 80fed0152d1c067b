// SPDX-License-Identifier: MIT
// From the text of one YAML file to its resources, without looking at other YAML files.
#pragma once

#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "schema/validate/references.h"

namespace headgate::schema {

class Overlay;

/// Whose file it is decides which kinds belong into it.
enum class Owner { Repository, Machine };

struct DecodedFile {
  std::vector<std::shared_ptr<const Resource>> resources;
  std::vector<Diagnostic> diagnostics;
  std::set<std::size_t> patches;  ///< of the overlay, that changed something here
};

/// Reads, decodes and checks everything that needs only this file and the ones that `files` gives.
/// `overlay`: what is laid over its documents; null: nothing. Threads: as `files`.
DecodedFile decode_file(const std::string& path, std::string_view text, Owner owner,
                        FileSource* files, const Overlay* overlay = nullptr);
/// The same for documents that have been read already.
DecodedFile decode_documents(const std::string& path, std::vector<Node> documents, Owner owner,
                             FileSource* files, const Overlay* overlay = nullptr);

/// Reports an `apiVersion` that is missing or another one.
void check_api_version(const Node& document, Decoder& decoder);

}  // namespace headgate::schema
