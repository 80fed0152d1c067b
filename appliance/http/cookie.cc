// SPDX-License-Identifier: MIT
#include "appliance/http/cookie.h"

namespace headgate::http {

bool CookieReader::next(CookiePair& pair) {
  while (!rest_.empty()) {
    const std::size_t end = rest_.find(';');
    pair.raw = trim(rest_.substr(0, end));
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (pair.raw.empty()) continue;
    const std::size_t equals = pair.raw.find('=');
    pair.name = trim(pair.raw.substr(0, equals));
    pair.value =
        equals == std::string_view::npos ? std::string_view() : trim(pair.raw.substr(equals + 1));
    return true;
  }
  return false;
}

std::optional<std::string_view> join_cookies(Fields request, std::string& buffer) {
  std::optional<std::string_view> only;
  buffer.clear();
  for (const Field& field : request) {
    if (field.name != "cookie") continue;
    if (!only) {
      only = field.value;
      continue;
    }
    if (buffer.empty()) buffer = *only;
    buffer.append("; ").append(field.value);
  }
  return buffer.empty() ? only : std::optional<std::string_view>(buffer);
}

}  // namespace headgate::http
