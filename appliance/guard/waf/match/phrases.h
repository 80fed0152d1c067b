// SPDX-License-Identifier: MIT
// Phrases looked for in one pass, ASCII letters in any case (Aho and Corasick, 1975).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::guard::waf {

/// Threads: const members are safe everywhere.
class Phrases {
 public:
  /// Empty phrases are left out.
  explicit Phrases(std::vector<std::string> phrases);

  /// The phrase that ends first in `text`, as it stands there; empty when there is none.
  std::string_view find(std::string_view text) const;
  const std::vector<std::string>& phrases() const { return phrases_; }

 private:
  std::vector<std::string> phrases_;
  std::array<std::uint16_t, 256> classes_{};  ///< 0: in no phrase
  std::size_t class_count_ = 1;
  std::vector<std::uint32_t> next_;     ///< state * class_count_ + class
  std::vector<std::uint32_t> matched_;  ///< of a state: length of the phrase that ends there, or 0
};

/// Lines of a phrase file: trimmed, without empty ones and comments (#).
std::vector<std::string> read_phrase_lines(std::string_view text);

}  // namespace headgate::guard::waf
