// SPDX-License-Identifier: MIT
#include "appliance/snapshot/secret/bech32.h"

#include <algorithm>
#include <array>

namespace headgate::snapshot {
namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksum = 6;

/// The generator polynomial of BIP 173 over groups of five bits.
class Checksum {
 public:
  void add(unsigned group) {
    constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                         0x3d4233dd, 0x2a1462b3};
    const std::uint32_t top = state_ >> 25;
    state_ = ((state_ & 0x1ffffff) << 5) ^ group;
    for (std::size_t i = 0; i < kGenerator.size(); ++i)
      if (((top >> i) & 1) != 0) state_ ^= kGenerator[i];
  }
  void add_prefix(std::string_view prefix) {
    for (const char c : prefix) add(static_cast<std::uint8_t>(c) >> 5);
    add(0);
    for (const char c : prefix) add(static_cast<std::uint8_t>(c) & 31);
  }
  std::uint32_t state() const { return state_; }

 private:
  std::uint32_t state_ = 1;
};

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

std::optional<Bech32> bech32_decode(std::string_view text) {
  const bool has_upper =
      std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  const std::string lower = lowered(text);
  if (has_upper &&
      std::any_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
    return std::nullopt;
  const std::size_t one = lower.rfind('1');
  if (one == std::string::npos || one == 0 || lower.size() - one - 1 < kChecksum)
    return std::nullopt;
  Bech32 out{lower.substr(0, one), {}};
  Checksum checksum;
  checksum.add_prefix(out.prefix);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (std::size_t i = one + 1; i < lower.size(); ++i) {
    const std::size_t group = kAlphabet.find(lower[i]);
    if (group == std::string_view::npos) return std::nullopt;
    checksum.add(static_cast<unsigned>(group));
    if (i + kChecksum >= lower.size()) continue;
    bits = (bits << 5 | static_cast<std::uint32_t>(group)) & 0xfff;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    out.octets.push_back(static_cast<std::uint8_t>(bits >> count));
  }
  const bool left_over = count >= 5 || (bits & ((1U << count) - 1)) != 0;
  if (checksum.state() != 1 || left_over) return std::nullopt;
  return out;
}

std::string bech32_encode(std::string_view prefix, std::span<const std::uint8_t> octets) {
  std::string out(prefix);
  out += '1';
  Checksum checksum;
  checksum.add_prefix(prefix);
  const auto put = [&](std::uint32_t group) {
    checksum.add(group);
    out += kAlphabet[group];
  };
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t octet : octets) {
    bits = (bits << 8 | octet) & 0xfff;
    count += 8;
    while (count >= 5) {
      count -= 5;
      put(bits >> count & 31);
    }
  }
  if (count != 0) put(bits << (5 - count) & 31);
  Checksum whole = checksum;
  for (std::size_t i = 0; i < kChecksum; ++i) whole.add(0);
  const std::uint32_t sum = whole.state() ^ 1;
  for (std::size_t i = 0; i < kChecksum; ++i)
    out += kAlphabet[sum >> (5 * (kChecksum - 1 - i)) & 31];
  return out;
}

}  // namespace headgate::snapshot
