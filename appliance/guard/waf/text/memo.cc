// SPDX-License-Identifier: MIT
// Fills the slots of Memo.
#include "appliance/guard/waf/text/memo.h"

namespace headgate::guard::waf {

TextId Memo::add(std::string_view octets) {
  Text text;
  text.raw = {octets, octet_kinds(octets)};
  texts_.push_back(std::move(text));
  return static_cast<TextId>(texts_.size() - 1);
}

std::uint16_t Memo::output(TextId id, ChainId chain) {
  if (chain == 0) return 0;
  Text& text = texts_[id];
  if (text.by_chain == nullptr) {
    // The arena gives no alignment: its offset is rounded up here.
    char* const raw = arena_.allocate(chains_.size() * sizeof(std::uint16_t) + 1);
    text.by_chain =
        reinterpret_cast<std::uint16_t*>(raw + (reinterpret_cast<std::uintptr_t>(raw) & 1));
    std::fill_n(text.by_chain, chains_.size(), kUnknown);
    text.by_chain[0] = 0;
  }
  if (text.by_chain[chain] == kUnknown) text.by_chain[chain] = compute(text, chain);
  return text.by_chain[chain];
}

std::uint16_t Memo::compute(Text& text, ChainId chain) {
  // Parents have smaller numbers: this goes as deep as a rule has transformations.
  const ChainId parent = chains_.parent(chain);
  if (text.by_chain[parent] == kUnknown) text.by_chain[parent] = compute(text, parent);
  const std::uint16_t from = text.by_chain[parent];
  const Output input = from == 0 ? text.raw : text.others[from - 1u];
  const Transformation step = chains_.last(chain);
  if (!may_change(step, input.kinds)) return from;
  written_ += input.octets.size();
  if (!apply(step, input.octets, buffer_)) return from;
  if (text.raw.octets == buffer_) return 0;
  for (std::size_t i = 0; i < text.others.size(); ++i) {
    if (text.others[i].octets == buffer_) return static_cast<std::uint16_t>(i + 1);
  }
  text.others.push_back({arena_.persist(buffer_), octet_kinds(buffer_)});
  return static_cast<std::uint16_t>(text.others.size());
}

}  // namespace headgate::guard::waf
