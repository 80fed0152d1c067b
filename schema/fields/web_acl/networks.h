// SPDX-License-Identifier: MIT
// Lists of networks: written in a resource, or in a file of the repository.
#pragma once

#include <string>
#include <vector>

#include "schema/table/type.h"

namespace headgate::schema {

inline constexpr std::size_t kMaxNetworks = 100'000;

/// `[10.0.0.0/8, 2001:db8::/32]`.
bool decode_networks(const Node& node, std::vector<std::string>& networks, Decoder& decoder);

/// `{file: PATH}`. The file has a network a line, with comments after `#`; or it is the JSON in
/// which Google, Bing, Apple and others publish theirs: `{"prefixes": [{"ipv4Prefix":
/// "192.0.2.0/24"},
/// {"ipv6Prefix": …}]}`.
bool decode_networks_file(const Node& node, std::string& file, std::vector<std::string>& networks,
                          Decoder& decoder);

/// The networks, or of a file a digest over them.
Json encode_networks(const std::string& file, const std::vector<std::string>& networks);

Json networks_file_schema();

}  // namespace headgate::schema
