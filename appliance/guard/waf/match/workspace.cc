// SPDX-License-Identifier: MIT
// Makes and frees the scratch memory of both regex libraries.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "appliance/guard/waf/match/workspace.h"

#include <hs/hs.h>
#include <pcre2.h>
#include <time.h>

#include <cstdint>

#include "appliance/base/assert.h"
#include "appliance/guard/waf/match/regex.h"

namespace headgate::guard::waf {
namespace {

constexpr std::size_t kJitStackSmallest = 32 * 1024;
constexpr std::size_t kJitStackGreatest = 512 * 1024;
constexpr std::uint32_t kGroups = 10;
constexpr std::size_t kRegexesKept = 64;
constexpr std::uint32_t kSearchesUnchecked = 8;  // most take less than a look at the clock

std::int64_t thread_cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Workspace::Workspace()
    : match_data_(pcre2_match_data_create(kGroups, nullptr)),
      match_context_(pcre2_match_context_create(nullptr)),
      jit_stack_(pcre2_jit_stack_create(kJitStackSmallest, kJitStackGreatest, nullptr)) {
  HG_ASSERT(match_data_ != nullptr && match_context_ != nullptr);
  if (jit_stack_ != nullptr) pcre2_jit_stack_assign(match_context_, nullptr, jit_stack_);
}

Workspace::~Workspace() {
  pcre2_jit_stack_free(jit_stack_);
  pcre2_match_context_free(match_context_);
  pcre2_match_data_free(match_data_);
  hs_free_scratch(scratch_);
}

void Workspace::allow(std::int64_t cpu_nanoseconds) {
  deadline_ = thread_cpu_nanoseconds() + cpu_nanoseconds;
  late_ = false;
  searches_ = 0;
}

bool Workspace::is_late() {
  late_ = late_ || thread_cpu_nanoseconds() > deadline_;
  return late_;
}

bool Workspace::may_not_search() {
  return ++searches_ % kSearchesUnchecked == 0 ? is_late() : late_;
}

void Workspace::searched(bool hard) {
  if (hard) searches_ = kSearchesUnchecked - 1;
}

const Regex* Workspace::find_regex(std::string_view pattern) {
  const std::string key(pattern);
  const auto found = regexes_.find(key);
  if (found != regexes_.end()) return found->second.get();
  if (regexes_.size() >= kRegexesKept) regexes_.clear();
  auto compiled = Regex::compile(pattern);
  auto regex = compiled ? std::make_unique<Regex>(std::move(*compiled)) : nullptr;
  return regexes_.emplace(key, std::move(regex)).first->second.get();
}

}  // namespace headgate::guard::waf
