// SPDX-License-Identifier: MIT
// Reads what sops (https://getsops.io) has written: the shape of the file, nothing of its secrets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "schema/model/sops.h"
#include "schema/table/decoder.h"
#include "schema/yaml/node.h"

namespace headgate::schema {

/// Whether a file of that path is one of secrets: `*.sops.yaml`, `*.sops.yml`.
bool is_sops_file(std::string_view path);

/// Errors: appended to the decoder's.
std::shared_ptr<const SopsFile> decode_sops(const std::string& path, const Node& document,
                                            Decoder& decoder);

}  // namespace headgate::schema
