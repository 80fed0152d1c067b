// SPDX-License-Identifier: MIT
// Reads a ClientHello as it came from the wire.
#include "appliance/guard/waf/fingerprint/client_hello.h"

namespace headgate::guard::waf {
namespace {

constexpr unsigned kClientHello = 1;
constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kSupportedGroups = 10;
constexpr std::uint16_t kPointFormats = 11;
constexpr std::uint16_t kSignatureAlgorithms = 13;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kSupportedVersions = 43;

/// Takes octets off the front; once there are too few, everything is empty and `good` is false.
class Octets {
 public:
  explicit Octets(std::string_view octets) : rest_(octets) {}
  bool good() const { return good_; }
  bool empty() const { return rest_.empty(); }

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::size_t number(std::size_t size) {
    std::size_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  /// What has its length, a number of `size` octets, in front.
  Octets vector(std::size_t size) { return Octets(take(number(size))); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

std::vector<std::uint16_t> u16_list(Octets octets) {
  std::vector<std::uint16_t> values;
  while (!octets.empty()) values.push_back(octets.u16());
  if (!octets.good()) values.clear();
  return values;
}

void read_extension(std::uint16_t type, Octets content, ClientHello& hello) {
  switch (type) {
    case kServerName:
      hello.has_server_name = true;
      break;
    case kSupportedGroups:
      hello.groups = u16_list(content.vector(2));
      break;
    case kPointFormats: {
      Octets formats = content.vector(1);
      while (!formats.empty())
        hello.point_formats.push_back(static_cast<std::uint8_t>(formats.number(1)));
      break;
    }
    case kSignatureAlgorithms:
      hello.signature_algorithms = u16_list(content.vector(2));
      break;
    case kAlpn: {
      Octets protocols = content.vector(2);
      hello.first_alpn = protocols.take(protocols.number(1));
      break;
    }
    case kSupportedVersions:
      hello.supported_versions = u16_list(content.vector(1));
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<ClientHello> parse_client_hello(std::string_view octets) {
  Octets message(octets);
  if (message.number(1) != kClientHello) return std::nullopt;
  Octets body = message.vector(3);
  ClientHello hello;
  hello.legacy_version = body.u16();
  body.take(32);   // random
  body.vector(1);  // session id
  hello.ciphers = u16_list(body.vector(2));
  body.vector(1);  // compression methods
  if (!message.good() || !body.good()) return std::nullopt;
  if (body.empty()) return hello;  // TLS 1.2 without extensions
  Octets extensions = body.vector(2);
  while (!extensions.empty()) {
    const std::uint16_t type = extensions.u16();
    const Octets content = extensions.vector(2);
    hello.extensions.push_back(type);
    read_extension(type, content, hello);
  }
  if (!body.good() || !extensions.good()) return std::nullopt;
  return hello;
}

}  // namespace headgate::guard::waf
