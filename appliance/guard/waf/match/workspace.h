// SPDX-License-Identifier: MIT
// What matchers need to write to while they match: one for each thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "appliance/guard/waf/match/scan_memory.h"

struct hs_scratch;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace headgate::guard::waf {

class PatternSet;
class Regex;

/// A pattern that was found.
struct PatternHit {
  std::uint32_t id = 0;
  std::size_t end = 0;  ///< where its match that ends first does
};

/// Scratch memory of Hyperscan and PCRE2, grown to what the sets and regexes used with it need.
/// Threads: one at a time.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// A list to use for a moment, so that nobody has to allocate one.
  std::vector<PatternHit>& hits() { return hits_; }
  ScanMemory& scan_memory() { return scan_memory_; }

  /// From now on work may take the thread so much CPU time; then searches give up.
  void allow(std::int64_t cpu_nanoseconds);
  /// Whether that is used up. A system call, but once it is, it is.
  bool is_late();
  /// The same before each search, of which only some look at the clock; those after one that was
  /// `hard` do.
  bool may_not_search();
  void searched(bool hard);

  /// A regex that is only known while matching: compiled when first asked for, then kept for a
  /// while. Null for what is none. Valid until the next call.
  const Regex* find_regex(std::string_view pattern);

 private:
  friend class PatternSet;
  friend class Regex;
  std::vector<PatternHit> hits_;
  ScanMemory scan_memory_;
  std::int64_t deadline_ = std::numeric_limits<std::int64_t>::max();  ///< the thread's CPU time
  bool late_ = false;
  std::uint32_t searches_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Regex>> regexes_;
  hs_scratch* scratch_ = nullptr;
  std::vector<std::size_t>
      scratch_serves_;  ///< PatternSet::serial_ of the sets it is large enough for
  pcre2_real_match_data_8* match_data_ = nullptr;
  pcre2_real_match_context_8* match_context_ = nullptr;
  pcre2_real_jit_stack_8* jit_stack_ = nullptr;
};

}  // namespace headgate::guard::waf
