// SPDX-License-Identifier: MIT
// Fuzzes what warming reads of origins: sitemaps, plain and gzip, manifests, and their references.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/warm/document/playlist.h"
#include "appliance/warm/document/sitemap.h"
#include "appliance/warm/document/target.h"

namespace {

using namespace headgate::warm;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Read {
  std::vector<std::string> urls;
  bool good = false;
};

Read read(std::string_view octets, std::size_t cut) {
  Read out;
  SitemapReader reader([&](const std::string& url, bool) {
    require(!url.empty() && url.size() <= 4096);
    out.urls.push_back(url);
  });
  out.good = reader.feed(octets.substr(0, cut)).has_value() &&
             reader.feed(octets.substr(cut)).has_value() && reader.end().has_value();
  return out;
}

void check(const Target& base, const std::string& reference) {
  const auto target = resolve(base, reference);
  if (!target) return;
  require(target->path.starts_with('/') && !target->host.empty());
  require(std::all_of(target->path.begin(), target->path.end(),
                      [](char c) { return c > 0x20 && c < 0x7F; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const Read whole = read(octets, octets.size());
  const Read pieces = read(octets, octets.size() / 2);
  require(whole.good == pieces.good);
  if (whole.good) require(whole.urls == pieces.urls);
  const Target base{"shop.test", "/live/main.m3u8"};
  for (const std::string& url : whole.urls) check(base, url);
  for (const Reference& reference : read_manifest(octets)) {
    require(!reference.url.empty());
    check(base, reference.url);
  }
  check(base, std::string(octets));
  return 0;
}
