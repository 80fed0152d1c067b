// SPDX-License-Identifier: MIT
// Webhook signatures and tokens, by OpenSSL.
#include "appliance/admin/authentic.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <optional>

#include "appliance/admin/server.h"
#include "appliance/http/field.h"

namespace headgate::admin {
namespace {

using Digest = std::array<unsigned char, 32>;

std::optional<Digest> hmac_sha256(std::string_view key, std::string_view text) {
  Digest digest;
  unsigned length = 0;
  const auto* const made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                digest.data(), &length);
  if (made == nullptr || length != digest.size()) return std::nullopt;
  return digest;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<Digest> parse_hex(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return digest;
}

bool same(const std::optional<Digest>& a, const std::optional<Digest>& b) {
  return a && b && CRYPTO_memcmp(a->data(), b->data(), a->size()) == 0;
}

}  // namespace

bool same_secret(const schema::Redacted& secret, std::string_view given) {
  if (secret.empty()) return false;
  // Digests have one length, so that the length of the secret does not show either.
  constexpr std::string_view kAnyKey = "headgate";
  return same(hmac_sha256(kAnyKey, secret.reveal()), hmac_sha256(kAnyKey, given));
}

bool webhook_is_authentic(const schema::Redacted& secret, std::string_view body,
                          const std::vector<std::pair<std::string, std::string>>& headers) {
  if (secret.empty()) return false;
  constexpr std::string_view kScheme = "sha256=";
  bool authentic = false;
  for (const auto& [name, value] : headers) {
    const std::string_view text = value;
    if (http::equals_ignoring_case(name, "x-hub-signature-256")) {
      if (text.substr(0, kScheme.size()) != kScheme) continue;
      authentic |= same(parse_hex(text.substr(kScheme.size())), hmac_sha256(secret.reveal(), body));
    } else if (http::equals_ignoring_case(name, "x-gitea-signature")) {
      authentic |= same(parse_hex(text), hmac_sha256(secret.reveal(), body));
    } else if (http::equals_ignoring_case(name, "x-gitlab-token")) {
      authentic |= same_secret(secret, text);
    }
  }
  return authentic;
}

}  // namespace headgate::admin
