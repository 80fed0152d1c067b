// SPDX-License-Identifier: MIT
// Fuzzes what guard reads of strangers: PROXY heads, Forwarded, X-Forwarded-For, addresses.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "appliance/guard/client_address.h"

namespace {

using namespace headgate;
using Status = guard::ProxyHeader::Status;

void require(bool holds) {
  if (!holds) std::abort();
}

void proxy_header(std::string_view octets) {
  const auto whole = guard::parse_proxy_header(octets);
  require(whole.length <= octets.size());
  require(octets.size() < 536 || whole.status != Status::NeedMore);
  if (whole.status == Status::Complete) {
    // What is behind the head says nothing about it, and no prefix of it was enough.
    const auto alone = guard::parse_proxy_header(octets.substr(0, whole.length));
    require(alone.status == Status::Complete && alone.length == whole.length &&
            alone.source == whole.source);
    require(guard::parse_proxy_header(octets.substr(0, whole.length - 1)).status ==
            Status::NeedMore);
  }
}

void client_address(std::string_view octets) {
  static const auto peer = *base::IpAddress::parse("10.0.0.1");
  static const guard::TrustedProxies proxies({*base::IpNetwork::parse("10.0.0.0/8")});
  for (const std::string_view name : {"forwarded", "x-forwarded-for"}) {
    const http::Field field{.name = name, .value = octets};
    const auto client = guard::client_address(peer, proxies, http::Fields(&field, 1));
    require(client.is_v4() || client.is_v6());
    // Whatever a client sends, what the last proxy appended decides.
    for (const std::string_view appended : {"192.0.2.1", "[2001:db8::1]:80"}) {
      std::string value(octets);
      value += name == "forwarded" ? ", for=\"" + std::string(appended) + "\""
                                   : ", " + std::string(appended);
      const http::Field longer{.name = name, .value = value};
      const auto expected = base::IpAddress::parse(appended[0] == '[' ? "2001:db8::1" : appended);
      require(guard::client_address(peer, proxies, http::Fields(&longer, 1)) == *expected);
    }
  }
}

void address(std::string_view octets) {
  if (const auto parsed = base::IpAddress::parse(octets)) {
    require(base::IpAddress::parse(parsed->text()) == *parsed);
    require(parsed->text().size() <= 45);
  }
  if (const auto network = base::IpNetwork::parse(octets)) {
    const auto base = base::IpAddress::parse(octets.substr(0, octets.find('/')));
    require(base && network->contains(*base));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  proxy_header(octets);
  client_address(octets);
  address(octets);
  return 0;
}
