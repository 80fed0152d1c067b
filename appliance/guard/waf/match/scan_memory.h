// SPDX-License-Identifier: MIT
// Remembers what was found in short texts, since most requests repeat those of others: the names
// and values of headers above all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::guard::waf {

/// A table of fixed size in which a new text displaces an old one with the same place. A text is
/// found by all of its octets: what is remembered is right, or not there.
/// Threads: one at a time.
class ScanMemory {
 public:
  /// `owner` says by what the text was scanned. Null when it is not remembered; valid until the
  /// next remember().
  const std::vector<std::uint32_t>* find(std::uint64_t owner, std::string_view text) const;
  /// Texts longer than kLongest, or with more than kMost results, are not.
  void remember(std::uint64_t owner, std::string_view text,
                const std::vector<std::uint32_t>& results);

 private:
  static constexpr std::size_t kPlaces = 4096;
  static constexpr std::size_t kLongest = 256;
  static constexpr std::size_t kMost = 16;
  struct Place {
    std::uint64_t owner = 0;
    std::string text;
    std::vector<std::uint32_t> results;
  };
  static std::size_t place_of(std::uint64_t owner, std::string_view text);

  std::vector<Place> places_;
};

}  // namespace headgate::guard::waf
