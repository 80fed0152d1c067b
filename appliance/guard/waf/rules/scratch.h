// SPDX-License-Identifier: MIT
// What an inspection works with and leaves nothing in: one for each worker.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "appliance/guard/waf/match/workspace.h"
#include "appliance/guard/waf/rules/program.h"
#include "appliance/guard/waf/rules/texts.h"
#include "appliance/guard/waf/text/arena.h"
#include "appliance/guard/waf/text/memo.h"

namespace headgate::guard::waf {

/// Memory that stays for the next request. Threads: one.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  friend class Evaluation;
  friend class ResponseInspection;

  /// One look of a pattern set at one output of a text; scans of a text are a chain.
  struct Scan {
    std::uint16_t output;
    std::uint32_t first_hit;
    std::uint32_t end_hit;
    std::uint32_t next;
  };
  enum class Known : std::uint8_t { NotYet, No, Yes, Unknown, GaveUp };

  Arena arena_;
  Workspace workspace_;
  Texts texts_;
  std::optional<Memo> memo_;
  std::uint64_t memo_of_ = 0;  ///< serial of the ACL whose chains the memo knows
  std::vector<Known> known_;   ///< by condition
  std::vector<std::uint32_t> scans_of_text_;
  std::vector<Scan> scans_;
  std::vector<std::uint32_t> hits_;  ///< ids of patterns
  std::vector<std::uint32_t> ids_;
  std::string buffer_;
};

}  // namespace headgate::guard::waf
