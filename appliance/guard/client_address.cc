// SPDX-License-Identifier: MIT
// The walk along Forwarded and X-Forwarded-For: from the right, because each proxy appends, and
// only what trusted proxies appended counts.
//
// Elements are split from the right too. What a client sends stands on the left; a quote that it
// left open must not swallow what the proxies wrote behind it.
#include "appliance/guard/client_address.h"

#include <algorithm>
#include <array>
#include <utility>

namespace headgate::guard {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
/// RFC 9110 section 5.6.2.
bool is_tchar(char c) {
  return is_alpha(c) || is_digit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Whether the character at `at` is escaped: an odd number of backslashes before it.
bool is_escaped(std::string_view text, std::size_t at) {
  std::size_t backslashes = 0;
  while (backslashes < at && text[at - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

/// Cuts the last element of a comma-separated list off `rest`; `quotes`: commas within quoted
/// strings do not separate.
std::string_view take_last(std::string_view& rest, bool quotes) {
  bool quoted = false;
  for (std::size_t at = rest.size(); at-- > 0;) {
    const char c = rest[at];
    if (quotes && c == '"' && !(quoted && is_escaped(rest, at))) quoted = !quoted;
    if (c == ',' && !quoted) {
      const auto element = rest.substr(at + 1);
      rest = rest.substr(0, at);
      return trim(element);
    }
  }
  return trim(std::exchange(rest, std::string_view()));
}

/// `1*5DIGIT` or an obfuscated `_port`; RFC 7239 section 6.
bool is_port(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '_') {
    return text.size() > 1 && std::all_of(text.begin(), text.end(), [](char c) {
             return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
           });
  }
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), is_digit);
}

/// `192.0.2.43`, `192.0.2.43:4711`, `[2001:db8::1]:4711`, and, as people write it, `2001:db8::1`.
/// None for `unknown`, obfuscated names, and anything else.
std::optional<base::IpAddress> parse_node(std::string_view node) {
  if (!node.empty() && node.front() == '[') {
    const auto close = node.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const auto inside = node.substr(1, close - 1);
    const auto behind = node.substr(close + 1);
    if (!behind.empty() && (behind[0] != ':' || !is_port(behind.substr(1)))) return std::nullopt;
    if (inside.find(':') == std::string_view::npos) return std::nullopt;
    return base::IpAddress::parse(inside);
  }
  const auto colon = node.find(':');
  if (colon == std::string_view::npos || node.find(':', colon + 1) != std::string_view::npos) {
    return base::IpAddress::parse(node);
  }
  if (!is_port(node.substr(colon + 1))) return std::nullopt;
  return base::IpAddress::parse(node.substr(0, colon));
}

/// A quoted string's content; at most as long as a node can be. `at` stands on the opening quote,
/// then behind the closing.
struct Unquoted {
  std::array<char, 64> text;
  std::size_t size = 0;
};
bool unquote(std::string_view element, std::size_t& at, Unquoted& out, bool keep) {
  for (++at; at < element.size(); ++at) {
    char c = element[at];
    if (c == '"') {
      ++at;
      return true;
    }
    if (c == '\\') {
      if (++at == element.size()) return false;
      c = element[at];
    }
    if (!keep) continue;
    if (out.size == out.text.size()) return false;
    out.text[out.size++] = c;
  }
  return false;
}

/// The `for` of one forwarded-element; none when the element is malformed or has no address. White
/// space around `;` is taken, and so are unquoted nodes with a colon: neither is ambiguous.
std::optional<base::IpAddress> parse_forwarded_element(std::string_view element) {
  std::optional<base::IpAddress> address;
  bool has_for = false;
  std::size_t at = 0;
  while (at < element.size()) {
    const std::size_t name_start = at;
    while (at < element.size() && is_tchar(element[at])) ++at;
    const auto name = element.substr(name_start, at - name_start);
    if (name.empty() || at == element.size() || element[at++] != '=') return std::nullopt;
    const bool is_for = http::equals_ignoring_case(name, "for");
    if (is_for && std::exchange(has_for, true)) return std::nullopt;

    if (at < element.size() && element[at] == '"') {
      Unquoted content;
      if (!unquote(element, at, content, is_for)) return std::nullopt;
      if (is_for) address = parse_node({content.text.data(), content.size});
    } else {
      const std::size_t start = at;
      const auto is_value = [](char c) { return is_tchar(c) || c == ':' || c == '[' || c == ']'; };
      while (at < element.size() && is_value(element[at])) ++at;
      if (at == start) return std::nullopt;
      if (is_for) address = parse_node(element.substr(start, at - start));
    }
    while (at < element.size() && is_space(element[at])) ++at;
    if (at == element.size()) break;
    if (element[at++] != ';') return std::nullopt;
    while (at < element.size() && is_space(element[at])) ++at;
  }
  return address;
}

/// Follows the lines of one field from the right, as long as the proxies that wrote them are
/// trusted.
base::IpAddress walk(const base::IpAddress& peer, const TrustedProxies& proxies,
                     http::Fields request, std::string_view field) {
  const bool forwarded = field == "forwarded";
  base::IpAddress client = peer;
  for (std::size_t line = request.size(); line-- > 0;) {
    if (request[line].name != field) continue;
    auto rest = request[line].value;
    while (!rest.empty()) {
      const auto element = take_last(rest, forwarded);
      if (element.empty()) continue;  // RFC 9110 section 5.6.1.2
      const auto address = forwarded ? parse_forwarded_element(element) : parse_node(element);
      if (!address) return client;
      client = *address;
      if (!proxies.trusts(client)) return client;
    }
  }
  return client;
}

}  // namespace

bool TrustedProxies::trusts(const base::IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const base::IpNetwork& network) { return network.contains(address); });
}

base::IpAddress client_address(const base::IpAddress& peer, const TrustedProxies& proxies,
                               http::Fields request) {
  if (proxies.empty() || !proxies.trusts(peer)) return peer;
  // X-Forwarded-For first where both are there: the many proxies that only know that one pass on a
  // Forwarded that the client made up, while those that write Forwarded write or remove
  // X-Forwarded-For as well.
  const bool has_x_forwarded_for = http::find(request, "x-forwarded-for").has_value();
  return walk(peer, proxies, request, has_x_forwarded_for ? "x-forwarded-for" : "forwarded");
}

}  // namespace headgate::guard
