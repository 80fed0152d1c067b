// SPDX-License-Identifier: MIT
// The few primitives of OpenSSL's libcrypto that encrypted secrets need.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace headgate::snapshot {

using Octets32 = std::array<std::uint8_t, 32>;
using View = std::span<const std::uint8_t>;

View view_of(std::string_view text);

/// RFC 5869 with SHA-256, 32 octets.
Octets32 hkdf_sha256(View key, View salt, std::string_view info);
Octets32 hmac_sha256(View key, std::string_view text);
bool equal_in_constant_time(View a, View b);

/// RFC 7748. No value when the result is zero, as with a point of small order.
std::optional<Octets32> x25519(const Octets32& secret, View point);
Octets32 x25519_public(const Octets32& secret);

/// ChaCha20-Poly1305 (RFC 8439) with a nonce of 12 octets, its tag at the end of `sealed`; no value
/// when it is not what was sealed.
std::optional<std::string> open_chacha20_poly1305(const Octets32& key, View nonce, View sealed);

/// AES-256-GCM with a nonce of any length.
std::optional<std::string> open_aes256_gcm(View key, View nonce, View sealed, View tag,
                                           std::string_view additional);

/// Overwrites it.
void wipe(std::string& text);

}  // namespace headgate::snapshot
