// SPDX-License-Identifier: MIT
// Writes access log lines by hand: a general JSON library takes longer for one than the edge for a
// hit.
#include "appliance/observe/line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <string_view>

#include "appliance/observe/utf8.h"

namespace headgate::observe {
namespace {

/// A member whose value is text: `,"key":"` and how many octets of the value are kept.
struct TextMember {
  std::string_view opening;
  std::string_view RequestRecord::*value;
  std::size_t limit;
};

constexpr std::size_t kNameLimit = 128;
constexpr std::array<TextMember, 19> kTextMembers = {{
    {",\"country\":\"", &RequestRecord::country, 8},
    {",\"method\":\"", &RequestRecord::method, 64},
    {",\"scheme\":\"", &RequestRecord::scheme, 16},
    {",\"host\":\"", &RequestRecord::host, 255},
    {",\"target\":\"", &RequestRecord::target, 4096},
    {",\"protocol\":\"", &RequestRecord::protocol, 16},
    {",\"tls_version\":\"", &RequestRecord::tls_version, 16},
    {",\"user_agent\":\"", &RequestRecord::user_agent, 512},
    {",\"referer\":\"", &RequestRecord::referer, 1024},
    {",\"request_id\":\"", &RequestRecord::request_id, kNameLimit},
    {",\"distribution\":\"", &RequestRecord::distribution, kNameLimit},
    {",\"behavior\":\"", &RequestRecord::behavior, 255},
    {",\"origin\":\"", &RequestRecord::origin, kNameLimit},
    {",\"generation\":\"", &RequestRecord::generation, 64},
    {",\"proxy_error\":\"", &RequestRecord::proxy_error, 64},
    {",\"details\":\"", &RequestRecord::details, 512},
    {",\"waf_rule\":\"", &RequestRecord::waf_rule, kNameLimit},
    {",\"waf_matched\":\"", &RequestRecord::waf_matched, 512},
    {",\"content_type\":\"", &RequestRecord::content_type, kNameLimit},
}};

/// What a line takes without the values of its text members: keys, numbers, cut marks, punctuation.
constexpr std::size_t kFixed = 2048;
/// An octet becomes \u00XX at worst.
constexpr std::size_t kWorst = 6;

constexpr std::size_t longest_line() {
  std::size_t total = kFixed;
  for (const auto& member : kTextMembers) total += kWorst * member.limit;
  return total;
}
static_assert(longest_line() <= LineFormatter::kMaxLine);

char* append(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

template <class Number>
char* append_number(char* out, Number number) {
  return std::to_chars(out, out + 20, number).ptr;
}

char* append_code_point(char* out, unsigned code_point) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out = append(out, "\\u");
  for (int shift = 12; shift >= 0; shift -= 4) *out++ = kDigits[code_point >> shift & 0xf];
  return out;
}

/// Line and paragraph separators and the marks that turn the direction of text (U+2028–202E,
/// U+2066–2069): valid JSON, but they make a line look like another on a terminal.
bool misleads(std::string_view three_octets) {
  const auto second = static_cast<std::uint8_t>(three_octets[1]);
  const auto third = static_cast<std::uint8_t>(three_octets[2]);
  if (static_cast<std::uint8_t>(three_octets[0]) != 0xE2) return false;
  return (second == 0x80 && third >= 0xA8 && third <= 0xAE) ||
         (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

/// The one character at `text[at]`, escaped where it has to be; moves `at` behind it.
char* append_character(char* out, std::string_view text, std::size_t& at) {
  const auto octet = static_cast<std::uint8_t>(text[at]);
  if (octet < 0x80) {
    ++at;
    if (octet < 0x20 || octet == 0x7f) return append_code_point(out, octet);
    if (octet == '"' || octet == '\\') *out++ = '\\';
    *out++ = static_cast<char>(octet);
    return out;
  }
  const auto length = utf8_sequence_length(text.substr(at, 4));
  if (length == 0) {
    ++at;
    return append_code_point(out, 0xFFFD);
  }
  const auto character = text.substr(at, length);
  at += length;
  const auto second = static_cast<std::uint8_t>(character[1]);
  if (octet == 0xC2 && second < 0xA0)
    return append_code_point(out, second);  // C1 control characters
  if (length == 3 && misleads(character)) {
    return append_code_point(
        out, 0x2000u | (second & 0x3Fu) << 6 | (static_cast<std::uint8_t>(character[2]) & 0x3Fu));
  }
  return append(out, character);
}

/// Whether any octet of eight needs a closer look: not ASCII, a control character, a quote, a
/// backslash, DEL.
bool needs_care(std::uint64_t eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  const auto below = [](std::uint64_t word, std::uint64_t limit) {
    return (word - kOnes * limit) & ~word & kHigh;
  };
  const auto equals = [&](char c) {
    return below(eight ^ kOnes * static_cast<std::uint8_t>(c), 1);
  };
  return ((eight & kHigh) | below(eight, 0x20) | equals('"') | equals('\\') | equals('\x7f')) != 0;
}

char* append_escaped(char* out, std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight;
    if (text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if (!needs_care(eight)) {
        std::memcpy(out, &eight, sizeof eight);
        out += sizeof eight;
        at += sizeof eight;
        continue;
      }
    }
    const std::size_t end = std::min(at + sizeof eight, text.size());
    while (at < end) out = append_character(out, text, at);
  }
  return out;
}

/// `text`, or its start and `…+N`, where N octets are missing.
char* append_limited(char* out, std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return append_escaped(out, text);
  std::size_t cut = limit;
  for (int back = 0; back < 3 && (static_cast<std::uint8_t>(text[cut]) & 0xC0) == 0x80; ++back)
    --cut;
  out = append_escaped(out, text.substr(0, cut));
  out = append(out, "…+");
  return append_number(out, text.size() - cut);
}

char* append_member(char* out, std::string_view opening, std::uint64_t value) {
  out = append(out, opening);
  return append_number(out, value);
}

/// All numbers and words of ours; those that say nothing are left out.
char* append_outcome(char* out, const RequestRecord& record) {
  out = append(out, ",\"status\":");
  out = append_number(out, record.status);
  if (record.origin_status != 0) {
    out = append(out, ",\"origin_status\":");
    out = append_number(out, record.origin_status);
  }
  out = append(out, ",\"outcome\":\"");
  out = append(out, name(record.outcome));
  *out++ = '"';
  if (record.from_disk) out = append(out, ",\"tier\":\"disk\"");
  if (record.reason != guard::Reason::None) {
    out = append(out, ",\"reason\":\"");
    out = append(out, guard::code(record.reason));
    *out++ = '"';
  }
  out = append_member(out, ",\"bytes_sent\":", record.bytes_sent);
  out = append_member(out, ",\"bytes_received\":", record.bytes_received);
  out = append_member(out, ",\"duration_us\":", record.duration_us);
  out = append_member(out, ",\"time_to_first_byte_us\":", record.time_to_first_byte_us);
  if (record.warming) out = append(out, ",\"warming\":true");
  if (record.aborted) out = append(out, ",\"aborted\":true");
  return out;
}

}  // namespace

std::size_t LineFormatter::bound(const RequestRecord& record) {
  std::size_t total = kFixed;
  for (const auto& member : kTextMembers)
    total += kWorst * std::min((record.*member.value).size(), member.limit);
  return total;
}

/// RFC 3339 with milliseconds, in UTC.
char* LineFormatter::format_time(base::WallTime time, char* out) {
  constexpr std::int64_t kLast = 253'402'300'799;  // 9999-12-31T23:59:59
  const std::int64_t ms =
      std::clamp<std::int64_t>(time.time_since_epoch().count(), 0, kLast * 1000);
  const std::int64_t second = ms / 1000;
  if (second != cached_second_) {
    const auto wanted = static_cast<std::time_t>(second);
    std::tm parts{};
    gmtime_r(&wanted, &parts);
    std::strftime(cached_text_, sizeof cached_text_, "%Y-%m-%dT%H:%M:%S", &parts);
    cached_second_ = second;
  }
  out = append(out, {cached_text_, 19});
  const auto rest = static_cast<unsigned>(ms % 1000);
  *out++ = '.';
  *out++ = static_cast<char>('0' + rest / 100);
  *out++ = static_cast<char>('0' + rest / 10 % 10);
  *out++ = static_cast<char>('0' + rest % 10);
  *out++ = 'Z';
  return out;
}

std::size_t LineFormatter::format(const RequestRecord& record, char* const start) {
  char* out = append(start, "{\"time\":\"");
  out = format_time(record.time, out);
  *out++ = '"';
  if (record.client.is_v4() || record.client.is_v6()) {
    out = append(out, ",\"client\":\"");
    out += record.client.format(out);
    *out++ = '"';
  }
  if (record.client_port != 0) out = append_member(out, ",\"client_port\":", record.client_port);
  for (const auto& member : kTextMembers) {
    const auto value = record.*member.value;
    if (value.empty()) continue;
    out = append(out, member.opening);
    out = append_limited(out, value, member.limit);
    *out++ = '"';
  }
  out = append_outcome(out, record);
  out = append(out, "}\n");
  return static_cast<std::size_t>(out - start);
}

}  // namespace headgate::observe
