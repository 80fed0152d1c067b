// SPDX-License-Identifier: MIT
// Manifests: a path or URL a line, or an HLS playlist.
#include "appliance/warm/document/playlist.h"

#include <algorithm>

namespace headgate::warm {
namespace {

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  constexpr std::string_view kSpace = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
  return line.substr(0, line.find_last_not_of(kSpace) + 1);
}

/// The value of the attribute URI, without its quotes; empty when there is none.
std::string_view uri_of(std::string_view tag) {
  constexpr std::string_view kName = "URI=\"";
  std::size_t at = tag.find(kName);
  // Not the end of another attribute's name.
  while (at != std::string_view::npos && at > 0 && tag[at - 1] != ',' && tag[at - 1] != ':')
    at = tag.find(kName, at + 1);
  if (at == std::string_view::npos) return {};
  tag.remove_prefix(at + kName.size());
  const std::size_t end = tag.find('"');
  return end == std::string_view::npos ? std::string_view() : tag.substr(0, end);
}

}  // namespace

std::vector<Reference> read_manifest(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const bool hls = text.starts_with("#EXTM3U");
  std::vector<Reference> references;
  bool variant = false;  // the line before said that this one is a playlist
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    if (line.front() != '#') {
      references.push_back({std::string(line), variant});
      variant = false;
    } else if (hls) {
      variant = variant || line.starts_with("#EXT-X-STREAM-INF:");
      const bool rendition = line.starts_with("#EXT-X-MEDIA:");
      if (rendition || line.starts_with("#EXT-X-MAP:"))
        if (const auto uri = uri_of(line); !uri.empty())
          references.push_back({std::string(uri), rendition});
    }
  }
  return references;
}

}  // namespace headgate::warm
