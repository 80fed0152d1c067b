// SPDX-License-Identifier: MIT
// The PROXY protocol's head, as HAProxy's proxy-protocol.txt of 2020-03-05 gives it: strict,
// because what it says is believed.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "appliance/base/hash.h"
#include "appliance/guard/client_address.h"

namespace headgate::guard {
namespace {

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::size_t kV1Max = 107;  // with CR LF
constexpr std::string_view kV2Signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kV2Head = 16;
constexpr std::size_t kV2Max = 536;
constexpr std::uint8_t kTlvCrc32c = 0x03;

using Status = ProxyHeader::Status;

ProxyHeader with(Status status) {
  ProxyHeader header;
  header.status = status;
  return header;
}

std::uint8_t octet(std::string_view octets, std::size_t at) {
  return static_cast<std::uint8_t>(octets[at]);
}
std::uint16_t network_order(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(octet(octets, at) << 8 | octet(octets, at + 1));
}

/// What is before the next space, which is taken too; all of the rest for the last word.
std::string_view take_word(std::string_view& rest) {
  const auto space = rest.find(' ');
  const auto word = rest.substr(0, space);
  rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  return word;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size();
}

ProxyHeader parse_v1(std::string_view octets) {
  const auto within = octets.substr(0, kV1Max);
  const auto end = within.find("\r\n");
  if (end == std::string_view::npos) {
    return with(octets.size() >= kV1Max ? Status::Malformed : Status::NeedMore);
  }
  ProxyHeader header = with(Status::Complete);
  header.length = end + 2;
  auto rest = within.substr(kV1Start.size(), end - kV1Start.size());
  const bool four_spaces = std::count(rest.begin(), rest.end(), ' ') == 4;
  const auto family = take_word(rest);
  if (family == "UNKNOWN") return header;  // whatever follows it is to be ignored
  if ((family != "TCP4" && family != "TCP6") || !four_spaces) return with(Status::Malformed);

  const bool colons = family == "TCP6";
  std::uint16_t destination_port = 0;
  const auto source = take_word(rest);
  const auto destination = take_word(rest);
  header.source = base::IpAddress::parse(source);
  if (!header.source || !base::IpAddress::parse(destination) ||
      (source.find(':') != std::string_view::npos) != colons ||
      (destination.find(':') != std::string_view::npos) != colons ||
      !parse_port(take_word(rest), header.source_port) ||
      !parse_port(take_word(rest), destination_port)) {
    return with(Status::Malformed);
  }
  return header;
}

/// The type-length-value records behind the addresses must fill the rest exactly; a checksum must
/// be right.
bool records_are_sound(std::string_view head, std::size_t at) {
  while (at < head.size()) {
    if (head.size() - at < 3) return false;
    const std::size_t length = network_order(head, at + 1);
    if (head.size() - at - 3 < length) return false;
    if (octet(head, at) == kTlvCrc32c) {
      if (length != 4) return false;
      // The checksum is of the whole head with its own field zero.
      constexpr std::string_view kZeros("\0\0\0\0", 4);
      auto crc = base::crc32c(head.substr(0, at + 3));
      crc = base::crc32c(kZeros, crc);
      crc = base::crc32c(head.substr(at + 7), crc);
      const auto given = static_cast<std::uint32_t>(network_order(head, at + 3)) << 16 |
                         network_order(head, at + 5);
      if (crc != given) return false;
    }
    at += 3 + length;
  }
  return true;
}

ProxyHeader parse_v2(std::string_view octets) {
  if (octets.size() < kV2Head) return with(Status::NeedMore);
  const std::uint8_t version = octet(octets, 12) >> 4;
  const std::uint8_t command = octet(octets, 12) & 0xf;
  const std::uint8_t family = octet(octets, 13);
  const std::size_t length = kV2Head + network_order(octets, 14);
  if (version != 2 || command > 1 || length > kV2Max) return with(Status::Malformed);
  if (octets.size() < length) return with(Status::NeedMore);
  const auto head = octets.substr(0, length);

  ProxyHeader header = with(Status::Complete);
  header.length = length;
  if (command == 0) return header;  // LOCAL: the proxy's own, such as a health check
  std::size_t addresses = 0;
  switch (family) {
    case 0x00:  // unspecified
      return header;
    case 0x11: {  // TCP over IPv4
      addresses = 12;
      if (length < kV2Head + addresses) return with(Status::Malformed);
      std::array<std::uint8_t, 4> source;
      std::memcpy(source.data(), head.data() + kV2Head, source.size());
      header.source = base::IpAddress::from_v4(source);
      header.source_port = network_order(head, kV2Head + 8);
      break;
    }
    case 0x21: {  // TCP over IPv6
      addresses = 36;
      if (length < kV2Head + addresses) return with(Status::Malformed);
      std::array<std::uint8_t, 16> source;
      std::memcpy(source.data(), head.data() + kV2Head, source.size());
      header.source = base::IpAddress::from_v6(source);
      header.source_port = network_order(head, kV2Head + 32);
      break;
    }
    case 0x31:  // a stream socket of the proxy's machine: who that is, the socket's peer says best
      addresses = 216;
      if (length < kV2Head + addresses) return with(Status::Malformed);
      break;
    default:  // datagrams do not come by TCP; the rest is unassigned
      return with(Status::Malformed);
  }
  if (!records_are_sound(head, kV2Head + addresses)) return with(Status::Malformed);
  return header;
}

/// Whether `octets` begins with `start`, as far as it goes.
bool agrees(std::string_view octets, std::string_view start) {
  const auto common = std::min(octets.size(), start.size());
  return octets.substr(0, common) == start.substr(0, common);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view octets) {
  if (agrees(octets, kV1Start)) {
    return octets.size() < kV1Start.size() ? with(Status::NeedMore) : parse_v1(octets);
  }
  if (agrees(octets, kV2Signature)) {
    return octets.size() < kV2Signature.size() ? with(Status::NeedMore) : parse_v2(octets);
  }
  return with(Status::Absent);
}

}  // namespace headgate::guard
