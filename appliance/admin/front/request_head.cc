// SPDX-License-Identifier: MIT
// Finds the frame of a request, and hands on only what the endpoints read: cpp-httplib's parsers of
// Range, Accept-Encoding and others never see what a stranger sent.
#include "appliance/admin/front/request_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "appliance/http/field.h"

namespace headgate::admin {
namespace {

constexpr std::size_t kMaxHead = 16 * 1024;
constexpr std::size_t kMaxTarget = 4096;
constexpr std::size_t kMaxMethod = 16;
constexpr std::array<std::string_view, 6> kPassedOn = {
    "host",          "origin", "authorization", "x-hub-signature-256", "x-gitea-signature",
    "x-gitlab-token"};

bool is_tchar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_tchar);
}
/// What a field's value may hold: no control characters but the tab.
bool is_field_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet == '\t' || (octet >= 0x20 && octet != 0x7f);
  });
}
std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

RequestHead refuse(int status, std::string_view problem) {
  RequestHead head;
  head.state = RequestHead::State::Refused;
  head.refusal = status;
  head.problem = problem;
  return head;
}

/// `METHOD /target HTTP/1.x`
bool parse_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return false;
  head.method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(head.method) || head.method.size() > kMaxMethod) return false;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (target.empty() || target[0] != '/' || !std::all_of(target.begin(), target.end(), is_visible))
    return false;
  head.path = target.substr(0, target.find('?'));
  head.request.assign(head.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  return target.size() <= kMaxTarget;
}

struct Framing {
  std::optional<std::size_t> content_length;
  RequestHead refused;  ///< state Refused when a field is not acceptable
};

void take_field(std::string_view line, RequestHead& head, Framing& framing) {
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name)) {
    framing.refused = refuse(400, "a header line is malformed");
    return;
  }
  const auto value = trim(line.substr(colon + 1));
  if (!is_field_text(value)) {
    framing.refused = refuse(400, "a header has control characters");
  } else if (http::equals_ignoring_case(name, "transfer-encoding")) {
    framing.refused = refuse(411, "send the body with Content-Length");
  } else if (http::equals_ignoring_case(name, "expect")) {
    framing.refused = refuse(417, "Expect is not supported");
  } else if (http::equals_ignoring_case(name, "content-length")) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    const bool is_number =
        error == std::errc{} && end == value.data() + value.size() && !value.empty();
    if (!is_number || framing.content_length)
      framing.refused = refuse(400, "Content-Length must be one number");
    framing.content_length = length;
  }
  for (const auto passed_on : kPassedOn) {
    if (!http::equals_ignoring_case(name, passed_on)) continue;
    head.request.append(passed_on).append(": ").append(value).append("\r\n");
  }
}

}  // namespace

RequestHead parse_request_head(std::string_view octets) {
  const auto end = octets.substr(0, kMaxHead).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return octets.size() >= kMaxHead ? refuse(431, "the request's head is too large")
                                     : RequestHead{};
  }
  RequestHead head;
  head.state = RequestHead::State::Complete;
  head.length = end + 4;
  auto rest = octets.substr(0, end);
  const auto take_line = [&rest] {
    const auto line_end = rest.find("\r\n");
    const auto line = rest.substr(0, line_end);
    rest = line_end == std::string_view::npos ? std::string_view() : rest.substr(line_end + 2);
    return line;
  };
  if (!parse_request_line(take_line(), head)) return refuse(400, "the request line is malformed");
  Framing framing;
  while (!rest.empty()) {
    take_field(take_line(), head, framing);
    if (framing.refused.state == RequestHead::State::Refused) return framing.refused;
  }
  head.content_length = framing.content_length.value_or(0);
  head.request += "\r\n";
  return head;
}

}  // namespace headgate::admin
