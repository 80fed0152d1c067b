// SPDX-License-Identifier: MIT
// Reads Content-Disposition.
#include "appliance/guard/waf/body/disposition.h"

#include <algorithm>

#include "appliance/guard/waf/text/octets.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

constexpr std::string_view kType = "form-data";

void skip_blanks(std::string_view& rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
}

// A quoted value behind its opening quote, which is `quote`: some receivers take single ones.
// Backslashes escape quotes and backslashes alone, since browsers send paths unescaped.
bool take_quoted(std::string_view& rest, char quote, std::string& value) {
  while (!rest.empty() && rest.front() != quote) {
    if (rest.front() == '\\') {
      if (rest.size() == 1) return false;
      if (rest[1] == quote || rest[1] == '\\') rest.remove_prefix(1);
    }
    value += rest.front();
    rest.remove_prefix(1);
  }
  if (!rest.empty()) rest.remove_prefix(1);
  return true;
}

// filename*=charset'language'percent-encoded (RFC 8187), of which the last part.
bool take_extended(std::string_view& rest, std::string& value) {
  const std::size_t end = std::min(rest.find(';'), rest.size());
  const std::string_view whole = rest.substr(0, end);
  rest.remove_prefix(end);
  const std::size_t charset = whole.find('\'');
  if (charset == 0 || charset == std::string_view::npos) return false;
  const std::size_t language = whole.find('\'', charset + 1);
  if (language == std::string_view::npos) return false;
  value = whole.substr(language + 1);
  return true;
}

bool take_value(std::string_view& rest, std::string_view name, Disposition& disposition,
                std::string& value) {
  if (name == "filename*") return take_extended(rest, value);
  const char quote = rest.front();
  if (quote != '"' && quote != '\'') {
    std::size_t size = 0;
    while (size < rest.size() && http::is_token_char(rest[size])) ++size;
    value = rest.substr(0, size);
    rest.remove_prefix(size);
  } else {
    rest.remove_prefix(1);
    if (!take_quoted(rest, quote, value)) return false;
  }
  if (quote == '\'' || (quote != '"' && value.find('\'') != std::string::npos))
    disposition.invalid_quoting = true;
  return true;
}

}  // namespace

Disposition parse_disposition(std::string_view rest) {
  Disposition disposition;
  const auto failed = [&](const char* why) {
    disposition.error = why;
    return disposition;
  };
  const std::string_view type = rest.substr(0, kType.size());
  if (!http::equals_ignoring_case(type, kType)) return failed("a part that is no form-data");
  if (type != kType) disposition.unusual = true;
  rest.remove_prefix(kType.size());
  skip_blanks(rest);
  while (!rest.empty()) {
    if (rest.front() != ';') return failed("a Content-Disposition without semicolons");
    rest.remove_prefix(1);
    skip_blanks(rest);
    if (rest.empty()) return failed("a semicolon at the end of Content-Disposition");
    const std::size_t end = std::min(rest.find_first_of("= \t"), rest.size());
    const std::string_view as_sent = rest.substr(0, end);
    std::string name(as_sent);
    std::transform(name.begin(), name.end(), name.begin(), text::to_lower);
    if (name != as_sent) disposition.unusual = true;
    rest.remove_prefix(end);
    skip_blanks(rest);
    if (!rest.starts_with('=')) return failed("a parameter of Content-Disposition without value");
    rest.remove_prefix(1);
    skip_blanks(rest);
    if (rest.empty()) return failed("a parameter of Content-Disposition without value");
    std::string value;
    if (!take_value(rest, name, disposition, value))
      return failed("a parameter of Content-Disposition that is not well-formed");
    if (name == "name") {
      if (!disposition.name.empty()) return failed("two names of a part");
      disposition.name = std::move(value);
    } else if (name == "filename" || name == "filename*") {
      if (disposition.has_filename && name == "filename" && !disposition.filename.empty())
        return failed("two file names of a part");
      if (disposition.filename.empty()) disposition.filename = std::move(value);
      disposition.has_filename = true;
    } else {
      disposition.unusual = true;
    }
    skip_blanks(rest);
  }
  return disposition;
}

}  // namespace headgate::guard::waf
