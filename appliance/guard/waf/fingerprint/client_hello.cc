// SPDX-License-Identifier: MIT
// JA3 and JA4 by their published descriptions.
#include "appliance/guard/waf/fingerprint/client_hello.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace headgate::guard::waf {
namespace {

constexpr std::uint16_t kServerName = 0x0000;
constexpr std::uint16_t kAlpn = 0x0010;
constexpr std::uint16_t kPadding = 0x0015;
constexpr std::uint16_t kPreSharedKey = 0x0029;
constexpr std::uint16_t kEarlyData = 0x002a;

/// RFC 8701: values that clients send to see that servers ignore what they do not know.
bool is_grease(std::uint16_t value) {
  return (value & 0x0f0f) == 0x0a0a && (value >> 8) == (value & 0xff);
}

/// What a session that is resumed brings along (RFC 8446 section 4.2), and what makes room for it
/// (RFC 7685).
bool depends_on_resumption(std::uint16_t extension) {
  return extension == kPadding || extension == kPreSharedKey || extension == kEarlyData;
}

std::vector<std::uint16_t> without_grease(std::vector<std::uint16_t> values) {
  std::erase_if(values, is_grease);
  return values;
}

std::string hex_digest(const EVP_MD* digest, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), octets.data(), &size, digest, nullptr) != 1) return {};
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", octets[i]);
  return hex;
}

std::string hex_list(const std::vector<std::uint16_t>& values) {
  std::string text;
  for (const std::uint16_t value : values)
    text += fmt::format("{}{:04x}", text.empty() ? "" : ",", value);
  return text;
}

std::string short_hash(const std::string& text) {
  return text.empty() ? std::string(12, '0') : hex_digest(EVP_sha256(), text).substr(0, 12);
}

const char* version_name(const ClientHello& hello) {
  std::uint16_t version = 0;
  for (const std::uint16_t offered : hello.supported_versions)
    if (!is_grease(offered)) version = std::max(version, offered);
  if (version == 0) version = hello.legacy_version;
  switch (version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    default:
      return "00";
  }
}

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// First and last character of the first protocol; of their hexadecimal form when they are no
/// letters or digits.
std::string alpn_name(const std::string& protocol) {
  if (protocol.empty()) return "00";
  const char first = protocol.front();
  const char last = protocol.back();
  if (is_alnum(first) && is_alnum(last)) return {first, last};
  return {fmt::format("{:02x}", static_cast<unsigned char>(first))[0],
          fmt::format("{:02x}", static_cast<unsigned char>(last))[1]};
}

}  // namespace

std::string ja3_text(const ClientHello& hello) {
  return fmt::format(
      "{},{},{},{},{}", hello.legacy_version, fmt::join(without_grease(hello.ciphers), "-"),
      fmt::join(without_grease(hello.extensions), "-"),
      fmt::join(without_grease(hello.groups), "-"), fmt::join(hello.point_formats, "-"));
}

std::string ja3(const ClientHello& hello) { return hex_digest(EVP_md5(), ja3_text(hello)); }

std::string ja4(const ClientHello& hello) {
  std::vector<std::uint16_t> ciphers = without_grease(hello.ciphers);
  std::vector<std::uint16_t> extensions = without_grease(hello.extensions);
  const std::string head =
      fmt::format("{}{}{}{:02}{:02}{}", hello.quic ? 'q' : 't', version_name(hello),
                  hello.has_server_name ? 'd' : 'i', std::min<std::size_t>(ciphers.size(), 99),
                  std::min<std::size_t>(extensions.size(), 99), alpn_name(hello.first_alpn));
  std::sort(ciphers.begin(), ciphers.end());
  std::erase_if(extensions,
                [](std::uint16_t type) { return type == kServerName || type == kAlpn; });
  std::sort(extensions.begin(), extensions.end());
  std::string described = hex_list(extensions);
  const std::string algorithms = hex_list(without_grease(hello.signature_algorithms));
  if (!described.empty() && !algorithms.empty()) described += "_" + algorithms;
  return fmt::format("{}_{}_{}", head, short_hash(hex_list(ciphers)), short_hash(described));
}

Fingerprint fingerprint(const ClientHello& hello) {
  ClientHello full = hello;
  std::erase_if(full.extensions, depends_on_resumption);
  return {ja3(hello), ja4(hello), ja4(full)};
}

}  // namespace headgate::guard::waf
