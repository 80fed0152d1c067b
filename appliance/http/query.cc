// SPDX-License-Identifier: MIT
// Splitting at '&' and '=' only: ';' and encoded separators are data to most origins.
#include "appliance/http/query.h"

namespace headgate::http {

bool QueryReader::next(QueryPair& pair) {
  while (!rest_.empty()) {
    const std::size_t end = rest_.find('&');
    pair.raw = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (pair.raw.empty()) continue;
    const std::size_t equals = pair.raw.find('=');
    pair.name = pair.raw.substr(0, equals);
    pair.value =
        equals == std::string_view::npos ? std::string_view() : pair.raw.substr(equals + 1);
    return true;
  }
  return false;
}

void split_target(std::string_view target, std::string_view& path, std::string_view& query) {
  const std::size_t mark = target.find('?');
  path = target.substr(0, mark);
  query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

}  // namespace headgate::http
