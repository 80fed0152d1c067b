// SPDX-License-Identifier: MIT
// Manifests: a path or URL a line, or an HLS playlist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headgate::warm {

/// Larger manifests are refused.
inline constexpr std::size_t kMaxManifest = 4 * 1024 * 1024;

struct Reference {
  std::string url;           ///< as it is written
  bool is_playlist = false;  ///< refers to more
};

/// What `text` lists. HLS when it begins with #EXTM3U: variants and renditions of a multivariant
/// playlist, segments and initialisation sections of a media playlist (RFC 8216 section 4). Lines
/// that begin with # are comments otherwise. Threads: pure.
std::vector<Reference> read_manifest(std::string_view text);

}  // namespace headgate::warm
