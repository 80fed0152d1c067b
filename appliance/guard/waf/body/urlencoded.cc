// SPDX-License-Identifier: MIT
// Queries, forms and cookies.
#include <algorithm>
#include <string>

#include "appliance/guard/waf/body/parsers.h"
#include "appliance/guard/waf/match/validate.h"
#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

std::string_view decoded(std::string_view text, Arena& arena, std::string& buffer) {
  if (text.find_first_of("%+") == std::string_view::npos) return text;
  buffer.clear();
  text::url_decode(text, buffer);
  return arena.persist(buffer);
}

}  // namespace

void parse_urlencoded(std::string_view text, const BodyLimits& limits, Arena& arena,
                      BodyContent& content) {
  std::string buffer;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (content.arguments.size() >= limits.arguments) {
      content.too_many_arguments = true;
      return;
    }
    if (!valid_url_encoding(pair)) content.invalid_url_encoding = true;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    NamedValue argument;
    argument.name = decoded(pair.substr(0, equals), arena, buffer);
    argument.value = decoded(pair.substr(std::min(equals + 1, pair.size())), arena, buffer);
    content.arguments.push_back(argument);
  }
}

bool parse_cookies(std::string_view value, const BodyLimits& limits,
                   std::vector<NamedValue>& cookies) {
  while (!value.empty() && text::is_space(value.back())) value.remove_suffix(1);
  while (!value.empty()) {
    const std::size_t end = std::min(value.find(';'), value.size());
    std::string_view pair = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    while (!pair.empty() && text::is_space(pair.front())) pair.remove_prefix(1);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (equals == 0) continue;
    if (cookies.size() >= limits.arguments) return false;
    cookies.push_back({pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))});
  }
  return true;
}

}  // namespace headgate::guard::waf
