// SPDX-License-Identifier: MIT
// Builds and runs the automaton of Phrases.
#include "appliance/guard/waf/match/phrases.h"

#include <queue>

#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {

Phrases::Phrases(std::vector<std::string> phrases) : phrases_(std::move(phrases)) {
  std::erase_if(phrases_, [](const std::string& phrase) { return phrase.empty(); });
  const auto class_of = [this](char c) -> std::uint16_t& {
    return classes_[static_cast<unsigned char>(text::to_lower(c))];
  };
  for (const std::string& phrase : phrases_) {
    for (const char c : phrase) {
      if (class_of(c) == 0) class_of(c) = static_cast<std::uint16_t>(class_count_++);
    }
  }
  for (char c = 'A'; c <= 'Z'; ++c) classes_[static_cast<unsigned char>(c)] = class_of(c);

  next_.assign(class_count_, 0);
  matched_.assign(1, 0);
  for (const std::string& phrase : phrases_) {
    std::size_t state = 0;
    for (const char c : phrase) {
      const std::size_t edge = state * class_count_ + class_of(c);
      if (next_[edge] == 0) {
        next_[edge] = static_cast<std::uint32_t>(matched_.size());
        matched_.push_back(0);
        next_.resize(next_.size() + class_count_, 0);
      }
      state = next_[edge];
    }
    matched_[state] = static_cast<std::uint32_t>(phrase.size());
  }

  // Breadth first: a state's missing edges are those of its longest proper suffix.
  std::vector<std::uint32_t> suffix(matched_.size(), 0);
  std::queue<std::uint32_t> queue;
  for (std::size_t c = 0; c < class_count_; ++c) {
    if (next_[c] != 0) queue.push(next_[c]);
  }
  while (!queue.empty()) {
    const std::uint32_t state = queue.front();
    queue.pop();
    if (matched_[state] == 0) matched_[state] = matched_[suffix[state]];
    for (std::size_t c = 0; c < class_count_; ++c) {
      std::uint32_t& edge = next_[state * class_count_ + c];
      const std::uint32_t fallback = next_[suffix[state] * class_count_ + c];
      if (edge == 0) {
        edge = fallback;
      } else {
        suffix[edge] = fallback;
        queue.push(edge);
      }
    }
  }
}

std::string_view Phrases::find(std::string_view text) const {
  std::size_t state = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    state = next_[state * class_count_ + classes_[static_cast<unsigned char>(text[i])]];
    if (matched_[state] != 0) return text.substr(i + 1 - matched_[state], matched_[state]);
  }
  return {};
}

std::vector<std::string> read_phrase_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && text::is_space(line.front())) line.remove_prefix(1);
    while (!line.empty() && text::is_space(line.back())) line.remove_suffix(1);
    if (!line.empty() && line.front() != '#') lines.emplace_back(line);
  }
  return lines;
}

}  // namespace headgate::guard::waf
