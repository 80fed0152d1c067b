// SPDX-License-Identifier: MIT
// Regex by PCRE2; the only file here that knows it, with workspace.cc.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "appliance/guard/waf/match/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace headgate::guard::waf {

Result<Regex> Regex::compile(std::string_view pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* const code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_USE_OFFSET_LIMIT,
                    &error, &offset, nullptr);
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return fail(Blame::Config, "not a regular expression, at offset {} of {}: {}", offset, pattern,
                reinterpret_cast<const char*>(message.data()));
  }
  // Without machine code (an exotic processor, a pattern too large) it is interpreted.
  (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return Regex(code);
}

Regex::Regex(Regex&& other) noexcept : code_(std::exchange(other.code_, nullptr)) {}
Regex& Regex::operator=(Regex&& other) noexcept {
  std::swap(code_, other.code_);
  return *this;
}
Regex::~Regex() { pcre2_code_free(code_); }

Found Regex::search(std::string_view text, Workspace& workspace, Captures* captures) const {
  // Each place where a match may begin can cost a look at all that follows. So in a long text some
  // places are tried at a time, and the clock is looked at between.
  constexpr std::size_t kLong = 8192;
  constexpr std::size_t kPlaces = 2048;
  if (text.size() <= kLong) return search_from(text, 0, PCRE2_UNSET, workspace, captures);
  for (std::size_t start = 0; start <= text.size(); start += kPlaces) {
    const Found found = search_from(text, start, start + kPlaces - 1, workspace, captures);
    if (found != Found::No) return found;
    if (workspace.is_late()) return Found::Exhausted;
  }
  return Found::No;
}

Found Regex::search_near(std::string_view text, std::size_t end, Workspace& workspace,
                         Captures* captures) const {
  constexpr std::size_t kBefore = 2048;
  constexpr std::size_t kBehind = 256;
  const std::size_t from = end > kBefore ? end - kBefore : 0;
  const std::size_t to = std::min(text.size(), end + kBehind);
  Captures local;
  Captures& found = captures == nullptr ? local : *captures;
  const Found outcome = search_from(text.substr(0, to), from, PCRE2_UNSET, workspace, &found);
  // What reaches the cut may be a match only because of it.
  if (outcome == Found::Yes && to < text.size() &&
      found.groups[0].data() + found.groups[0].size() == text.data() + to)
    return Found::No;
  return outcome;
}

Found Regex::search_from(std::string_view text, std::size_t start, std::size_t last,
                         Workspace& workspace, Captures* captures) const {
  if (workspace.may_not_search()) return Found::Exhausted;
  // A step back in a long text may cost as much as the text is long.
  constexpr std::size_t kLong = 4096;
  constexpr std::uint32_t kLimit = 200'000;
  constexpr std::uint32_t kLimitOfLong = 30'000;
  pcre2_set_match_limit(workspace.match_context_,
                        text.size() - start > kLong ? kLimitOfLong : kLimit);
  pcre2_set_offset_limit(workspace.match_context_, last);
  const auto* const subject = reinterpret_cast<PCRE2_SPTR>(text.empty() ? "" : text.data());
  const int found = pcre2_match(code_, subject, text.size(), start, 0, workspace.match_data_,
                                workspace.match_context_);
  if (found == PCRE2_ERROR_NOMATCH) return Found::No;
  workspace.searched(found < 0);
  if (found < 0) return Found::Exhausted;  // the match limit, or the stack for it
  if (captures == nullptr) return Found::Yes;
  const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(workspace.match_data_);
  // 0: more groups than there is room for, and all the room is used.
  captures->count = found == 0 ? captures->groups.size() : static_cast<std::size_t>(found);
  for (std::size_t i = 0; i < captures->count; ++i) {
    const std::size_t from = ends[2 * i];
    const std::size_t to = ends[2 * i + 1];
    const bool took_part = from != PCRE2_UNSET && from <= to;
    captures->groups[i] = took_part ? text.substr(from, to - from) : std::string_view();
  }
  return Found::Yes;
}

}  // namespace headgate::guard::waf
