// SPDX-License-Identifier: MIT
#include "appliance/base/idle_time.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace headgate::base {
namespace {

constexpr std::uint64_t kFewTicks = 20;
constexpr std::uint64_t kIdleShare = 10;  // a tenth

/// Takes the digits at the head of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::vector<bool> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  std::vector<bool> allowed(CPU_SETSIZE);
  for (std::size_t i = 0; i < allowed.size(); ++i) allowed[i] = CPU_ISSET(i, &set);
  return allowed;
}

}  // namespace

ProcessorTime processor_time(std::string_view text, const std::vector<bool>& allowed) {
  // user nice system idle iowait irq softirq steal, and guest times that user and nice contain
  constexpr std::size_t kFields = 8;
  constexpr std::size_t kIdle = 3;
  constexpr std::size_t kWaiting = 4;
  ProcessorTime sum;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with("cpu")) continue;
    line.remove_prefix(3);
    const auto processor = take_number(line);
    if (!processor || *processor >= allowed.size() || !allowed[*processor]) continue;
    for (std::size_t field = 0; field < kFields && line.starts_with(' '); ++field) {
      line.remove_prefix(1);
      const auto ticks = take_number(line);
      if (!ticks) break;
      sum.total += *ticks;
      if (field == kIdle || field == kWaiting) sum.idle += *ticks;
    }
  }
  return sum;
}

bool IdleTime::is_left() {
  std::ifstream file("/proc/stat");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return is_left(processor_time(text, allowed_processors()));
}

bool IdleTime::is_left(ProcessorTime now) {
  // iowait may shrink (proc_stat(5)), and a processor may be taken away
  if (std::exchange(is_first_, false) || now.total < before_.total || now.idle < before_.idle) {
    before_ = now;
    return left_;
  }
  const std::uint64_t total = now.total - before_.total;
  if (total < kFewTicks) return left_;
  left_ = (now.idle - before_.idle) * kIdleShare >= total;
  before_ = now;
  return left_;
}

}  // namespace headgate::base
