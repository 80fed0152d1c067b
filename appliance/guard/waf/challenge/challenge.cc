// SPDX-License-Identifier: MIT
// Making challenges and judging proofs.
#include "appliance/guard/waf/challenge/challenge.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "appliance/base/assert.h"

namespace headgate::guard::waf {
namespace {

constexpr std::string_view kVersion = "1";
constexpr std::size_t kMacOctets = 16;
constexpr std::size_t kMaxNonce = 20;

std::string hex(const unsigned char* octets, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", octets[i]);
  return text;
}

std::string network_of(const base::IpAddress& client) {
  const std::size_t kept = client.is_v4() ? 3 : 8;
  return hex(client.octets().data(), client == base::IpAddress() ? 0 : kept);
}

/// Takes what stands before the next '.', or all of it.
std::string_view take_part(std::string_view& rest) {
  const std::size_t dot = rest.find('.');
  const std::string_view part = rest.substr(0, dot);
  rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
  return part;
}

template <class T>
bool parse(std::string_view text, T& value, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size();
}

bool has_leading_zeros(const unsigned char* octets, int bits) {
  for (int i = 0; i < bits; ++i)
    if ((octets[i / 8] >> (7 - i % 8) & 1) != 0) return false;
  return true;
}

}  // namespace

std::string Challenges::mac(const ChallengeSubject& subject, std::string_view bits,
                            std::string_view expiry) const {
  // None of the parts can hold a line break, so they cannot run into each other.
  const std::string text = fmt::format("headgate challenge\n{}\n{}\n{}\n{}\n{}", subject.host,
                                       network_of(subject.client), subject.ja4, bits, expiry);
  std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), octets.data(), &size);
  HG_ASSERT(size >= kMacOctets);
  return hex(octets.data(), kMacOctets);
}

std::string Challenges::issue(const ChallengeSubject& subject, int bits,
                              base::WallTime expires_at) const {
  const std::string bits_text = fmt::format("{}", bits);
  const std::string expiry = fmt::format("{:x}", expires_at.time_since_epoch().count());
  return fmt::format("{}.{}.{}.{}", kVersion, bits_text, expiry, mac(subject, bits_text, expiry));
}

bool Challenges::accepts(std::string_view proof, const ChallengeSubject& subject, int bits,
                         base::WallTime now) const {
  std::string_view rest = proof;
  const std::string_view version = take_part(rest);
  const std::string_view bits_text = take_part(rest);
  const std::string_view expiry = take_part(rest);
  const std::string_view signature = take_part(rest);
  int worked = 0;
  std::int64_t expires_ms = 0;
  if (version != kVersion || !parse(bits_text, worked, 10) || !parse(expiry, expires_ms, 16))
    return false;
  if (worked < bits || worked > 256 || expires_ms <= now.time_since_epoch().count()) return false;
  if (rest.empty() || rest.size() > kMaxNonce ||
      !std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return false;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(proof.data(), proof.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1 ||
      !has_leading_zeros(digest.data(), worked))
    return false;
  const std::string expected = mac(subject, bits_text, expiry);
  return signature.size() == expected.size() &&
         CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) == 0;
}

std::string random_secret() {
  std::array<unsigned char, 32> octets{};
  HG_ASSERT(RAND_bytes(octets.data(), static_cast<int>(octets.size())) == 1);
  return {octets.begin(), octets.end()};
}

}  // namespace headgate::guard::waf
