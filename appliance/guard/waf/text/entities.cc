// SPDX-License-Identifier: MIT
// Characters by number or name: HTML's entities, and UTF-8 as %uhhhh.
#include <array>
#include <utility>

#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf::text {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> kNamed = {
    {{"quot", '"'}, {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"nbsp", '\xa0'}}};

bool named(std::string_view name, char& character) {
  for (const auto& [known, value] : kNamed) {
    if (name.size() != known.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < name.size(); ++i) same = same && to_lower(name[i]) == known[i];
    if (same) {
      character = value;
      return true;
    }
  }
  return false;
}

// Of an entity at `at`, where '&' is: its length without a semicolon and its character, of which
// one octet is kept. Length 0: none that is decoded; then `literal` octets are to be copied.
struct Entity {
  std::size_t length = 0;
  char character = 0;
  std::size_t literal = 1;
};

Entity numeric_entity(std::string_view in, std::size_t at) {
  Entity entity;
  entity.literal = 2;
  std::size_t i = at + 2;
  int radix = 10;
  if (i < in.size() && to_lower(in[i]) == 'x') {
    entity.literal = 3;
    radix = 16;
    ++i;
  }
  const std::size_t first = i;
  long value = 0;
  // strtol's way: a number too long for it counts as its greatest, whose low octet is 0xff.
  constexpr long kTooLong = 0x7fffffffffffffff;
  for (; i < in.size() && (radix == 16 ? is_hex(in[i]) : is_digit(in[i])); ++i) {
    const int digit = hex_value(in[i]);
    value = value > (kTooLong - digit) / radix ? kTooLong : value * radix + digit;
  }
  if (i == first) return entity;
  entity.length = i - at;
  entity.character = static_cast<char>(static_cast<unsigned char>(value & 0xff));
  return entity;
}

Entity entity_at(std::string_view in, std::size_t at) {
  if (at + 1 >= in.size()) return {};
  if (in[at + 1] == '#') return numeric_entity(in, at);
  std::size_t i = at + 1;
  while (i < in.size() && is_alnum(in[i])) ++i;
  Entity entity;
  if (i > at + 1) {
    if (named(in.substr(at + 1, i - at - 1), entity.character)) {
      entity.length = i - at;
    } else {
      entity.literal = i - at;
    }
  }
  return entity;
}

// One UTF-8 sequence: its length (0 when it is not one) and the number it encodes, which may be
// overlong, a surrogate or beyond Unicode.
struct Sequence {
  std::size_t length = 0;
  unsigned number = 0;
};

Sequence sequence_at(std::string_view in, std::size_t at) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(in[at + i]); };
  Sequence sequence;
  const unsigned lead = octet(0);
  if ((lead & 0xe0) == 0xc0) {
    sequence = {2, lead & 0x1fu};
  } else if ((lead & 0xf0) == 0xe0) {
    sequence = {3, lead & 0x0fu};
  } else if ((lead & 0xf8) == 0xf0) {
    sequence = {4, lead & 0x07u};
  }
  if (at + sequence.length > in.size()) return {};
  for (std::size_t i = 1; i < sequence.length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return {};
    sequence.number = sequence.number << 6 | (octet(i) & 0x3fu);
  }
  return sequence;
}

}  // namespace

void html_entity_decode(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    if (in[i] != '&') {
      out += in[i++];
      continue;
    }
    const Entity entity = entity_at(in, i);
    if (entity.length == 0) {
      const std::string_view literal = in.substr(i, entity.literal);
      out += literal;
      i += literal.size();
      continue;
    }
    out += entity.character;
    i += entity.length;
    if (i < in.size() && in[i] == ';') ++i;
  }
}

void utf8_to_unicode(std::string_view in, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.reserve(in.size() * 2);
  for (std::size_t i = 0; i < in.size();) {
    const Sequence sequence = sequence_at(in, i);
    if (sequence.length == 0) {  // ASCII, or not UTF-8
      out += in[i++];
      continue;
    }
    out += "%u";
    int digits = 4;
    while (digits < 6 && sequence.number >> (digits * 4) != 0) ++digits;
    while (digits-- > 0) out += kDigits[sequence.number >> (digits * 4) & 15u];
    i += sequence.length;
  }
}

}  // namespace headgate::guard::waf::text
