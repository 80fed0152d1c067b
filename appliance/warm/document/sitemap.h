// SPDX-License-Identifier: MIT
// Sitemaps and indexes of them (sitemaps.org), read while they arrive.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::warm {

/// Plain XML or gzip. Memory is bounded, whatever comes. Threads: one.
class SitemapReader {
 public:
  /// The protocol's own limit of a sitemap, unpacked.
  static constexpr std::uint64_t kMaxOctets = 50 * 1024 * 1024;

  /// `found`: a URL as it is written; of another sitemap, when an index lists it.
  using Found = std::function<void(const std::string& url, bool is_sitemap)>;
  explicit SitemapReader(Found found);
  ~SitemapReader();
  SitemapReader(const SitemapReader&) = delete;
  SitemapReader& operator=(const SitemapReader&) = delete;

  /// Cut anywhere. Errors: Blame::Origin, what is wrong with it; nothing is read after one.
  Status feed(std::string_view octets);
  /// Nothing more comes.
  Status end();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace headgate::warm
