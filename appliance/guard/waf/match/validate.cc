// SPDX-License-Identifier: MIT
// Checks of form.
#include "appliance/guard/waf/match/validate.h"

#include <charconv>

#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text::is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && text::is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool parse_octet(std::string_view text, unsigned& octet) {
  text = trimmed(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), octet);
  return error == std::errc() && end == text.data() + text.size() && octet <= 255;
}

}  // namespace

Result<ByteRange> ByteRange::parse(std::string_view list) {
  ByteRange range;
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    const std::size_t dash = item.find('-');
    unsigned first = 0;
    unsigned last = 0;
    const bool parsed =
        parse_octet(item.substr(0, dash), first) &&
        (dash == std::string_view::npos || parse_octet(item.substr(dash + 1), last));
    if (dash == std::string_view::npos) last = first;
    if (!parsed || first > last)
      return fail(Blame::Config, "'{}' is not an octet or a range of octets; write 10 or 32-126",
                  item);
    for (unsigned octet = first; octet <= last; ++octet) range.allowed_.set(octet);
    if (comma == std::string_view::npos) return range;
    list.remove_prefix(comma + 1);
  }
}

std::size_t ByteRange::first_outside(std::string_view text) const {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!allowed_[static_cast<unsigned char>(text[i])]) return i;
  }
  return std::string_view::npos;
}

bool valid_url_encoding(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (!text::hex_digits_at(text, at + 1, 2)) return false;
  }
  return true;
}

bool valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto octet = [&](std::size_t offset) -> unsigned {
      return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0u;
    };
    const unsigned lead = octet(0);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    // The second octet's range rules out overlong forms, surrogates and what is beyond U+10FFFF.
    std::size_t length = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      length = 3;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      length = 4;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    }
    if (length == 0 || octet(1) < low || octet(1) > high) return false;
    for (std::size_t k = 2; k < length; ++k) {
      if ((octet(k) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace headgate::guard::waf
