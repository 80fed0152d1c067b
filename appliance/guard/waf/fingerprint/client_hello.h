// SPDX-License-Identifier: MIT
// What a TLS client gives away of itself in its first message: the fingerprints JA3 and JA4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::guard::waf {

/// A ClientHello, taken apart. Numbers as on the wire, in its order, GREASE (RFC 8701) included.
struct ClientHello {
  bool quic = false;
  std::uint16_t legacy_version = 0x0303;
  std::vector<std::uint16_t> ciphers;
  std::vector<std::uint16_t> extensions;  ///< their types
  std::vector<std::uint16_t> supported_versions;
  std::vector<std::uint16_t> groups;
  std::vector<std::uint8_t> point_formats;
  std::vector<std::uint16_t> signature_algorithms;
  std::string first_alpn;
  bool has_server_name = false;
};

/// MD5 of "version,ciphers,extensions,groups,pointFormats", in lower-case hex.
std::string ja3(const ClientHello& hello);
/// What ja3() is the hash of.
std::string ja3_text(const ClientHello& hello);

/// "t13d1516h2_8daaf6152771_e5627efa2ab1".
std::string ja4(const ClientHello& hello);

/// Of a connection.
struct Fingerprint {
  std::string ja3;
  std::string ja4;
  /// The JA4 of the same client when it resumes no session: connections of a browser agree in it.
  std::string full_ja4;
};
Fingerprint fingerprint(const ClientHello& hello);

/// The handshake message `octets`, with its type and length; none when it is no ClientHello, or a
/// malformed one. Extensions whose content is malformed count as empty.
/// RFC:     8446 section 4.1.2
std::optional<ClientHello> parse_client_hello(std::string_view octets);

}  // namespace headgate::guard::waf
