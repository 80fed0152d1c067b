// SPDX-License-Identifier: MIT
// Durations and sizes: one table of units each, read and written by the same rows.
#include "schema/base/units.h"

#include <array>
#include <charconv>
#include <limits>

namespace headgate {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

// Longest first when writing: the first unit that divides the value exactly is the shortest
// spelling.
constexpr std::array<Unit, 5> kTimes{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kBinarySizes{{{"TiB", std::uint64_t{1} << 40},
                                            {"GiB", std::uint64_t{1} << 30},
                                            {"MiB", std::uint64_t{1} << 20},
                                            {"KiB", std::uint64_t{1} << 10}}};
constexpr std::array<Unit, 6> kDecimalSizes{{{"TB", 1'000'000'000'000},
                                             {"GB", 1'000'000'000},
                                             {"MB", 1'000'000},
                                             {"kB", 1000},
                                             {"B", 1},
                                             {"", 1}}};
// A hundred years: longer is a slip of the finger, and sums of two still fit.
constexpr std::uint64_t kMaxMilliseconds = 36'525ULL * 86'400'000ULL;
constexpr std::uint64_t kMaxOctets = std::uint64_t{1} << 60;

struct Amount {
  std::uint64_t number;
  std::string_view suffix;
};

bool split(std::string_view text, Amount& amount) {
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, amount.number);
  if (error != std::errc{}) return false;
  amount.suffix = std::string_view(rest, static_cast<std::size_t>(end - rest));
  return true;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  Amount amount{};
  if (split(text, amount)) {
    if (amount.suffix.empty()) amount.suffix = "s";
    for (const Unit& unit : kTimes) {
      if (unit.suffix != amount.suffix) continue;
      if (amount.number > kMaxMilliseconds / unit.factor)
        return fail(Blame::Config, "a duration is at most 100 years");
      return Duration(static_cast<Duration::rep>(amount.number * unit.factor));
    }
  }
  return fail(Blame::Config,
              "expected a duration such as 250ms, 30s, 5m, 24h, 30d or whole seconds");
}

std::string format_duration(Duration value) {
  if (value.count() == 0) return "0s";
  if (value.count() < 0) return fmt::format("-{}", format_duration(-value));
  auto number = static_cast<std::uint64_t>(value.count());
  // 90 s reads better than 1.5 m: a unit is used when it leaves nothing over.
  for (const Unit& unit : kTimes)
    if (number % unit.factor == 0) return fmt::format("{}{}", number / unit.factor, unit.suffix);
  return fmt::format("{}ms", number);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  Amount amount{};
  if (split(text, amount)) {
    auto scaled = [&](const Unit& unit) -> Result<std::uint64_t> {
      if (amount.number > kMaxOctets / unit.factor)
        return fail(Blame::Config, "a size is at most 1 EiB");
      return amount.number * unit.factor;
    };
    for (const Unit& unit : kBinarySizes)
      if (unit.suffix == amount.suffix) return scaled(unit);
    for (const Unit& unit : kDecimalSizes)
      if (unit.suffix == amount.suffix) return scaled(unit);
  }
  return fail(Blame::Config, "expected a size such as 512, 64KiB, 1MiB, 10GiB or 500MB");
}

std::string format_size(std::uint64_t octets) {
  for (const Unit& unit : kBinarySizes)
    if (octets != 0 && octets % unit.factor == 0)
      return fmt::format("{}{}", octets / unit.factor, unit.suffix);
  return fmt::format("{}", octets);
}

}  // namespace headgate
