// SPDX-License-Identifier: MIT
#include "appliance/origin/curl/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace headgate::origin {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view without_line_end(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The fields that decide where the body ends: they have to be spelled beyond doubt.
bool is_framing(std::string_view name) {
  return name == "content-length" || name == "transfer-encoding";
}

/// 1*DIGIT that libcurl's signed 64 bits hold.
std::optional<std::uint64_t> parse_length(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  return value;
}

/// Anything but `chunked` and a single name that nobody knows, with which the content is what comes
/// until the connection ends (RFC 9112 section 6.3). Browsers have it so, and `identity` is seen in
/// the wild.
bool is_transfer_coding_to_decode(std::string_view value) {
  constexpr std::array<std::string_view, 5> kCodings = {"gzip", "x-gzip", "deflate", "compress",
                                                        "x-compress"};
  return !http::is_token(value) ||
         std::any_of(kCodings.begin(), kCodings.end(), [value](std::string_view coding) {
           return http::equals_ignoring_case(value, coding);
         });
}

}  // namespace

void HeadCollector::reset() { *this = HeadCollector(); }

HeadCollector::Verdict HeadCollector::malformed(std::string_view error) {
  error_ = error;
  return Verdict::Malformed;
}

HeadCollector::Verdict HeadCollector::add_line(std::string_view line) {
  octets_ += line.size();
  if (octets_ > kMaxHeadOctets) return malformed("the head of the response exceeds 64 KiB");
  line = without_line_end(line);
  if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    return malformed("a CR, LF or NUL inside a field line");
  }
  if (!inside_) return start_head(line);
  if (line.empty()) return finish_head();
  return is_blank(line.front()) ? fold(line) : add_field(line);
}

HeadCollector::Verdict HeadCollector::start_head(std::string_view line) {
  if (line.substr(0, 5) != "HTTP/") return malformed("no status line");
  inside_ = true;
  text_.clear();
  lines_.clear();
  fields_.clear();
  content_length_.reset();
  is_chunked_ = false;
  return Verdict::More;
}

HeadCollector::Verdict HeadCollector::add_field(std::string_view line) {
  if (lines_.size() == kMaxHeadFields) return malformed("more than 128 field lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return malformed("a field line without a colon");
  // Section 5.1: a proxy removes white space before the colon.
  const std::string_view written = line.substr(0, colon);
  const std::string_view name = trim(written);
  if (!http::is_token(name)) return malformed("a field name that is no token");
  const std::string_view value = trim(line.substr(colon + 1));

  Line stored;
  stored.name = text_.size();
  stored.name_size = name.size();
  std::transform(name.begin(), name.end(), std::back_inserter(text_), lower);
  stored.value = text_.size();
  stored.value_size = value.size();
  text_.append(value);
  lines_.push_back(stored);
  // libcurl would not recognise it, and so would frame by something else than we do.
  if (name.size() != written.size() && is_framing(text(stored.name, stored.name_size))) {
    return malformed("white space before the colon of a framing field");
  }
  return Verdict::More;
}

HeadCollector::Verdict HeadCollector::fold(std::string_view line) {
  if (lines_.empty()) return malformed("a folded line before the first field");
  Line& last = lines_.back();
  if (is_framing(text(last.name, last.name_size))) return malformed("a folded framing field");
  const std::string_view more = trim(line);
  if (more.empty()) return Verdict::More;
  if (last.value_size != 0) text_.push_back(' ');
  text_.append(more);
  last.value_size = text_.size() - last.value;
  return Verdict::More;
}

HeadCollector::Verdict HeadCollector::finish_head() {
  inside_ = false;
  fields_.reserve(lines_.size());
  bool has_length = false;
  bool has_coding = false;
  for (const Line& line : lines_) {
    const http::Field field{text(line.name, line.name_size), text(line.value, line.value_size)};
    if (field.name == "content-length") {
      if (has_length) return malformed("several Content-Length fields");
      has_length = true;
      content_length_ = parse_length(field.value);
      if (!content_length_) return malformed("an invalid Content-Length");
    }
    if (field.name == "transfer-encoding") {
      // We never offer another one (TE), and libcurl would hand its octets on undecoded.
      if (has_coding || is_transfer_coding_to_decode(field.value))
        return malformed("a transfer coding other than chunked");
      has_coding = true;
      is_chunked_ = http::equals_ignoring_case(field.value, "chunked");
    }
    fields_.push_back(field);
  }
  // Section 6.3: may be an attempt at response splitting, and ought to be handled as an error.
  if (has_length && has_coding) return malformed("both Content-Length and Transfer-Encoding");
  return Verdict::Complete;
}

}  // namespace headgate::origin
