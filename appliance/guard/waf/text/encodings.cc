// SPDX-License-Identifier: MIT
// Base64, hexadecimal digits, digests, and the length.
#include <openssl/evp.h>

#include <array>
#include <cstdint>

#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf::text {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kSextets = [] {
  std::array<std::int8_t, 256> sextets{};
  for (auto& sextet : sextets) sextet = -1;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    sextets[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  return sextets;
}();

// Decodes; an octet outside the alphabet is left out, or ends it (line breaks never do).
void decode_base64(std::string_view in, bool forgiving, std::string& out) {
  out.reserve(in.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : in) {
    const int sextet = kSextets[static_cast<unsigned char>(c)];
    if (sextet < 0) {
      if (forgiving || c == '\r' || c == '\n') continue;
      break;
    }
    bits = bits << 6 | static_cast<std::uint32_t>(sextet);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
}

void digest(const EVP_MD* kind, std::string_view in, std::string& out) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> octets;
  unsigned size = 0;
  if (EVP_Digest(in.data(), in.size(), octets.data(), &size, kind, nullptr) != 1) return;
  out.assign(reinterpret_cast<const char*>(octets.data()), size);
}

}  // namespace

void base64_decode(std::string_view in, std::string& out) { decode_base64(in, false, out); }
void base64_decode_ext(std::string_view in, std::string& out) { decode_base64(in, true, out); }

void base64_encode(std::string_view in, std::string& out) {
  out.resize((in.size() + 2) / 3 * 4 + 1);
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(in.data()),
                                   static_cast<int>(in.size()));
  out.resize(static_cast<std::size_t>(size));
}

void hex_decode(std::string_view in, std::string& out) {
  out.reserve(in.size() / 2);
  // What is not a digit counts as zero.
  const auto value = [](char c) { return is_hex(c) ? hex_value(c) : 0; };
  for (std::size_t i = 0; i + 1 < in.size(); i += 2)
    out += static_cast<char>(value(in[i]) * 16 + value(in[i + 1]));
}

void hex_encode(std::string_view in, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.reserve(in.size() * 2);
  for (const char c : in) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
}

void sql_hex_decode(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    if (in[i] == '0' && i + 1 < in.size() && to_lower(in[i + 1]) == 'x' &&
        hex_digits_at(in, i + 2, 2)) {
      for (i += 2; hex_digits_at(in, i, 2); i += 2) out += hex_octet(in[i], in[i + 1]);
    } else {
      out += in[i++];
    }
  }
}

void length(std::string_view in, std::string& out) { out = std::to_string(in.size()); }
void md5(std::string_view in, std::string& out) { digest(EVP_md5(), in, out); }
void sha1(std::string_view in, std::string& out) { digest(EVP_sha1(), in, out); }

}  // namespace headgate::guard::waf::text
