// SPDX-License-Identifier: MIT
// A query string as a list of pairs, taken apart without decoding: what is in a cache key must be
// what was sent.
#pragma once

#include <string_view>

namespace headgate::http {

struct QueryPair {
  std::string_view name;   ///< up to the first '='
  std::string_view value;  ///< after it; empty when there is none
  std::string_view raw;    ///< both, as sent: "a", "a=" and "a=b" differ
};

/// Walks "a=1&b=2" (without the '?') in order; empty pieces ("a&&b") are skipped.
/// `for (QueryReader query(raw); query.next(pair);) …`
class QueryReader {
 public:
  explicit QueryReader(std::string_view query) : rest_(query) {}
  bool next(QueryPair& pair);

 private:
  std::string_view rest_;
};

/// Splits a request target in origin form at the first '?'. `query` is empty without one.
void split_target(std::string_view target, std::string_view& path, std::string_view& query);

}  // namespace headgate::http
