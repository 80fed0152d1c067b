// SPDX-License-Identifier: MIT
// Host names, addresses, networks and listeners.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

bool parse_number(std::string_view text, unsigned highest, unsigned& value) {
  auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && rest == text.data() + text.size() && value <= highest;
}

/// LDH labels and underscores, at most 253 octets (RFC 1123 section 2.1).
std::string check_host(std::string_view name) {
  if (name.empty() || name.size() > 253) return "1 to 253 characters";
  if (name.find("://") != std::string_view::npos) return "leave the scheme out";
  if (name.find('/') != std::string_view::npos) return "leave the path out";
  if (name.find(':') != std::string_view::npos) return "leave the port out";
  if (std::any_of(name.begin(), name.end(), [](char c) { return (c & 0x80) != 0; }))
    return "write international names in their xn-- form";
  std::string_view last;
  for (std::size_t start = 0; start <= name.size();) {
    std::size_t end = std::min(name.find('.', start), name.size());
    last = name.substr(start, end - start);
    bool good = !last.empty() && last.size() <= 63 && last.front() != '-' && last.back() != '-' &&
                std::all_of(last.begin(), last.end(), [](char c) {
                  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
                });
    if (!good) return "labels of letters, digits and hyphens, separated by dots";
    start = end + 1;
  }
  unsigned number = 0;
  if (parse_number(last, 0xFFFFFFFF, number)) return "it is neither a name nor an IP address";
  return "";
}

std::string check_domain_name(std::string& text) {
  if (canonical_ip(text)) return "";
  text = to_lower(text);
  return check_host(text);
}

std::string check_alias(std::string& text) {
  if (text == "*") return "";
  if (canonical_ip(text)) return "";
  text = to_lower(text);
  std::string_view name = text;
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.find('*') != std::string_view::npos) return "* stands alone or as the first label";
  return check_host(name);
}

std::string check_country(std::string& text) {
  text = to_upper(text);
  bool letters =
      text.size() == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z';
  return letters ? "" : "two letters (ISO 3166-1 alpha-2)";
}

std::string check_ip(std::string& text) {
  return canonical_ip(text) ? "" : "192.0.2.1 or 2001:db8::1";
}

std::string check_cidr(std::string& text) {
  std::size_t slash = text.find('/');
  std::string address = text.substr(0, slash);
  if (!canonical_ip(address)) return "10.0.0.0/8 or 2001:db8::/32";
  unsigned highest = address.find(':') == std::string::npos ? 32 : 128;
  unsigned length = highest;
  if (slash != std::string::npos &&
      !parse_number(std::string_view(text).substr(slash + 1), highest, length))
    return fmt::format("the length is 0 to {}", highest);
  std::array<unsigned char, 16> octets{};
  inet_pton(highest == 32 ? AF_INET : AF_INET6, address.c_str(), octets.data());
  for (unsigned bit = length; bit < highest; ++bit)
    if ((octets[bit / 8] >> (7 - bit % 8)) & 1) return "bits behind the length are set";
  text = fmt::format("{}/{}", address, length);
  return "";
}

std::string check_listen(std::string& text) {
  std::size_t colon = text.rfind(':');
  unsigned port = 0;
  constexpr const char* kExpected = "ADDR:PORT, as in 0.0.0.0:8080, [::]:443 or :8080";
  if (colon == std::string::npos ||
      !parse_number(std::string_view(text).substr(colon + 1), 65535, port))
    return kExpected;
  std::string address = text.substr(0, colon);
  if (address.empty() || address == "*" || address == "localhost") return "";
  bool bracketed = address.front() == '[';
  if (!canonical_ip(address)) return kExpected;
  return (address.find(':') == std::string::npos) != bracketed ? "" : kExpected;
}

std::string check_admin(std::string& text) {
  if (text.starts_with("unix:")) {
    // sun_path holds 108 octets with its NUL.
    return text.size() > 5 && text.size() < 5 + 108 ? "" : "unix:PATH, at most 107 octets";
  }
  return check_listen(text).empty() ? "" : "ADDR:PORT or unix:PATH";
}

/// RFC 1035 section 4.2: servers of names listen on port 53.
std::string check_resolver(std::string& text) {
  constexpr const char* kExpected = "ADDR or ADDR:PORT, as in 127.0.0.1:5353 or [::1]:53";
  std::string address = text;
  unsigned port = 53;
  if (!canonical_ip(address)) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos ||
        !parse_number(std::string_view(text).substr(colon + 1), 65535, port) || port == 0)
      return kExpected;
    address = text.substr(0, colon);
    const bool bracketed = address.starts_with('[');
    if (!canonical_ip(address)) return kExpected;
    if ((address.find(':') == std::string::npos) == bracketed) return kExpected;
  }
  if (address.find(':') != std::string::npos) address = fmt::format("[{}]", address);
  text = fmt::format("{}:{}", address, port);
  return "";
}

}  // namespace

const Format kAlias{"an alias", nullptr, check_alias};
const Format kDomainName{"a host name or IP address", nullptr, check_domain_name};
const Format kCountry{"a country code", "^[A-Za-z]{2}$", check_country};
const Format kIpAddress{"an IP address", "^[0-9A-Fa-f.:\\[\\]]+$", check_ip};
const Format kCidr{"a network", "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$", check_cidr};
const Format kListen{"an address to listen on", "^.*:[0-9]{1,5}$", check_listen};
const Format kAdmin{"an address to listen on", "^(unix:.+|.*:[0-9]{1,5})$", check_admin};
const Format kResolver{"the address of a DNS server", "^[0-9A-Fa-f.:\\[\\]]+$", check_resolver};

bool canonical_ip(std::string& text) {
  std::string address = text;
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  std::array<unsigned char, 16> octets{};
  std::array<char, INET6_ADDRSTRLEN> out{};
  bool v6 = address.find(':') != std::string::npos;
  if (!v6 && address != text) return false;  // brackets belong to IPv6
  int family = v6 ? AF_INET6 : AF_INET;
  if (inet_pton(family, address.c_str(), octets.data()) != 1) return false;
  if (inet_ntop(family, octets.data(), out.data(), out.size()) == nullptr) return false;
  text = out.data();
  return true;
}

}  // namespace headgate::schema
