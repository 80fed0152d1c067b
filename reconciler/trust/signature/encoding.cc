// SPDX-License-Identifier: MIT
// What keys and signatures are packed in: armor, and the fields of the SSH protocol.
#include "reconciler/trust/signature/encoding.h"

#include <algorithm>

#include "appliance/base/base64.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

/// The next line without its end, and what follows it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<std::string> decode_armor(std::string_view text, std::string_view label,
                                 std::string_view* rest) {
  const std::string begin = fmt::format("-----BEGIN {}-----", label);
  const std::string end = fmt::format("-----END {}-----", label);
  if (take_line(text) != begin) return fail(Blame::Config, "it does not begin with {}", begin);
  std::string base64;
  bool in_headers = true;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line == end) {
      if (rest != nullptr) *rest = text;
      if (auto octets = base::decode_base64(base64); octets && !octets->empty())
        return std::move(*octets);
      return fail(Blame::Config, "what stands before {} is not base64", end);
    }
    if (in_headers && line.find(": ") != std::string_view::npos) continue;
    if (line.empty()) {
      if (!in_headers) return fail(Blame::Config, "an empty line in base64");
      continue;
    }
    in_headers = false;
    if (line.front() != '=') base64 += line;  // '=': OpenPGP's checksum
  }
  return fail(Blame::Config, "{} is missing", end);
}

std::uint32_t SshReader::number() {
  if (rest_.size() < 4) good_ = false;
  if (!good_) return 0;
  std::uint32_t value = 0;
  for (const char c : rest_.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  rest_.remove_prefix(4);
  return value;
}

std::string_view SshReader::text() {
  const std::uint32_t size = number();
  if (size > rest_.size()) good_ = false;
  if (!good_) return {};
  const std::string_view value = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return value;
}

std::string_view SshReader::natural() {
  std::string_view value = text();
  if (value.empty() || (static_cast<unsigned char>(value.front()) & 0x80) != 0) good_ = false;
  if (!good_) return {};
  while (!value.empty() && value.front() == '\0') value.remove_prefix(1);
  return value;
}

bool SshReader::skip(std::string_view expected) {
  if (!rest_.starts_with(expected)) good_ = false;
  if (good_) rest_.remove_prefix(expected.size());
  return good_;
}

std::string ssh_text(std::string_view octets) {
  std::string out;
  for (const int shift : {24, 16, 8, 0})
    out.push_back(static_cast<char>(octets.size() >> shift & 0xff));
  return out.append(octets);
}

}  // namespace headgate::reconciler
