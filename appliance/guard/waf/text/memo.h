// SPDX-License-Identifier: MIT
// The texts of one request and what transformations make of them, each computed at most once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/text/arena.h"
#include "appliance/guard/waf/text/chain.h"

namespace headgate::guard::waf {

using TextId = std::uint32_t;

/// Slots (text, chain), filled when first asked for. Chains that lead to the same octets share one
/// output, so that a matcher looks at them once.
/// Threads: one.
class Memo {
 public:
  /// `chains` and `arena` must outlive the memo.
  Memo(const ChainTable& chains, Arena& arena) : chains_(chains), arena_(arena) {}

  /// Adds `text`, which must live as long as the memo.
  TextId add(std::string_view text);

  /// The text after `chain`.
  std::string_view get(TextId text, ChainId chain) {
    return output_text(text, output(text, chain));
  }
  /// Which output of the text `chain` leads to: numbered from 0, the text itself.
  std::uint16_t output(TextId text, ChainId chain);
  std::string_view output_text(TextId text, std::uint16_t output) const {
    const Text& found = texts_[text];
    return output == 0 ? found.raw.octets : found.others[output - 1u].octets;
  }
  std::size_t output_count(TextId text) const { return texts_[text].others.size() + 1; }
  /// Octets that transformations have written so far: what an inspection budget counts.
  std::size_t written() const { return written_; }
  void clear() {
    texts_.clear();
    written_ = 0;
  }

 private:
  static constexpr std::uint16_t kUnknown = 0xffff;
  struct Output {
    std::string_view octets;
    OctetKinds kinds;
  };
  struct Text {
    Output raw;
    std::vector<Output> others;
    std::uint16_t* by_chain = nullptr;  ///< in the arena; kUnknown until asked for
  };
  std::uint16_t compute(Text& text, ChainId chain);

  const ChainTable& chains_;
  Arena& arena_;
  std::vector<Text> texts_;
  std::string buffer_;
  std::size_t written_ = 0;
};

}  // namespace headgate::guard::waf
